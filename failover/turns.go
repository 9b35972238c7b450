package failover

import (
	"slices"
	"time"

	"moonwatch/member"
)

// handOver is how long a door may do nothing that its teller wants before another one
// tries. Longer than a HAProxy or a name server takes to start; and whoever takes over
// tells all slots anew.
const handOver = 30 * time.Second

// teller is who tells a door now: whoever spoke of it last, or the first of those who
// may; the next who does not, if that one stands under a verdict; and the next again,
// one after the other, while none of its slots is as the ledger says. It stays with
// whom it obeys: going back would be trying once more what has failed. If all are
// condemned, nobody else is better.
//
// Members' clocks differ, so two may tell a door for a moment. Both say what the ledger
// shows.
func (st *State) teller(now time.Time, d doorAt) member.ID {
	if len(d.tells) == 0 {
		return ""
	}
	last, failing := st.spoke(d)
	at := max(0, slices.Index(d.tells, last))
	turn := slices.Concat(d.tells[at:], d.tells[:at])
	well := slices.DeleteFunc(slices.Clone(turn), func(id member.ID) bool {
		_, condemned := st.ledger.Standing(id)
		return condemned
	})
	if len(well) == 0 {
		return turn[0]
	}
	if failing.IsZero() || now.Before(failing) {
		return well[0]
	}
	return well[int(now.Sub(failing)/handOver)%len(well)]
}

// spoke is who said the last word about a door, and since when none of its slots is as
// wanted by these words; zero if one is, or one was never spoken of.
func (st *State) spoke(d doorAt) (last member.ID, failing time.Time) {
	var fact uint64
	obeys := false
	for _, id := range d.pool.Slots {
		s := st.s.Slots[id]
		if s == nil || !routable(s) {
			continue
		}
		t, known := st.Treats(d.id, id)
		obeys = obeys || !known || t.Result == ToldDone
		if !known {
			continue
		}
		if t.Fact > fact {
			fact, last = t.Fact, t.Teller
		}
		if t.Since.After(failing) {
			failing = t.Since
		}
	}
	if obeys {
		return last, time.Time{}
	}
	return last, failing
}
