package shield

import (
	"maps"
	"math/rand/v2"
	"testing"
	"time"
)

// passing is a door at which twenty subdomains are asked for, tick by tick.
type passing struct {
	r     recent
	rng   *rand.Rand
	rates [20]float64
	sums  [20]uint32
	all   uint64
	begun map[Key]bool // who has ever surged
}

const surgeTick = 25 * time.Millisecond

func newPassing(seed uint64, rate float64) *passing {
	p := &passing{
		r:   newRecent(400*time.Millisecond, DefaultSurgeRules(), time.Minute),
		rng: rand.New(rand.NewPCG(seed, 1)), begun: map[Key]bool{},
	}
	for i := range p.rates {
		p.rates[i] = rate * float64(1+i) / 10.5 // one asks for twenty times as much as another
	}
	return p
}

// poisson draws how many come where so many are the mean.
func (p *passing) poisson(mean float64) (n uint32) {
	for t := p.rng.ExpFloat64(); t < mean; t += p.rng.ExpFloat64() {
		n++
	}
	return n
}

// tick lets the time of a tick pass, in which some ask for so many times as much.
func (p *passing) tick(times map[int]float64) {
	var counts [20]uint32
	for i, rate := range p.rates {
		if x, ok := times[i]; ok {
			rate *= x
		}
		counts[i] = p.poisson(rate * surgeTick.Seconds())
	}
	p.see(surgeTick, counts)
}

func (p *passing) see(length time.Duration, counts [20]uint32) {
	ev := Counted{Tick: length}
	for i, n := range counts {
		p.sums[i] += n
		p.all += uint64(n)
		ev.Counts = append(ev.Counts, Count{Key: Key(i + 2), Asked: uint64(n), Total: p.sums[i]})
	}
	ev.Asked = p.all
	p.r.add(ev, true)
	for _, x := range p.r.surges() {
		p.begun[x.Key] = true
	}
}

// seeds is how many doors each claim is tried at; what comes is drawn, and the same in
// every run.
const seeds = 300

// calm lets the door learn what is usual.
func (p *passing) calm() {
	for range 260 {
		p.tick(nil)
	}
}

func TestAFloodOfOneSubdomainSurgesWithin200Milliseconds(t *testing.T) {
	soon := 0
	for seed := range uint64(seeds) {
		p := newPassing(seed, 2)
		p.calm()
		if len(p.begun) > 0 {
			t.Fatalf("seed %d: %v surge in calm", seed, p.begun)
		}
		whom := 10 + int(seed%10)
		for n := range 8 {
			p.tick(map[int]float64{whom: 100})
			if n == 4 && len(p.begun) > 0 {
				soon++
			}
		}
		if len(p.begun) != 1 || !p.begun[Key(whom+2)] {
			t.Fatalf("seed %d: %v surge, want %d", seed, p.begun, whom+2)
		}
		if x := p.r.surges()[0]; x.Over > 275*time.Millisecond || float64(x.Asked) < 50*p.rates[whom]*x.Over.Seconds() {
			t.Fatalf("seed %d: %+v, want what was asked for since it began", seed, x)
		}
	}
	if soon < seeds*9/10 {
		t.Errorf("%d of %d surge within 125 ms", soon, seeds)
	}
}

// What waited while the machine stood still comes all at once, and later everybody asks
// for three times as much: nobody surges.
func TestNobodySurgesWhereEverybodyGrows(t *testing.T) {
	for seed := range uint64(seeds) {
		p := newPassing(seed, []float64{0.5, 2, 10, 40}[seed%4])
		p.calm()
		stood, within, late := 2+p.rng.IntN(39), 1+p.rng.IntN(6), p.rng.IntN(2) == 0
		for n := range within {
			var counts [20]uint32
			for i, rate := range p.rates {
				counts[i] = p.poisson(rate * surgeTick.Seconds() * (1 + float64(stood)/float64(within)))
			}
			length := surgeTick
			if n == 0 && late { // the door stood still as well
				length *= time.Duration(stood)
			}
			p.see(length, counts)
		}
		everybody := map[int]float64{}
		for i := range p.rates {
			everybody[i] = 3
		}
		for range 20 {
			p.tick(nil)
		}
		for range 20 {
			p.tick(everybody)
		}
		if len(p.begun) > 0 {
			t.Fatalf("seed %d: %v surge after %d ticks that came within %d", seed, p.begun, stood, within)
		}
	}
}

// What waited somewhere for one subdomain alone, and comes within two ticks, is no surge.
func TestABurstOfATickOrTwoIsNoSurge(t *testing.T) {
	for seed := range uint64(seeds) {
		p := newPassing(seed, 10)
		p.calm()
		whom, times := p.rng.IntN(20), 5+195*p.rng.Float64()
		for range 1 + p.rng.IntN(2) {
			p.tick(map[int]float64{whom: times})
		}
		for range 20 {
			p.tick(nil)
		}
		if len(p.begun) > 0 {
			t.Fatalf("seed %d: %v surge", seed, p.begun)
		}
	}
}

// Loads of pages do not come independently, so they do surge by themselves. How often is
// bounded here, at a door of twenty subdomains that are each asked for eight pieces of a page
// within 200 ms every two seconds: the odds of SurgeRules are no promise for these.
func TestLoadsOfPagesSurgeSeldom(t *testing.T) {
	const minutes, views, requests = 20, 0.5, 8
	p := newPassing(1, 0)
	var coming [8][20]uint32 // in the next 200 ms
	began := 0
	was := map[Key]time.Time{}
	for n := range int(minutes * time.Minute / surgeTick) {
		for i := range p.rates {
			for range p.poisson(views * surgeTick.Seconds()) {
				for range requests {
					coming[(n+p.rng.IntN(len(coming)))%len(coming)][i]++
				}
			}
		}
		p.see(surgeTick, coming[n%len(coming)])
		coming[n%len(coming)] = [20]uint32{}
		for k, at := range p.r.surge.begun {
			if !was[k].Equal(at) {
				was[k] = at
				began++
			}
		}
	}
	each := float64(began) / minutes
	t.Logf("%.1f surges a minute", each)
	if each > 15 {
		t.Errorf("%.1f surges a minute, want at most 15", each)
	}
}

// Who has asked for more for a while surges no more, also if that is not usual yet.
func TestASurgeIsOverWithTheWindow(t *testing.T) {
	p := newPassing(1, 10)
	p.calm()
	for range 80 {
		p.tick(map[int]float64{7: 20})
		for _, x := range p.r.surges() {
			if x.Over > p.r.over {
				t.Fatalf("%+v, want at most a window", x)
			}
		}
	}
	if got := p.r.surges(); len(p.begun) != 1 || len(got) > 0 {
		t.Errorf("%v surge after two seconds, %v ever", got, p.begun)
	}
}

func TestNobodySurgesBeforeItIsKnownWhatIsUsual(t *testing.T) {
	p := newPassing(1, 2)
	for range 100 {
		p.tick(nil)
	}
	for range 20 {
		p.tick(map[int]float64{3: 200})
	}
	if len(p.begun) > 0 {
		t.Errorf("%v surge", p.begun)
	}
}

// TestWhoIsForgottenDoesNotHangOnChance shows more subdomains than are remembered, half
// of them too few requests to be worth it, to two doors.
func TestWhoIsForgottenDoesNotHangOnChance(t *testing.T) {
	var kept [2]map[Key]average
	for i := range kept {
		s := newSurges(DefaultSurgeRules(), time.Minute)
		for range 40 {
			seen := tick{length: surgeTick, traffic: map[Key]Traffic{}}
			for k := range Key(mostUsuals + 1000) {
				seen.traffic[k+2] = Traffic{Lately: uint64(1 + k%2*100)}
				seen.asked += uint64(1 + k%2*100)
			}
			s.clock = s.clock.Add(seen.length)
			s.learn(seen, true)
			s.rules.Least = 1000 // 40 and 4040 a second are asked for
		}
		kept[i] = s.usual
	}
	if len(kept[0]) == 0 || len(kept[0]) >= mostUsuals || !maps.Equal(kept[0], kept[1]) {
		t.Errorf("of %d subdomains one door remembers %d and one %d, or other ones", mostUsuals+1000, len(kept[0]), len(kept[1]))
	}
}
