package tables

import (
	"fmt"
	"time"

	"moonwatch/member"
	"moonwatch/sim"
)

// Rapid's faults: ten crashes at once, a link that comes and goes, and a link
// that loses most of what it carries one way. One member in a hundred has the
// bad link, at least one.

const (
	tenCrashes  = 10
	tenWithin   = 300 * time.Millisecond
	flipPeriod  = 20 * time.Second // bad for so long, and good for so long
	flips       = 5
	lossShare   = 0.8
	lossFor     = 2 * time.Minute
	lossLimit   = 30 * time.Second
	rapidSettle = 30 * time.Second
)

func rapids() []Setting {
	var out []Setting
	for _, n := range []int{100, 300, 1000} {
		runs := 2000 / n
		add := func(id, what string, play func(*stage) error, bars func(Row) []string) {
			out = append(out, Setting{
				ID: fmt.Sprintf("rapid/%s-%d", id, n), What: fmt.Sprintf("%s, %d members", what, n), Runs: runs,
				Play: func(seed uint64) Row {
					s, err := newStage(fleet(n), seed)
					if err != nil {
						return failed(seed, n, err)
					}
					return s.end(play(s))
				},
				Bars: bars,
			})
		}
		add("crashes", "ten crashes within 300 ms", (*stage).tenCrashes, crashesBars)
		add("flips", "inbound link 20 s off, 20 s on", (*stage).flips, flipsBars)
		add("in", "80 % inbound loss", func(s *stage) error { return s.lossy(sim.LossyIn) }, lossyBars)
		add("out", "80 % outbound loss", func(s *stage) error { return s.lossy(sim.LossyOut) }, lossyBars)
	}
	return out
}

// tenCrashes spares the leader: its own death is measured elsewhere.
func (s *stage) tenCrashes() error {
	leader := s.Leader()
	councillors := 0
	whom := s.some(tenCrashes, func(id member.ID) bool {
		if s.State().Ledger().Councillor(id) {
			councillors++
			return id != leader && councillors <= 2
		}
		return true
	})
	s.fall(whom...)
	began := s.Now()
	struck := map[member.ID]time.Duration{}
	for _, id := range whom {
		struck[id] = began + s.span(0, tenWithin)
		s.Strike(sim.Fault{At: struck[id], Do: sim.Crash, Whom: []member.ID{id}})
	}
	err := s.Run(rapidSettle)
	for _, id := range whom {
		s.found(id, struck[id], rapidSettle)
	}
	return err
}

// crashesBars: the ten of each run are one verdict.
func crashesBars(r Row) []string {
	split := ""
	if n := r.Ours.Decisions - r.Runs(); n > 0 {
		split = fmt.Sprintf("%d verdicts more than runs, want one per ten crashes", n)
	}
	return missed(r, split, none("crashes missed", r.Ours.Missed))
}

// one draws one member of a hundred, at least one, and never the leader.
func (s *stage) one() []member.ID {
	leader := s.Leader()
	n := max(1, len(s.State().Ledger().Roster().Members)/100)
	return s.some(n, func(id member.ID) bool { return id != leader })
}

func (s *stage) flips() error {
	whom := s.one()
	s.fall(whom...)
	began := s.Now()
	for range flips {
		for _, id := range whom {
			s.Strike(sim.Fault{At: s.Now(), Do: sim.Deafen, Whom: []member.ID{id}, For: flipPeriod})
		}
		if err := s.Run(2 * flipPeriod); err != nil {
			return err
		}
	}
	for _, id := range whom {
		s.found(id, began, flipPeriod)
	}
	return nil
}

// flipsBars: a member is condemned once and stays so, for it is never clean.
func flipsBars(r Row) []string {
	flapped := ""
	if n := r.Ours.Condemned - r.Faults; n > 0 {
		flapped = fmt.Sprintf("condemned %d times again, want once each", n)
	}
	return missed(r, flapped, none("bad links missed", r.Ours.Missed))
}

func (s *stage) lossy(do sim.FaultKind) error {
	whom := s.one()
	s.fall(whom...)
	began := s.Now()
	for _, id := range whom {
		s.Begin(sim.Fault{Do: do, Whom: []member.ID{id}, Share: lossShare})
	}
	err := s.Run(lossFor)
	for _, id := range whom {
		s.found(id, began, lossLimit)
	}
	return err
}

func lossyBars(r Row) []string {
	return missed(r, none("bad links not condemned within 30 s", r.Ours.Missed))
}
