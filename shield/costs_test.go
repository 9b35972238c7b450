package shield

import (
	"fmt"
	"maps"
	"slices"
	"testing"
	"time"

	"moonwatch/member"
)

// pool is one door before occupants that work on sixteen requests at once. Nineteen
// subdomains ask for 20 requests a second of 10 ms each, and one for few of half a second.
type pool struct {
	t     *testing.T
	s     *Shield
	now   time.Time
	queue float64 // work that waits, in tenths of milliseconds
	asked uint64
	late  uint64
	cost  uint64
	carry map[Key]float64
	total map[Key][2]uint32
	held  map[Key]int // least admitted permille
	worst float64     // seconds that somebody waited
}

const (
	poolWorks = 16 * 10_000 // tenths of milliseconds of work a second
	cheap     = 100
	dear      = 5000
)

func newPool(t *testing.T, byCost bool) *pool {
	cfg := DefaultConfig("a")
	cfg.Shadow, cfg.Window = false, 400*time.Millisecond
	cfg.Capacity.ByCost, cfg.Capacity.Configured = byCost, 1000
	if byCost {
		cfg.Capacity.Configured = poolWorks
	}
	s, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return &pool{t: t, s: s, now: time.Unix(1000, 0), carry: map[Key]float64{}, total: map[Key][2]uint32{}, held: map[Key]int{}}
}

// run lets the dear subdomain, whose key is 100, ask for so many requests a second.
func (p *pool) run(long time.Duration, rate float64) {
	const tick = 50 * time.Millisecond
	for end := p.now.Add(long); p.now.Before(end); {
		p.now = p.now.Add(tick)
		waits := p.queue / poolWorks * 10_000
		c := Counted{Tick: tick, Subdomains: 20, Trouble: waits > 1000} // of more than 100 ms
		work := 0.0
		for k := Key(81); k <= 100; k++ {
			each, asks := float64(cheap), 20.0
			if k == 100 {
				each, asks = dear, rate
			}
			p.carry[k] += asks * tick.Seconds()
			n := int(p.carry[k])
			p.carry[k] -= float64(n)
			let := 0
			for i := range n {
				m := p.s.Measures().Find(k)
				if m == nil || m.Admits(p.now, p.asked*31+uint64(i)*7919) {
					let++
				}
				p.asked++
			}
			work += float64(let) * each
			x := p.total[k]
			x = [2]uint32{x[0] + uint32(n), x[1] + uint32(n-let)}
			p.total[k] = x
			cost := uint64(float64(let) * (each + waits))
			p.cost += cost
			p.late += uint64(n - let)
			c.Counts = append(c.Counts, Count{Key: k, Name: fmt.Sprintf("%d.example.com", k), Asked: uint64(n), Cost: cost, Total: x[0], Refused: x[1]})
		}
		p.queue = max(0, p.queue+work-poolWorks*tick.Seconds())
		p.worst = max(p.worst, p.queue/poolWorks)
		c.Asked, c.Refused, c.Served, c.Cost = p.asked, p.late, p.asked-p.late, p.cost
		p.s.Step(p.now, c)
		for _, m := range p.s.Measures().List() {
			if least, ok := p.held[m.Key]; !ok || m.Admit < least {
				p.held[m.Key] = m.Admit
			}
		}
	}
}

// Sixty requests a second of half a second each are twice what the occupants bear, and
// next to 380 others nobody sees them. By what they cost they are seen at once, and the
// wait that they make for everybody makes nobody else look dear.
func TestFewDearRequestsAreAFlood(t *testing.T) {
	p := newPool(t, true)
	p.run(30*time.Second, 2)
	if len(p.held) != 0 {
		t.Fatalf("held in calm: %v", p.held)
	}
	p.run(time.Second, 60)
	if m := p.s.Measures().Find(100); m == nil || m.Admit == Whole {
		t.Fatalf("not held within a second: %+v; pressure %.2f", m, p.s.Shares().Pressure)
	}
	p.run(20*time.Second, 60)
	others := 19 * 20 * float64(cheap)
	want := int(1000 * (0.85*poolWorks - others) / (60 * dear))
	if m := p.s.Measures().Find(100); m == nil || m.Admit < want-60 || m.Admit > want+60 {
		t.Errorf("%+v, want about %d permille let in", m, want)
	} else if m.Quota() != 0 {
		t.Errorf("clients are told of %.0f requests a second, and the share of %.0f is one of time", m.Quota(), m.Limit)
	}
	if waits := p.queue / poolWorks; waits > 0.1 {
		t.Errorf("everybody waits for %.2f s", waits)
	}
	p.run(20*time.Second, 2)
	if n := len(p.s.Measures().List()); n != 0 {
		t.Errorf("%d are held 20 s after", n)
	}
	for k, least := range p.held {
		if k != 100 && least < Whole {
			t.Errorf("%d permille of %d were let in, which did nothing", least, k)
		}
	}

	blind := newPool(t, false) // feels it when everybody waits
	blind.run(30*time.Second, 2)
	blind.run(20*time.Second, 60)
	if m := blind.s.Measures().Find(100); m != nil && m.Quota() != m.Limit {
		t.Errorf("where requests count, clients are told of %.0f a second, want %.0f", m.Quota(), m.Limit)
	}
	if blind.worst <= p.worst {
		t.Errorf("everybody waited for %.2f s at most, and for %.2f s where requests count", p.worst, blind.worst)
	}
}

// A door in another program counts requests alone. What they cost is what they cost at the
// doors that know; where none knows, nobody is held, and that is said.
func TestADoorThatKnowsNoCostsIsCountedByTheOthers(t *testing.T) {
	doorsOf := func(n int) []member.ID { return []member.ID{"a", "b", "c"}[:n] }
	fleet := func(costs ...uint64) Fleet {
		m := NewMerge(MergeRules{LiveFor: time.Second, MostRate: 1e7, ByCost: true})
		m.Expect(doorsOf(len(costs)))
		for i, cost := range costs {
			traffic := Traffic{Asked: 100, Lately: 100, Admitted: 100, Cost: cost}
			if err := m.Accept(time.Unix(1000, 0), Report{Door: doorsOf(len(costs))[i], Life: 1, Seq: 1, Window: time.Second, Total: traffic, Lines: []Line{{Key: 7, Traffic: traffic}}}); err != nil {
				t.Fatal(err)
			}
		}
		return m.Fleet(time.Unix(1000, 0))
	}
	for _, x := range []struct {
		costs []uint64
		each  float64
	}{{[]uint64{5000, 5000}, 50}, {[]uint64{5000, 0}, 50}, {[]uint64{0, 0}, 0}} {
		f, c := fleet(x.costs...), newCosts()
		c.see(time.Unix(1000, 0), &f)
		if got := c.of(7); int(got+0.5) != int(x.each) {
			t.Errorf("costs %v: a request is %v, want %v", x.costs, got, x.each)
		}
	}
}

// The subdomains whose requests cost most are asked about, however few they are.
func TestTheDearestAreCandidates(t *testing.T) {
	f := Fleet{byCost: true}
	for i := range 100 {
		f.Hosts = append(f.Hosts, Seen{Key: Key(10 + i), Asked: float64(1000 - i), Cost: float64(i)})
	}
	got := f.Candidates()
	if len(got) != mostCandidates || !slices.Contains(got, 10) || !slices.Contains(got, 109) {
		t.Errorf("%d: %v, want the most asked and the dearest", len(got), got)
	}
}

// Of more subdomains than are remembered, every run forgets the same: who was asked for
// longest ago.
func TestWhatRequestsUsuallyCostIsForgottenInOneOrder(t *testing.T) {
	const all = 5000
	learn := func() map[Key]average {
		c, now := newCosts(), time.Unix(1000, 0)
		for _, keys := range [][2]Key{{all/2 + 1, all}, {1, all / 2}} { // the higher half first
			f := Fleet{}
			for k := keys[0]; k <= keys[1]; k++ {
				f.Hosts = append(f.Hosts, Seen{Key: k, Cost: 100, Costed: 1})
			}
			c.see(now, &f)
			c.calm(now, time.Minute)
			now = now.Add(time.Minute)
			c.see(now, &Fleet{})
			now = now.Add(time.Second)
		}
		c.calm(now, time.Minute)
		return c.usual
	}
	once, again := learn(), learn()
	if !maps.Equal(once, again) || len(once) != mostUsuals {
		t.Errorf("%d and %d are remembered, and not the same, want %d", len(once), len(again), mostUsuals)
	}
	for k := Key(1); k <= all; k++ {
		if _, got := once[k]; got != (k <= all/2 || k > all/2+all-mostUsuals) {
			t.Fatalf("%d is remembered: %v", k, got)
		}
	}
}
