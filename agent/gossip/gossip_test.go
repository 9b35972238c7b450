package gossip

import (
	"bytes"
	"context"
	"errors"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"moonwatch/member"
)

func TestSevenAgentsSeeAndReachEachOther(t *testing.T) {
	agents := fleet(t, 7)
	for _, g := range agents {
		view := g.View()
		if !slices.IsSortedFunc(view, func(a, b Peer) int { return strings.Compare(string(a.Name), string(b.Name)) }) {
			t.Errorf("%s: view not sorted: %v", g.name, view)
		}
		for i, p := range view {
			if p.Addr != agents[i].Addr() {
				t.Errorf("%s sees %s at %s, want %s", g.name, p.Name, p.Addr, agents[i].Addr())
			}
		}
	}
	body := bytes.Repeat([]byte{0xa5}, MaxBody)
	for i, from := range agents {
		body[0] = byte(i)
		for _, to := range from.View() {
			if to.Name == from.name {
				continue
			}
			if err := from.Send(to.Addr, body); err != nil {
				t.Fatal(err)
			}
		}
	}
	for i, to := range agents {
		heard := map[byte]netip.AddrPort{}
		for range 6 {
			p := receive(t, to)
			if len(p.Body) != MaxBody || !bytes.Equal(p.Body[1:], body[1:]) {
				t.Fatalf("%s: body changed on its way, %d bytes", to.name, len(p.Body))
			}
			heard[p.Body[0]] = p.From
		}
		for j, from := range agents {
			if j != i && heard[byte(j)] != from.Addr() {
				t.Errorf("%s heard %s from %s, want %s", to.name, from.name, heard[byte(j)], from.Addr())
			}
		}
	}
}

func TestTooLongABodyIsRefusedAndNotSent(t *testing.T) {
	g := start(t, config("a"))
	err := g.Send(g.Addr(), make([]byte, MaxBody+1))
	if !errors.Is(err, ErrTooLong) || !strings.Contains(err.Error(), "1372 bytes, want at most 1371") {
		t.Errorf("error is %v", err)
	}
	if n := testutil.ToFloat64(g.metrics.sentPackets.WithLabelValues(kindDatagram)); n != 0 {
		t.Errorf("%v datagrams sent", n)
	}
}

func TestConfigListsEveryMistake(t *testing.T) {
	_, err := Open(Config{
		Advertise: netip.MustParseAddr("0.0.0.0"),
		Keys:      [][]byte{testKey, []byte("short")},
	})
	if err == nil {
		t.Fatal("opened")
	}
	for _, want := range []string{
		"name is \"\"", "cluster_id is \"\"", "bind is empty", "advertise is 0.0.0.0", "key 2 has 5 bytes, want 32",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("error lacks %q:\n%v", want, err)
		}
	}
}

func TestAnAgentWithoutKeyDoesNotStart(t *testing.T) {
	c := config("a")
	c.Keys = nil
	if _, err := Open(c); err == nil || !strings.Contains(err.Error(), "gossip_key_file holds no key") {
		t.Errorf("error is %v", err)
	}
}

func TestWildcardBindNeedsAnAddressToTell(t *testing.T) {
	c := config("a")
	c.Bind = netip.MustParseAddrPort("0.0.0.0:0")
	if err := c.Validate(); err == nil || !strings.Contains(err.Error(), "advertise is empty") {
		t.Errorf("error is %v", err)
	}
	c.Advertise = netip.MustParseAddr("127.0.0.1")
	g := start(t, c)
	if g.Addr().Addr() != c.Advertise || g.Addr().Port() == 0 {
		t.Errorf("address is %s", g.Addr())
	}
	join(t, start(t, config("b")), g)
}

func TestTooManyTagsAreRefused(t *testing.T) {
	c := config("a")
	c.Tags = map[string]string{"role": strings.Repeat("x", 600)}
	if _, err := Open(c); err == nil || !strings.Contains(err.Error(), "512 bytes") {
		t.Errorf("error is %v", err)
	}
}

func TestPortInUseIsNamed(t *testing.T) {
	first := start(t, config("a"))
	c := config("b")
	c.Bind = first.Addr()
	c.Registerer = prometheus.NewRegistry()
	for range 2 { // a refused start leaves nothing behind, so that it can be repeated
		_, err := Open(c)
		if err == nil || !strings.Contains(err.Error(), "address already in use") ||
			!strings.Contains(err.Error(), "another process listens there") {
			t.Fatalf("error is %v", err)
		}
	}
}

func TestTagsReachTheOthers(t *testing.T) {
	agents := fleet(t, 3)
	tags := map[string]string{"link": "127.0.0.1:7947", "incarnation": "2"}
	if err := agents[0].SetTags(t.Context(), tags); err != nil {
		t.Fatal(err)
	}
	tags["link"] = "changed by the caller afterwards"
	for _, g := range agents[1:] {
		until(t, g, "the tags are there", func() bool { return peer(g, "m-1").Tags["link"] == "127.0.0.1:7947" })
	}
}

func TestALeavingMemberIsNotMissed(t *testing.T) {
	agents := fleet(t, 3)
	if err := agents[0].Leave(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, g := range agents[1:] {
		until(t, g, "m-1 left", func() bool { return !peer(g, "m-1").Alive })
	}
}

func TestCloseWaitsForALeaveThatNobodyWaitsFor(t *testing.T) {
	agents := fleet(t, 2)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := agents[0].Leave(ctx); !errors.Is(err, context.Canceled) {
		t.Fatalf("error is %v", err)
	}
	stop(t, agents[0]) // the engine would panic
}

func TestCloseIsBoundedAndFinal(t *testing.T) {
	c := config("a")
	reg := prometheus.NewRegistry()
	c.Registerer = reg
	g := start(t, c)
	stop(t, g)
	stop(t, g)
	if err := g.Send(loopback, []byte("x")); !errors.Is(err, ErrClosed) {
		t.Errorf("send: %v", err)
	}
	if _, err := g.Join(t.Context(), []string{"127.0.0.1:1"}); !errors.Is(err, ErrClosed) {
		t.Errorf("join: %v", err)
	}
	if err := g.SetTags(t.Context(), nil); !errors.Is(err, ErrClosed) {
		t.Errorf("set tags: %v", err)
	}
	if err := g.Leave(t.Context()); !errors.Is(err, ErrClosed) {
		t.Errorf("leave: %v", err)
	}
	again := config("a")
	again.Bind, again.Registerer = g.Addr(), reg
	start(t, again)
}

func TestMetricsAreClean(t *testing.T) {
	reg := prometheus.NewRegistry()
	c := config("a")
	c.Registerer = reg
	start(t, c)
	problems, err := testutil.GatherAndLint(reg)
	if err != nil || len(problems) > 0 {
		t.Errorf("%v %v", problems, err)
	}
	if _, err := newMetrics(reg); err == nil {
		t.Error("registered twice without a word")
	}
}

func TestIPv6Works(t *testing.T) {
	v6 := func(name member.ID) *Gossip {
		c := config(name)
		c.Bind = netip.MustParseAddrPort("[::1]:0")
		g, err := Open(c)
		if err != nil {
			t.Skipf("no IPv6 here: %v", err)
		}
		t.Cleanup(func() { stop(t, g) })
		return g
	}
	a, b := v6("a"), v6("b")
	join(t, b, a)
	until(t, a, "b is there", func() bool { return peer(a, "b").Addr == b.Addr() })
	if err := a.Send(b.Addr(), []byte("hello")); err != nil {
		t.Fatal(err)
	}
	if p := receive(t, b); p.From != a.Addr() || string(p.Body) != "hello" {
		t.Errorf("got %q from %s", p.Body, p.From)
	}
}
