package consensus

import (
	"time"

	"moonwatch/agent"
	"moonwatch/member"
)

// A roll call is one datagram to each observer, and who hears it says so at once. In
// weather that loses half of all round trips three of ten never hear it, and an up vote
// that could have come is missing where two others have lost ten probes in a row. So it
// is repeated, with the same number: whoever has heard it takes no notice.
const (
	rollRepeats = 2
	rollRepeat  = 100 * time.Millisecond // as votes are: an answer takes a round trip
)

// repeat calls the roll once more for those who have not spoken since it was called. In
// cascade nobody is asked twice: there is trouble enough, and another subject waits.
func (t *Tally) repeat(now time.Time, s *subject, out []TallyEffect) []TallyEffect {
	if t.cascade || s.roll.IsZero() || s.repeats >= rollRepeats {
		return out
	}
	due := s.calledAt.Add(rollRepeat * time.Duration(s.repeats+1))
	if now.Before(due) {
		if t.repeatAt.IsZero() || due.Before(t.repeatAt) {
			t.repeatAt = due
		}
		return out
	}
	if s.repeats++; s.repeats < rollRepeats {
		t.repeatAt = now.Add(rollRepeat)
	}
	var to []member.ID
	for _, at := range t.ledger.Overlay().watchers[s.place] {
		if e := &t.memory.entries[at]; !e.silenced && e.spoke.Before(s.calledAt) {
			to = append(to, e.id)
		}
	}
	if len(to) == 0 || now.Sub(s.calledAt) >= t.cfg.RollAgain {
		return out
	}
	return append(out, CallRoll{Call: agent.RollCall{ID: s.roll, Subjects: []member.ID{s.id}}, To: to})
}
