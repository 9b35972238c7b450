//go:build real

package daemon

import (
	"io"
	"net/http"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"moonwatch/failover"
	"moonwatch/internal/testbed"
	"moonwatch/member"
	"moonwatch/status"
)

// proxy is a HAProxy that runs configs/haproxy/slots.cfg in a folder of its own.
type proxy struct{ *testbed.HAProxy }

func newProxy(t *testing.T) *proxy {
	t.Helper()
	p := &proxy{testbed.NewHAProxy(t, "../../configs/haproxy/slots.cfg")}
	p.forget()
	p.Start()
	return p
}

// forget empties the files from which a new start takes what was set.
func (p *proxy) forget() {
	p.Write("slots.state", "")
	p.Write("slots.map", "")
}

// answers are who answers clients, each once, and what of their requests failed.
func (p *proxy) answers(requests int) (who []string, failed int) {
	client := &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	for range requests {
		r, err := client.Get("http://" + p.Front + "/")
		if err != nil {
			failed++
			continue
		}
		body, err := io.ReadAll(r.Body)
		r.Body.Close()
		if err != nil || r.StatusCode != http.StatusOK {
			failed++
			continue
		}
		if !slices.Contains(who, string(body)) {
			who = append(who, string(body))
		}
	}
	slices.Sort(who)
	return who, failed
}

// proxied is a fleet whose three slots are reached through a HAProxy on lb-1,
// which has no other duty.
func proxied(t *testing.T) (*fleet, *proxy) {
	t.Helper()
	f := newFleet(t, []member.ID{"web-1", "web-2", "web-3", "web-4", "web-5", "lb-1"})
	p := newProxy(t)
	fl := testFleet(f, 3)
	last := len(fl.Members) - 1
	fl.Members[last].Pool = ""
	fl.Pools[0].Drivers = []member.Driver{{Kind: "haproxy", On: []member.ID{"lb-1"}, HAProxy: &member.HAProxyDriver{
		Backend: "web", Map: p.Path("slots.map"), Socket: p.Path("admin.sock"), StateFile: p.Path("slots.state"),
	}}}
	f.apply(fl)
	f.until("web-2", "haproxy has its slots", 60*time.Second, allTold)
	return f, p
}

// allTold reports that the ledger knows that every door treats every slot as it
// should.
func allTold(page status.Page) bool {
	return len(page.Doors) == 1 && page.Doors[0].Slots == 3 && len(page.Doors[0].Behind) == 0
}

// A member is killed, and the real HAProxy of another member moves to the spare,
// also if it is reloaded or restarted in the middle of that.
func TestHAProxyMovesToTheSpareOfAKilledMember(t *testing.T) {
	for name, disturb := range map[string]func(*proxy){
		"undisturbed": func(*proxy) {},
		"reloaded":    func(p *proxy) { p.Signal(syscall.SIGUSR2) },
		"restarted":   func(p *proxy) { p.Kill(); p.Start() },
	} {
		t.Run(name, func(t *testing.T) { moves(t, disturb, name == "undisturbed") })
	}
}

func moves(t *testing.T, disturb func(*proxy), quiet bool) {
	f, p := proxied(t)
	if who, failed := p.answers(30); failed > 0 || !slices.Equal(who, []string{"web-1", "web-2", "web-3"}) {
		t.Fatalf("before: %v answer, %d fail", who, failed)
	}
	f.stop("web-1")
	f.unserve("web-1")
	f.until("lb-1", "case", 60*time.Second, func(page status.Page) bool { return len(page.Cases) == 1 })
	disturb(p)
	page := f.until("web-2", "served by a spare, and closed", 60*time.Second, func(page status.Page) bool {
		return len(page.Cases) == 1 && !page.Cases[0].Open && allTold(page)
	})
	spare := string(page.Cases[0].Spare)
	if who, failed := p.answers(50); failed > 0 || !slices.Equal(who, []string{"web-2", "web-3", spare}) {
		t.Errorf("afterwards: %v answer, %d fail, want %s", who, failed, spare)
	}
	for _, step := range []string{"web-0 to web-1 at slot epoch 2, drained", "web-0 to " + spare + " at slot epoch "} {
		if quiet && !slices.ContainsFunc(page.Facts, func(l status.FactLine) bool { return l.Kind == failover.KindTold && strings.Contains(l.Line, step) }) {
			t.Errorf("no fact says that lb-1 told: %s", step)
		}
	}
	if page.Cases[0].Outcome != failover.OutcomeReplaced {
		t.Errorf("case: %+v", page.Cases[0])
	}
}

// A HAProxy that lost its files and was started anew serves nobody. Nobody tells
// its teller: it looks.
func TestAHAProxyThatForgotIsToldAgain(t *testing.T) {
	f, p := proxied(t)
	p.Kill()
	p.forget()
	p.Start()
	if who, _ := p.answers(5); len(who) > 0 {
		t.Fatalf("it has not forgotten: %v answer", who)
	}
	page := f.until("web-2", "told again", 40*time.Second, func(page status.Page) bool {
		return allTold(page) && slices.ContainsFunc(page.Facts, func(l status.FactLine) bool { return strings.Contains(l.Line, "was told again") })
	})
	// The first slot may have been told again when the others were not yet.
	end := time.Now().Add(20 * time.Second)
	for {
		who, failed := p.answers(30)
		if failed == 0 && slices.Equal(who, []string{"web-1", "web-2", "web-3"}) {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("%v answer, %d fail; %+v", who, failed, page.Doors)
		}
	}
}
