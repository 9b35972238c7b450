package agent

import (
	"testing"
	"time"

	"moonwatch/member"
)

// TestAnObserverThatHardlyHearsAnybodyAbstains plays nine losses of ten on most
// edges, at a different time on each: then nobody looks dead, and each one does
// by turns.
func TestAnObserverThatHardlyHearsAnybodyAbstains(t *testing.T) {
	for _, c := range []struct {
		name  string
		lossy int // of eight edges
		said  Reason
	}{{"five", 5, Smeared}, {"three", 3, ""}} {
		t.Run(c.name, func(t *testing.T) {
			r := newRig(t, Default())
			var subjects []Subject
			for _, id := range []member.ID{"b", "c", "d", "e", "f", "g", "h", "i"} {
				subjects = append(subjects, Subject{ID: id})
			}
			r.watch(1, []member.ID{"c1"}, subjects...)
			r.run(25 * time.Second)
			for i, s := range subjects[:c.lossy] {
				r.run(time.Duration(100*i) * time.Millisecond)
				r.subject(s.ID).pattern = "xxxxxxxxx."
			}
			r.run(40 * time.Second)
			for range 20 { // longer than any doubt may last that is not hopeless
				r.run(3 * time.Second)
				if got := r.obs.doubt.word(r.now, &r.obs.cfg); got != c.said {
					t.Fatalf("at %v it says %q, want %q", r.now, got, c.said)
				}
			}
		})
	}
}

// TestDeafnessIsNoticedWithinTenSeconds begins the same losses after a clean
// while: what was heard before is no excuse for long.
func TestDeafnessIsNoticedWithinTenSeconds(t *testing.T) {
	r := newRig(t, Default())
	var subjects []Subject
	for _, id := range []member.ID{"b", "c", "d", "e", "f", "g", "h", "i"} {
		subjects = append(subjects, Subject{ID: id})
	}
	r.watch(1, []member.ID{"c1"}, subjects...)
	r.run(25 * time.Second)
	for _, s := range subjects {
		r.subject(s.ID).pattern = "90%"
	}
	begun := r.now
	for !r.obs.deaf() {
		if r.run(500 * time.Millisecond); r.now.Sub(begun) > 10*time.Second {
			t.Fatal("it loses nine of ten, and its word still counts")
		}
	}
}

// TestAHalfThatDiedMakesNobodyDeaf crashes most subjects: the others answer,
// and the windows of the dead fill up.
func TestAHalfThatDiedMakesNobodyDeaf(t *testing.T) {
	r := newRig(t, Default())
	var subjects []Subject
	for _, id := range []member.ID{"b", "c", "d", "e", "f"} {
		subjects = append(subjects, Subject{ID: id})
	}
	r.watch(1, []member.ID{"c1"}, subjects...)
	r.run(25 * time.Second)
	for _, s := range subjects[:4] {
		r.subject(s.ID).pattern = "x"
	}
	for range 60 {
		r.run(500 * time.Millisecond)
		if r.obs.deaf() {
			t.Fatalf("at %v the dead make it doubt itself", r.now)
		}
	}
}

// TestTheDeadAreNotTheWeather has the first four of seven subjects die. The next
// silent service check says as much as it did before.
func TestTheDeadAreNotTheWeather(t *testing.T) {
	r := newRig(t, Default())
	var subjects []Subject
	for _, id := range []member.ID{"b", "c", "d", "e", "f", "g", "h"} {
		subjects = append(subjects, Subject{ID: id})
	}
	r.watch(1, []member.ID{"c1"}, subjects...)
	r.run(25 * time.Second)
	for _, s := range subjects[:4] {
		r.subject(s.ID).pattern = "x"
	}
	r.run(30 * time.Second)
	if w := r.obs.judged(); w.loss >= clearWeather || w.run != r.obs.cfg.LostRunMin {
		t.Errorf("a median loss of %v, and %d lost probes in a row to accuse the next one", w.loss, w.run)
	}
}
