package shield

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"
	"time"

	"moonwatch/member"
)

// flooding is three doors on three machines, each with ticks of its own, and twenty
// subdomains that are asked for five times a second each through the doors by turns: the
// story of `moonwatch demo --fault flood`, without the time that its processes take.
type flooding struct {
	rng    *rand.Rand
	now    time.Time
	doors  []*floodedDoor
	turn   int
	events []moment
	mail   []letter
	refuse time.Time // when a request was first refused
	whom   map[Key]bool
}

type floodedDoor struct {
	s      *Shield
	next   time.Time // end of its tick
	ticked time.Time
	counts map[Key]uint32
	sums   map[Key]uint32
	asked  uint64
	let    uint64
}

// moment is when somebody asks for a subdomain again and again.
type moment struct {
	at    time.Time
	every time.Duration
	key   Key
}

type letter struct {
	at   time.Time
	to   int
	said Report
}

func newFlooding(t *testing.T, seed uint64, capacity float64) *flooding {
	t.Helper()
	f := &flooding{rng: rand.New(rand.NewPCG(seed, 3)), now: time.Unix(20_000, 0), whom: map[Key]bool{}}
	names := []member.ID{"a", "b", "c"}
	for _, n := range names {
		cfg := DefaultConfig(n)
		cfg.Shadow, cfg.Salt, cfg.Capacity.Configured = false, 7, capacity
		s, err := New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		s.Step(f.now, Doors{Doors: names})
		f.doors = append(f.doors, &floodedDoor{s: s, ticked: f.now, next: f.now.Add(time.Duration(f.rng.Int64N(int64(surgeTick)))), counts: map[Key]uint32{}, sums: map[Key]uint32{}})
	}
	f.doors[0].s.Step(f.now, Leads{Leading: true})
	for i := range 20 {
		f.asks(Key(i+2), 5)
	}
	return f
}

func (f *flooding) asks(k Key, rate int) {
	every := time.Second / time.Duration(rate)
	f.events = append(f.events, moment{f.now.Add(time.Duration(f.rng.Int64N(int64(every)))), every, k})
}

// run lets time pass, request by request, tick by tick and datagram by datagram.
func (f *flooding) run(long time.Duration) {
	end := f.now.Add(long)
	for {
		e := slices.MinFunc(f.events, func(a, b moment) int { return a.at.Compare(b.at) })
		d := slices.MinFunc(f.doors, func(a, b *floodedDoor) int { return a.next.Compare(b.next) })
		slices.SortStableFunc(f.mail, func(a, b letter) int { return a.at.Compare(b.at) })
		next := e.at
		if d.next.Before(next) {
			next = d.next
		}
		if len(f.mail) > 0 && f.mail[0].at.Before(next) {
			next = f.mail[0].at
		}
		if next.After(end) {
			f.now = end
			return
		}
		f.now = next
		switch {
		case len(f.mail) > 0 && f.mail[0].at.Equal(next):
			x := f.mail[0]
			f.mail = f.mail[1:]
			f.do(x.to, f.doors[x.to].s.Step(f.now, Heard{Report: x.said}))
		case d.next.Equal(next):
			f.tick(slices.Index(f.doors, d))
		default:
			f.ask(e.key)
			f.events[slices.Index(f.events, e)].at = e.at.Add(e.every)
		}
	}
}

func (f *flooding) ask(k Key) {
	d := f.doors[f.turn%len(f.doors)]
	f.turn++
	d.counts[k]++
	d.asked++
	if m := d.s.Measures().Find(k); m != nil && !m.Admits(f.now, f.rng.Uint64()) {
		f.whom[k] = true
		if f.refuse.IsZero() {
			f.refuse = f.now
		}
		return
	}
	d.let++
}

func (f *flooding) tick(i int) {
	d := f.doors[i]
	ev := Counted{Tick: f.now.Sub(d.ticked), Asked: d.asked, Refused: d.asked - d.let, Served: d.let, Subdomains: 20}
	for k, n := range d.counts {
		d.sums[k] += n
		ev.Counts = append(ev.Counts, Count{Key: k, Asked: uint64(n), Total: d.sums[k], Name: fmt.Sprintf("t-%d.example.com", k)})
	}
	slices.SortFunc(ev.Counts, func(a, b Count) int { return cmp.Compare(a.Key, b.Key) })
	clear(d.counts)
	d.ticked, d.next = f.now, f.now.Add(surgeTick)
	f.do(i, d.s.Step(f.now, ev))
}

func (f *flooding) do(from int, effects []Effect) {
	for _, e := range effects {
		said, ok := e.(Say)
		if !ok {
			continue
		}
		for to := range f.doors {
			if to != from {
				f.mail = append(f.mail, letter{f.now.Add(time.Millisecond), to, said.Report})
			}
		}
	}
}

// TestAFloodIsRefusedFromWhatItShows holds the decisions alone to what `moonwatch demo
// --fault flood` is to reach, for a machine that is busy hides what they take: 300 requests
// a second more than the hundred of calm, of a capacity of 320, and none of the doors sees
// more than a third of it. What is left to the machine is the time of a connection.
func TestAFloodIsRefusedFromWhatItShows(t *testing.T) {
	const seeds = 40
	var after []time.Duration
	for seed := range uint64(seeds) {
		f := newFlooding(t, seed, 320)
		f.run(7 * time.Second)
		if len(f.whom) > 0 {
			t.Fatalf("seed %d: refused in calm: %v", seed, f.whom)
		}
		f.asks(2, 300)
		begun := f.now
		f.run(600 * time.Millisecond)
		if len(f.whom) != 1 || !f.whom[2] {
			t.Fatalf("seed %d: refused were %v, want the flooded one", seed, f.whom)
		}
		after = append(after, f.refuse.Sub(begun))
	}
	slices.Sort(after)
	t.Logf("first refusals after %v to %v, median %v", after[0], after[seeds-1], after[seeds/2])
	if after[seeds/2] > 150*time.Millisecond || after[seeds-1] > 250*time.Millisecond {
		t.Errorf("first refusals after %v, want half of them within 150 ms and all within 250 ms", after)
	}
}

// Loads of pages, ten requests within 250 ms every two seconds, make many surges by
// chance. Nobody is held for them: not in calm, and of a flood the flooded one alone.
func TestLoadsOfPagesHoldNobody(t *testing.T) {
	for seed := range uint64(10) {
		f := newFlooding(t, seed, 320)
		f.events = nil
		for i := range 20 {
			view := f.now.Add(time.Duration(f.rng.Int64N(int64(2 * time.Second))))
			for range 10 {
				f.events = append(f.events, moment{view.Add(time.Duration(f.rng.Int64N(int64(250 * time.Millisecond)))), 2 * time.Second, Key(i + 2)})
			}
		}
		f.run(20 * time.Second)
		if len(f.whom) > 0 {
			t.Fatalf("seed %d: refused in calm: %v", seed, f.whom)
		}
		f.asks(2, 300)
		f.run(3 * time.Second)
		if len(f.whom) != 1 || !f.whom[2] {
			t.Errorf("seed %d: refused were %v, want the flooded one", seed, f.whom)
		}
	}
}
