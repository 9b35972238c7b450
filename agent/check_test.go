package agent

import (
	"slices"
	"strings"
	"testing"
	"time"

	"moonwatch/member"
)

// Seen in the simulator: a machine behind a bad optic lost everything for a fifth of
// a second at a time. Once five of six observers checked its service in such a
// moment, all other edges were clean, and it was restarted for nothing.
func TestOneSilentCheckSaysNothingWhereTheWayThereIsLossy(t *testing.T) {
	for pattern, want := range map[string]bool{".": true, "x" + strings.Repeat(".", 39): true, "x......": false, "xx.......": false} {
		r := newRig(t, Default())
		r.watch(1, []member.ID{"c1"}, Subject{ID: "b", Service: true}, Subject{ID: "c"}, Subject{ID: "d"})
		r.subject("b").pattern = pattern
		r.run(time.Minute)
		said := r.listen()
		r.subject("b").service = "silent"
		r.step(RollCalled{Call: RollCall{ID: RollID{Term: 1, N: 1}, Subjects: []member.ID{"b"}}})
		r.run(600 * time.Millisecond)
		if got := slices.ContainsFunc(*said, func(s string) bool { return strings.Contains(s, "b service down") }); got != want {
			t.Errorf("probes %s: service down after one silent check: %v, want %v: %q", pattern, got, want, *said)
		}
		r.step(RollCalled{Call: RollCall{ID: RollID{Term: 1, N: 2}, Subjects: []member.ID{"b"}}})
		r.run(8 * time.Second)
		if last := (*said)[len(*said)-1]; !strings.Contains(last, "b service down") {
			t.Errorf("probes %s: silent for 8 s: %q", pattern, last)
		}
	}
}
