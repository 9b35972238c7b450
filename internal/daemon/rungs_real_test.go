//go:build real && linux

package daemon

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"moonwatch/consensus"
	"moonwatch/internal/client"
	"moonwatch/internal/config"
	"moonwatch/member"
	"moonwatch/shield"
	"moonwatch/status"
)

// rungs are three agents, each a process, whose doors are one shield: a HAProxy at web-1,
// and the gateways of web-2 and web-3. Every request of a tenant is asked for by an address
// of its own.
type rungs struct {
	*apart
	front map[member.ID]string
	seen  []string // lines of the ledger about subdomains, in their order
	crowd sync.WaitGroup
	hurt  atomic.Int64 // requests of others that were not served
	whole atomic.Int64 // of others in all
}

const (
	rungsCapacity = 40 // requests a second: a flood of ten times one's share is soon made
	flooded       = "tenant-0.tenants.example"
)

func newRungs(t *testing.T) *rungs {
	t.Helper()
	names := []member.ID{"web-1", "web-2", "web-3"}
	a, b := byte(rand.IntN(200)+10), byte(rand.IntN(200)+10)
	f := layFleet(t, names, func(i int) netip.Addr { return netip.AddrFrom4([4]byte{127, a, b, byte(i + 1)}) })
	x := &rungs{apart: newApart(f, func(_ member.ID, argv []string) []string { return argv }), front: map[member.ID]string{}}
	proxy := haproxyDoor(t)
	x.front["web-1"] = proxy.front
	f.tune = func(n member.ID, c *config.Agent) {
		if n == "web-1" {
			proxy.tune(c)
			return
		}
		c.Gateway = netip.AddrPortFrom(f.addrs[n], 8080).String()
		x.front[n] = c.Gateway
	}
	for _, n := range names {
		f.serve(n)
		t.Cleanup(func() { f.unserve(n) })
		x.startAgent(n)
	}
	x.await("web-3", "a leader", func(p status.Page) bool { return p.Council.Leader != "" })
	fl := testFleet(f, 2)
	fl.Shield = member.ShieldPolicy{Mode: member.ShieldEnforce, Capacity: rungsCapacity, Doors: names, Highest: "stop"}
	x.order(consensus.KindFleet, fl)
	return x
}

// shown is what a member's agent says of the shield; nil: it does not answer.
func (x *rungs) shown(n member.ID) *status.ShieldDocument {
	c := x.client(n)
	defer c.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	d, _, err := c.Shield(ctx, flooded)
	if err != nil {
		return nil
	}
	return &d
}

// rung is on which one a door holds the flooded subdomain.
func rung(d *status.ShieldDocument) shield.Rung {
	if d == nil || d.Host == nil || d.Host.Held == nil {
		return shield.Observe
	}
	r, _ := shield.RungOf(d.Host.Held.Rung)
	return r
}

// throttle is what a door's ledger says of it; the zero value: nothing.
func throttle(d *status.ShieldDocument) status.ShieldThrottle {
	if d == nil || d.Host == nil || d.Host.Throttle == nil {
		return status.ShieldThrottle{}
	}
	return *d.Host.Throttle
}

// wait polls, and keeps the ledger's lines meanwhile.
func (x *rungs) wait(what string, is func() bool) {
	x.t.Helper()
	began := time.Now()
	for ; !is(); time.Sleep(50 * time.Millisecond) {
		x.listen()
		if time.Since(began) > 2*time.Minute {
			for _, n := range x.names {
				x.t.Logf("%s: %+v", n, x.shown(n))
			}
			x.t.Fatalf("not within 2 minutes: %s; the ledger said %q", what, x.seen)
		}
	}
	x.listen()
	x.t.Logf("%s: after %.1f s", what, time.Since(began).Seconds())
}

func (x *rungs) listen() {
	c := x.client("web-3")
	defer c.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	got, err := c.Get(ctx, client.PageDocument)
	if err != nil {
		return
	}
	for _, f := range slices.Backward(got.Page.Facts) { // the newest stands first
		if f.Kind == consensus.KindThrottle && !slices.Contains(x.seen, f.Line) {
			x.seen = append(x.seen, f.Line)
		}
	}
}

// said reports that the ledger has a line with all these words.
func (x *rungs) said(words ...string) bool {
	return slices.ContainsFunc(x.seen, func(line string) bool {
		return !slices.ContainsFunc(words, func(w string) bool { return !strings.Contains(line, w) })
	})
}

// every lets somebody do something again and again until end is closed.
func (x *rungs) every(end chan struct{}, pause time.Duration, do func(i int)) {
	x.crowd.Go(func() {
		for i := 0; ; i++ {
			select {
			case <-end:
				return
			case <-time.After(pause):
				do(i)
			}
		}
	})
}

// tenants ask at all doors by turns, all of them alike.
func (x *rungs) tenants(end chan struct{}) {
	const others = 5
	for n := range others + 1 {
		host := fmt.Sprintf("tenant-%d.tenants.example", n)
		time.Sleep(70 * time.Millisecond) // or all of them come at the same moments
		x.every(end, 400*time.Millisecond, func(i int) {
			at := x.names[i%len(x.names)]
			ok := visit(x.front[at], n*100+i%100, host) == http.StatusOK
			if n == 0 {
				return // the flooded one's own visitors
			}
			x.whole.Add(1)
			if !ok {
				x.hurt.Add(1)
			}
		})
	}
}

// flood asks for the flooded subdomain at one door.
func (x *rungs) flood(at member.ID, end chan struct{}) {
	for n := range 4 {
		x.every(end, 10*time.Millisecond, func(i int) { visit(x.front[at], 2000+n*1000+i%1000, flooded) })
	}
}

// navigate asks as a browser does, and gives status and page.
func navigate(front, host string) (int, string) {
	c, err := net.DialTimeout("tcp", front, 10*time.Second)
	if err != nil {
		return 0, ""
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(20 * time.Second))
	fmt.Fprintf(c, "GET / HTTP/1.1\r\nHost: %s\r\nAccept: text/html\r\nSec-Fetch-Mode: navigate\r\nConnection: close\r\n\r\n", host)
	res, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		return 0, ""
	}
	defer res.Body.Close()
	page, err := io.ReadAll(res.Body)
	if err != nil {
		return 0, ""
	}
	return res.StatusCode, string(page)
}

// answers counts by status what many clients get at a door.
func (x *rungs) answers(at member.ID) map[int]int {
	got := map[int]int{}
	for i := range 100 {
		got[visit(x.front[at], 9000+i, flooded)]++
	}
	return got
}

// TestDoorsVoteForAChallengeAndAStop: a subdomain stays far above its share although it is
// shaped. The doors vote, the council writes it down with votes and end, and the doors
// obey. A door that is cut off from the others does no more than shape, whatever its
// ledger says, and the stop ends there because nobody renews it. When the flood is over,
// the doors take their votes back, and the ledger releases it.
func TestDoorsVoteForAChallengeAndAStop(t *testing.T) {
	x := newRungs(t)
	over, done := make(chan struct{}), make(chan struct{})
	var ends sync.Once
	endFlood := func() { ends.Do(func() { close(done) }) }
	defer x.crowd.Wait()
	defer close(over)
	defer endFlood()

	x.wait("every door hears all others", func() bool {
		return !slices.ContainsFunc(x.names, func(n member.ID) bool {
			d := x.shown(n)
			return d == nil || d.Mode != member.ShieldEnforce || len(d.Doors) != len(x.names) || d.Problem != ""
		})
	})
	x.wait("every door serves", func() bool {
		return !slices.ContainsFunc(x.names, func(n member.ID) bool { return visit(x.front[n], 1, flooded) != http.StatusOK })
	})
	x.tenants(over)
	time.Sleep(8 * time.Second) // what is usual is learned

	for _, n := range x.names {
		x.flood(n, done)
	}
	on := func(want shield.Rung) func() bool {
		return func() bool {
			return !slices.ContainsFunc(x.names, func(n member.ID) bool { return rung(x.shown(n)) != want })
		}
	}
	x.wait("all doors shape it", func() bool {
		return !slices.ContainsFunc(x.names, func(n member.ID) bool { return rung(x.shown(n)) < shield.ShapeFleet })
	})
	x.wait("all doors challenge it", on(shield.Challenge))
	if w := throttle(x.shown("web-3")); w.Rung != "challenge" || len(w.Doors) < 2 || w.Why == "" || !w.Until.After(time.Now()) || time.Until(w.Until) > 31*time.Second {
		t.Errorf("the ledger says of it: %+v", w)
	}
	if code, page := navigate(x.front["web-2"], flooded); code != http.StatusTooManyRequests || !strings.Contains(page, "<script") {
		t.Errorf("a browser gets %d at a gateway: %s", code, page)
	}
	shaped := x.answers("web-1")
	if rung(x.shown("web-1")) == shield.Challenge && (shaped[http.StatusTooManyRequests] == 0 || shaped[http.StatusServiceUnavailable] > 0) {
		t.Errorf("HAProxy, which shapes who is challenged, answers %v", shaped)
	}

	x.wait("all doors stop it", on(shield.Stop))
	stopped := throttle(x.shown("web-3"))
	if stopped.Rung != "stop" || len(stopped.Doors) < 2 || stopped.By != "" {
		t.Errorf("the ledger says of it: %+v", stopped)
	}
	for _, n := range x.names {
		x.wait(fmt.Sprintf("%s lets nobody in", n), func() bool { return x.answers(n)[http.StatusServiceUnavailable] == 100 })
	}
	for _, rung := range []string{"challenge", "stop"} {
		if !x.said(flooded, rung) {
			t.Errorf("no fact says %s: %q", rung, x.seen)
		}
	}

	// web-3 alone: the other two agents hear and say nothing any more. Its own clients go
	// on flooding.
	for _, n := range x.names[:2] {
		p := x.procs["agent of "+string(n)].Process
		if err := p.Signal(syscall.SIGSTOP); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = p.Signal(syscall.SIGCONT) }) // or it would not end; it may have ended
	}
	x.wait("the door that is alone shapes", func() bool { return rung(x.shown("web-3")) == shield.ShapeLocal })
	if w := throttle(x.shown("web-3")); w.Rung != "stop" {
		t.Logf("its ledger did not say stop for that long: %+v", w)
	}
	x.wait("HAProxy is held by nobody", func() bool { return x.answers("web-1")[http.StatusOK] == 100 })
	x.wait("the stop has ended, for nobody renews it", func() bool {
		d := x.shown("web-3")
		if d == nil {
			return false
		}
		if r := rung(d); r > shield.ShapeLocal {
			t.Errorf("a door that is alone holds it on %v", r)
		}
		return len(d.Throttles) == 0
	})
	if got := x.answers("web-3"); got[http.StatusServiceUnavailable] > 0 || got[http.StatusTooManyRequests] == 0 {
		t.Errorf("the door that is alone answers %v, want some that are shaped and none that is stopped", got)
	}

	for _, n := range x.names[:2] {
		if err := x.procs["agent of "+string(n)].Process.Signal(syscall.SIGCONT); err != nil {
			t.Fatal(err)
		}
	}
	x.wait("together again, the doors vote once more", func() bool { return throttle(x.shown("web-3")).Rung != "" })
	endFlood()
	x.wait("the ledger releases it", func() bool { return x.said(flooded, "released") })
	x.wait("everybody is let in", func() bool {
		return !slices.ContainsFunc(x.names, func(n member.ID) bool {
			d := x.shown(n)
			return d == nil || len(d.Throttles) > 0 || slices.ContainsFunc(d.Held, func(h status.ShieldHeld) bool { return h.Admit < shield.Whole || h.Cap > 0 })
		})
	})
	for _, n := range x.names {
		if code := visit(x.front[n], 1, flooded); code != http.StatusOK {
			t.Errorf("%s answers %d after its release", n, code)
		}
	}
	for _, line := range x.seen {
		t.Log(line)
		if !strings.Contains(line, flooded) {
			t.Errorf("a fact about another one: %s", line)
		}
	}
	t.Logf("%d of %d requests of others were not served", x.hurt.Load(), x.whole.Load())
	if 10*x.hurt.Load() > x.whole.Load() {
		t.Errorf("%d of %d requests of others were not served, want a tenth at most", x.hurt.Load(), x.whole.Load())
	}
}
