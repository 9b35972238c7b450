package daemon

import (
	"testing"
	"time"

	"moonwatch/member"
	"moonwatch/status"
)

func TestAMemberThatDiesIsReplacedOverRealSockets(t *testing.T) {
	f := newFleet(t, []member.ID{"m1", "m2", "m3", "m4"})
	f.until("m4", "a leader", 15*time.Second, func(p status.Page) bool { return p.Council.Leader != "" })
	f.apply(testFleet(f, 3))
	p := f.until("m4", "all slots started", 15*time.Second, func(p status.Page) bool {
		n := 0
		for _, s := range p.Slots {
			if s.State == status.SlotServing {
				n++
			}
		}
		return n == 3
	})
	victim := member.ID("m2")
	if p.Council.Leader == victim {
		victim = "m3"
	}
	began := time.Now()
	f.unserve(victim)
	f.stop(victim)
	f.until("m4", "the spare in the slot", 20*time.Second, func(p status.Page) bool {
		for _, s := range p.Slots {
			if s.Occupant == "m4" {
				return true
			}
		}
		return false
	})
	t.Log("replaced after", time.Since(began))
}
