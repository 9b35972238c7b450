package consensus

import (
	"cmp"
	"slices"
	"time"

	"moonwatch/agent"
	"moonwatch/member"
)

// voice is what the leader knows about one observer.
type voice struct {
	heard         time.Time // by any councillor
	incarnation   member.Incarnation
	seq           uint64
	abstains      agent.Reason
	abstainsUntil time.Time
	unreachable   []member.ID
}

// abstainsNow reports that the observer doubts itself.
func (v *voice) abstainsNow(now time.Time) bool {
	return v.abstains != "" && now.Before(v.abstainsUntil)
}

// newer reports whether a statement is news. Two statements made at the same
// moment carry different votes and may come in either order, so one that is a
// little older still counts for its own votes; one of an earlier life never.
func (v *voice) newer(st agent.Statement) bool {
	if st.Incarnation < v.incarnation {
		return false
	}
	if st.Incarnation > v.incarnation {
		v.incarnation, v.seq = st.Incarnation, 0
	}
	const reordered = 16
	if st.Seq+reordered < v.seq {
		return false
	}
	v.seq = max(v.seq, st.Seq)
	return true
}

// cast is one observer's present word about one subject and kind.
type cast struct {
	observer int                // its place in the roster
	life     member.Incarnation // of the observer, as its statement said
	seq      uint64             // of the statement; a new life counts from 1
	answered uint64             // the same, of the newest answer to the roll call
	lapses   time.Time          // when an answer to that call is over by itself
	standing castVote
	fresh    castVote
}

type castVote struct {
	until time.Time
	vote  agent.Vote
	at    time.Time // when it came
	since time.Time // when the first of those came that say the same without a break
}

func (v castVote) live(now time.Time) bool { return now.Before(v.until) }

// subject is what the leader knows about one member that somebody spoke about.
type subject struct {
	id     member.ID
	place  int       // in the roster
	casts  [2][]cast // by kind, sorted by observer
	counts [2]Count  // by kind, as of the present weighing, nobody taken out

	roll     agent.RollID
	calledAt time.Time
	calls    int       // since the last decision
	wanted   bool      // somebody waits for Looked
	wantAll  bool      // and for the answers of all observers
	lookedAt time.Time // when it was last told that the subject is down; zero: not

	crossed   [2]bool // is over the low watermark
	cut       bool    // is over the high one, and waits with others for the verdict
	heldFrom  time.Time
	heldUp    time.Duration
	partial   time.Time
	clean     time.Time
	proposed  time.Time
	proposedK VerdictKind
	door      time.Time // last good answer through a gateway
	accusedAt time.Time
	slow      bool // since it is accused, somebody reached its service when its time was over, and the others had not spoken
}

// book takes one vote, and reports whether it changes what its observer says.
// A vote about an earlier life of the subject, or an answer to a call of an
// earlier term, counts for nothing.
func (s *subject) book(now time.Time, t *Tally, observer int, st agent.Statement, v agent.Vote) bool {
	if int(v.Kind) >= len(s.casts) || !v.Roll.IsZero() && (v.Roll.Term != t.term || v.Roll != s.roll) {
		return false
	}
	c := s.cast(v.Kind, observer)
	if st.Incarnation != c.life {
		c.life, c.seq, c.answered = st.Incarnation, 0, 0 // voice.newer has refused earlier lives
	}
	before, _ := c.stance(now)
	switch {
	case !v.Roll.IsZero():
		switch again := v.Roll == c.fresh.vote.Roll; {
		case !again:
			c.fresh = castVote{vote: v, at: now, since: now, until: now.Add(t.cfg.RollValid)}
			c.answered, c.lapses = st.Seq, c.fresh.until
			return true
		case st.Seq > c.answered && v.Stance != c.fresh.vote.Stance: // it has looked on, and takes it back
			c.fresh = castVote{vote: v, at: now, since: now, until: c.lapses} // also one that was withdrawn; repeats do not prolong an answer
			c.answered = st.Seq
		}
	case st.Seq < c.seq:
	case v.Stance == agent.Down:
		c.seq = st.Seq
		if s.accusedAt.IsZero() {
			s.accusedAt = now
		}
		news := !c.standing.live(now) || c.standing.vote.Incarnation != v.Incarnation
		since := now
		if !news {
			since = c.standing.since
		}
		c.standing = castVote{vote: v, at: now, since: since, until: now.Add(st.Life)}
		return news
	default: // withdrawn: what it answered before is over as well
		c.seq = st.Seq
		c.standing = castVote{}
		if c.fresh.vote.Stance == agent.Down {
			c.fresh.until = now
		}
	}
	after, _ := c.stance(now)
	return before != after
}

func (s *subject) cast(kind agent.Kind, observer int) *cast {
	list := s.casts[kind]
	i, ok := slices.BinarySearchFunc(list, observer, func(c cast, at int) int { return cmp.Compare(c.observer, at) })
	if !ok {
		list = slices.Insert(list, i, cast{observer: observer})
		s.casts[kind] = list
	}
	return &s.casts[kind][i]
}

// move takes the subject to its place in a new roster, and its observers to
// theirs. The order of places is the order of names, so casts stay sorted.
func (s *subject) move(place int, moved []int) {
	s.place = place
	for k := range s.casts {
		s.casts[k] = slices.DeleteFunc(s.casts[k], func(c cast) bool { return moved[c.observer] < 0 })
		for i := range s.casts[k] {
			c := &s.casts[k][i]
			c.observer = moved[c.observer]
		}
	}
}

// inOrder finds casts for observers that are asked about in their order.
type inOrder struct{ rest []cast }

// of is an observer's cast, an empty one if it said nothing.
func (c *inOrder) of(observer int) *cast {
	for len(c.rest) > 0 && c.rest[0].observer < observer {
		c.rest = c.rest[1:]
	}
	if len(c.rest) == 0 || c.rest[0].observer != observer {
		return &nothing
	}
	return &c.rest[0]
}

// nothing is the word of an observer that has not spoken. It is never written
// to.
var nothing cast

// stance is what one observer says now, and the vote that says it: a fresh
// answer before a standing vote, and a standing vote only if it is down.
func (c *cast) stance(now time.Time) (agent.Stance, *castVote) {
	if c.fresh.vote.Stance != agent.Abstain && c.fresh.live(now) {
		return c.fresh.vote.Stance, &c.fresh
	}
	if c.standing.live(now) {
		return agent.Down, &c.standing
	}
	return agent.Abstain, nil
}

// accusedSince is when the first accusation came that stands; of a subject that
// nobody accuses beyond the roll call, when that was called.
func (s *subject) accusedSince() time.Time {
	if s.accusedAt.IsZero() {
		return s.calledAt
	}
	return s.accusedAt
}

// reached reports that the observer's last word was an answer that it reaches the
// subject. It has lapsed as a vote, and yet, until the next call is answered,
// nobody may say that no one contradicts the standing accusations.
func (s *subject) reached(now time.Time, c *cast, valid time.Duration) bool {
	return c.fresh.vote.Stance == agent.Up && (c.fresh.vote.Roll == s.roll || now.Sub(s.calledAt) < valid)
}

// evidence is what the observer saw, with its silence brought up to now: it was
// measured when the observer spoke.
func (v *castVote) evidence(now time.Time) agent.Evidence {
	e := v.vote.Evidence
	if e.SilentFor > 0 {
		e.SilentFor += now.Sub(v.at)
	}
	return e
}

// says reports whether an observer has answered this roll call about the
// subject with this stance.
func (s *subject) says(now time.Time, observer *subject, stance agent.Stance) bool {
	for i := range s.casts[agent.OfAgent] {
		if c := &s.casts[agent.OfAgent][i]; c.observer == observer.place {
			is, said := c.stance(now)
			return is == stance && said == &c.fresh
		}
	}
	return false
}

// accusers counts the observers whose standing vote or fresh answer is down.
func (s *subject) accusers(now time.Time, kind agent.Kind) int {
	n := 0
	for i := range s.casts[kind] {
		if stance, _ := s.casts[kind][i].stance(now); stance == agent.Down {
			n++
		}
	}
	return n
}

// standing counts the observers that accuse now, of either kind.
func (s *subject) standing(now time.Time) int {
	n := 0
	for k := range s.casts {
		for i := range s.casts[k] {
			if s.casts[k][i].standing.live(now) {
				n++
			}
		}
	}
	return n
}

// incarnation is the life that the votes mean: the highest one that two
// observers have seen, so that a single liar cannot void everybody's votes.
func (s *subject) incarnation() member.Incarnation {
	var first, second member.Incarnation
	for k := range s.casts {
		for i := range s.casts[k] {
			c := &s.casts[k][i]
			in := max(c.standing.vote.Incarnation, c.fresh.vote.Incarnation)
			switch {
			case k > 0: // the same observers again
			case in >= first:
				first, second = in, first
			case in > second:
				second = in
			}
		}
	}
	return second
}
