package agent

import (
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestASpreadKnowsQuantilesToAQuarter(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := time.Duration(rapid.Int64Range(0, int64(80*time.Second)).Draw(t, "duration"))
		b := bucketOf(d)
		if over := end(b); d > over {
			t.Fatalf("%v is in bucket %d, which ends at %v", d, b, over)
		} else if b > 0 && d <= end(b-1) {
			t.Fatalf("%v is in bucket %d, and the one before ends at %v", d, b, end(b-1))
		} else if b > 0 && over > d+d/4+1 {
			t.Fatalf("%v is told as %v", d, over)
		}
	})
}

func TestASpreadTells(t *testing.T) {
	var s Spread
	if s.Quantile(0.99) != 0 || s.N() != 0 {
		t.Errorf("of nothing: %v, %d", s.Quantile(0.99), s.N())
	}
	for range 990 {
		s.Add(time.Millisecond)
	}
	for range 10 {
		s.Add(2 * time.Second)
	}
	if q := s.Quantile(0.5); q < time.Millisecond || q > 1250*time.Microsecond {
		t.Errorf("p50 %v, want 1 ms", q)
	}
	if q := s.Quantile(0.999); q != 2*time.Second {
		t.Errorf("p99.9 %v, want 2 s", q)
	}
	if n := s.Above(time.Second); n != 10 {
		t.Errorf("%d above a second, want 10", n)
	}
	more := Spread{}
	more.Add(time.Hour)
	if s.Join(more); s.Most != time.Hour || s.N() != 1001 || s.Quantile(1) != time.Hour {
		t.Errorf("joined: %v, %d, %v", s.Most, s.N(), s.Quantile(1))
	}
}

// A machine that stood still for a second finds so in its own timers, and the way to its
// subjects in their answers.
func TestAnObserverMeasuresItsMachineAndItsWays(t *testing.T) {
	now := time.Unix(1000, 0)
	o := NewObserver(Default(), "a", 1, now)
	o.Step(now, Watch{Subjects: []Subject{{ID: "b"}}})
	answer := func(seq uint64, after time.Duration) {
		now = now.Add(after)
		o.Step(now, ProbesAnswered{Answers: []Answer{{Subject: "b", Seq: seq, RTT: after, Incarnation: 1}}})
	}
	for range 20 {
		now = o.Wake()
		for _, e := range o.Step(now, Woken{}) {
			if p, ok := e.(SendProbes); ok {
				answer(p.Probes[0].Seq, 3*time.Millisecond)
			}
		}
	}
	now = o.Wake().Add(1100 * time.Millisecond)
	o.Step(now, Woken{})
	m := o.Measured()
	if q := m.Trips.Quantile(0.99); q != 3*time.Millisecond {
		t.Errorf("round trips %v, want 3 ms", q)
	}
	if m.Stalls.Most != 1100*time.Millisecond || m.Stalls.Above(time.Second) != 1 {
		t.Errorf("stalls: the longest %v, %d above a second", m.Stalls.Most, m.Stalls.Above(time.Second))
	}
	if m.Sent < 10 || m.Lost > 1 {
		t.Errorf("%d probes sent, %d lost", m.Sent, m.Lost)
	}
	if m.Since != time.Unix(1000, 0) {
		t.Errorf("since %v", m.Since)
	}
}
