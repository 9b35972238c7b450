//go:build real

package haproxy

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"moonwatch/failover/driver"
	"moonwatch/internal/testbed"
	"moonwatch/member"
)

const sample = "../../../configs/haproxy/slots.cfg"

// proxy is a HAProxy that runs the sample configuration.
type proxy struct {
	*testbed.HAProxy
	t *testing.T
}

// newProxy starts HAProxy with the sample's text, changed as said by pairs of
// old and new.
func newProxy(t *testing.T, changes ...string) *proxy {
	t.Helper()
	p := unstarted(t, changes...)
	p.Start()
	return p
}

func unstarted(t *testing.T, changes ...string) *proxy {
	t.Helper()
	p := &proxy{testbed.NewHAProxy(t, sample, changes...), t}
	for _, empty := range []string{p.state(), p.marks()} {
		must(t, os.WriteFile(empty, nil, 0o600))
	}
	return p
}

func (p *proxy) state() string { return p.Path("slots.state") }

// marks is the map's file, which the configuration may have elsewhere.
func (p *proxy) marks() string {
	text, err := os.ReadFile(p.Config())
	must(p.t, err)
	_, after, _ := strings.Cut(string(text), "srv_name,map(")
	path, _, _ := strings.Cut(after, ",")
	return path
}

func (p *proxy) instance(name string) Instance {
	return Instance{Name: name, Socket: p.Socket(), StateFile: p.state()}
}

// slotState is how HAProxy treats a slot, without its name.
func (p *proxy) slotState(id member.SlotID) string {
	var says string
	for line := range strings.Lines(p.Ask("show servers state web")) {
		if f := strings.Fields(line); len(f) > 18 && f[3] == string(id) {
			says = fmt.Sprintf("addr %s port %s admin %s ", f[4], f[18], f[6])
		}
	}
	for line := range strings.Lines(p.Ask("show map " + p.marks())) {
		if f := strings.Fields(line); len(f) == 3 && f[1] == string(id) {
			says += "mark " + f[2]
		}
	}
	return says
}

// occupant is a member's service. Its crash refuses and breaks connections.
type occupant struct {
	*httptest.Server
	served atomic.Int64
}

func newOccupant(t *testing.T) *occupant {
	o := &occupant{}
	o.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/healthz" {
			o.served.Add(1)
		}
	}))
	t.Cleanup(o.crash)
	return o
}

func (o *occupant) crash() {
	o.Listener.Close()
	o.CloseClientConnections()
	o.Close()
}

func (o *occupant) addrPort() netip.AddrPort {
	return netip.MustParseAddrPort(o.Listener.Addr().String())
}

// addresses is a roster.
type addresses map[member.ID]netip.AddrPort

func (a addresses) of(id member.ID) (netip.AddrPort, bool) { at, ok := a[id]; return at, ok }

// drives opens a driver of some instances.
func drives(t *testing.T, p *proxy, at addresses, instances ...Instance) *Driver {
	t.Helper()
	d, err := New(Config{Instances: instances, Backend: "web", Map: p.marks(), Address: at.of, AnswerWithin: 5 * time.Second})
	must(t, err)
	return d
}

func request(step string, who member.ID, epoch member.SlotEpoch) driver.Request {
	return driver.Request{
		Case: "C-12", Step: step, Attempt: 1, Member: who, Pool: "web", Slot: "web-0", SlotEpoch: epoch,
		Deadline: time.Now().Add(20 * time.Second),
	}
}

// does applies a step that has to succeed.
func does(t *testing.T, d driver.Driver, req driver.Request) driver.Result {
	t.Helper()
	result := d.Apply(context.Background(), req)
	wants(t, result, driver.Done)
	return result
}

func wants(t *testing.T, got driver.Result, want driver.Outcome, says ...string) {
	t.Helper()
	if got.Outcome != want {
		t.Errorf("got %v (%s), want %v", got.Outcome, got.Detail, want)
	}
	for _, text := range says {
		if !strings.Contains(got.Detail, text) {
			t.Errorf("%v is explained by %q, want %q in it", got.Outcome, got.Detail, text)
		}
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
