package sim

import (
	"testing"
	"time"

	"moonwatch/member"
)

// mild is a fault of a kind with what it needs, within the assumptions.
func mild(r KindRule, whom member.ID) Fault {
	f := Fault{Do: r.Kind}
	for _, field := range r.Needs {
		switch field {
		case FieldWhom:
			f.Whom = []member.ID{whom}
		case FieldOther:
			f.Other = []member.ID{"spare-1"}
		case FieldShare:
			f.Share = max(r.Share.Min, 0.3)
			if r.Kind == ClockDrift {
				f.Share = 0.01
			}
		case FieldDelay:
			f.Delay = 200 * time.Millisecond
		case FieldHost:
			f.Host = "www.example.com"
		case FieldChange:
			f.Change = &FleetChange{Pools: map[string]PoolChange{"web": {Fence: []string{"self"}}}}
		default:
		}
	}
	if r.Ends {
		f.For = 20 * time.Second
	}
	return f
}

// TestEveryKindOfFaultAloneComesRightAgain strikes the leader and another
// occupant with each kind: no promise breaks, and all is well in the end.
func TestEveryKindOfFaultAloneComesRightAgain(t *testing.T) {
	for _, r := range Kinds() {
		for _, leads := range []bool{false, true} {
			t.Run(string(r.Kind), func(t *testing.T) {
				w := loaded(t, 70)
				whom, _ := ordinary(w)
				if leads {
					whom = w.Leader()
				}
				began, ended := 0, 0
				w.Watch(func(h Happening) {
					began += map[HappeningKind]int{FaultBegan: 1}[h.What]
					ended += map[HappeningKind]int{FaultEnded: 1}[h.What]
				})
				w.Begin(mild(r, whom))
				run(t, w, 30*time.Second)
				within(t, w, 12*time.Minute, "all well", func() bool { return w.Now()%time.Second == 0 && len(w.Troubles()) == 0 })
				if began != 1 || ended != began && r.Ends {
					t.Errorf("began %d times, ended %d times", began, ended)
				}
			})
		}
	}
}

// TestAFaultLeavesTheDiceOfOthersAlone: an action that a driver's fault may
// spoil draws from a stream of its own, as do bursts, duplicates and the rest.
func TestAFaultLeavesTheDiceOfOthersAlone(t *testing.T) {
	draw := func(faults ...Fault) []time.Duration {
		w := still(t, 8)
		for _, f := range faults {
			w.Begin(f)
		}
		var d []time.Duration
		for range 20 {
			d = append(d, w.delay(2, 3), w.chance.span(w.cfg.Disk.Sync, streamDisk, 2))
		}
		return d
	}
	calm := draw()
	struck := draw(
		Fault{Do: Burst, Whom: []member.ID{"m-000"}, Share: 0.5}, Fault{Do: Reorder, Whom: []member.ID{"m-001"}, Share: 0.5, Delay: time.Second},
		Fault{Do: HangActions, Whom: []member.ID{"m-002"}, Share: 0.5}, Fault{Do: ClockJump, Whom: []member.ID{"m-002"}, Delay: time.Hour},
	)
	for i := range calm {
		if calm[i] != struck[i] {
			t.Fatalf("draw %d is %v, and %v with faults elsewhere", i, calm[i], struck[i])
		}
	}
}
