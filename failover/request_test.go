package failover

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"moonwatch/consensus"
	"moonwatch/member"
)

// requests has an operator request something, as a program would that has just shown
// the plan.
func (x *tale) requests(by member.ID, p Requested) consensus.Fact {
	x.t.Helper()
	if p.For == 0 {
		p.For = 10 * time.Minute
	}
	if p.Reason == "" {
		p.Reason = "we have looked"
	}
	if plan, err := x.state.PlanOf(x.now, p); err == nil && p.Plan == "" {
		p.Plan = plan.Hash()
	}
	return x.commit(KindRequest, by, p)
}

// approves has an operator approve what the ledger shows.
func (x *tale) approves(by member.ID, request uint64) consensus.Fact {
	x.t.Helper()
	p := Answered{Request: request, Approve: true}
	if r := x.state.s.Requests[request]; r != nil {
		p.Plan = r.Plan
	}
	return x.commit(KindAnswer, by, p)
}

// rejects has an operator say no.
func (x *tale) rejects(by member.ID, request uint64) consensus.Fact {
	x.t.Helper()
	return x.commit(KindAnswer, by, Answered{Request: request, Reason: "not today"})
}

// stopped has a case that the brake holds.
func stopped(t testing.TB) *tale {
	x := newTale(t, webFleet(5, 3, 2, 2)).serving()
	x.accused = []member.ID{"web-1", "web-2"} // and nobody settles it
	x.judge(consensus.VerdictDown, "web-3")
	x.run(10 * time.Second)
	if c := x.theCase(); c.Held != HeldBrake {
		t.Fatalf("held by %q", c.Held)
	}
	return x
}

func accepted(t testing.TB, f consensus.Fact) uint64 {
	t.Helper()
	if !f.Accepted {
		t.Fatal(f.Reason)
	}
	return f.Index
}

func refused(t testing.TB, f consensus.Fact, want string) {
	t.Helper()
	if f.Accepted || !strings.Contains(f.Reason, want) {
		t.Errorf("accepted %v, %q; want a refusal with %q", f.Accepted, f.Reason, want)
	}
}

func TestTwoPeopleLetACasePastTheBrake(t *testing.T) {
	x := stopped(t)
	id := accepted(t, x.requests("alice", Requested{Act: ActOverride, Case: x.theCase().ID}))
	x.run(30 * time.Second)
	c := x.theCase()
	if c.Held != HeldApproval || !strings.Contains(c.Why, "R-") || !strings.Contains(c.Why, "alice waits for another operator") {
		t.Fatalf("held by %q: %s", c.Held, c.Why)
	}
	accepted(t, x.approves("bob", id))
	x.run(20 * time.Second)
	if s := x.slot("slot-2"); s.Occupant == "web-3" {
		t.Errorf("two people have let it go on: %s", walk(x.theCase()))
	}
	if !slices.ContainsFunc(x.theCase().History, func(p Passage) bool { return strings.Contains(p.Detail, "by alice and bob") }) {
		t.Errorf("nobody says who let it go on: %+v", x.theCase().History)
	}
}

func TestOnePersonIsNotTwo(t *testing.T) {
	x := stopped(t)
	id := accepted(t, x.requests("alice", Requested{Act: ActOverride, Case: x.theCase().ID}))
	refused(t, x.approves("alice", id), "alice asked for it: another operator has to approve it")
	x.run(30 * time.Second)
	if s := x.slot("slot-2"); s.Occupant != "web-3" {
		t.Errorf("one person has let it go on: %s", walk(x.theCase()))
	}
}

// Two names on one key are one person.
func TestOneKeyUnderTwoNamesIsOnePerson(t *testing.T) {
	r := &Request{By: "alice", Key: "k"}
	for _, c := range []struct {
		name, key string
		same      bool
	}{{"alice", "k", true}, {"alice", "other", true}, {"bob", "k", true}, {"bob", "other", false}, {"bob", "", false}} {
		if got := r.by(c.name, c.key); got != c.same {
			t.Errorf("%s with key %q is alice with key k: %v", c.name, c.key, got)
		}
	}
	if old := (&Request{By: "alice"}); old.by("bob", "") {
		t.Error("without signatures bob is alice")
	}
}

func TestAnswersThatMayNotStand(t *testing.T) {
	ask := func(x *tale) uint64 {
		return accepted(x.t, x.requests("alice", Requested{Act: ActOverride, Case: x.theCase().ID}))
	}
	for want, play := range map[string]func(*tale) consensus.Fact{
		"there is no such request": func(x *tale) consensus.Fact { return x.approves("bob", 4711) },
		"alice asked for plan": func(x *tale) consensus.Fact {
			return x.commit(KindAnswer, "bob", Answered{Request: ask(x), Approve: true, Plan: "other"})
		},
		"reject R-": func(x *tale) consensus.Fact { return x.commit(KindAnswer, "bob", Answered{Request: ask(x)}) },
		"it was approved by bob already": func(x *tale) consensus.Fact {
			id := ask(x)
			accepted(x.t, x.approves("bob", id))
			return x.approves("bob", id)
		},
		"it was rejected by carol": func(x *tale) consensus.Fact {
			id := ask(x)
			accepted(x.t, x.rejects("carol", id))
			return x.approves("bob", id)
		},
		"it has expired: nobody answered within 10m0s": func(x *tale) consensus.Fact {
			id := ask(x)
			x.now = x.now.Add(AnswerWithin)
			return x.approves("bob", id)
		},
		"it is over": func(x *tale) consensus.Fact {
			id := ask(x)
			accepted(x.t, x.approves("bob", id))
			x.now = x.now.Add(10 * time.Minute)
			return x.rejects("bob", id)
		},
		"was changed in fleet.yaml": func(x *tale) consensus.Fact {
			id := ask(x)
			x.change(func(f *member.Fleet) { f.Pools[0].Actions.Activate = "start-otherwise" })
			return x.approves("bob", id)
		},
		"neither brake nor budget holds": func(x *tale) consensus.Fact {
			id := ask(x)
			x.state.s.Brake = Brakes{}
			return x.approves("bob", id)
		},
		"has moved on from slot epoch": func(x *tale) consensus.Fact {
			id := ask(x)
			x.state.s.Slots["slot-2"].Epoch++
			return x.approves("bob", id)
		},
		"is closed": func(x *tale) consensus.Fact {
			id := ask(x)
			x.judge(consensus.VerdictUp, "web-3")
			return x.approves("bob", id)
		},
		"it was asked for under V-": func(x *tale) consensus.Fact {
			id := ask(x)
			p := x.state.s.Requests[id]
			p.Cases[0].Verdict--
			return x.approves("bob", id)
		},
	} {
		refused(t, play(stopped(t)), want)
	}
}

func TestRequestsThatMayNotStand(t *testing.T) {
	x := stopped(t)
	id := x.theCase().ID
	for want, p := range map[string]Requested{
		`request "wish"`:                 {Act: "wish", Case: id},
		"want a case or a scope":         {Act: ActOverride},
		"no such case is open":           {Act: ActOverride, Case: 4711},
		"waits for no fence proof":       {Act: ActFenced, Case: id},
		"want a case: who is off":        {Act: ActFenced, Scope: Fleet},
		"want 1m0s to 1h0m0s":            {Act: ActOverride, Case: id, For: 2 * time.Hour},
		"no reason, want one":            {Act: ActOverride, Case: id, Reason: " "},
		"no pool db":                     {Act: ActOverride, Scope: InPool("db")},
		"the brake holds no case there":  {Act: ActOverride, Scope: InDomain("c")},
		"the plan has changed: you were": {Act: ActOverride, Case: id, Plan: "what was shown"},
	} {
		refused(t, x.requests("alice", p), want)
	}
	accepted(t, x.requests("alice", Requested{Act: ActOverride, Case: id}))
	refused(t, x.requests("bob", Requested{Act: ActOverride, Case: id, For: 20 * time.Minute}), "by alice asks for it already")
	y := condemned(t, webFleet(5, 3, 2, 2))
	refused(t, y.requests("alice", Requested{Act: ActOverride, Case: y.theCase().ID}), "neither brake nor budget holds")
}

// What was approved is one case at one slot epoch under one verdict and one policy.
func TestWhatWasApprovedIsAllowedAndNothingElse(t *testing.T) {
	for name, spoil := range map[string]func(*tale, *Request){
		"":           func(*tale, *Request) {},
		"slot epoch": func(x *tale, _ *Request) { x.state.s.Slots["slot-2"].Epoch++ },
		"policy": func(x *tale, _ *Request) {
			x.change(func(f *member.Fleet) { f.Pools[0].Actions.Stop = "stop-otherwise" })
		},
		"evidence":    func(_ *tale, r *Request) { r.Cases[0].Verdict-- },
		"its end":     func(x *tale, _ *Request) { x.now = x.now.Add(10 * time.Minute) },
		"a rejection": func(x *tale, r *Request) { accepted(x.t, x.rejects("alice", r.ID)) },
	} {
		x := stopped(t)
		id := accepted(t, x.requests("alice", Requested{Act: ActOverride, Case: x.theCase().ID}))
		accepted(t, x.approves("bob", id))
		spoil(x, x.state.s.Requests[id])
		if allowed := x.state.allowed(x.now, ActOverride, x.theCase()) != nil; allowed != (name == "") {
			t.Errorf("with another %q it is allowed: %v", name, allowed)
		}
		if x.state.allowed(x.now, ActFenced, x.theCase()) != nil {
			t.Error("who lets it past the brake says that somebody is off")
		}
	}
}

func TestAScopeMeansTheCasesThatWereOpenThere(t *testing.T) {
	x := newTale(t, webFleet(5, 3, 2, 2)).serving()
	x.brake(Fleet, Cascade)
	x.judge(consensus.VerdictDown, "web-3")
	x.run(10 * time.Second)
	id := accepted(t, x.requests("alice", Requested{Act: ActOverride, Scope: InPool("web")}))
	x.judge(consensus.VerdictDown, "web-4") // after it was asked for
	refused(t, x.approves("bob", id), "2 cases are open in pool:web now, it was asked for 1")
	accepted(t, x.rejects("alice", id))
	id = accepted(t, x.requests("alice", Requested{Act: ActOverride, Scope: InPool("web")}))
	accepted(t, x.approves("bob", id))
	x.brake(Fleet, Cascade)
	x.judge(consensus.VerdictDown, "web-5")
	for _, c := range x.state.OpenCases() {
		if allowed := x.state.allowed(x.now, ActOverride, c) != nil; allowed != (c.Subject != "web-5") {
			t.Errorf("%s is allowed: %v", c.Subject, allowed)
		}
		if x.state.beyondBudget(x.now, c) {
			t.Errorf("%s may go beyond the budget: only a case that is named may", c.Subject)
		}
	}
}

func TestAlone(t *testing.T) {
	ask := func(t *testing.T) (*tale, uint64) {
		x := stopped(t)
		id := accepted(t, x.requests("alice", Requested{Act: ActOverride, Case: x.theCase().ID, Alone: true}))
		x.run(2 * time.Second)
		r := x.state.s.Requests[id]
		if r.Announced.IsZero() || r.State(x.now) != RequestAnnounced {
			t.Fatalf("nobody announces it: %+v", r)
		}
		return x, id
	}
	t.Run("takes effect after its delay", func(t *testing.T) {
		x, id := ask(t)
		x.run(14 * time.Minute)
		if c := x.theCase(); c.Held != HeldApproval || !strings.Contains(c.Why, "unless somebody vetoes it") || x.slot("slot-2").Occupant != "web-3" {
			t.Fatalf("held by %q: %s", c.Held, c.Why)
		}
		x.run(3 * time.Minute)
		if x.slot("slot-2").Occupant == "web-3" {
			t.Errorf("R-%d took no effect: %s", id, walk(x.theCase()))
		}
	})
	t.Run("is vetoed", func(t *testing.T) {
		x, id := ask(t)
		x.run(14 * time.Minute)
		accepted(t, x.rejects("bob", id))
		x.run(20 * time.Minute)
		if c := x.theCase(); x.slot("slot-2").Occupant != "web-3" || c.Held != HeldBrake {
			t.Errorf("held by %q: %s", c.Held, walk(c))
		}
	})
	t.Run("is approved before", func(t *testing.T) {
		x, id := ask(t)
		refused(t, x.approves("alice", id), "another operator")
		accepted(t, x.approves("bob", id))
		x.run(time.Minute)
		if x.slot("slot-2").Occupant == "web-3" {
			t.Errorf("%s", walk(x.theCase()))
		}
	})
	t.Run("is announced by councillors alone", func(t *testing.T) {
		x := stopped(t)
		id := accepted(t, x.requests("alice", Requested{Act: ActOverride, Case: x.theCase().ID, Alone: true}))
		refused(t, x.commit(KindAnnounced, "web-2", Announced{Request: id}), "no councillor")
	})
}

// The delay of a lone request counts from the council's word, not from the clock of
// whoever asks.
func TestAClockThatIsSetBackShortensNoDelay(t *testing.T) {
	x := stopped(t)
	before := x.now
	x.now = x.now.Add(-time.Hour)
	plan, err := x.state.PlanOf(before, Requested{Act: ActOverride, Case: x.theCase().ID, For: time.Hour, Alone: true})
	if err != nil {
		t.Fatal(err)
	}
	id := accepted(t, x.commit(KindRequest, "alice", Requested{Act: ActOverride, Case: x.theCase().ID, For: time.Hour, Alone: true, Plan: plan.Hash(), Reason: "quick"}))
	x.now = before
	x.run(time.Minute)
	if r := x.state.s.Requests[id]; r.State(x.now) != RequestAnnounced || r.From().Sub(before) < AloneAfter {
		t.Errorf("in force at %v, asked for at %v", r.From(), before)
	}
}

func TestTwoPeopleSayThatSomebodyIsOff(t *testing.T) {
	fleet := webFleet(5, 3, 2, 2)
	fleet.Pools[0].Exclusive, fleet.Pools[0].Fence = true, []string{"self"}
	for name, begin := range map[string]struct {
		kind consensus.VerdictKind
		in   CaseState
	}{"before the fence": {consensus.VerdictDown, Held}, "after it failed": {consensus.VerdictServiceDown, Escalated}} {
		x := newTale(t, fleet).serving()
		x.results["web-3"] = ResultUnknown
		x.judge(begin.kind, "web-3")
		x.run(10 * time.Second)
		c := x.theCase()
		if c.State != begin.in {
			t.Fatalf("%s: %s", name, walk(c))
		}
		refused(t, x.commit(KindCaseStep, "web-1", CaseStep{Case: c.ID, Version: c.Version, To: Fenced, Proof: proofPeople}), "")
		id := accepted(t, x.requests("alice", Requested{Act: ActFenced, Case: c.ID}))
		x.run(5 * time.Second)
		if begin.in == Escalated {
			refused(t, x.commit(KindCaseStep, "web-1", CaseStep{Case: c.ID, Version: x.theCase().Version, To: Fenced, Proof: proofPeople}), "no two people have said")
		}
		accepted(t, x.approves("bob", id))
		x.run(30 * time.Second)
		if c := x.theCase(); x.slot("slot-2").Occupant == "web-3" || c.Proof != proofPeople {
			t.Errorf("%s: proof %q: %s", name, c.Proof, walk(c))
		}
	}
}

func TestARequestThatNobodyAnswersEndsAndTheBrakeHoldsAgain(t *testing.T) {
	x := stopped(t)
	id := accepted(t, x.requests("alice", Requested{Act: ActOverride, Case: x.theCase().ID}))
	x.run(12 * time.Minute)
	if c := x.theCase(); c.Held != HeldBrake || x.state.s.Requests[id].State(x.now) != RequestExpired {
		t.Errorf("held by %q: %s", c.Held, c.Why)
	}
}

func TestASnapshotKeepsTheRequests(t *testing.T) {
	x := stopped(t)
	id := accepted(t, x.requests("alice", Requested{Act: ActOverride, Case: x.theCase().ID}))
	accepted(t, x.approves("bob", id))
	b, err := x.state.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	y := NewState()
	y.Bind(x.ledger)
	if err := y.Restore(b); err != nil {
		t.Fatal(err)
	}
	if r := y.allowed(x.now, ActOverride, y.s.Cases[x.theCase().ID]); r == nil || r.Words() != fmt.Sprintf("R-%d by alice and bob", id) {
		t.Errorf("after a restart: %+v", y.Requests())
	}
}

func TestRequestsThatAreOverAreForgottenOldestFirst(t *testing.T) {
	x := stopped(t)
	var first uint64
	for i := range keptRequests + 3 {
		id := accepted(t, x.requests("alice", Requested{Act: ActOverride, Case: x.theCase().ID}))
		if i == 0 {
			first = id
		}
		accepted(t, x.rejects("bob", id))
	}
	if _, kept := x.state.s.Requests[first]; kept || len(x.state.s.Requests) > keptRequests {
		t.Errorf("%d are kept, the first one: %v", len(x.state.s.Requests), kept)
	}
}
