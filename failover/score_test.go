package failover

import (
	"testing"
	"time"

	"moonwatch/agent"
	"moonwatch/consensus"
	"moonwatch/member"
)

// unarmed is a fleet in which nothing is done and everything written down.
func unarmed(t testing.TB) *tale {
	fleet := webFleet(5, 3, 2, 2)
	fleet.Pools[0].Armed = false
	return newTale(t, fleet).serving()
}

// theScore is the only one.
func (x *tale) theScore() Score {
	x.t.Helper()
	if n := len(x.state.Scores()); n != 1 {
		x.t.Fatalf("%d scores, want one", n)
	}
	return x.state.Scores()[0]
}

func TestWhatWouldHaveBeenDoneTurnsOut(t *testing.T) {
	for name, c := range map[string]struct {
		kind  consensus.VerdictKind
		then  func(*tale)
		after time.Duration
		want  Fate
	}{
		"it stays away":                 {consensus.VerdictDown, func(*tale) {}, DeadAfter, FateDead},
		"nobody knows yet":              {consensus.VerdictDown, func(*tale) {}, DeadAfter - 30*time.Second, FateUnknown},
		"it answers again":              {consensus.VerdictDown, func(x *tale) { x.judge(consensus.VerdictUp, "web-3") }, time.Minute, FateUp},
		"its service comes back":        {consensus.VerdictServiceDown, func(x *tale) { x.judge(consensus.VerdictUp, "web-3") }, time.Minute, FateReturned},
		"people take it out":            {consensus.VerdictDown, func(x *tale) { x.without("web-3") }, time.Minute, FateDead},
		"it comes back in another life": {consensus.VerdictDown, func(x *tale) { x.state.s.Scores[0].Life = 7; x.judge(consensus.VerdictUp, "web-3") }, time.Minute, FateReturned},
	} {
		x := unarmed(t)
		x.judge(c.kind, "web-3")
		x.run(5 * time.Second)
		s := x.theScore()
		if !s.Would || s.Subject != "web-3" || s.Slot != "slot-2" || s.At.IsZero() || x.theCase().Would != s.At {
			t.Fatalf("%s: %+v", name, s)
		}
		c.then(x)
		if got := x.theScore().Fate(s.Silent.Add(c.after)); got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
}

// without takes a member out of the fleet, with the slot that it holds given up
// before, as people would.
func (x *tale) without(id member.ID) {
	x.t.Helper()
	x.state.s.Slots["slot-2"].Occupant = ""
	x.change(func(f *member.Fleet) {
		var rest []member.Member
		for _, m := range f.Members {
			if m.ID != id {
				rest = append(rest, m)
			}
		}
		f.Members = rest
	})
}

// What would have been done is what the other gates allow too, and what the second
// roll call bears out.
func TestWhatWouldHaveBeenHeldIsNotCounted(t *testing.T) {
	for name, spoil := range map[string]func(*tale){
		"a hold":       func(x *tale) { x.hold(HoldOnly, Fleet, time.Hour) },
		"the brake":    func(x *tale) { x.accused = []member.ID{"web-1", "web-2"} },
		"no spare":     func(x *tale) { x.state.s.Uses["web-6"].Duty, x.state.s.Uses["web-7"].Duty = Quarantined, Quarantined },
		"no agreement": func(x *tale) { x.looks["web-3"] = [2]agent.Stance{agent.Up, agent.Up} },
	} {
		x := unarmed(t)
		spoil(x)
		x.judge(consensus.VerdictDown, "web-3")
		spoil(x)
		x.run(8 * time.Second)
		if n := len(x.state.Scores()); n != 0 {
			t.Errorf("%s: %+v", name, x.state.Scores())
		}
	}
}

func TestADryRunIsScoredAndAHoldIsNot(t *testing.T) {
	x := newTale(t, webFleet(5, 3, 2, 2)).serving()
	x.hold(DryRun, Fleet, time.Hour)
	x.judge(consensus.VerdictServiceDown, "web-3")
	x.run(5 * time.Second)
	if s := x.theScore(); !s.Would || s.Deed != DeedRestart {
		t.Errorf("%+v", s)
	}
	y := newTale(t, webFleet(5, 3, 2, 2)).serving()
	y.hold(Disarm, Fleet, 0)
	y.judge(consensus.VerdictDown, "web-3")
	y.run(5 * time.Second)
	if len(y.state.Scores()) != 0 {
		t.Errorf("people forbid it, and it would have been done: %+v", y.state.Scores())
	}
}

// What is armed later and really done is one deed and not two.
func TestADeedIsScoredOnce(t *testing.T) {
	x := unarmed(t)
	x.judge(consensus.VerdictDown, "web-3")
	x.run(5 * time.Second)
	x.change(func(f *member.Fleet) { f.Pools[0].Armed = true })
	x.run(20 * time.Second)
	if s := x.theScore(); s.Would || x.slot("slot-2").Occupant == "web-3" {
		t.Errorf("%+v", s)
	}
	b, err := x.state.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	y := NewState()
	y.Bind(x.ledger)
	if err := y.Restore(b); err != nil || len(y.Scores()) != 1 || y.Scores()[0] != x.theScore() {
		t.Errorf("after a restart: %+v, %v", y.Scores(), err)
	}
}

func TestOnlyACouncillorSaysWhatWouldHaveBeen(t *testing.T) {
	x := unarmed(t)
	x.judge(consensus.VerdictDown, "web-3")
	x.now = x.now.Add(2500 * time.Millisecond)
	c := x.theCase()
	refused(t, x.commit(KindWould, "web-2", Would{Case: c.ID, Deed: DeedReplace}), "no councillor")
	accepted(t, x.commit(KindWould, "web-1", Would{Case: c.ID, Deed: DeedReplace}))
	refused(t, x.commit(KindWould, "web-1", Would{Case: c.ID, Deed: DeedReplace}), "already")
	refused(t, x.commit(KindWould, "web-1", Would{Case: 4711, Deed: DeedReplace}), "no such case")
}
