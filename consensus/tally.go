package consensus

import (
	"fmt"
	"time"

	"moonwatch/agent"
	"moonwatch/member"
)

// TallyConfig holds the numbers of PROTOCOL 3 and 4.
type TallyConfig struct {
	Quiet        time.Duration // a cut waits until nobody has crossed the low watermark for so long
	HoldUp       time.Duration // by how much one subject may hold up others per minute
	RollValid    time.Duration // how long a fresh answer counts
	RollAgain    time.Duration // an undecided roll call is repeated then
	RollCalm     time.Duration // and later then, when it stays undecided
	PartialAfter time.Duration
	ServiceWait  time.Duration // how long a dead agent's service may take to answer
	Unsaid       time.Duration // for how long after its accusation one good answer of a service outweighs that others say nothing
	Silent       time.Duration // unheard by all councillors for so long: no longer eligible
	HeardLag     time.Duration // so long ago it may be that somebody was heard who is told to be heard now
	UnheardOpen  time.Duration // unheard for so long: the brake counts it
	Clean        time.Duration // without an accusation before a verdict is lifted
	Sweep        time.Duration // how often clean subjects are looked at
	Gather       time.Duration // news within it is weighed together: votes come in bursts
}

// DefaultTally is profile lan.
func DefaultTally() TallyConfig {
	return TallyConfig{
		Quiet: 300 * time.Millisecond, HoldUp: time.Second,
		RollValid: time.Second, RollAgain: 700 * time.Millisecond, RollCalm: 3 * time.Second,
		PartialAfter: 2 * time.Second, ServiceWait: 650 * time.Millisecond, Unsaid: 3 * time.Second,
		// A councillor gathers whom it heard for a quarter of a second and tells it twice
		// a second; the rest is for one that is slow.
		Silent: time.Second, HeardLag: time.Second, UnheardOpen: 2 * time.Second,
		Clean: 30 * time.Second, Sweep: 250 * time.Millisecond, Gather: 10 * time.Millisecond,
	}
}

// TallyEvent is what a Tally can be told. The set is closed.
type TallyEvent interface{ isTallyEvent() }

// TallyWoken tells that the time of Wake has come.
type TallyWoken struct{}

// Heard brings an observer's statement whose signature was verified.
type Heard struct{ Statement agent.Statement }

// Present names members from whom some councillor has heard just now.
type Present struct{ Members []member.ID }

// Elected tells that this councillor leads in Term from now on; Deposed, that
// it no longer does. Only a leader tallies.
type Elected struct{ Term uint64 }

// Deposed ends a leadership.
type Deposed struct{}

// Recall asks for one more roll call of a subject, whatever stands.
type Recall struct {
	Subject member.ID
	All     bool // the answer waits for everybody, as long as answers count
}

// DoorAnswered tells that a gateway of the roster had a good answer from a
// member's service: an up vote with the weight of a failure domain of its own.
type DoorAnswered struct{ Subject member.ID }

func (TallyWoken) isTallyEvent()   {}
func (Heard) isTallyEvent()        {}
func (Present) isTallyEvent()      {}
func (Elected) isTallyEvent()      {}
func (Deposed) isTallyEvent()      {}
func (Recall) isTallyEvent()       {}
func (DoorAnswered) isTallyEvent() {}

// TallyEffect is what a Tally wants done. The set is closed.
type TallyEffect interface{ isTallyEffect() }

// CallRoll asks for the question to be sent to all observers of the subject.
type CallRoll struct {
	Call agent.RollCall
	To   []member.ID
}

// Decided asks for a verdict to be proposed.
type Decided struct{ Verdict Verdict }

// Looked tells how a roll call that was asked for by Recall has ended.
type Looked struct {
	Subject member.ID
	Agent   agent.Stance // Abstain: undecided
	Service agent.Stance
	At      time.Time
	// Agreed says that every observer that can speak has answered this very roll
	// call, and that all of them said what the verdict on the subject says.
	Agreed bool
	// SilentSince is the subject's last sign of life as those know it who say that
	// its agent is down; zero if it is not, or if they complain of more than silence.
	SilentSince time.Time
	// Alone says that there is only one observer left, that its fresh answer is that
	// the service answers, and that no word stands against it.
	Alone bool
}

func (CallRoll) isTallyEffect() {}
func (Decided) isTallyEffect()  {}
func (Looked) isTallyEffect()   {}

// Tally counts votes and finds the cut. It sits on every councillor; only the
// leader's one is awake.
type Tally struct {
	cfg    TallyConfig
	ledger *Ledger

	awake    bool
	term     uint64
	rolls    uint64
	since    time.Time // when this leadership began
	memory   memory
	quiet    time.Time // nobody may be cut before
	pending  bool      // somebody waits: for quiet, or for an answer
	lookAt   time.Time // when the service or the agent of one of them has had its time to answer
	cascade  bool
	anew     member.FailureDomain // whose members are voted on anew; empty: none
	calmCall time.Time            // the last roll call in cascade
	checked  func(member.ID) bool // has the member a service that can be checked from outside
	swept    time.Time
	news     bool // something was heard that has not been weighed
}

// NewTally makes a tally over a ledger that the caller keeps. Checked tells
// whether a member runs a service that its observers check.
func NewTally(cfg TallyConfig, l *Ledger, checked func(member.ID) bool) *Tally {
	return &Tally{cfg: cfg, ledger: l, checked: checked}
}

// Cascade tells the tally whether the fleet is in cascade: then the roll is
// called for one subject at a time.
func (t *Tally) Cascade(on bool) { t.cascade = on }

// Anew tells the tally of a failure domain that was out of reach as a whole and of
// which each member is voted on by itself now (PROTOCOL 7). Empty: of none.
func (t *Tally) Anew(d member.FailureDomain) { t.anew = d }

// Step takes one event and says what is to be done.
func (t *Tally) Step(now time.Time, ev TallyEvent) []TallyEffect {
	switch ev := ev.(type) {
	case Elected:
		cascade, anew := t.cascade, t.anew
		*t = *NewTally(t.cfg, t.ledger, t.checked)
		t.cascade, t.anew = cascade, anew
		t.awake, t.term, t.since, t.quiet = true, ev.Term, now, now
	case Deposed:
		t.awake = false
	case TallyWoken, Heard, Present, Recall, DoorAnswered:
	default:
		panic(fmt.Sprintf("consensus: unknown event %T", ev))
	}
	if !t.awake {
		return nil
	}
	t.memory.follow(now, t.ledger)
	if !t.swept.IsZero() && now.Sub(t.swept) >= t.cfg.Silent {
		// So late a sweep means that we stood still ourselves and could hear
		// nobody: like a new leader we give everybody the time to speak.
		t.memory.excuse(now)
	}
	var out []TallyEffect
	switch ev := ev.(type) {
	case Heard:
		t.news = t.hear(now, ev.Statement) || t.news
		if now.Before(t.Wake()) {
			return nil
		}
	case Present:
		for _, id := range ev.Members {
			if at := t.memory.place(id); at >= 0 {
				t.memory.entries[at].heard = now
			}
		}
		if now.Before(t.Wake()) {
			return nil // nothing to weigh yet
		}
	case Recall:
		out = t.recall(now, ev, out)
	case DoorAnswered:
		if s := t.memory.subject(ev.Subject); s != nil {
			s.door = now
		}
	}
	return t.weigh(now, out)
}

// hear books a statement. It reports whether it says anything that was not
// known: a renewal is no news, and the same statement comes from every
// councillor.
func (t *Tally) hear(now time.Time, st agent.Statement) bool {
	at := t.memory.place(st.Observer)
	if at < 0 {
		return false
	}
	v := &t.memory.entries[at].voice
	v.heard = now
	if !v.newer(st) {
		return false
	}
	news := v.abstains != st.Abstains
	v.abstains, v.abstainsUntil = st.Abstains, now.Add(st.Life)
	if st.Abstains != "" {
		v.unreachable = st.Unreachable
	} else {
		v.unreachable = nil
	}
	for _, x := range st.Votes {
		if of := t.memory.place(x.Subject); of >= 0 && t.ledger.Overlay().assigned(at, of) {
			news = t.memory.about(of).book(now, t, at, st, x) || news
		}
	}
	return news
}

// Open lists the members in trouble that no verdict covers yet, sorted:
// accused by two observers, named in two abstentions, or unheard. The brake
// adds those that are condemned and not settled.
func (t *Tally) Open(now time.Time) []member.ID {
	if !t.awake {
		return nil
	}
	t.memory.follow(now, t.ledger)
	named := map[member.ID]int{}
	for i := range t.memory.entries {
		e := &t.memory.entries[i]
		if e.silenced || !e.abstainsNow(now) {
			continue // as in believed: who comes back from a cut names everybody
		}
		for _, id := range e.unreachable {
			named[id]++
		}
	}
	var open []member.ID
	for i := range t.memory.entries {
		e := &t.memory.entries[i]
		s := e.subject
		switch {
		case s != nil && (t.believed(now, s, agent.OfAgent) >= 2 || t.believed(now, s, agent.OfService) >= 2):
		case len(named) > 0 && named[e.id] >= 2:
		case now.Sub(e.heard) >= t.cfg.UnheardOpen:
		default:
			continue
		}
		if !t.covered(now, e.id, s) {
			open = append(open, e.id)
		}
	}
	return open
}

// covered reports that a verdict says already what the observers say. A member
// that is dead for good is accused for ever; if it counted, a fleet that has
// replaced two of them would be guarded, and one that has replaced three in
// cascade, until somebody takes them out of the roster.
func (t *Tally) covered(now time.Time, id member.ID, s *subject) bool {
	st, stands := t.ledger.Standing(id)
	if !stands {
		return false
	}
	// Below a verdict on the service alone, the agent is another trouble.
	return st.Kind != VerdictServiceDown || s == nil || t.believed(now, s, agent.OfAgent) < 2
}

// believed counts the accusers that are not under a verdict themselves: two
// members that come back from a cut accuse everybody whom they could not see.
func (t *Tally) believed(now time.Time, s *subject, kind agent.Kind) int {
	n := 0
	for i := range s.casts[kind] {
		c := &s.casts[kind][i]
		if stance, _ := c.stance(now); stance == agent.Down && !t.memory.entries[c.observer].silenced {
			n++
		}
	}
	return n
}

// asleep is the Wake of a tally that waits to be elected: never by itself.
var asleep = time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)

// Wake is when the tally wants to be called next.
func (t *Tally) Wake() time.Time {
	if !t.awake {
		return asleep
	}
	w := t.swept.Add(t.cfg.Sweep)
	if t.news {
		w = t.swept.Add(t.cfg.Gather)
	}
	for _, at := range [...]time.Time{t.quiet, t.lookAt} {
		if t.pending && at.After(t.swept) && at.Before(w) {
			w = at
		}
	}
	return w
}
