package failover

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"moonwatch/agent"
	"moonwatch/consensus"
	"moonwatch/member"
)

var noon = time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)

// tale is a fleet with a ledger, a conductor and an executor on each member.
// What is proposed is committed at once.
type tale struct {
	t         testing.TB
	now       time.Time
	ledger    *consensus.Ledger
	state     *State
	raft      uint64
	conductor *Conductor
	lessor    *Lessor // of the leader; every member holds its lease until it is fenced
	executors map[member.ID]*Executor
	accused   []member.ID

	looks    map[member.ID][2]agent.Stance // what a roll call would say: agent, service
	results  map[member.ID]StepResult      // of steps done there; ResultUnknown+1: never ends
	tests    map[member.ID]StepResult      // of a member's tests of itself
	findings map[member.ID]string
	due      []later
	note     func(string)
	stepped  map[member.ID]int
}

type later struct {
	at time.Time
	do func()
}

const neverEnds = ResultUnknown + 1

// webFleet has n members web-1.. in domains of the sizes given, all in one pool
// with that many slots; the others are spares.
func webFleet(slots int, sizes ...int) member.Fleet {
	f := member.Fleet{Version: 1}
	n := 0
	for d, size := range sizes {
		for range size {
			n++
			f.Members = append(f.Members, member.Member{
				ID: member.ID(fmt.Sprintf("web-%d", n)), Domain: member.FailureDomain(string(rune('a' + d))), Pool: "web",
			})
		}
	}
	p := member.Pool{
		Name: "web", Fence: []string{"none"}, Armed: true,
		Checks:  member.Checks{HTTP: &member.HTTPCheck{Port: 80}},
		Actions: member.Actions{Activate: "start", Stop: "stop", Restart: "restart"},
	}
	for i := range slots {
		p.Slots = append(p.Slots, member.SlotID(fmt.Sprintf("slot-%d", i)))
	}
	f.Pools = []member.Pool{p}
	return f
}

func newTale(t testing.TB, fleet member.Fleet) *tale {
	t.Helper()
	x := &tale{
		t: t, now: noon, raft: 1, state: NewState(), executors: map[member.ID]*Executor{}, note: func(string) {},
		looks: map[member.ID][2]agent.Stance{}, results: map[member.ID]StepResult{}, tests: map[member.ID]StepResult{}, findings: map[member.ID]string{}, stepped: map[member.ID]int{},
	}
	x.ledger = consensus.NewLedger(x.state)
	x.state.Bind(x.ledger)
	if _, err := x.ledger.Found(consensus.Genesis{Cluster: "test", Council: []member.ID{"web-1"}, Unsigned: true}); err != nil {
		t.Fatal(err)
	}
	if f := x.commit(consensus.KindFleet, "web-1", fleet); !f.Accepted {
		t.Fatal(f.Reason)
	}
	for _, m := range fleet.Members {
		e := NewExecutor(m.ID, x.state, nil, x.now)
		e.Leased(func(time.Time, member.SlotID, member.SlotEpoch) bool { return true })
		x.executors[m.ID] = e
		if u := x.state.s.Uses[m.ID]; u != nil {
			u.Proof = &Proof{At: x.now, Good: true}
		}
	}
	x.lessor = NewLessor(x.state)
	x.lessor.Lead(x.now)
	x.conductor = NewConductor(x.state, x.lessor, 1, x.now)
	return x
}

// serving has every occupant started, as after a quiet minute.
func (x *tale) serving() *tale {
	x.run(time.Minute)
	return x
}

func (x *tale) commit(kind consensus.FactKind, by member.ID, payload any) consensus.Fact {
	x.t.Helper()
	x.raft++
	c, err := consensus.NewCommand(kind, fmt.Sprintf("%s/%d", kind, x.raft), by, x.now, payload)
	if err != nil {
		x.t.Fatal(err)
	}
	b, err := c.Encode()
	if err != nil {
		x.t.Fatal(err)
	}
	f, _, err := x.ledger.Commit(x.raft, b)
	if err != nil {
		x.t.Fatal(err)
	}
	if !f.Accepted {
		x.note(fmt.Sprintf("refused: %s", f.Reason))
	}
	return f
}

// judge commits one verdict about some members, voted by all others.
func (x *tale) judge(kind consensus.VerdictKind, subjects ...member.ID) {
	x.t.Helper()
	v := consensus.Verdict{Term: 1}
	for _, id := range subjects {
		c := consensus.Count{Eligible: x.ledger.Roster().Len() - 1}
		for _, by := range x.ledger.Overlay().ObserversOf(id) {
			c.Votes = append(c.Votes, consensus.VoteCount{Observer: by, Stance: agent.Down})
		}
		c.Eligible = len(c.Votes)
		f := consensus.Finding{Subject: id, Kind: kind, SilentSince: x.now.Add(-time.Second), Agent: c, Service: c}
		v.Findings = append(v.Findings, f)
		switch kind {
		case consensus.VerdictDown:
			x.looks[id] = [2]agent.Stance{agent.Down, agent.Abstain}
		case consensus.VerdictServiceDown:
			x.looks[id] = [2]agent.Stance{agent.Up, agent.Down}
		case consensus.VerdictUp:
			x.looks[id] = [2]agent.Stance{agent.Up, agent.Up}
		default: // no case follows from it
		}
	}
	if f := x.commit(consensus.KindVerdict, "web-1", v); !f.Accepted {
		x.t.Fatalf("verdict: %s", f.Reason)
	}
	x.stir()
}

func (x *tale) after(d time.Duration, do func()) {
	x.due = append(x.due, later{x.now.Add(d), do})
	slices.SortStableFunc(x.due, func(a, b later) int { return a.at.Compare(b.at) })
}

// stir lets everybody look at the ledger.
func (x *tale) stir() {
	x.lessor.Noticed(x.now)
	x.conduct(ConductorWoken{})
	for _, m := range x.ledger.Roster().Members {
		if e := x.executors[m.ID]; e != nil {
			x.execute(m.ID, e.Step(x.now, ExecutorWoken{}))
		}
	}
}

func (x *tale) conduct(ev ConductorEvent) {
	for _, e := range x.conductor.Step(x.now, ev, x.accused) {
		switch e := e.(type) {
		case ProposeFact:
			x.commit(e.Kind, "web-1", e.Payload)
			x.after(0, x.stir)
		case LookAgain:
			called := x.now
			x.after(300*time.Millisecond, func() {
				l, known := x.looks[e.Subject]
				if !known {
					l = [2]agent.Stance{agent.Up, agent.Up}
				}
				x.conduct(SecondLook{Subject: e.Subject, Agent: l[0], Service: l[1], Called: called})
			})
		}
	}
}

func (x *tale) execute(id member.ID, effects []ExecutorEffect) {
	for _, e := range effects {
		switch e := e.(type) {
		case DoStep:
			if e.Key.Step == StepTest {
				x.after(0, func() {
					of := id
					if m, _ := x.ledger.Roster().Member(id); m.Pool != e.Pool {
						of = id + "/" + member.ID(e.Pool) // a test for a pool that may borrow it
					}
					x.execute(id, x.executors[id].Step(x.now, StepDone{Key: e.Key, Result: x.tests[of], Detail: x.findings[of]}))
				})
				continue
			}
			x.stepped[id]++
			x.note(fmt.Sprintf("%s runs %s for %s at slot epoch %d", id, e.Action, e.Key.Slot, e.Key.Epoch))
			if r := x.results[id]; r != neverEnds {
				x.after(time.Second, func() {
					x.execute(id, x.executors[id].Step(x.now, StepDone{Key: e.Key, Result: r, Detail: "as told"}))
				})
			}
		case AbortStep:
			x.note(fmt.Sprintf("%s ends %s for %s early", id, e.Key.Step, e.Key.Slot))
			x.after(0, func() {
				x.execute(id, x.executors[id].Step(x.now, StepDone{Key: e.Key, Result: ResultUnknown, Detail: "killed"}))
			})
		case SendReport:
			x.commit(KindReport, id, e.Report)
			x.after(0, x.stir)
		case SayFits:
			x.commit(KindFits, id, e.Fits)
			x.after(0, x.stir)
		}
	}
}

func (x *tale) run(d time.Duration) {
	end := x.now.Add(d)
	for {
		at := x.conductor.Wake()
		for _, e := range x.executors {
			at = earliest(at, e.Wake())
		}
		if len(x.due) > 0 && !x.due[0].at.After(at) {
			l := x.due[0]
			if l.at.After(end) {
				break
			}
			x.due = x.due[1:]
			if l.at.After(x.now) {
				x.now = l.at
			}
			l.do()
			continue
		}
		if at.After(end) {
			break
		}
		if at.After(x.now) {
			x.now = at
		}
		x.stir()
	}
	x.now = end
}

// theCase is the only one.
func (x *tale) theCase() *Case {
	x.t.Helper()
	cases := x.state.Cases()
	if len(cases) != 1 {
		x.t.Fatalf("%d cases, want one", len(cases))
	}
	return cases[0]
}

func (x *tale) slot(id member.SlotID) Slot {
	s, _ := x.state.Slot(id)
	return *s
}

// walk is a case's passages as words.
func walk(c *Case) string {
	var out []string
	for _, p := range c.History {
		w := string(p.State)
		if p.Held != "" {
			w += "(" + string(p.Held) + ")"
		}
		out = append(out, w)
	}
	return strings.Join(out, " ")
}

// grant gives a member the lease that it may have now, if any.
func (x *tale) grant(id member.ID) (granted bool) {
	slot, epoch, _ := x.state.Tenure(id)
	x.raft++
	at := x.now
	effects := x.lessor.Renewed(at, agent.Renewal{Holder: id, Seq: x.raft, Slot: slot, Epoch: epoch})
	if len(effects) == 0 { // gathered with what comes until then
		at = x.lessor.Wake()
		effects = x.lessor.Woken(at)
	}
	for _, e := range effects {
		if c, ok := e.(Confirm); ok {
			for _, e := range x.lessor.Confirmed(at, c.Round) {
				_, is := e.(SendGrant)
				granted = granted || is
			}
		}
	}
	return granted
}
