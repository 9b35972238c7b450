package mind

import (
	"moonwatch/agent"
	"moonwatch/member"
)

// passed remembers, for each observer, which of its statements went on to the
// leader lately. An observer repeats what was not acknowledged, to everybody who
// did not, and where round trips are longer than its patience it repeats
// everything: passed on by each councillor, each copy would be five.
type passed map[member.ID]*lately

// lately are the newest statements of one life of an observer, as a window that slides
// with the newest one (RFC 4303, 3.4.3, watches over replays so).
type lately struct {
	life   member.Incarnation
	newest uint64             // sequence of a statement
	seen   [passedKept]uint64 // a bit for each sequence down from the newest, which is bit 0
}

// passedKept words are 128 statements, more than an observer says in the 700 ms in which
// it repeats itself: at most 35 times, and each time in two datagrams while up to 32 votes
// stand. A copy of something older goes on once more, which does no harm.
const passedKept = 2

// first reports whether a statement is to be passed on, and notes that it was. Of
// an earlier life nobody wants to hear.
func (p passed) first(st *agent.Statement) bool {
	l := p[st.Observer]
	if l == nil || st.Incarnation > l.life {
		l = &lately{life: st.Incarnation}
		p[st.Observer] = l
	}
	return st.Incarnation == l.life && l.first(st.Seq)
}

// first reports whether a sequence has not been seen in the window, and notes it.
func (l *lately) first(seq uint64) bool {
	if seq > l.newest {
		l.slide(seq - l.newest)
		l.newest = seq
	}
	back := l.newest - seq
	if back >= 64*passedKept {
		return true
	}
	word, bit := back/64, uint64(1)<<(back%64)
	if l.seen[word]&bit != 0 {
		return false
	}
	l.seen[word] |= bit
	return true
}

// slide moves the window up.
func (l *lately) slide(by uint64) {
	for ; by >= 64; by -= 64 {
		if l.seen == ([passedKept]uint64{}) {
			return
		}
		copy(l.seen[1:], l.seen[:])
		l.seen[0] = 0
	}
	for i := len(l.seen) - 1; i >= 0; i-- {
		l.seen[i] <<= by
		if i > 0 {
			l.seen[i] |= l.seen[i-1] >> (64 - by)
		}
	}
}
