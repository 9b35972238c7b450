package status

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"testing"
	"time"

	"moonwatch/consensus"
	"moonwatch/failover"
	"moonwatch/member"
)

// tick is a fact that changes nothing: time passes.
func (s *story) tick(d time.Duration) {
	s.t.Helper()
	s.after(d)
	s.must(failover.KindBrake, "web-1", s.state.Brake())
}

func (s *story) shown(g Grain, count int) Past {
	return s.past.Past("demo", s.now, s.now, g, count)
}

func (p Past) slot(t *testing.T, id member.SlotID) PastSlot {
	t.Helper()
	for _, s := range p.Slots {
		if s.ID == id {
			return s
		}
	}
	t.Fatalf("no slot %s in %+v", id, p.Slots)
	return PastSlot{}
}

// again follows the facts once more, as an agent does that is started anew, and tells
// what became of a chronicle that may know the first of them already.
func (s *story) again(c *Chronicle) {
	s.t.Helper()
	x := &story{t: s.t, state: failover.NewState(), now: noon}
	x.ledger = consensus.NewLedger(x.state)
	x.state.Bind(x.ledger)
	for _, f := range s.facts {
		f, _, err := x.ledger.Follow(f)
		if err != nil {
			s.t.Fatal(err)
		}
		c.Applied(f, x.ledger, x.state)
		if f.Index == 2 {
			x.serving()
		}
	}
}

func TestAnOutageBeginsWithTheLastSignOfLifeAndEndsWhenItIsServed(t *testing.T) {
	s := newStory(t)
	s.tick(0)
	s.tick(10 * time.Minute) // a spare's proof is good for 15
	began := s.now.Add(-1200 * time.Millisecond)
	s.replaced()
	s.tick(time.Hour)
	p := s.shown(Day, 90)
	if len(p.Outages) != 1 {
		t.Fatalf("outages: %+v", p.Outages)
	}
	o := p.Outages[0]
	if !o.From.Equal(began) || o.Slot != "slot-2" || o.Subject != "web-3" || o.Case == "" || o.Open() {
		t.Errorf("%+v, want it from %v on", o, began)
	}
	// 1.2 s of silence before the verdict, 40 ms to the case, 3 s to the cutover.
	if got := o.Took(s.now); got != 4240*time.Millisecond {
		t.Errorf("it took %v", got)
	}
	slot := p.slot(t, "slot-2")
	if slot.Sum.Lost.Duration() != o.Took(s.now) || slot.Sum.Failovers != 1 || len(slot.Marks) != 1 {
		t.Errorf("%+v", slot)
	}
	if slot.There.Duration() != s.now.Sub(noon) {
		t.Errorf("there for %v of %v", slot.There.Duration(), s.now.Sub(noon))
	}
	if got, want := slot.Availability(), 1-4.24/s.now.Sub(noon).Seconds(); got < want-1e-9 || got > want+1e-9 {
		t.Errorf("available %v, want %v", got, want)
	}
	if other := p.slot(t, "slot-0"); other.Availability() != 1 || other.Marks != nil {
		t.Errorf("%+v", other)
	}
}

func TestTimeThatNoFactHasClosedYetIsShown(t *testing.T) {
	s := newStory(t)
	s.tick(0)
	s.tick(time.Hour)
	s.opened()
	s.after(5 * time.Minute)
	p := s.shown(Hour, 48)
	slot := p.slot(t, "slot-2")
	if slot.Is != "lost" || slot.Sum.Lost.Duration() != 5*time.Minute+1200*time.Millisecond+40*time.Millisecond {
		t.Errorf("%+v", slot)
	}
	if !p.Outages[0].Open() {
		t.Errorf("%+v", p.Outages[0])
	}
	// Of an agent that has not heard the council for all that time nothing is believed.
	p = s.past.Past("demo", s.now, s.now.Add(-4*time.Minute), Hour, 48)
	if got := p.slot(t, "slot-2").Sum.Lost.Duration(); got >= 2*time.Minute {
		t.Errorf("lost for %v in the first minute", got)
	}
}

func TestHeldAndCascadeArePartsOfWhatWasLost(t *testing.T) {
	s := newStory(t)
	s.tick(0)
	c := s.opened()
	s.step(c, failover.CaseStep{To: failover.Held, Held: failover.HeldBrake, Detail: "cascade"})
	s.must(failover.KindBrake, "web-1", failover.Brakes{Modes: map[failover.Scope]failover.ScopeMode{failover.Fleet: {Mode: failover.Cascade, Since: s.now}}})
	s.tick(10 * time.Minute)
	sum := s.shown(Minute, 60).slot(t, "slot-2").Sum
	if sum.Held.Duration() != 10*time.Minute || sum.Cascade.Duration() != 10*time.Minute || sum.Lost < sum.Held {
		t.Errorf("%+v", sum)
	}
	p := s.shown(Minute, 60)
	if o := p.Outages[0]; o.Held.Duration() != 10*time.Minute || o.Cascade.Duration() != 10*time.Minute {
		t.Errorf("%+v", o)
	}
	cascade := Millis(0)
	for _, x := range p.Cells {
		cascade += x.Cascade
	}
	if cascade.Duration() != 10*time.Minute {
		t.Errorf("the fleet was in cascade for %v", cascade.Duration())
	}
}

func TestASlotThatLeavesTheFleetIsNotMissed(t *testing.T) {
	s := newStory(t)
	s.tick(0)
	s.tick(time.Hour)
	s.changed(func(state map[string]any) { delete(state["slots"].(map[string]any), "slot-4") })
	s.tick(0)
	s.tick(time.Hour)
	slot := s.shown(Day, 90).slot(t, "slot-4")
	if slot.Gone.IsZero() || slot.There.Duration() != time.Hour || slot.Sum.Lost != 0 {
		t.Errorf("%+v", slot)
	}
	s.tick(48 * time.Hour)
	for _, x := range s.shown(Hour, 24).Slots {
		if x.ID == "slot-4" {
			t.Error("it is shown in a time in which it was not there")
		}
	}
}

func TestWhatAWholeLedgerCameInsteadOfIsNotKnown(t *testing.T) {
	s := newStory(t)
	s.tick(0)
	s.tick(time.Hour)
	s.after(10 * time.Hour)
	missed := NewChronicle()
	s.again(missed)
	s.tick(0) // committed, and seen by the other chronicle alone
	missed.Restored(s.ledger, s.state)
	s.tick(time.Hour)
	missed.Applied(s.facts[len(s.facts)-1], s.ledger, s.state)
	known := Millis(0)
	for _, x := range missed.Past("demo", s.now, s.now, Day, 2).Cells {
		known += x.Known
	}
	if known.Duration() != 2*time.Hour {
		t.Errorf("it says that it knows %v, of 2 h that it saw", known.Duration())
	}
}

func TestAClockThatJumpsBackCountsNothing(t *testing.T) {
	s := newStory(t)
	s.tick(0)
	s.tick(time.Hour)
	before := s.shown(Day, 2)
	s.now = s.now.Add(-30 * time.Minute)
	s.must(failover.KindBrake, "web-1", s.state.Brake())
	s.opened()
	after := s.past.Past("demo", before.Now, before.AsOf, Day, 2)
	if after.Cells[1].Known != before.Cells[1].Known {
		t.Errorf("known %v, then %v", before.Cells[1].Known, after.Cells[1].Known)
	}
	if o := after.Outages[0]; o.From.Before(before.Begun) || o.Took(after.Now) < 0 {
		t.Errorf("%+v", o)
	}
}

// wander lets a random story happen.
func wander(s *story, rng *rand.Rand, length int) {
	s.tick(0)
	for range length {
		switch rng.IntN(5) {
		case 0:
			if _, down := s.ledger.Standing("web-3"); !down && s.holds("slot-2", "web-3") {
				s.condemned()
			}
		case 1:
			if _, down := s.ledger.Standing("web-3"); down {
				s.must(consensus.KindVerdict, "web-1", consensus.Verdict{Findings: []consensus.Finding{{Subject: "web-3", Kind: consensus.VerdictUp}}})
			}
		case 2:
			mode := []failover.Mode{failover.Normal, failover.Guarded, failover.Cascade}[rng.IntN(3)]
			s.must(failover.KindBrake, "web-1", failover.Brakes{Modes: map[failover.Scope]failover.ScopeMode{failover.Fleet: {Mode: mode, Since: s.now}}})
		default:
			s.tick(time.Duration(rng.Int64N(int64(40 * time.Minute))))
		}
	}
}

func (s *story) holds(slot member.SlotID, id member.ID) bool {
	x, ok := s.state.Slot(slot)
	return ok && x.Occupant == id
}

func TestAllGrainsTellTheSame(t *testing.T) {
	for seed := range uint64(40) {
		s := newStory(t)
		wander(s, rand.New(rand.NewPCG(seed, 1)), 60)
		var want PastSlot
		for i, g := range Grains() {
			p := s.shown(g, g.Kept())
			got := p.slot(t, "slot-2")
			got.Marks = nil
			for _, x := range p.Cells {
				if x.Known.Duration() > g.Length() || x.Lost > 5*x.Known {
					t.Fatalf("seed %d: %s has more than there is: %+v", seed, g, x)
				}
			}
			if i == 0 {
				want = got
			}
			if asJSON(t, got) != asJSON(t, want) {
				t.Fatalf("seed %d: by %s\n%sby minute\n%s", seed, g, asJSON(t, got), asJSON(t, want))
			}
		}
		lost := Millis(0)
		for _, o := range s.shown(Day, 400).Outages {
			lost += millis(o.Took(whole(s.now)))
		}
		if lost != want.Sum.Lost {
			t.Fatalf("seed %d: outages of %v, roll-ups of %v", seed, lost.Duration(), want.Sum.Lost.Duration())
		}
	}
}

func TestAnAgentThatDiesCountsNothingTwiceAndLeavesNothingOut(t *testing.T) {
	for seed := range uint64(30) {
		rng := rand.New(rand.NewPCG(seed, 2))
		s := newStory(t)
		disk := Records{}
		for range 8 {
			wander(s, rng, 8)
			for key, b := range s.past.Take() {
				if b == nil {
					delete(disk, key)
				} else {
					disk[key] = b
				}
			}
			if rng.IntN(3) == 0 { // not said to be written, and written all the same, or not
				s.past.Kept(false)
			} else {
				s.past.Kept(true)
			}
			wander(s, rng, 4)
			if rng.IntN(2) == 0 { // killed: what was not written comes from the ledger
				back, err := RecallChronicle(maps.Clone(disk))
				if err != nil {
					t.Fatal(err)
				}
				s.again(back)
				s.past = back
			}
		}
		whole := NewChronicle()
		s.again(whole)
		for _, g := range Grains() {
			want := asJSON(t, whole.Past("demo", s.now, s.now, g, g.Kept()))
			if got := asJSON(t, s.shown(g, g.Kept())); got != want {
				t.Fatalf("seed %d: by %s it tells\n%s\nand one that never died\n%s", seed, g, got, want)
			}
		}
	}
}

func TestWhatIsKeptIsBounded(t *testing.T) {
	s := newStory(t)
	s.tick(0)
	disk := Records{}
	keep := func() {
		for key, b := range s.past.Take() {
			if b == nil {
				delete(disk, key)
			} else {
				disk[key] = b
			}
		}
		s.past.Kept(true)
	}
	for range 3 * 24 * 60 { // a fact each minute of three days, and then few
		s.tick(time.Minute)
	}
	keep()
	for range 420 {
		s.condemned()
		s.tick(12 * time.Hour)
		s.must(consensus.KindVerdict, "web-1", consensus.Verdict{Findings: []consensus.Finding{{Subject: "web-3", Kind: consensus.VerdictUp}}})
		s.tick(12 * time.Hour)
		keep()
	}
	count := map[Grain]int{}
	size := 0
	for key, b := range disk {
		if g, _, err := rollOf(key); err == nil {
			count[g]++
		}
		size += len(b)
	}
	for _, g := range Grains() {
		if count[g] > g.Kept() || count[g] < g.Kept()-1 { // the present one may not have begun
			t.Errorf("%d roll-ups of a %s, want %d", count[g], g, g.Kept())
		}
	}
	t.Logf("%d records, %d bytes", len(disk), size)
	p := s.shown(Day, 400)
	if got := p.slot(t, "slot-2").Availability(); got < 0.49 || got > 0.51 {
		t.Errorf("served half of the time, and available %v", got)
	}
	if n := len(s.past.outages); n > keptOutages {
		t.Errorf("%d outages", n)
	}
}

func TestRecordsThatAreNotOursAreRefused(t *testing.T) {
	good := string(record(NewChronicle().c))
	for name, r := range map[string]Records{
		"no cursor":    {"day/2026-05-04T00:00Z": []byte(`{}`)},
		"odd grain":    {"week/2026-05-04T00:00Z": []byte(`{}`)},
		"odd time":     {"day/yesterday": []byte(`{}`)},
		"no JSON":      {"cursor": []byte(`{`)},
		"odd schema":   {"cursor": []byte(`{"schema":99,"head":3,"slots":{}}`)},
		"empty slot":   {"cursor": []byte(`{"schema":1,"head":3,"slots":{"a":null}}`)},
		"empty share":  {"cursor": []byte(good), "day/2026-05-04T00:00Z": []byte(`{"slots":{"a":null}}`)},
		"empty outage": {"cursor": []byte(good), "outage/x": []byte(`[]`)},
	} {
		if _, err := RecallChronicle(r); err == nil {
			t.Errorf("%s: taken", name)
		}
	}
}

// BenchmarkPast is what the loop pays for what people see of the past: 200 slots, of which
// 40 were lost each day.
func BenchmarkPast(b *testing.B) {
	c := NewChronicle()
	c.c.Begun, c.c.At, c.c.Head = noon, noon, 1
	for i := range 200 {
		c.c.Slots[member.SlotID(fmt.Sprint("slot-", i))] = &life{Pool: "web", Born: noon, Is: isServed, Since: noon}
	}
	for day := range 90 {
		for i := range 40 {
			x := c.c.Slots[member.SlotID(fmt.Sprint("slot-", (i+day)%200))]
			x.Is = isLost
			c.book(c.c.At.Add(4 * time.Second))
			x.Is = isServed
			c.book(c.c.At.Add(36*time.Minute - 4*time.Second))
		}
	}
	for _, g := range Grains() {
		count := map[Grain]int{Minute: 60, Hour: 48, Day: 90}[g]
		b.Run(string(g), func(b *testing.B) {
			for b.Loop() {
				c.Past("demo", c.c.At, c.c.At, g, count)
			}
		})
	}
}
