package sim

import (
	"math"
	"testing"
	"time"
)

// TestTheWorstSecondIsAWholeOne: a flood may begin at any moment, and what it costs in its
// first tenth of a second is no part of a second that is a quarter long.
func TestTheWorstSecondIsAWholeOne(t *testing.T) {
	for begins := 10 * time.Second; begins < 11*time.Second; begins += 4 * shieldTick {
		w := &World{}
		h := &asking{name: []byte("t-01.example.com"), rate: 40, times: 1, flooded: -time.Hour}
		s := newShieldStory(&guarded{w: w, hosts: []*asking{h}})
		for w.now < 14*time.Second {
			if w.now == begins {
				s.flood(w.now, Fault{Host: "t-07.example.com"}, true)
			}
			lost := 0.0
			if w.now >= begins && w.now < begins+4*shieldTick {
				lost = 0.5
			}
			w.now += shieldTick
			h.asked, h.admitted = 1, 1
			s.tick(lost, 0)
		}
		if got := s.sum().WorstSecond; math.Abs(got-0.95) > 1e-9 {
			t.Errorf("a flood at %v that takes half of four of forty ticks: %.1f %% were served in the worst second, want 95 %%", begins, 100*got)
		}
	}
}
