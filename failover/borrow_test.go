package failover

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"moonwatch/consensus"
	"moonwatch/member"
)

// borrowing is a tale in which slot-2 of pool web is about to lose web-3: web's own
// spares are in burn-in for long, and pool batch has two and wants to keep floor of them.
func borrowing(t *testing.T, floor int, change ...func(f *member.Fleet)) *tale {
	t.Helper()
	f := webFleet(5, 3, 2, 2)
	for i := range 4 {
		f.Members = append(f.Members, member.Member{ID: member.ID(fmt.Sprintf("batch-%d", i+1)), Domain: member.FailureDomain(string(rune('a' + i))), Pool: "batch"})
	}
	batch := f.Pools[0]
	batch.Name, batch.Slots = "batch", []member.SlotID{"job-0", "job-1"}
	batch.Actions = member.Actions{Activate: "job-start", Stop: "job-stop"}
	batch.Spares.Floor = floor
	f.Pools[0].Spares.BorrowFrom = []string{"batch"}
	f.Pools = append(f.Pools, batch)
	for _, c := range change {
		c(&f)
	}
	x := newTale(t, f)
	x.serving()
	for _, id := range []member.ID{"web-6", "web-7"} {
		u := x.state.s.Uses[id]
		u.Duty, u.Since, u.Struck = BurnIn, x.now, []time.Time{x.now}
	}
	return x
}

func TestASlotWithoutASpareGetsOneOfAnotherPool(t *testing.T) {
	x := borrowing(t, 1)
	x.judge(consensus.VerdictDown, "web-3")
	x.run(30 * time.Second)
	c := x.theCase()
	if c.Outcome != OutcomeReplaced || c.Spare != "batch-3" || !strings.Contains(walk(c), "HELD(pool-empty) BORROWED") {
		t.Fatalf("%s: %s %s, want it replaced by batch-3", walk(c), c.Outcome, c.Spare)
	}
	if s := x.slot("slot-2"); s.Occupant != "batch-3" || x.state.PoolOf("batch-3") != "web" {
		t.Errorf("slot-2 is held by %s, which stands in for %s", s.Occupant, x.state.PoolOf("batch-3"))
	}
	// The fleet may be applied anew with it in its place, and moved there for good.
	f := *x.ledger.Fleet()
	if g := x.commit(consensus.KindFleet, "web-1", f); !g.Accepted {
		t.Errorf("the same fleet: %s", g.Reason)
	}
	moved := f
	moved.Members = append([]member.Member(nil), f.Members...)
	for i := range moved.Members {
		if moved.Members[i].ID == "batch-3" {
			moved.Members[i].Pool = "web"
		}
	}
	if g := x.commit(consensus.KindFleet, "web-1", moved); !g.Accepted || x.state.Use("batch-3").Lent != nil {
		t.Errorf("moved for good: %s, loan %v", g.Reason, x.state.Use("batch-3").Lent)
	}
}

// A pool that keeps a reserve borrows too: what is lent to a case is no part of it.
func TestWhatIsLentIsNoReserve(t *testing.T) {
	x := borrowing(t, 1, func(f *member.Fleet) { f.Pools[0].Spares.Reserve = 1 })
	x.judge(consensus.VerdictDown, "web-3")
	x.run(30 * time.Second)
	if c := x.theCase(); c.Outcome != OutcomeReplaced || c.Spare != "batch-3" {
		t.Errorf("%s: %s %s, want it replaced by batch-3", walk(c), c.Outcome, c.Spare)
	}
}

func TestALenderKeepsWhatItNeeds(t *testing.T) {
	for name, c := range map[string]struct {
		floor  int
		change func(f *member.Fleet)
		says   string
	}{
		"its floor":     {2, func(*member.Fleet) {}, "it has 2 spares free, keeps 2 and owes 0"},
		"its reserve":   {0, func(f *member.Fleet) { f.Pools[1].Spares.Reserve = 2 }, "it has 2 spares free, keeps 2 and owes 0"},
		"what is unfit": {1, func(*member.Fleet) {}, "does not fit pool web: action start"},
		"a held pool":   {1, func(*member.Fleet) {}, "people work there"},
		"unarmed":       {1, func(f *member.Fleet) { f.Pools[1].Armed = false }, "pool batch lends none: it is not armed"},
	} {
		t.Run(name, func(t *testing.T) {
			x := borrowing(t, c.floor, c.change)
			switch name {
			case "what is unfit":
				for _, id := range []member.ID{"batch-4/web", "batch-3/web"} {
					x.tests[id], x.findings[id] = ResultFailed, "action start: no such file"
				}
				x.run(2 * testEvery)
			case "a held pool":
				h := HoldGiven{Kind: HoldOnly, Scope: InPool("batch"), Reason: "people work there", By: "ops", Until: x.now.Add(time.Hour)}
				if f := x.commit(KindHold, "web-1", h); !f.Accepted {
					t.Fatal(f.Reason)
				}
			}
			x.judge(consensus.VerdictDown, "web-3")
			x.run(20 * time.Second)
			held := x.theCase()
			if held.Held != HeldPoolEmpty || !strings.Contains(held.Why, c.says) {
				t.Fatalf("%s by %s: %s, want it to say %q", held.State, held.Held, held.Why, c.says)
			}
			wantRefusal(t, x.commit(KindBorrowed, "web-1", SpareBorrowed{Case: held.ID, Version: held.Version, Spare: "batch-3", From: "batch"}), c.says)
		})
	}
}

func TestWhatALendersOwnCaseNeedsIsNotLent(t *testing.T) {
	x := borrowing(t, 1)
	x.state.s.Brake.Modes = nil
	x.judge(consensus.VerdictDown, "batch-1", "web-3")
	x.state.s.Cases[9999] = &Case{ID: 9999, Pool: "batch", State: Held, Held: HeldBudget, Slot: "job-9"}
	if why := x.state.lends(x.now, "batch"); !strings.Contains(why, "owes") {
		t.Errorf("it lends: %q", why)
	}
}

// idle has a case of web that has borrowed batch-3 and cannot go on: the budget is spent.
// Its own leader would not have lent it anything.
func idle(t *testing.T, floor int) (*tale, *Case) {
	t.Helper()
	x := borrowing(t, floor)
	x.state.s.Spent = []time.Time{x.now, x.now}
	x.judge(consensus.VerdictDown, "web-3")
	x.run(20 * time.Second)
	c := x.theCase()
	if c.Held != HeldPoolEmpty || !strings.Contains(c.Why, "nothing is lent to it: 2 replacements in") {
		t.Fatalf("%s by %s: %s; want no loan to a case that the budget holds", c.State, c.Held, c.Why)
	}
	f := x.commit(KindBorrowed, "web-1", SpareBorrowed{Case: c.ID, Version: c.Version, Spare: "batch-3", From: "batch"})
	if !f.Accepted {
		t.Fatal(f.Reason)
	}
	x.run(time.Second)
	return x, c
}

func TestALoanThatTheBudgetHoldsBeginsWithTheBudget(t *testing.T) {
	x := borrowing(t, 1)
	spent := x.now.Add(30*time.Second - x.state.timing().BudgetWindow)
	x.state.s.Spent = []time.Time{spent, spent}
	x.judge(consensus.VerdictDown, "web-3")
	x.run(29 * time.Second)
	if u := x.state.Use("batch-3"); u.Lent != nil {
		t.Fatalf("batch-3 is lent %+v, and the budget is spent", u.Lent)
	}
	x.run(time.Minute)
	if s := x.slot("slot-2"); s.Occupant != "batch-3" {
		t.Errorf("slot-2 is held by %s, want the loan as soon as the budget allows it: %s", s.Occupant, walk(x.theCase()))
	}
}

func TestAnUnusedLoanGoesBackWhenItsLenderIsInNeed(t *testing.T) {
	x, c := idle(t, 1)
	if x.state.Use("batch-3").Lent == nil {
		t.Fatal("batch-3 is not lent")
	}
	wantRefusal(t, x.commit(KindLoanEnded, "web-1", LoanEnded{Case: c.ID, Version: c.Version, Spare: "batch-3"}), "pool batch has 1 spares free, keeps 1 and owes 0")
	x.judge(consensus.VerdictDown, "batch-4")
	x.run(time.Second)
	if u := x.state.Use("batch-3"); u.Lent != nil || !strings.Contains(walk(c), "GIVEN-BACK") {
		t.Fatalf("%s, and batch-3 is lent %+v: batch is below its floor", walk(c), u.Lent)
	}
	x.run(20 * time.Second)
	if u := x.state.Use("batch-3"); u.Lent != nil || c.Held != HeldPoolEmpty {
		t.Errorf("%s by %s, and batch-3 is lent %+v; want it to wait like before the loan", c.State, c.Held, u.Lent)
	}
}

// A lender's own case gets the spare that another pool only waits with.
func TestALendersOwnCaseHasWhatItLentAndNobodyUses(t *testing.T) {
	x, _ := idle(t, 0)
	x.state.s.Uses["batch-4"].Duty = Quarantined
	x.state.s.Spent = nil
	x.commit(KindHold, "web-1", HoldGiven{Kind: HoldOnly, Scope: InPool("web"), Reason: "people look at it", By: "ops", Until: x.now.Add(time.Hour)})
	x.judge(consensus.VerdictDown, "batch-2")
	x.run(30 * time.Second)
	if s := x.slot("job-1"); s.Occupant != "batch-3" {
		t.Errorf("job-1 is held by %s, want batch-3, which web does not use", s.Occupant)
	}
}

func TestALoanThatIsNotUsedIsGivenBack(t *testing.T) {
	x, c := idle(t, 1)
	if u := x.state.Use("batch-3"); c.Held != HeldBudget || u.Lent == nil || u.Lent.Case != c.ID {
		t.Fatalf("%s by %s, batch-3 is lent %+v", walk(c), c.Held, u.Lent)
	}
	if free := x.state.FreeSpares(x.now, &Case{ID: 1, Pool: "web"}); len(free) > 0 {
		t.Errorf("another case may have %v: the loan is for one case", free)
	}
	x.judge(consensus.VerdictUp, "web-3")
	if c.Open() || x.state.Use("batch-3").Lent != nil {
		t.Errorf("%s, and batch-3 is lent %+v", walk(c), x.state.Use("batch-3").Lent)
	}
}

func TestALentSpareThatFailsIsItsOwnPoolsAgain(t *testing.T) {
	x := borrowing(t, 1)
	x.results["batch-3"] = ResultFailed
	x.judge(consensus.VerdictDown, "web-3")
	x.run(30 * time.Second)
	if u := x.state.Use("batch-3"); u.Lent != nil || u.Duty == Spare {
		t.Errorf("batch-3 is %s, lent %+v", u.Duty, u.Lent)
	}
	c := x.theCase()
	if c.State != Escalated {
		t.Errorf("%s: batch keeps its floor, and people are called", walk(c))
	}
}

func TestASwitchoverEndsALoan(t *testing.T) {
	x := borrowing(t, 1)
	x.judge(consensus.VerdictDown, "web-3")
	x.run(30 * time.Second)
	x.run(20 * time.Minute) // web-6 and web-7 have burnt in
	s := x.slot("slot-2")
	f := x.commit(KindSwitchover, "web-1", SwitchoverOrdered{Slot: "slot-2", Subject: s.Occupant, Epoch: s.Epoch, Reason: "give it back"})
	if !f.Accepted {
		t.Fatal(f.Reason)
	}
	x.run(30 * time.Second)
	if u := x.state.Use("batch-3"); u.Duty != Spare || u.Lent != nil || x.state.PoolOf("batch-3") != "batch" {
		t.Errorf("batch-3 is %s, lent %+v", u.Duty, u.Lent)
	}
}
