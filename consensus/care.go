package consensus

import (
	"cmp"
	"slices"
	"time"

	"moonwatch/member"
)

// Warmth is how far the council's seats are with raft's log, as the leader knows it.
type Warmth struct {
	Agreed uint64            // raft's last agreed entry
	Has    map[uint64]uint64 // the last one that each seat has on its disk
	Here   map[uint64]bool   // seats that had everything a moment ago
}

// warmWithin is how many entries a learner may lack to be taken for caught up: those
// of a second, at 200 facts a second.
const warmWithin = 200

// warm reports that a learner has caught up: nothing that was agreed hangs on fewer
// disks when it takes a place.
func (w Warmth) warm(s Seat) bool {
	has := w.Has[s.ID]
	return has > 0 && has+warmWithin >= w.Agreed
}

// Care is what the leader does next for its council, and what it waits for; nil:
// nothing. Hold says why a member may not be swapped now, empty if it may.
func (l *Ledger) Care(now time.Time, w Warmth, hold func(member.ID) string) (*Reform, string) {
	s := l.Seats()
	if s.Joint() {
		return &Reform{Do: Settle, Why: "the new council has taken over"}, ""
	}
	if l.Fleet() == nil {
		return nil, "" // nobody has said yet who may sit there: the founders do
	}
	for _, x := range s.Learners {
		if why, since := l.Lost(x); why != "" && now.Sub(since) >= swapAfter {
			return &Reform{Do: Dismiss, Out: x.ID, Member: x.Member, Why: why}, ""
		}
	}
	r, waits := l.swap(now, w, hold)
	if r != nil {
		return r, ""
	}
	if id, ok := l.candidate(); ok && len(s.Learners) < maxLearners {
		return &Reform{Do: Learn, In: s.Next, Member: id, Disk: l.s.Disks[id].ID}, ""
	}
	return nil, waits
}

// swap finds a lost councillor and the learner that takes its place: one of the
// failure domain that has the fewest others in the council.
func (l *Ledger) swap(now time.Time, w Warmth, hold func(member.ID) string) (*Reform, string) {
	s := l.Seats()
	for _, out := range s.Voters {
		why, since := l.Lost(out)
		switch {
		case why == "":
			continue
		case w.Here[out.ID]:
			continue // it is back, and the verdict on it is about to be lifted
		case now.Sub(since) < swapAfter:
			return nil, "councillor " + string(out.Member) + " is lost (" + why + "): it has a minute to come back"
		}
		if because := hold(out.Member); because != "" {
			return nil, "councillor " + string(out.Member) + " is lost (" + why + "): " + because
		}
		var best *Seat
		for i, in := range s.Learners {
			if lost, _ := l.Lost(in); lost != "" || !w.warm(in) || l.expelled(in.Member) {
				continue
			}
			if best == nil || l.crowd(in.Member, out.ID) < l.crowd(best.Member, out.ID) {
				best = &s.Learners[i]
			}
		}
		if best == nil {
			return nil, "councillor " + string(out.Member) + " is lost (" + why + "): no learner has caught up"
		}
		return &Reform{Do: Swap, In: best.ID, Out: out.ID, Member: best.Member, Why: why}, ""
	}
	return nil, ""
}

// crowd counts the seats in a member's failure domain, but for one.
func (l *Ledger) crowd(id member.ID, without uint64) int {
	n := 0
	for _, s := range l.Seats().Voters {
		if s.ID != without && s.Member != id && l.roster.Domain(s.Member) == l.roster.Domain(id) {
			n++
		}
	}
	return n
}

// candidate is who becomes a learner next: a member that may sit and has no seat, is
// under no verdict, was not expelled, and whose failure domain has the fewest seats.
// Only the leader asks: who applies its reform takes any member that may sit.
func (l *Ledger) candidate() (member.ID, bool) {
	s := l.Seats()
	var ids []member.ID
	for _, m := range l.roster.Members {
		_, stands := l.s.Standing[m.ID]
		seated := slices.ContainsFunc(s.All(), func(x Seat) bool { return x.Member == m.ID && !l.emptied(x) })
		if m.Council && !stands && !seated && !l.expelled(m.ID) && l.s.Disks[m.ID].ID != "" {
			ids = append(ids, m.ID)
		}
	}
	if len(ids) == 0 {
		return "", false
	}
	seats := func(id member.ID) int {
		n := l.crowd(id, 0)
		for _, x := range s.Learners {
			if l.roster.Domain(x.Member) == l.roster.Domain(id) {
				n++
			}
		}
		return n
	}
	return slices.MinFunc(ids, func(a, b member.ID) int { return cmp.Or(seats(a)-seats(b), cmp.Compare(a, b)) }), true
}
