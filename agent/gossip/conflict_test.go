package gossip

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/serf/serf"
	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

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
// present one and nobody accepts it; and no routine exchange of state helps. The
// restart comes before the suspicion, or in the middle of it.
func TestARestartAtAnotherAddressTakesItsNameOver(t *testing.T) {
	for name, suspected := range map[string]bool{"not missed yet": false, "suspected": true} {
		t.Run(name, func(t *testing.T) {
			core, said := observer.New(zap.DebugLevel)
			suspicious := func(name member.ID) Config {
				c := config(name)
				c.Log = zap.New(core)
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
			if suspected {
				until(t, agents[0], "m-3 is suspected", func() bool {
					return slices.ContainsFunc(said.All(), func(e observer.LoggedEntry) bool {
						return strings.Contains(e.Message+fmt.Sprint(e.ContextMap()), "Suspect m-3")
					})
				})
				time.Sleep(100 * time.Millisecond) // five rounds of gossip: all suspect it
			}
			again := start(t, suspicious("m-3"))
			join(t, again, agents[0])
			for _, g := range agents[:2] {
				until(t, g, "m-3 moved", func() bool { p := peer(g, "m-3"); return p.Alive && p.Addr == again.Addr() })
			}
			until(t, again, "it sees all", func() bool { return alive(again) == 3 })
		})
	}
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

// claimant is an effort to take a name over that has just begun.
func claimant(t *testing.T) *reclaim {
	t.Helper()
	r := &reclaim{timer: time.NewTimer(time.Hour), knowUs: map[netip.AddrPort]bool{}}
	t.Cleanup(func() { r.timer.Stop() })
	r.start()
	return r
}

// addresses are those of n other members.
func addresses(n int) []netip.AddrPort {
	var all []netip.AddrPort
	for i := range n {
		all = append(all, netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 0, 0, byte(i + 1)}), 7946))
	}
	return all
}

func TestReclaimEndsAfterItsTriesAndNotWithSilence(t *testing.T) {
	for _, others := range []int{0, 1, 50} {
		r := claimant(t)
		for range reclaimTries - 1 {
			to, asked := r.next(addresses(others))
			if !r.running {
				t.Fatalf("%d others: ended after %d silent tries", others, r.tries)
			}
			if asked != (others > 0) {
				t.Errorf("%d others: asked %v, %v", others, to, asked)
			}
			r.heard(answer{by: to})
		}
		if r.next(addresses(others)); r.running {
			t.Errorf("%d others: never ends", others)
		}
		if r.start(); r.running {
			t.Errorf("%d others: begins again in the same life", others)
		}
	}
}

// The first one that knows us says so again and again, and the second one still
// suspects the former address: the effort went on only until three words came.
func TestReclaimEndsWhenThreeMembersOrAllKnowUs(t *testing.T) {
	for others, want := range map[int]int{1: 1, 2: 2, 3: 3, 50: 3} {
		r := claimant(t)
		asked := map[netip.AddrPort]bool{}
		for {
			to, ok := r.next(addresses(others))
			if !ok {
				break
			}
			if asked[to] {
				t.Fatalf("%d others: %v is asked again, and others are not", others, to)
			}
			asked[to] = true
			for range 10 {
				r.heard(answer{by: to, knows: true})
			}
		}
		if r.running || len(asked) != want {
			t.Errorf("%d others: %d were asked, want %d", others, len(asked), want)
		}
	}
}

func TestAContradictionBeginsTheCountAnew(t *testing.T) {
	r := claimant(t)
	for range reclaimEnough - 1 {
		to, _ := r.next(addresses(5))
		r.heard(answer{by: to, knows: true})
	}
	r.start() // somebody claims the name for the former address
	to, _ := r.next(addresses(5))
	r.heard(answer{by: to, knows: true})
	if _, ok := r.next(addresses(5)); !ok || !r.running {
		t.Error("ended by members that knew us before somebody did not")
	}
}
