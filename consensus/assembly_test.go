package consensus

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"moonwatch/agent"
	"moonwatch/member"
)

var noon = time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)

// assembly is a fleet that votes: what each member thinks of each other one is
// given, and the assembly says it as agents do: standing accusations renewed
// every second, answers to a roll call 100 ms after it.
type assembly struct {
	t      testing.TB
	ledger *Ledger
	tally  *Tally
	now    time.Time
	raft   uint64
	seq    uint64

	members  []member.ID
	services map[member.ID]bool
	thinks   map[opinion]agent.Stance
	about    map[member.ID]member.Incarnation // the life that everybody means
	dead     map[member.ID]bool               // neither speaks nor is heard
	mute     map[member.ID]bool               // is heard, and says nothing
	doubts   map[member.ID]agent.Reason
	order    func([]member.ID) // in which order they speak, when it is at once

	obeys    bool // committed verdicts are taken into the ledger
	verdicts []Verdict
	decided  []time.Duration
	calls    []CallRoll
	looked   []Looked
	due      []later
	round    int
}

type opinion struct {
	observer, subject member.ID
	kind              agent.Kind
}

type later struct {
	at time.Time
	do func()
}

// newAssembly has members a1 a2 ... b1 ... in failure domains of the sizes
// given, and a leader of term 1.
func newAssembly(t testing.TB, sizes ...int) *assembly {
	t.Helper()
	a := &assembly{
		t: t, now: noon, ledger: NewLedger(), obeys: true,
		services: map[member.ID]bool{}, thinks: map[opinion]agent.Stance{}, about: map[member.ID]member.Incarnation{},
		dead: map[member.ID]bool{}, mute: map[member.ID]bool{}, doubts: map[member.ID]agent.Reason{},
		order: func([]member.ID) {},
	}
	fleet := member.Fleet{Version: 1}
	for d, n := range sizes {
		for i := range n {
			id := member.ID(fmt.Sprintf("%c%d", 'a'+d, i+1))
			a.members = append(a.members, id)
			fleet.Members = append(fleet.Members, member.Member{ID: id, Domain: member.FailureDomain(string(rune('a' + d)))})
		}
	}
	if _, err := a.ledger.Found(Genesis{Cluster: "test", Council: []member.ID{"a1"}, Unsigned: true}); err != nil {
		t.Fatal(err)
	}
	a.raft = 1
	a.commit(KindFleet, fleet)
	a.tally = NewTally(DefaultTally(), a.ledger, func(id member.ID) bool { return a.services[id] })
	a.step(Elected{Term: 1})
	return a
}

func (a *assembly) commit(kind FactKind, payload any) Fact {
	a.t.Helper()
	a.raft++
	c, err := NewCommand(kind, fmt.Sprintf("%s/%d", kind, a.raft), "a1", a.now, payload)
	if err != nil {
		a.t.Fatal(err)
	}
	b, err := c.Encode()
	if err != nil {
		a.t.Fatal(err)
	}
	f, _, err := a.ledger.Commit(a.raft, b)
	if err != nil {
		a.t.Fatal(err)
	}
	return f
}

func (a *assembly) after(d time.Duration, do func()) {
	a.due = append(a.due, later{a.now.Add(d), do})
	slices.SortStableFunc(a.due, func(x, y later) int { return x.at.Compare(y.at) })
}

func (a *assembly) step(ev TallyEvent) {
	for _, e := range a.tally.Step(a.now, ev) {
		switch e := e.(type) {
		case Decided:
			a.verdicts = append(a.verdicts, e.Verdict)
			a.decided = append(a.decided, a.now.Sub(noon))
			if !a.obeys {
				continue
			}
			if f := a.commit(KindVerdict, e.Verdict); !f.Accepted {
				a.t.Errorf("the ledger refuses the tally's verdict: %s", f.Reason)
			}
		case CallRoll:
			a.calls = append(a.calls, e)
			a.after(100*time.Millisecond, func() { a.answer(e) })
		case Looked:
			a.looked = append(a.looked, e)
		}
	}
}

// answer has everybody who was asked and thinks something say it.
func (a *assembly) answer(c CallRoll) {
	to := slices.Clone(c.To)
	a.order(to)
	for _, id := range to {
		var votes []agent.Vote
		for _, s := range c.Call.Subjects {
			for _, k := range []agent.Kind{agent.OfAgent, agent.OfService} {
				if st := a.thinks[opinion{id, s, k}]; st != agent.Abstain && a.doubts[id] == "" {
					votes = append(votes, a.vote(s, k, st, c.Call.ID))
				}
			}
		}
		if len(votes) > 0 {
			a.say(id, votes...)
		}
	}
}

func (a *assembly) vote(s member.ID, k agent.Kind, st agent.Stance, id agent.RollID) agent.Vote {
	return agent.Vote{Subject: s, Incarnation: a.about[s], Kind: k, Stance: st, Roll: id}
}

// say hands in one statement, unless its observer is dead or mute.
func (a *assembly) say(id member.ID, votes ...agent.Vote) {
	if a.dead[id] || a.mute[id] {
		return
	}
	a.seq++
	a.step(Heard{Statement: agent.Statement{
		Observer: id, Incarnation: 1, Seq: a.seq, Life: 3 * time.Second, Abstains: a.doubts[id], Votes: votes,
	}})
}

// renew has everybody say what stands.
func (a *assembly) renew() {
	ids := slices.Clone(a.members)
	a.order(ids)
	for _, id := range ids {
		var votes []agent.Vote
		for _, s := range a.members {
			for _, k := range []agent.Kind{agent.OfAgent, agent.OfService} {
				if a.thinks[opinion{id, s, k}] == agent.Down && a.doubts[id] == "" {
					votes = append(votes, a.vote(s, k, agent.Down, agent.RollID{}))
				}
			}
		}
		if len(votes) > 0 || a.doubts[id] != "" {
			a.say(id, votes...)
		}
	}
}

// run lets time pass: everybody who is not dead is heard twice a second and
// renews its votes once.
func (a *assembly) run(d time.Duration) {
	end := a.now.Add(d)
	beat := func() {
		var heard []member.ID
		for _, id := range a.members {
			if !a.dead[id] {
				heard = append(heard, id)
			}
		}
		a.step(Present{Members: heard})
	}
	a.round++
	round := a.round
	every := func(d time.Duration, do func()) {
		var again func()
		again = func() {
			if a.round == round { // a later run speaks at its own times
				do()
				a.after(d, again)
			}
		}
		again()
	}
	every(500*time.Millisecond, beat)
	every(time.Second, a.renew)
	for {
		at := a.tally.Wake()
		if len(a.due) > 0 && !a.due[0].at.After(at) {
			l := a.due[0]
			if l.at.After(end) {
				break
			}
			a.due = a.due[1:]
			a.now = l.at
			l.do()
			continue
		}
		if at.After(end) {
			break
		}
		if at.After(a.now) {
			a.now = at
		}
		a.step(TallyWoken{})
	}
	a.now = end
}

// all sets what the observers named think of a subject's agent; no names means
// everybody.
func (a *assembly) all(s member.ID, st agent.Stance, by ...member.ID) {
	a.opine(s, agent.OfAgent, st, by)
}

func (a *assembly) service(s member.ID, st agent.Stance, by ...member.ID) {
	a.services[s] = true
	a.opine(s, agent.OfService, st, by)
}

func (a *assembly) opine(s member.ID, k agent.Kind, st agent.Stance, by []member.ID) {
	if len(by) == 0 {
		by = a.members
	}
	for _, id := range by {
		if id != s {
			a.thinks[opinion{id, s, k}] = st
		}
	}
}

// observersOf lists a subject's observers, one failure domain after the other
// in turn, so that the first few lie in different ones.
func (a *assembly) observersOf(s member.ID) []member.ID {
	ids := slices.Clone(a.ledger.Overlay().ObserversOf(s)) // shared, never changed
	slices.SortStableFunc(ids, func(x, y member.ID) int { return cmp.Or(cmp.Compare(x[1:], y[1:]), cmp.Compare(x, y)) })
	return ids
}

// findings lists all findings of all verdicts as words.
func (a *assembly) findings() []string {
	var out []string
	for _, v := range a.verdicts {
		var words []string
		for _, f := range v.Findings {
			words = append(words, fmt.Sprintf("%s %s", f.Subject, f.Kind))
		}
		slices.Sort(words)
		out = append(out, strings.Join(words, ", "))
	}
	return out
}

func (a *assembly) expect(want ...string) {
	a.t.Helper()
	if got := a.findings(); !slices.Equal(got, want) {
		a.t.Errorf("verdicts %q, want %q", got, want)
	}
}
