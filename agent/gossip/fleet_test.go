package gossip

import (
	"context"
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/hashicorp/serf/serf"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"go.uber.org/goleak"

	"moonwatch/member"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var (
	testKey  = []byte("0123456789abcdef0123456789abcdef")
	otherKey = []byte("fedcba9876543210fedcba9876543210")
	loopback = netip.MustParseAddrPort("127.0.0.1:0")
)

// patience is for machines under load; nothing is asserted about it.
const patience = 20 * time.Second

// quick makes the engine notice in tenths of a second what takes it seconds.
func quick(c *serf.Config) {
	c.ReconnectInterval = 200 * time.Millisecond
	ml := c.MemberlistConfig
	ml.ProbeInterval, ml.ProbeTimeout = 100*time.Millisecond, 50*time.Millisecond
	ml.SuspicionMult, ml.SuspicionMaxTimeoutMult = 2, 2
	ml.GossipInterval = 20 * time.Millisecond
	ml.PushPullInterval = time.Second
}

func config(name member.ID) Config {
	return Config{
		Name: name, ClusterID: "test", Bind: loopback, Keys: [][]byte{testKey},
		tune: quick,
	}
}

// start opens an agent that is closed with the test.
func start(t *testing.T, c Config) *Gossip {
	t.Helper()
	g, err := Open(c)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { stop(t, g) })
	return g
}

func stop(t *testing.T, g *Gossip) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if err := g.Close(ctx); err != nil {
		t.Error(err)
	}
}

// fleet starts n agents that have all joined the first.
func fleet(t *testing.T, n int) []*Gossip {
	t.Helper()
	var agents []*Gossip
	for i := range n {
		g := start(t, config(member.ID(fmt.Sprintf("m-%d", i+1))))
		agents = append(agents, g)
		join(t, g, agents[0])
	}
	for _, g := range agents {
		until(t, g, "it sees all", func() bool { return alive(g) == n })
	}
	return agents
}

func join(t *testing.T, g, to *Gossip) {
	t.Helper()
	if _, err := g.Join(t.Context(), []string{to.Addr().String()}); err != nil {
		t.Fatal(err)
	}
}

// until waits for a condition, looking again when the view changes.
func until(t *testing.T, g *Gossip, what string, ok func() bool) {
	t.Helper()
	deadline := time.After(patience)
	again := time.NewTicker(10 * time.Millisecond)
	defer again.Stop()
	for !ok() {
		select {
		case <-g.Changes():
		case <-again.C:
		case <-deadline:
			t.Fatalf("%s: not after %v that %s; view %+v", g.name, patience, what, g.View())
		}
	}
}

func alive(g *Gossip) int {
	n := 0
	for _, p := range g.View() {
		if p.Alive {
			n++
		}
	}
	return n
}

func peer(g *Gossip, name member.ID) Peer {
	for _, p := range g.View() {
		if p.Name == name {
			return p
		}
	}
	return Peer{}
}

func receive(t *testing.T, g *Gossip) Packet {
	t.Helper()
	select {
	case p := <-g.Packets():
		return p
	case <-time.After(patience):
		t.Fatalf("%s: no datagram in %v", g.name, patience)
		return Packet{}
	}
}

func dropped(g *Gossip, reason string) float64 {
	return testutil.ToFloat64(g.metrics.dropped.WithLabelValues(reason))
}
