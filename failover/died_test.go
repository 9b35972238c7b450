package failover

import (
	"strings"
	"testing"
	"time"

	"moonwatch/agent"
	"moonwatch/consensus"
	"moonwatch/member"
)

// twoReplaced has two slots served by replacements that went live just now.
func twoReplaced(t *testing.T) (x *tale, first, second member.ID) {
	x = newTale(t, webFleet(20, 10, 10, 10)).serving()
	for _, id := range []member.ID{"web-1", "web-2"} {
		x.judge(consensus.VerdictDown, id)
		x.run(20 * time.Second)
	}
	first, second = x.slot("slot-0").Occupant, x.slot("slot-1").Occupant
	if first == "web-1" || second == "web-2" {
		t.Fatal("nobody was replaced")
	}
	return x, first, second
}

// fall commits a verdict down on one life of a member, rise withdraws one.
func (x *tale) fall(id member.ID, life member.Incarnation) {
	x.find(consensus.Finding{Subject: id, Incarnation: life, Kind: consensus.VerdictDown})
}

func (x *tale) rise(id member.ID, life member.Incarnation) {
	x.find(consensus.Finding{Subject: id, Incarnation: life, Kind: consensus.VerdictUp, Withdrawn: true})
}

func (x *tale) find(f consensus.Finding) {
	x.t.Helper()
	for _, by := range x.ledger.Overlay().ObserversOf(f.Subject) {
		f.Agent.Votes = append(f.Agent.Votes, consensus.VoteCount{Observer: by, Stance: agent.Down})
	}
	f.Agent.Eligible = len(f.Agent.Votes)
	if f := x.commit(consensus.KindVerdict, "web-1", consensus.Verdict{Term: 1, Findings: []consensus.Finding{f}}); !f.Accepted {
		x.t.Fatalf("verdict: %s", f.Reason)
	}
}

func TestAReplacementWhoseVerdictIsWithdrawnHasNotDied(t *testing.T) {
	for name, c := range map[string]struct {
		tell func(x *tale, id member.ID)
		dead int
	}{
		"withdrawn":            {func(x *tale, id member.ID) { x.rise(id, 7) }, 1},
		"back in another life": {func(x *tale, id member.ID) { x.rise(id, 8) }, 2},
		"up after a while": {func(x *tale, id member.ID) {
			x.find(consensus.Finding{Subject: id, Incarnation: 7, Kind: consensus.VerdictUp})
		}, 2},
		"up after a while, and another verdict is withdrawn": {func(x *tale, id member.ID) {
			x.find(consensus.Finding{Subject: id, Incarnation: 7, Kind: consensus.VerdictUp})
			x.find(consensus.Finding{Subject: id, Incarnation: 7, Kind: consensus.VerdictAgentLost})
			x.rise(id, 7)
		}, 2},
		"an older life is withdrawn": {func(x *tale, id member.ID) {
			x.rise(id, 7)
			x.fall(id, 8)
			x.rise(id, 7)
		}, 2},
	} {
		t.Run(name, func(t *testing.T) {
			x, first, second := twoReplaced(t)
			x.fall(first, 7)
			x.fall(second, 7) // in the same moment: one withdrawal takes one of them back
			c.tell(x, first)
			if n := x.state.replacementsDied(x.now); n != c.dead {
				t.Errorf("%d replacements have died, want %d", n, c.dead)
			}
		})
	}
}

// Nobody can take back a death after which somebody else was given the slot.
func TestTheDeathOfAReplacementThatWasReplacedStands(t *testing.T) {
	x, first, _ := twoReplaced(t)
	x.judge(consensus.VerdictDown, first)
	x.run(20 * time.Second)
	if x.slot("slot-0").Occupant == first {
		t.Fatal("the replacement was not replaced")
	}
	x.rise(first, 0)
	if n := x.state.replacementsDied(x.now); n != 1 {
		t.Errorf("%d replacements have died, want 1", n)
	}
}

func TestACascadeThatReplacementsHoldSaysSo(t *testing.T) {
	w := newWeigher(t, 10, 10, 10)
	w.hold(0, "web-1", "web-2", "web-3", "web-4", "web-5", "web-6")
	w.expect(Cascade)
	if why := w.state.Brake().In(Fleet).Why; !strings.HasPrefix(why, "6 of 30 members in trouble") {
		t.Fatalf("cascade because %q", why)
	}
	w.state.s.Dead = []time.Time{w.now, w.now}
	w.hold(2 * time.Minute) // nobody is in trouble any more
	m := w.state.Brake().In(Fleet)
	if m.Mode != Cascade || m.Why != diedSoon || !strings.Contains(m.Ends, "fewer than two replacements have died within 10m0s") {
		t.Errorf("%s because %q, until %s", m.Mode, m.Why, m.Ends)
	}
	w.hold(8*time.Minute + time.Second) // nobody dies any more, and it is calm for a moment
	if m := w.state.Brake().In(Fleet); m.Mode != Cascade || m.Why == diedSoon || strings.Contains(m.Ends, "died") {
		t.Errorf("in the calm after the deaths: %s because %q, until %s", m.Mode, m.Why, m.Ends)
	}
	w.hold(0, "web-1", "web-2", "web-3", "web-4", "web-5", "web-6")
	if m := w.state.Brake().In(Fleet); m.Mode != Cascade || m.Why == diedSoon || strings.Contains(m.Ends, "died") {
		t.Errorf("%s because %q, until %s", m.Mode, m.Why, m.Ends)
	}
	w.hold(200 * time.Second) // a minute of memory, then 2 min of calm
	w.expect(Guarded)
}
