package failover

import (
	"strings"
	"testing"
	"time"

	"moonwatch/consensus"
)

// Its machine was booted anew, quickly enough not to be replaced, and the service does
// not start by itself: a restart of it has nothing to end.
func TestAServiceThatEndedWithItsMachineIsStartedAndNotRestarted(t *testing.T) {
	for _, booted := range []bool{false, true} {
		x := newTale(t, webFleet(5, 3, 2, 2)).serving()
		s := x.slot("slot-2")
		e := NewExecutor("web-3", x.state, Holding{"slot-2": s.Epoch}, x.now)
		if booted {
			e.Bygone(Holding{"slot-2": s.Epoch})
		}
		x.executors["web-3"] = e
		var ran []string
		x.note = func(s string) { ran = append(ran, s) }
		x.judge(consensus.VerdictServiceDown, "web-3")
		x.run(5 * time.Second)
		want := "web-3 runs restart for slot-2"
		if booted {
			want = "web-3 runs start for slot-2"
		}
		if got := strings.Join(ran, "; "); !strings.Contains(got, want) {
			t.Errorf("booted %v: %s, want %q", booted, got, want)
		}
		// The next one is a service of this life of the machine that failed.
		ran = nil
		x.judge(consensus.VerdictUp, "web-3")
		x.judge(consensus.VerdictServiceDown, "web-3")
		x.run(10 * time.Second)
		if got := strings.Join(ran, "; "); !strings.Contains(got, "web-3 runs restart for slot-2") {
			t.Errorf("booted %v, the second time: %s", booted, got)
		}
	}
}
