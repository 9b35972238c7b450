package gossip

import (
	"testing"
	"time"

	"github.com/hashicorp/serf/serf"

	"moonwatch/member"
)

func conflict(t *testing.T, g *Gossip) Conflict {
	t.Helper()
	select {
	case c := <-g.Conflicts():
		return c
	case <-time.After(patience):
		t.Fatalf("%s: no conflict in %v", g.name, patience)
		return Conflict{}
	}
}

func TestTheSecondAgentWithANameHearsOfTheFirst(t *testing.T) {
	agents := fleet(t, 2)
	c := config("first")
	c.Tags = map[string]string{"started": "long ago"}
	first := start(t, c)
	join(t, first, agents[0])
	until(t, agents[1], "first is there", func() bool { return peer(agents[1], "first").Alive })

	second := start(t, config("first"))
	join(t, second, agents[0])
	got := conflict(t, second)
	if got.Name != "first" || got.Known != second.Addr() || got.Claimed != first.Addr() || got.Tags["started"] != "long ago" {
		t.Errorf("second hears %+v", got)
	}
	got = conflict(t, agents[0])
	if got.Name != "first" || got.Known != first.Addr() || got.Claimed != second.Addr() {
		t.Errorf("a third hears %+v", got)
	}
	if p := peer(agents[0], "first"); p.Addr != first.Addr() || !p.Alive {
		t.Errorf("the first lost its name: %+v", p)
	}
}

// The former address is suspected for a while, in which nobody contradicts the
// present one and nobody accepts it; and no routine exchange of state helps.
func TestARestartAtAnotherAddressTakesItsNameOver(t *testing.T) {
	suspicious := func(name member.ID) Config {
		c := config(name)
		c.tune = func(s *serf.Config) {
			quick(s)
			s.MemberlistConfig.SuspicionMult, s.MemberlistConfig.PushPullInterval = 20, time.Hour
		}
		return c
	}
	var agents []*Gossip
	for _, name := range []member.ID{"m-1", "m-2", "m-3"} {
		g := start(t, suspicious(name))
		agents = append(agents, g)
		join(t, g, agents[0])
	}
	until(t, agents[1], "it sees all", func() bool { return alive(agents[1]) == 3 })
	stop(t, agents[2]) // without a word: as if killed
	again := start(t, suspicious("m-3"))
	join(t, again, agents[0])
	for _, g := range agents[:2] {
		until(t, g, "m-3 moved", func() bool { p := peer(g, "m-3"); return p.Alive && p.Addr == again.Addr() })
	}
	until(t, again, "it sees all", func() bool { return alive(again) == 3 })
}

func TestARestartAtItsOwnAddressIsNoConflict(t *testing.T) {
	agents := fleet(t, 3)
	stop(t, agents[2])
	c := config("m-3")
	c.Bind = agents[2].Addr()
	c.Tags = map[string]string{"incarnation": "2"}
	again := start(t, c)
	join(t, again, agents[0])
	for _, g := range agents[:2] {
		until(t, g, "m-3 is back", func() bool { p := peer(g, "m-3"); return p.Alive && p.Tags["incarnation"] == "2" })
		if len(g.Conflicts()) > 0 {
			t.Errorf("%s: %+v", g.name, <-g.Conflicts())
		}
	}
}

func TestAMemberThatLeftMayComeBackAnywhere(t *testing.T) {
	agents := fleet(t, 2)
	if err := agents[1].Leave(t.Context()); err != nil {
		t.Fatal(err)
	}
	stop(t, agents[1])
	name := member.ID("m-2")
	until(t, agents[0], "m-2 left", func() bool { return !peer(agents[0], name).Alive })
	again := start(t, config(name))
	join(t, again, agents[0])
	until(t, agents[0], "m-2 is back", func() bool { p := peer(agents[0], name); return p.Alive && p.Addr == again.Addr() })
}

func TestReclaimEndsWithSuccessOrAfterItsTriesAndNotWithSilence(t *testing.T) {
	effort := func() *reclaim {
		r := &reclaim{timer: time.NewTimer(time.Hour)}
		t.Cleanup(func() { r.timer.Stop() })
		r.start()
		return r
	}
	silent := effort()
	for range reclaimTries - 1 {
		if silent.again(); !silent.running {
			t.Fatalf("ended after %d silent tries", silent.tries)
		}
	}
	if silent.again(); silent.running {
		t.Error("never ends")
	}
	if silent.start(); silent.running {
		t.Error("begins again in the same life")
	}
	heard := effort()
	heard.confirmed = reclaimEnough - 1
	heard.start() // contradicted once more: in a row counts
	if heard.again(); !heard.running {
		t.Error("ended by members that knew us before somebody did not")
	}
	heard.confirmed = reclaimEnough
	if heard.again(); heard.running {
		t.Error("goes on though everybody knows us")
	}
}
