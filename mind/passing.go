package mind

import (
	"slices"

	"moonwatch/agent"
	"moonwatch/member"
)

// passed remembers, for each observer, which of its statements went on to the
// leader lately. An observer repeats what was not acknowledged, to everybody who
// did not, and where round trips are longer than its patience it repeats
// everything: passed on by each councillor, each copy would be five.
type passed map[member.ID]*lately

// lately are the last statements of one life of an observer, in no order.
type lately struct {
	life member.Incarnation
	seqs [passedKept]uint64 // 0: none
	next int
}

// passedKept is more than an observer says in the 700 ms in which it repeats
// itself. A copy of something older goes on once more, which does no harm.
const passedKept = 32

// first reports whether a statement is to be passed on, and notes that it was. Of
// an earlier life nobody wants to hear.
func (p passed) first(st *agent.Statement) bool {
	l := p[st.Observer]
	if l == nil || st.Incarnation > l.life {
		l = &lately{life: st.Incarnation}
		p[st.Observer] = l
	}
	if st.Incarnation < l.life || slices.Contains(l.seqs[:], st.Seq) {
		return false
	}
	l.seqs[l.next] = st.Seq
	l.next = (l.next + 1) % passedKept
	return true
}
