//go:build real

package daemon

import (
	"slices"
	"testing"
	"time"

	"moonwatch/member"
	"moonwatch/status"
)

// TestALostCouncillorIsSwappedAndComesBackAsALearner on real sockets and disks: its
// seat goes to a learner a minute after the verdict, and when it is back with its old
// log it finds that out, follows, and is kept warm.
func TestALostCouncillorIsSwappedAndComesBackAsALearner(t *testing.T) {
	f := newFleet(t, []member.ID{"a", "b", "c", "d", "e"})
	f.until("c", "council", 60*time.Second, func(p status.Page) bool { return p.Council.Leader != "" })
	f.apply(testFleet(f, 1))
	f.until("e", "learners", 30*time.Second, func(p status.Page) bool { return len(p.Council.Learners) == 2 })
	victim := member.ID("b")
	if f.agents["e"].Page().Council.Leader == victim {
		victim = "c"
	}
	f.stop(victim)
	f.unserve(victim)
	swapped := func(p status.Page) bool {
		return len(p.Council.Councillors) == 3 && !slices.Contains(p.Council.Councillors, victim) && !p.Council.Swapping
	}
	f.until("e", "the swap", 100*time.Second, swapped)
	f.until("a", "the swap", 60*time.Second, swapped)
	f.serve(victim)
	f.start(victim)
	f.until(victim, "it is a learner", 90*time.Second, func(p status.Page) bool {
		return swapped(p) && slices.Contains(p.Council.Learners, victim) && p.Knowledge.Current
	})
	for _, n := range f.names {
		f.until(n, "one ledger", 60*time.Second, func(p status.Page) bool { return p.Knowledge.Hash == f.agents["a"].Page().Knowledge.Hash })
	}
}
