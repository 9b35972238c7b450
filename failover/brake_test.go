package failover

import (
	"fmt"
	"testing"
	"time"

	"moonwatch/consensus"
	"moonwatch/member"
)

// The table of the analysis behind PROTOCOL 7.
func TestBrakeLevels(t *testing.T) {
	for _, c := range []struct{ n, guarded, cascade int }{
		{2, 2, 2},
		{3, 2, 2},
		{4, 2, 2},
		{5, 2, 3},
		{6, 2, 3},
		{7, 2, 3},
		{10, 2, 3},
		{15, 2, 3},
		{16, 2, 4},
		{32, 2, 7},
		{41, 3, 9},
		{100, 5, 20},
		{1000, 50, 200},
	} {
		if l := levelsOf(member.BrakePolicy{}, c.n); l.guarded != c.guarded || l.cascade != c.cascade {
			t.Errorf("%d members: guarded from %d, cascade from %d; want %d and %d", c.n, l.guarded, l.cascade, c.guarded, c.cascade)
		}
	}
}

func TestAPolicyMovesTheLevelsButNeverAboveHalf(t *testing.T) {
	p := member.BrakePolicy{Guarded: member.Threshold{Min: 4, Share: 0.5}, Cascade: member.Threshold{Min: 9, Share: 0.9}}
	if l := levelsOf(p, 10); l.cascade != 5 || l.guarded != 5 {
		t.Errorf("levels %+v, want both at half", l)
	}
}

func TestBudgetsRoundDown(t *testing.T) {
	for _, c := range []struct{ n, inFlight, perWindow int }{
		{3, 1, 2}, {7, 1, 2}, {29, 1, 2}, {30, 1, 3}, {39, 1, 3}, {40, 2, 4}, {100, 5, 10},
	} {
		if a, b := BudgetOf(c.n); a != c.inFlight || b != c.perWindow {
			t.Errorf("%d members: %d in flight, %d per window; want %d and %d", c.n, a, b, c.inFlight, c.perWindow)
		}
	}
}

// weigher drives a Brake alone, with the ledger kept up by hand.
type weigher struct {
	*tale
	brake *Brake
}

func newWeigher(t *testing.T, sizes ...int) *weigher {
	n := 0
	for _, s := range sizes {
		n += s
	}
	x := newTale(t, webFleet(n-2, sizes...))
	return &weigher{x, NewBrake(x.state)}
}

// hold weighs these open members every second for a while.
func (w *weigher) hold(d time.Duration, open ...member.ID) {
	w.t.Helper()
	for past := time.Duration(0); past <= d; past += time.Second {
		if b, news := w.brake.Weigh(w.now, open); news {
			w.commit(KindBrake, "web-1", b)
		}
		w.now = w.now.Add(time.Second)
	}
}

func (w *weigher) expect(mode Mode) {
	w.t.Helper()
	if got := w.state.Brake().Mode(); got != mode {
		w.t.Errorf("mode %s, want %s", got, mode)
	}
}

func TestTheBrakeTakesHoldAtOnceAndEndsSlowly(t *testing.T) {
	w := newWeigher(t, 3, 2, 2)
	w.hold(time.Second, "web-1")
	w.expect(Normal)
	w.hold(0, "web-1", "web-4")
	w.expect(Guarded)
	w.hold(0, "web-1", "web-4", "web-6")
	w.expect(Cascade)
	w.hold(150 * time.Second) // a minute of memory, then 2 min of calm
	w.expect(Cascade)
	w.hold(40 * time.Second)
	w.expect(Guarded) // one step at a time
	w.hold(40 * time.Second)
	w.expect(Guarded)
	w.hold(30 * time.Second)
	w.expect(Normal)
}

func TestCalmThatIsInterruptedStartsAnew(t *testing.T) {
	w := newWeigher(t, 3, 2, 2)
	w.hold(0, "web-1", "web-4", "web-6")
	w.hold(170 * time.Second)
	w.hold(0, "web-1", "web-4") // half of its entry and more
	w.hold(150 * time.Second)
	w.expect(Cascade)
}

func TestOneMemberOpenKeepsTheFleetGuarded(t *testing.T) {
	w := newWeigher(t, 3, 2, 2)
	w.hold(0, "web-1", "web-4")
	w.hold(5*time.Minute, "web-1") // not below half of 2, rounded down
	w.expect(Guarded)
}

// The cascade of a domain of three begins with two. While it lasts the one that is lost
// for good is not replaced, so it stays in trouble: it must not keep the cascade alone.
func TestOneLostMemberAloneKeepsNoCascade(t *testing.T) {
	w := newWeigher(t, 3, 2, 2)
	a := InDomain(w.state.ledger.Roster().Domain("web-1"))
	w.hold(0, "web-1", "web-2")
	if m := w.state.Brake().In(a); m.Mode != Cascade || m.Ends != "nobody in trouble, or one alone and nobody else condemned, for 2m0s, or the rest of the fleet clean and no change for as long" {
		t.Fatalf("%+v, want cascade", m)
	}
	w.hold(170*time.Second, "web-1") // a minute of memory, then 2 min of calm
	if m := w.state.Brake().In(a); m.Mode != Cascade {
		t.Errorf("%+v, want cascade until it was calm for long", m)
	}
	w.hold(20*time.Second, "web-1")
	if m := w.state.Brake().In(a); m.Mode != Normal {
		t.Errorf("%+v, want normal", m)
	}
	w.expect(Guarded) // one case at a time
	w.hold(0, "web-1", "web-2")
	if m := w.state.Brake().In(a); m.Mode != Cascade {
		t.Errorf("%+v, want cascade again", m)
	}
	w.hold(10*time.Minute, "web-1", "web-2")
	if m := w.state.Brake().In(a); m.Mode != Cascade {
		t.Errorf("%+v, want cascade for as long as two are lost", m)
	}
}

func TestANewLeadersBrakeForgetsNoMode(t *testing.T) {
	w := newWeigher(t, 3, 2, 2)
	w.hold(0, "web-1", "web-4", "web-6")
	w.hold(170 * time.Second)
	w.brake = NewBrake(w.state)
	w.hold(110 * time.Second)
	w.expect(Cascade) // longer than it should, never too short
	w.hold(20 * time.Second)
	w.expect(Guarded)
}

func TestHalfOfADomainBindsThatDomainOnly(t *testing.T) {
	w := newWeigher(t, 4, 8, 8) // 20 members: the fleet's cascade is at 4
	w.hold(0, "web-1", "web-2")
	if m := w.state.Brake().In(InDomain("a")).Mode; m != Cascade {
		t.Errorf("half of domain a is open: %s", m)
	}
	w.expect(Guarded)
	if m := w.state.Brake().In(InDomain("b")).Mode; m != Normal {
		t.Errorf("domain b is %s", m)
	}
}

func TestHalfOfTwoDomainsBindsTheFleet(t *testing.T) {
	w := newWeigher(t, 3, 3, 20, 20) // the fleet's cascade is at 10
	w.hold(0, "web-1", "web-2", "web-4", "web-5")
	w.expect(Cascade)
}

func TestADomainOfTwoIsTooSmallToCount(t *testing.T) {
	w := newWeigher(t, 2, 9, 9)
	w.hold(0, "web-1")
	if m := w.state.Brake().In(InDomain("a")).Mode; m != Normal {
		t.Errorf("one of two: %s", m)
	}
}

func TestTheCondemnedCountUntilTheyAreSettled(t *testing.T) {
	w := newWeigher(t, 3, 2, 2)
	w.judge(consensus.VerdictDown, "web-1", "web-4")
	w.hold(10 * time.Minute) // no case is driven on here
	w.expect(Guarded)
}

func TestASlowlyBornPartialIsForgottenByTheBrake(t *testing.T) {
	x := newTale(t, webFleet(5, 3, 2, 2))
	x.judge(consensus.VerdictPartial, "web-1")
	if n := len(x.state.Unsettled(x.now)); n != 1 {
		t.Errorf("%d unsettled, want 1", n)
	}
	x.now = x.now.Add(2 * time.Minute)
	x.commit(KindBrake, "web-1", Brakes{}) // ledger time goes on with facts
	if n := len(x.state.Unsettled(x.now)); n != 0 {
		t.Errorf("%d unsettled after 2 min: nobody will act on a partial verdict", n)
	}
}

func TestTwoReplacementsThatDieAreACascade(t *testing.T) {
	x := newTale(t, webFleet(20, 10, 10, 10)).serving()
	for _, id := range []member.ID{"web-1", "web-2"} {
		x.judge(consensus.VerdictDown, id)
		x.run(20 * time.Second)
	}
	for _, s := range []member.SlotID{"slot-0", "slot-1"} {
		x.judge(consensus.VerdictDown, x.slot(s).Occupant)
		x.run(time.Second)
	}
	if b := x.state.Brake(); b.Mode() != Cascade || b.In(Fleet).Why != "two replacements died soon after they went live" {
		t.Errorf("mode %s: %s", b.Mode(), b.In(Fleet).Why)
	}
}

func TestModesAreOrdered(t *testing.T) {
	b := Brakes{Modes: map[Scope]ScopeMode{InPool("web"): {Mode: Guarded}, InDomain("a"): {Mode: Cascade}}}
	if at, m := b.Worst(Fleet, InPool("web"), InDomain("a")); at != InDomain("a") || m.Mode != Cascade {
		t.Errorf("worst: %s is %s", at, m.Mode)
	}
	for i, m := range []Mode{Normal, Guarded, Cascade, Isolated} {
		if m.Rank() != i {
			t.Errorf("%s has rank %d", m, m.Rank())
		}
	}
	if got := fmt.Sprint(b.Mode()); got != "normal" {
		t.Errorf("the fleet without an entry is %s", got)
	}
}
