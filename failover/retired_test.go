package failover

import (
	"slices"
	"testing"
	"time"

	"moonwatch/consensus"
	"moonwatch/member"
)

// roster applies the fleet of a tale with one of its members changed.
func (x *tale) roster(id member.ID, change func(*member.Member)) {
	x.t.Helper()
	f := *x.ledger.Fleet()
	f.Members = slices.Clone(f.Members)
	for i := range f.Members {
		if f.Members[i].ID == id {
			change(&f.Members[i])
		}
	}
	if fact := x.commit(consensus.KindFleet, "web-1", f); !fact.Accepted {
		x.t.Fatal(fact.Reason)
	}
}

func (x *tale) retire(id member.ID, yes bool) {
	x.t.Helper()
	x.roster(id, func(m *member.Member) { m.Retired = yes })
}

func TestWhoIsTakenBackBurnsInAnewWithItsStrikes(t *testing.T) {
	x := newTale(t, webFleet(5, 3, 2, 2)).serving()
	x.fallsAndComesBack()
	x.run(9 * time.Minute)
	x.retire("web-6", true)
	x.now = x.now.Add(9 * time.Minute)
	x.retire("web-6", false)
	if u := x.state.Use("web-6"); u.Duty != BurnIn || x.state.Strikes(x.now, "web-6") != 1 {
		t.Fatalf("taken back it is %s with %d strikes, want it in burn-in with one", u.Duty, x.state.Strikes(x.now, "web-6"))
	}
	x.run(10*time.Minute - time.Second)
	if d := x.state.Use("web-6").Duty; d != BurnIn {
		t.Errorf("%s before it has burnt in anew", d)
	}
	x.run(2 * time.Second)
	if d := x.state.Use("web-6").Duty; d != Spare {
		t.Errorf("%s after its burn-in", d)
	}
}

func TestOneThatLeftItsPoolComesBackAsItWas(t *testing.T) {
	x := newTale(t, webFleet(5, 3, 2, 2)).serving()
	x.fallsAndComesBack()
	x.roster("web-6", func(m *member.Member) { m.Pool = "" })
	x.roster("web-6", func(m *member.Member) { m.Pool = "web" })
	if d := x.state.Use("web-6").Duty; d != BurnIn {
		t.Errorf("%s, want it in burn-in", d)
	}
}

func TestWhoIsForgottenIsKnownNoMore(t *testing.T) {
	x := newTale(t, webFleet(5, 3, 2, 2)).serving()
	x.fallsAndComesBack()
	all := *x.ledger.Fleet()
	x.retire("web-6", true)
	without := *x.ledger.Fleet()
	without.Members = slices.DeleteFunc(slices.Clone(without.Members), func(m member.Member) bool { return m.ID == "web-6" })
	for _, f := range []member.Fleet{without, all} {
		if fact := x.commit(consensus.KindFleet, "web-1", f); !fact.Accepted {
			t.Fatal(fact.Reason)
		}
	}
	if d, n := x.state.Use("web-6").Duty, x.state.Strikes(x.now, "web-6"); d != Spare || n != 0 {
		t.Errorf("another machine of that name is %s with %d strikes", d, n)
	}
}

// A retired member's agent may run on: it stops what it has to stop, and its word stands
// when it is taken back.
func TestARetiredMemberStopsWhatItStillRuns(t *testing.T) {
	for _, c := range []struct {
		stops bool // while it is retired
		want  Duty
	}{{true, BurnIn}, {false, Quarantined}} {
		x := newTale(t, webFleet(5, 3, 2, 2)).serving()
		x.results["web-3"] = neverEnds
		x.judge(consensus.VerdictDown, "web-3")
		x.run(30 * time.Second)
		if len(x.state.Use("web-3").Leftover) == 0 {
			t.Fatalf("web-3 is %+v, want it with a slot to stop", x.state.Use("web-3"))
		}
		x.retire("web-3", true)
		if c.stops {
			u := x.state.known("web-3")
			for slot, epoch := range u.Leftover {
				x.commit(KindReport, "web-3", Report{Step: StepStop, Slot: slot, Epoch: epoch, Done: true})
			}
		}
		x.retire("web-3", false)
		if d := x.state.Use("web-3").Duty; d != c.want {
			t.Errorf("stopped while retired %v: %s, want %s", c.stops, d, c.want)
		}
	}
}
