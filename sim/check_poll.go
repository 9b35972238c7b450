package sim

import (
	"fmt"
	"slices"
	"time"

	"moonwatch/agent"
	"moonwatch/consensus"
	"moonwatch/member"
)

// S1 is not to take a leader's numbers from the leader. So the checker counts once
// more who could have a say in a verdict: whom the overlay assigns, who of these stands
// under no verdict by the checker's own books, and who has said what to the leader. A
// leader that calls its question two of two has left somebody out.

// poll is a leader's last roll call about a member, with what came to it in answer.
type poll struct {
	by      int // its machine
	id      agent.RollID
	at      time.Duration
	answers map[answering]reply
	first   map[answering]time.Duration // when the first answer came, also one that was overtaken: it may count from then on
}

type answering struct {
	observer member.ID
	kind     agent.Kind
}

// reply is an observer's newest word about one call.
type reply struct {
	stance agent.Stance
	life   member.Incarnation // of the subject
	seq    uint64
	at     time.Duration // when it came
}

// ear is what a leader has heard of one observer, whatever that spoke about.
type ear struct {
	life     member.Incarnation
	seq      uint64
	heard    time.Duration
	silent   time.Duration // until when it last was, for a second and more
	abstains time.Duration // until when its word may be that it doubts itself
}

// polls are the checker's own count of what leaders ask and are told.
type polls struct {
	of     map[member.ID]*poll
	ears   map[hearer]*ear
	judged map[member.ID]judgedAt
}

type hearer struct{ leader, observer int }

// judgedAt is when a member last came under a verdict, or out of one.
type judgedAt struct {
	fact uint64
	at   time.Duration
}

func newPolls() polls {
	return polls{of: map[member.ID]*poll{}, ears: map[hearer]*ear{}, judged: map[member.ID]judgedAt{}}
}

// answersLast is how long an answer counts (PROTOCOL 4), by the timing profile.
func (c *checker) answersLast() time.Duration {
	switch c.w.cfg.Fleet.Profile {
	case member.ProfileFast:
		return 700 * time.Millisecond
	case member.ProfileCloud:
		return 2 * time.Second
	case member.ProfileWAN:
		return 6 * time.Second
	default:
		return time.Second
	}
}

// silentAfter is how long who is accused has to have said nothing to be no observer any
// more. In cloud and wan it is longer; here who was silent for less is let off as well.
const silentAfter = time.Second

// pollLag is how long before a proposal a word has to have come for the checker to insist
// that it was counted: what comes in the very moment may come after the count.
const pollLag = time.Millisecond

// judgedLag is how long after a verdict was agreed on a leader may not have known of it yet.
const judgedLag = time.Second

// asks books a roll call.
func (p *polls) asks(m *machine, r agent.RollCall) {
	for _, id := range r.Subjects {
		p.of[id] = &poll{by: m.i, id: r.ID, at: m.w.now, answers: map[answering]reply{}, first: map[answering]time.Duration{}}
	}
}

// hears books what comes to a leader.
func (p *polls) hears(m *machine, st agent.Statement) {
	w := m.w
	from, known := w.index[st.Observer]
	if !known || m.mind.Leading().Leader != m.id {
		return
	}
	e := p.ears[hearer{m.i, from}]
	if e == nil {
		e = &ear{}
		p.ears[hearer{m.i, from}] = e
	}
	if w.now-e.heard >= silentAfter {
		e.silent = w.now
	}
	e.heard = w.now
	switch newest := st.Incarnation > e.life || st.Incarnation == e.life && st.Seq >= e.seq; {
	case st.Abstains != "":
		e.abstains = max(e.abstains, w.now+m.clock.lasts(st.Life))
	case newest:
		e.abstains = min(e.abstains, w.now)
	}
	if st.Incarnation > e.life {
		e.life, e.seq = st.Incarnation, 0
	}
	if st.Incarnation < e.life {
		return
	}
	overtaken := st.Seq < e.seq // by a newer one: the leader may count it, and need not
	e.seq = max(e.seq, st.Seq)
	for _, v := range st.Votes {
		if x := p.of[v.Subject]; x != nil && x.by == m.i && x.id == v.Roll {
			x.answered(answering{st.Observer, v.Kind}, reply{stance: v.Stance, life: v.Incarnation, seq: st.Seq, at: w.now}, overtaken)
		}
	}
}

func (p *poll) answered(by answering, a reply, overtaken bool) {
	if _, before := p.first[by]; !before {
		p.first[by] = a.at
	}
	was, again := p.answers[by]
	switch {
	case overtaken && a.stance == agent.Up: // not insisted on
		return
	case again && (a.seq <= was.seq || a.stance == was.stance):
		return
	}
	p.answers[by] = a
}

// judges books that a member came under a verdict, or out of one.
func (p *polls) judges(f consensus.Fact, now time.Duration, v consensus.Verdict) {
	for _, x := range v.Findings {
		p.judged[x.Subject] = judgedAt{f.Index, now}
	}
}

// recount says what a proposed verdict leaves out of its counts, empty if nothing. It is
// asked as the proposer writes it to its disk, as of when it was made.
func (c *checker) recount(m *machine, x consensus.Command, v consensus.Verdict) string {
	if x.Proposer != m.id || v.Roster != c.fold.Roster().Epoch {
		return "" // somebody else's, which the ledger refuses; or the overlay has changed since
	}
	for _, f := range v.Findings {
		if !condemns(f.Kind) {
			continue
		}
		r := recount{c: c, m: m, made: c.w.said(m.id, x.Time), finding: f, count: f.Agent}
		if f.Kind == consensus.VerdictServiceDown {
			r.count, r.kind = f.Service, agent.OfService
		} else {
			for _, y := range v.Findings {
				r.together = append(r.together, y.Subject)
			}
		}
		if wrong := r.wrong(); wrong != "" {
			return fmt.Sprintf("%s on %s %s", f.Kind, f.Subject, wrong)
		}
	}
	return ""
}

// recount is one finding, counted once more.
type recount struct {
	c        *checker
	m        *machine // the proposer
	made     time.Duration
	finding  consensus.Finding
	count    consensus.Count
	kind     agent.Kind
	together []member.ID // who is condemned with it: they are no observers of each other
}

func (r *recount) wrong() string {
	c := r.c
	if want := min(consensus.Observers, c.fold.Roster().Len()-1); r.count.Assigned != want {
		return fmt.Sprintf("has %d observers assigned, the overlay %d", r.count.Assigned, want)
	}
	voted := map[member.ID]agent.Stance{}
	for _, v := range r.count.Votes {
		voted[v.Observer] = v.Stance
	}
	// An observer may be out of the count where it is in the cut and has a finding of its
	// own yet to come, and where a verdict on it is just being agreed on.
	var standing, perhaps, excused int
	for _, id := range c.fold.Overlay().ObserversOf(r.finding.Subject) {
		switch r.stands(id) {
		case out:
			continue
		case maybe:
			perhaps++
		case in:
			standing++
			if r.saidUp(id) && voted[id] != agent.Up {
				return fmt.Sprintf("leaves out that %s had answered up", id)
			}
		}
		if r.maySayNothing(id) {
			excused++
		}
	}
	switch {
	case r.count.Standing < standing || r.count.Standing > standing+perhaps:
		return fmt.Sprintf("has %d observers standing, of whom %d to %d do", r.count.Standing, standing, standing+perhaps)
	case r.count.Eligible+excused < standing:
		return fmt.Sprintf("has %d eligible, and %d of %d observers may have had no say", r.count.Eligible, excused, standing)
	}
	return ""
}

// seatOf says whether an observer counts among those that stand.
type seatOf uint8

const (
	in seatOf = iota
	maybe
	out
)

func (r *recount) stands(id member.ID) seatOf {
	j, ok := r.c.polls.judged[id]
	switch {
	case slices.Contains(r.together, id):
		return out
	case ok && (j.at >= r.made-judgedLag || j.fact > r.m.mind.Ledger().Head()):
		return maybe
	case gone(r.c.books.verdict[id].kind):
		return out
	case len(r.together) > 0 && r.accused(id):
		return maybe
	default:
		return in
	}
}

// accused reports that two others have said of a member lately that it is down.
func (r *recount) accused(id member.ID) bool {
	n := 0
	for _, o := range r.c.fold.Overlay().ObserversOf(id) {
		if said, ok := r.c.words[saying{o, id, agent.OfAgent}]; ok && r.made-said.at <= r.c.wordLife() {
			n++
		}
	}
	return n >= 2
}

// saidUp reports that an observer had answered the leader's last call that it reaches the
// subject in this life, and has said nothing else since.
func (r *recount) saidUp(id member.ID) bool {
	p := r.c.polls.of[r.finding.Subject]
	if p == nil || p.by != r.m.i || p.at > r.made || r.doubts(id) {
		return false
	}
	by := answering{id, r.kind}
	a, ok := p.answers[by]
	if accused, ever := r.c.words[saying{id, r.finding.Subject, r.kind}]; ever && accused.at > a.at {
		return false
	}
	return ok && a.stance == agent.Up && (a.life == 0 || a.life >= r.finding.Incarnation) &&
		a.at < r.made-pollLag && r.made+pollLag-p.first[by] < r.m.clock.lasts(r.c.answersLast())
}

// doubts reports that an observer's word may be that it doubts itself.
func (r *recount) doubts(id member.ID) bool {
	e := r.ear(id)
	return e == nil || e.abstains >= r.made-pollLag
}

// maySayNothing reports that an observer may be no voice at all: it doubts itself, or is
// accused and has fallen silent.
func (r *recount) maySayNothing(id member.ID) bool {
	if r.doubts(id) {
		return true
	}
	e := r.ear(id)
	return (r.made-e.heard >= silentAfter-pollLag || e.silent >= r.made-pollLag) && r.accused(id)
}

func (r *recount) ear(id member.ID) *ear {
	return r.c.polls.ears[hearer{r.m.i, r.c.w.index[id]}]
}
