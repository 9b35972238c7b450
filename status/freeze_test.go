package status

import (
	"fmt"
	"reflect"
	"testing"
	"time"

	"moonwatch/failover"
	"moonwatch/member"
)

var few = map[Grain]int{Day: 3, Hour: 30, Minute: 60}

// TestWhatIsFrozenDoesNotChange although an outage begins, is booked backwards and goes on.
// The race detector sees that nothing is shared that changes.
func TestWhatIsFrozenDoesNotChange(t *testing.T) {
	s := newStory(t)
	s.tick(0)
	s.tick(10 * time.Minute)
	for round, change := range []func(){
		func() { s.tick(time.Minute) },
		func() { s.opened() },
		func() { s.tick(30 * time.Second) },
		func() { s.tick(2 * time.Hour) },
	} {
		frozen := s.past.Freeze(s.now, s.now, few)
		before := map[Grain]Past{}
		for g, n := range few {
			before[g] = s.past.Past("demo", s.now, s.now, g, n)
		}
		read := make(chan struct{})
		go func() {
			defer close(read)
			for g := range few {
				frozen.Past("demo", g)
			}
		}()
		change()
		<-read
		for g := range few {
			if got := frozen.Past("demo", g); !reflect.DeepEqual(got, before[g]) {
				t.Errorf("round %d, %s: it was\n%+v\nand is\n%+v", round, g, before[g], got)
			}
		}
	}
}

// storm is a chronicle of 500 slots, all of which have been lost for an hour.
func storm() (*Chronicle, time.Time) {
	c := NewChronicle()
	c.c.Head, c.c.Begun, c.c.At, c.c.Mode = 1, noon.Add(-90*24*time.Hour), noon.Add(-time.Hour), failover.Cascade
	for i := range 500 {
		id := member.SlotID(fmt.Sprintf("slot-%d", i))
		c.c.Slots[id] = &life{Pool: "web", Born: c.c.Begun, Is: isLost, Since: c.c.At}
		o := &Outage{Slot: id, Pool: "web", From: c.c.At}
		c.outages, c.open[id] = append(c.outages, o), o
	}
	for now := c.c.At; now.Before(noon); now = now.Add(20 * time.Second) {
		c.book(now)
	}
	return c, noon
}

// BenchmarkShowing is what the past costs during an incident: freeze with the booking
// after it on the decision loop, and past beside it.
func BenchmarkShowing(b *testing.B) {
	shown := map[Grain]int{Day: 90, Hour: 48, Minute: 60}
	b.Run("freeze", func(b *testing.B) {
		c, now := storm()
		for b.Loop() {
			c.Freeze(now, now, shown)
			now = now.Add(time.Millisecond)
			c.book(now)
		}
	})
	b.Run("past", func(b *testing.B) {
		c, now := storm()
		f := c.Freeze(now, now, shown)
		for b.Loop() {
			for g := range shown {
				f.Past("demo", g)
			}
		}
	})
}
