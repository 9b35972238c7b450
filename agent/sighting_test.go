package agent

import (
	"testing"
	"time"

	"moonwatch/member"
)

// TestSightingsTellWhatIsSeen: who answers is calm, who falls silent is told with its
// silence from the first lost probes on, before anybody accuses it, and accused after that.
func TestSightingsTellWhatIsSeen(t *testing.T) {
	r := newRig(t, Default())
	r.watch(1, []member.ID{"me"}, Subject{ID: "a"}, Subject{ID: "b"})
	see := func() map[member.ID]Sighting {
		out := map[member.ID]Sighting{}
		for _, s := range r.obs.Sightings(r.now).Subjects {
			out[s.Subject] = s
		}
		return out
	}
	if s := see(); len(s) != 2 || s["a"].RTT != 0 || s["a"].Calm() {
		t.Errorf("before the first answer: %+v", s)
	}
	r.run(30 * time.Second)
	if s := see(); !s["a"].Calm() || !s["b"].Calm() || s["a"].RTT != 2*time.Millisecond || s["a"].SilentFor != 0 {
		t.Errorf("calm: %+v", s)
	}
	r.subject("b").pattern = "x"
	uneasy := false
	for range 100 {
		r.run(20 * time.Millisecond)
		s := see()
		if s["b"].Accuses != "" {
			break
		}
		uneasy = uneasy || !s["b"].Calm() && s["b"].LostRun > 1 && s["b"].SilentFor > 0
	}
	if s := see(); s["b"].Accuses != Silence || s["b"].SilentFor < time.Second || !s["a"].Calm() || !uneasy {
		t.Errorf("b is silent: %+v, seen before: %v", s, uneasy)
	}
}
