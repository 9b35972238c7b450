package tables

import (
	"fmt"
	"time"

	"moonwatch/member"
	"moonwatch/sim"
)

// Lifeguard's stalls: some of a hundred members stand still, all at the same
// moment and for equally long, go on for a short while, and stand still again. It
// is no fault to condemn them; it is one to condemn anybody else because of what
// they say when they wake.

const (
	stallMembers = 100
	stallSpell   = 2 * time.Minute // of stalls
	stallAfter   = time.Minute     // in which late verdicts would come
)

var (
	stalledAtOnce = []int{1, 2, 4, 8, 16, 32}
	stallLengths  = []time.Duration{
		100 * time.Millisecond, 500 * time.Millisecond, time.Second, 2 * time.Second,
		4 * time.Second, 8 * time.Second, 16 * time.Second, 32 * time.Second,
	}
)

func stalls() []Setting {
	var out []Setting
	for _, at := range stalledAtOnce {
		for _, d := range stallLengths {
			out = append(out, Setting{
				ID: fmt.Sprintf("stalls/%d-%v", at, d), What: fmt.Sprintf("%d of %d, %v", at, stallMembers, d), Runs: 10,
				Play: func(seed uint64) Row { return playStalls(at, d, stallSpell, seed) },
				Bars: func(r Row) []string { return missed(r) },
			})
		}
	}
	return out
}

func playStalls(at int, length, spell time.Duration, seed uint64) Row {
	s, err := newStage(fleet(stallMembers), seed)
	if err != nil {
		return failed(seed, stallMembers, err)
	}
	whom := s.some(at, func(member.ID) bool { return true })
	for until := s.Now() + spell; s.Now() < until; {
		s.fall(whom...)
		s.Strike(sim.Fault{At: s.Now(), Do: sim.Pause, Whom: whom, For: length})
		if err := s.Run(length + s.span(time.Second, 4*time.Second)); err != nil {
			return s.end(err)
		}
	}
	return s.end(s.Run(stallAfter))
}
