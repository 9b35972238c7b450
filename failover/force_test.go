package failover

import (
	"strings"
	"testing"
	"time"

	"moonwatch/consensus"
	"moonwatch/member"
)

// short has a case that the pool's reserve is kept from.
func short(t *testing.T) *tale {
	t.Helper()
	fleet := webFleet(4, 3, 2, 2)
	fleet.Pools[0].Spares.Reserve = 3
	x := newTale(t, fleet).serving()
	x.judge(consensus.VerdictDown, "web-3")
	x.run(5 * time.Second)
	if c := x.theCase(); c.Held != HeldReserve {
		t.Fatalf("%s by %s: %s", c.State, c.Held, c.Why)
	}
	return x
}

func TestTwoPeopleGiveACaseASpareOfTheReserve(t *testing.T) {
	x := short(t)
	refused(t, x.requests("alice", Requested{Act: ActReserve, Scope: InPool("web")}), "the reserve is given away spare by spare")
	id := accepted(t, x.requests("alice", Requested{Act: ActReserve, Case: x.theCase().ID}))
	x.run(10 * time.Second)
	if c := x.theCase(); c.Held != HeldApproval || !strings.Contains(c.Why, "spares of pool web are free and 3 are its reserve") {
		t.Fatalf("%s by %s: %s", c.State, c.Held, c.Why)
	}
	refused(t, x.approves("alice", id), "alice asked for it")
	accepted(t, x.approves("bob", id))
	x.run(20 * time.Second)
	c := x.theCase()
	if c.Outcome != OutcomeReplaced {
		t.Fatalf("%s, want it replaced", walk(c))
	}
	// The next one needs people again.
	x.judge(consensus.VerdictDown, "web-4")
	x.run(10 * time.Second)
	if n := len(x.state.OpenCases()); n != 1 || x.state.OpenCases()[0].Held != HeldReserve {
		t.Errorf("%d open, want one that is held by the reserve: %s %s %s", n, walk(x.state.OpenCases()[0]), x.state.OpenCases()[0].Held, x.state.OpenCases()[0].Why)
	}
}

func TestAReserveThatIsNotKeptFromACaseIsNotGiven(t *testing.T) {
	x := stopped(t)
	refused(t, x.requests("alice", Requested{Act: ActReserve, Case: x.theCase().ID}), "no reserve is kept from C-")
}

// What holds a forced failover can be let past like what holds any other.
func TestAForcedFailoverMayHaveTheReserve(t *testing.T) {
	f := webFleet(5, 3, 2, 2)
	f.Pools[0].Spares.Reserve = 2
	x := newTale(t, f).serving()
	accepted(t, x.approves("bob", accepted(t, x.requests("alice", Requested{Act: ActFailover, Slot: "slot-2", Reason: "it answers wrong"}))))
	x.run(10 * time.Second)
	c := x.theCase()
	if c.Held != HeldReserve {
		t.Fatalf("%s by %s: %s, want it held by the reserve", walk(c), c.Held, c.Why)
	}
	accepted(t, x.approves("bob", accepted(t, x.requests("alice", Requested{Act: ActReserve, Case: c.ID, Reason: "it serves wrong"}))))
	x.run(20 * time.Second)
	if c = x.theCase(); c.Outcome != OutcomeReplaced {
		t.Errorf("%s: %s by %s, want it replaced", walk(c), c.Held, c.Why)
	}
}

func TestTwoPeopleForceAFailoverOfAMemberThatIsWell(t *testing.T) {
	x := newTale(t, webFleet(5, 3, 2, 2)).serving()
	id := accepted(t, x.requests("alice", Requested{Act: ActFailover, Slot: "slot-2", Reason: "it answers wrong"}))
	refused(t, x.approves("alice", id), "alice asked for it")
	x.run(30 * time.Second)
	if n := len(x.state.Cases()); n != 0 {
		t.Fatalf("%d cases, and only one has asked", n)
	}
	accepted(t, x.approves("bob", id))
	x.run(20 * time.Second)
	c := x.theCase()
	if c.Outcome != OutcomeReplaced || !c.Drained || c.Order.By != "alice and bob" || !strings.Contains(c.History[0].Detail, "R-") {
		t.Fatalf("%s: %s, drained %v, ordered by %+v: %q", walk(c), c.Outcome, c.Drained, c.Order, c.History[0].Detail)
	}
	if u := x.state.Use("web-3"); u.Duty != BurnIn || len(u.Struck) != 1 {
		t.Errorf("web-3 is %s with %d strikes, want it to prove itself", u.Duty, len(u.Struck))
	}
	if len(x.state.s.Spent) != 1 {
		t.Errorf("%d of the budget are spent, want 1", len(x.state.s.Spent))
	}
	if len(x.state.s.Scores) != 0 {
		t.Errorf("%+v: nobody condemned it", x.state.s.Scores)
	}
	wantRefusal(t, x.commit(KindForced, "web-1", Forced{Request: id}), "came of it")
	refused(t, x.approves("carol", id), "approved by bob already")
}

func TestAForcedFailoverIsVoidWhenAnythingIsNew(t *testing.T) {
	ask := func(x *tale) uint64 {
		return accepted(x.t, x.requests("alice", Requested{Act: ActFailover, Slot: "slot-2"}))
	}
	moved := func(x *tale) {
		s := x.slot("slot-2")
		accepted(x.t, x.commit(KindSwitchover, "carol", SwitchoverOrdered{Slot: s.ID, Subject: s.Occupant, Epoch: s.Epoch, Reason: "r"}))
		x.run(20 * time.Second)
	}
	for want, between := range map[string]func(x *tale){
		"slot slot-2 has moved on from slot epoch": moved,
		"the verdict on web-3 is V-":               func(x *tale) { x.judge(consensus.VerdictAgentLost, "web-3") },
		"the pool of slot slot-2 was changed":      func(x *tale) { x.ledger.Fleet().Pools[0].Spares.Floor = 1 },
		"it has expired":                           func(x *tale) { x.now = x.now.Add(AnswerWithin) },
	} {
		x := newTale(t, webFleet(5, 3, 2, 2)).serving()
		id := ask(x)
		between(x)
		refused(t, x.approves("bob", id), want)
		wantRefusal(t, x.commit(KindForced, "web-1", Forced{Request: id}), "failover by R-")
	}
	// Approved, and not made use of before: the same.
	x := newTale(t, webFleet(5, 3, 2, 2)).serving()
	id := ask(x)
	accepted(t, x.approves("bob", id))
	s := x.state.s.Slots["slot-2"]
	s.Epoch++
	wantRefusal(t, x.commit(KindForced, "web-1", Forced{Request: id}), "has moved on from slot epoch")
}

func TestFailoversThatMayNotBeForced(t *testing.T) {
	for want, ask := range map[string]func(x *tale) Requested{
		"want a slot, and nothing else": func(*tale) Requested { return Requested{Act: ActFailover, Slot: "slot-2", Scope: Fleet} },
		"no such slot":                  func(*tale) Requested { return Requested{Act: ActFailover, Slot: "slot-9"} },
		"want a case or a scope":        func(*tale) Requested { return Requested{Act: ActOverride, Slot: "slot-2"} },
		"is not armed": func(x *tale) Requested {
			x.ledger.Fleet().Pools[0].Armed = false
			return Requested{Act: ActFailover, Slot: "slot-2"}
		},
		"goes on": func(x *tale) Requested {
			x.judge(consensus.VerdictDown, "web-3")
			return Requested{Act: ActFailover, Slot: "slot-2"}
		},
	} {
		x := newTale(t, webFleet(5, 3, 2, 2)).serving()
		refused(t, x.requests("alice", ask(x)), want)
	}
}

// approved has a forced failover of slot-2 that some gate keeps back.
func approved(t *testing.T, prepare func(x *tale)) (*tale, uint64, *Case) {
	t.Helper()
	x := newTale(t, webFleet(5, 3, 2, 2)).serving()
	id := accepted(t, x.requests("alice", Requested{Act: ActFailover, Slot: "slot-2", For: time.Minute}))
	prepare(x)
	accepted(t, x.approves("bob", id))
	x.run(5 * time.Second)
	return x, id, x.theCase()
}

func TestAForcedFailoverAsksAllGatesButTheEvidence(t *testing.T) {
	hold := func(x *tale) {
		h := HoldGiven{Kind: HoldOnly, Scope: HoldOf("web-3"), Reason: "not now", By: "ops", Until: x.now.Add(time.Hour)}
		accepted(x.t, x.commit(KindHold, "web-1", h))
	}
	for want, prepare := range map[HeldReason]func(x *tale){
		HeldHold:   hold,
		HeldBrake:  func(x *tale) { x.accused = []member.ID{"web-1", "web-2", "web-4"}; x.run(time.Second) },
		HeldBudget: func(x *tale) { x.state.s.Spent = []time.Time{x.now, x.now} },
		HeldPoolEmpty: func(x *tale) {
			x.state.s.Uses["web-6"].Duty, x.state.s.Uses["web-7"].Duty = Quarantined, Quarantined
		},
	} {
		x, _, c := approved(t, prepare)
		if c.State != Held || c.Held != want {
			t.Errorf("%s by %s, want it held by %s: %s", c.State, c.Held, want, c.Why)
		}
		x.run(time.Minute)
		if c.Outcome != OutcomeAborted || !strings.Contains(c.History[len(c.History)-1].Detail, "given up: R-") {
			t.Errorf("%s: %s, want it given up when the approval is over", want, walk(c))
		}
		if s := x.slot("slot-2"); s.Occupant != "web-3" || s.Drained {
			t.Errorf("%s: %+v, want it web-3's again", want, s)
		}
	}
	x, id, c := approved(t, hold)
	accepted(t, x.rejects("carol", id))
	x.run(5 * time.Second)
	if c.Outcome != OutcomeAborted || !strings.Contains(c.History[len(c.History)-1].Detail, "was rejected by carol") {
		t.Errorf("%s: %+v", walk(c), c.History[len(c.History)-1])
	}
}

func TestAForcedFailoverWhoseMemberFallsIsAFailover(t *testing.T) {
	x, _, c := approved(t, func(x *tale) { x.results["web-6"] = neverEnds })
	if c.State != Activating || c.Forced == 0 {
		t.Fatalf("%s", walk(c))
	}
	x.judge(consensus.VerdictDown, "web-3")
	x.run(2 * time.Minute)
	if c.Outcome != OutcomeReplaced || c.Forced != 0 || c.Planned || len(x.state.s.Spent) != 1 {
		t.Errorf("%s: %s, forced by %d, %d spent: want one failover", walk(c), c.Outcome, c.Forced, len(x.state.s.Spent))
	}
	if len(x.state.s.Scores) != 1 {
		t.Errorf("%d scores, want one: it was condemned in the end", len(x.state.s.Scores))
	}
}

func TestAForcedFailoverGoesOnWithTheNextLeader(t *testing.T) {
	x, _, c := approved(t, func(x *tale) { x.results["web-6"] = neverEnds })
	x.lessor.Lead(x.now)
	x.conductor = NewConductor(x.state, x.lessor, 2, x.now)
	x.run(3 * time.Minute)
	if c.Outcome != OutcomeReplaced || c.Spare != "web-7" {
		t.Errorf("%s: %s by %s", walk(c), c.Outcome, c.Spare)
	}
}
