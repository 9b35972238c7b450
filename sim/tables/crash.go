package tables

import (
	"fmt"
	"time"

	"moonwatch/member"
	"moonwatch/sim"
)

// Crashes: one member after the other loses its power, at a random moment, in a
// fleet that is at rest. A world sees many of them: the next one comes when the
// last one has been back for so long that its verdict is lifted; large fleets may
// have one member in a hundred still under a verdict.

const (
	crashLimit = 30 * time.Second // a crash that is not found by then was missed
	crashDown  = 10 * time.Second // until the machine has its power again: long enough to be replaced
	crashApart = 5 * time.Second  // between a return and the next crash, at least
	crashRest  = 5 * time.Minute  // a fleet that is not at rest by then never will be
)

// leaderExtra is how much longer it may take when the leader dies too.
const leaderExtra = 3 * time.Second

func crashes() []Setting {
	var out []Setting
	for _, c := range []struct{ members, perWorld, worlds int }{
		{5, 25, 40}, {7, 25, 40}, {32, 25, 40}, {100, 25, 40}, {1000, 20, 5}, {10000, 10, 2},
	} {
		out = append(out, Setting{
			ID: fmt.Sprintf("crash/%d", c.members), What: fmt.Sprintf("%d members", c.members), Runs: c.worlds,
			Play: func(seed uint64) Row { return playCrashes(c.members, c.perWorld, false, seed) },
			Bars: func(r Row) []string { return crashBars(r, 0) },
		})
	}
	for _, n := range []int{5, 7, 32, 100} {
		out = append(out, Setting{
			ID: fmt.Sprintf("crash/%d-leader", n), What: fmt.Sprintf("%d members, the leader dies", n), Runs: 10,
			Play: func(seed uint64) Row { return playCrashes(n, 25, true, seed) },
			Bars: func(r Row) []string { return crashBars(r, leaderExtra) },
		})
	}
	return out
}

func crashBars(r Row, extra time.Duration) []string {
	return missed(r,
		atMost("p50", r.Ours.Detect(50), 1500*time.Millisecond+extra),
		atMost("p99", r.Ours.Detect(99), 2500*time.Millisecond+extra),
		none("crashes missed", r.Ours.Missed))
}

func playCrashes(members, crashes int, leader bool, seed uint64) Row {
	s, err := newStage(fleet(members), seed)
	if err != nil {
		return failed(seed, members, err)
	}
	for range crashes {
		if err := s.crash(leader); err != nil {
			return s.end(err)
		}
	}
	return s.end(nil)
}

// crash takes one member's power for a while, and waits until the fleet is at
// rest again.
func (s *stage) crash(leader bool) error {
	if err := s.Run(s.span(0, 2*time.Second)); err != nil {
		return err
	}
	id := s.Leader()
	if !leader {
		well := s.some(1, func(x member.ID) bool { return x != id && s.Verdict(x) == "" })
		if len(well) == 0 {
			return fmt.Errorf("seed %d at %v: everybody but the leader stands under a verdict", s.row.Seeds[0], s.Now())
		}
		id = well[0]
	}
	struck := s.Now()
	s.fall(id)
	s.Hit(sim.Crash, id)
	if err := s.Run(crashDown); err != nil {
		return err
	}
	s.Mend(sim.Crash, id)
	if err := s.Run(crashApart); err != nil {
		return err
	}
	s.found(id, struck, crashLimit)
	for !s.rested() {
		if s.Now()-struck > crashRest {
			return fmt.Errorf("seed %d: %v after the crash of %s: %v", s.row.Seeds[0], crashRest, id, s.Troubles())
		}
		if err := s.Run(time.Second); err != nil {
			return err
		}
	}
	if s.Verdict(id) == "" {
		s.recover(id)
	}
	return nil
}

// rested reports that less than one member of a hundred stands under a verdict,
// of either policy.
func (s *stage) rested() bool {
	st := s.State()
	out := max(len(st.Ledger().Condemned()), s.naive.Out())
	return s.Leader() != "" && out*100 < s.row.Members
}
