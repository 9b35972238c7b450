package shield

import (
	"math"
	"testing"
	"time"

	"moonwatch/member"
)

// doorAt is a door of a fleet of two with a capacity of 1,000.
func doorAt(t *testing.T, name member.ID, life member.Incarnation) *Shield {
	t.Helper()
	cfg := DefaultConfig(name)
	cfg.Life, cfg.Capacity.Configured = life, 1000
	s, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	s.Step(time.Time{}, Doors{Doors: []member.ID{"a", "b"}})
	return s
}

// tickOf steps a door whose traffic is calm, and sorts out what it says.
func tickOf(s *Shield, now time.Time, asked uint64) (report *Report, floors *Floors) {
	for _, e := range s.Step(now, Counted{Tick: 50 * time.Millisecond, Asked: asked, Served: asked, Subdomains: 3, Counts: []Count{
		{Key: 7, Asked: 5, Total: uint32(asked)}, //nolint:gosec // small
	}}) {
		switch e := e.(type) {
		case Say:
			report = &e.Report
		case Publish:
			floors = &e.Floors
		}
	}
	return report, floors
}

// play steps both doors for a while; a leads, and both hear each other.
func play(a, b *Shield, from time.Time, long time.Duration) (last *Floors, end time.Time) {
	a.Step(from, Leads{Leading: true})
	now := from
	for i := uint64(1); now.Sub(from) < long; i++ {
		now = now.Add(50 * time.Millisecond)
		ra, floors := tickOf(a, now, 5*i)
		rb, _ := tickOf(b, now, 5*i)
		if floors != nil {
			last = floors
			b.Step(now, FloorsHeard{Floors: *floors})
		}
		if ra != nil {
			b.Step(now, Heard{Report: *ra})
		}
		if rb != nil {
			a.Step(now, Heard{Report: *rb})
		}
	}
	return last, now
}

func TestADoorThatBeginsAnewPublishesNewerFloors(t *testing.T) {
	a, b := doorAt(t, "a", 1), doorAt(t, "b", 1)
	before, end := play(a, b, time.Unix(1000, 0), 5*time.Minute)
	if before == nil || before.Version < 4 || b.Floors().Version != before.Version {
		t.Fatalf("in five minutes came %+v, and b has %+v", before, b.Floors())
	}
	a = doorAt(t, "a", 2)
	asked, now := b.report().Total.Asked, end
	for now.Before(end.Add(10 * time.Second)) { // as long as it is not told that it leads
		asked, now = asked+5, now.Add(50*time.Millisecond)
		if rb, _ := tickOf(b, now, asked); rb != nil {
			a.Step(now, Heard{Report: *rb})
		}
	}
	after, _ := play(a, doorAt(t, "b", 2), now, 90*time.Second)
	if after == nil || after.Version <= before.Version {
		t.Fatalf("after its start a publishes %+v, want a version above %d", after, before.Version)
	}
	if b.Step(end.Add(11*time.Second), FloorsHeard{Floors: *after}); b.Floors().Version != after.Version {
		t.Errorf("b keeps the floors of a's last life: %d, and %d were published", b.Floors().Version, after.Version)
	}
}

// A door that says that it has floors of a version which cannot be does not make
// everybody's versions end.
func TestNoDoorEndsTheVersions(t *testing.T) {
	a := doorAt(t, "a", 1)
	now := time.Unix(1000, 0)
	a.Step(now, Leads{Leading: true})
	a.Step(now, Heard{Report: Report{Door: "b", Life: 1, Seq: 1, Window: time.Second, Floors: math.MaxUint64}})
	for i := uint64(1); i <= 90*20; i++ {
		if _, floors := tickOf(a, now.Add(time.Duration(i)*50*time.Millisecond), 5*i); floors != nil {
			if floors.Version != 1 {
				t.Errorf("published: %+v, want version 1", floors)
			}
			return
		}
	}
	t.Error("nothing was published")
}
