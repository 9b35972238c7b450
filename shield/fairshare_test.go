package shield

import (
	"math"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// drawnLoad is any fleet: few or many subdomains, floors as a leader makes them.
func drawnLoad(t *rapid.T) Load {
	l := Load{Capacity: rapid.Float64Range(100, 1e5).Draw(t, "capacity")}
	l.Rest = rapid.Float64Range(0, 0.5).Draw(t, "rest") * l.Capacity
	l.Usual = l.Rest * rapid.Float64Range(0.5, 1.5).Draw(t, "restUsual")
	for i := range rapid.IntRange(0, 40).Draw(t, "subdomains") {
		l.Demands = append(l.Demands, Demand{
			Key:    Key(i + 2),
			Rate:   rapid.Float64Range(0, 1).Draw(t, "rate") * l.Capacity,
			Usual:  rapid.Float64Range(0, 0.1).Draw(t, "usual") * l.Capacity,
			Weight: rapid.SampledFrom([]float64{0, 1, 1, 2, 5}).Draw(t, "weight"),
		})
	}
	floors := FloorsFor(l.Capacity, 1, 0, l.Demands, DefaultFloorRules())
	if rapid.Bool().Draw(t, "floors") {
		set := Floors{List: floors}
		for i := range l.Demands {
			l.Demands[i].Floor = set.Of(l.Demands[i].Key)
		}
	}
	return l
}

// given is what each gets.
func given(l Load, s Shares) map[Key]float64 {
	out := map[Key]float64{}
	for _, d := range l.Demands {
		out[d.Key] = d.Rate
	}
	for _, x := range s.Limits {
		out[x.Key] = x.Limit
	}
	return out
}

func TestFairShareIsMaxMinFair(t *testing.T) {
	rules := DefaultShareRules()
	rules.Least = 0 // whoever is let off for being small is fair in another way
	rapid.Check(t, func(t *rapid.T) {
		l := drawnLoad(t)
		s := FairShare(l, rules)
		target := rules.Pressure * l.Capacity
		got, sum := given(l, s), l.Rest
		l = l.sane()
		asked := slices.Clone(l.Demands)
		l.fitFloors(target - l.Rest) // what is not there is nobody's guarantee
		protected := l.Rest
		for i, d := range l.Demands {
			protected += min(d.Rate, d.Floor)
			if d.Floor > asked[i].Floor {
				t.Fatalf("a floor of %v became %v", asked[i].Floor, d.Floor)
			}
		}
		if !s.Overload && l.Sum() > target && protected < target*(1-1e-6) && !slices.Equal(asked, l.Demands) {
			t.Fatalf("floors were lowered to %v, though %v are there", protected, target)
		}
		for _, d := range l.Demands {
			sum += got[d.Key]
		}
		if s.Overload || l.Sum() <= target {
			if len(s.Limits) > 0 {
				t.Fatalf("%v held while overload is %v and the demand %v of %v", s.Limits, s.Overload, l.Sum(), target)
			}
			return
		}
		if math.Abs(sum-target) > 1e-5*target {
			t.Fatalf("%v are given away, want all of %v", sum, target)
		}
		held := map[Key]bool{}
		for _, x := range s.Limits {
			held[x.Key] = true
			if x.Limit >= x.Demand {
				t.Fatalf("%x is held to %v and asks for %v", uint64(x.Key), x.Limit, x.Demand)
			}
		}
		for _, d := range l.Demands {
			beyond := (got[d.Key] - min(d.Rate, d.Floor)) / d.weight()
			switch {
			case got[d.Key] < min(d.Rate, d.Floor)*(1-1e-9):
				t.Fatalf("%x has %v, its floor is %v", uint64(d.Key), got[d.Key], d.Floor)
			case held[d.Key] && math.Abs(beyond-s.Level) > 1e-6*max(s.Level, 1):
				t.Fatalf("%x is held and has %v beyond its floor, the level is %v", uint64(d.Key), beyond, s.Level)
			case beyond > s.Level*(1+1e-6)+1e-6:
				t.Fatalf("%x has %v beyond its floor, more than the level %v", uint64(d.Key), beyond, s.Level)
			}
		}
	})
}

func TestFairShareDoesNotDependOnOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := drawnLoad(t)
		a := FairShare(l, DefaultShareRules())
		other := l
		other.Demands = rapid.Permutation(l.Demands).Draw(t, "order")
		if b := FairShare(other, DefaultShareRules()); !slices.Equal(a.Limits, b.Limits) || a.Overload != b.Overload {
			t.Fatalf("%+v\n%+v", a, b)
		}
	})
}

// TestMoreOfAFloodTakesNothingFromOthers: once a subdomain is held, whatever it
// asks for beyond that changes nobody's share.
func TestMoreOfAFloodTakesNothingFromOthers(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		l := drawnLoad(t)
		s := FairShare(l, DefaultShareRules())
		if len(s.Limits) == 0 {
			t.Skip("nobody is held")
		}
		who := rapid.SampledFrom(s.Limits).Draw(t, "who").Key
		worse := l
		worse.Demands = slices.Clone(l.Demands)
		for i := range worse.Demands {
			if worse.Demands[i].Key == who {
				worse.Demands[i].Rate *= rapid.Float64Range(1, 100).Draw(t, "times")
			}
		}
		w := FairShare(worse, DefaultShareRules())
		if w.Overload {
			t.Skip("one more that grew, and most have: then it is everybody's growth")
		}
		a, b := given(l, s), given(worse, w)
		for _, d := range l.Demands {
			if math.Abs(a[d.Key]-b[d.Key]) > 1e-6*l.Capacity {
				t.Fatalf("%x had %v, has %v", uint64(d.Key), a[d.Key], b[d.Key])
			}
		}
	})
}

func subdomains(rates ...float64) (out []Demand) {
	for i, r := range rates {
		out = append(out, Demand{Key: Key(i + 2), Rate: r, Usual: r})
	}
	return out
}

func TestGrowthOfEverybodySinglesOutNobody(t *testing.T) {
	l := Load{Capacity: 1000, Demands: subdomains(150, 120, 90, 80, 60, 50, 50)} // 60 %, the largest alone 15 %
	for i := range l.Demands {
		l.Demands[i].Rate *= 1.9
	}
	if s := FairShare(l, DefaultShareRules()); !s.Overload || len(s.Limits) > 0 {
		t.Errorf("%+v", s)
	}
}

func TestFewThatFloodAreNoOverload(t *testing.T) {
	for attackers := 1; attackers <= 4; attackers++ {
		l := Load{Capacity: 1000, Demands: subdomains(100, 60, 60, 50, 50, 40, 40, 30, 30, 30, 20, 20, 10, 10, 10, 10, 10, 5, 5, 5)}
		floors := Floors{List: FloorsFor(l.Capacity, 1, 20, l.Demands, DefaultFloorRules())}
		for i := range l.Demands {
			l.Demands[i].Floor = floors.Of(l.Demands[i].Key)
			if i >= 10 && i < 10+attackers {
				l.Demands[i].Rate = 1500
			}
		}
		s := FairShare(l, DefaultShareRules())
		if s.Overload || len(s.Limits) != attackers {
			t.Errorf("%d attackers: %+v", attackers, s)
		}
		for _, x := range s.Limits {
			if x.Key < 12 || int(x.Key) >= 12+attackers {
				t.Errorf("%d attackers: %+v is none", attackers, x)
			}
		}
	}
}

// TestNobodyIsHeldForWhomNobodyNames: hundreds of names grow, of which doors cannot tell each
// other one by one. Who asks for its usual, or a little more, is not held for that; who grew as
// well is.
func TestNobodyIsHeldForWhomNobodyNames(t *testing.T) {
	l := Load{Capacity: 1000, Rest: 700, Usual: 20}
	for k := Key(1); k <= 20; k++ {
		l.Demands = append(l.Demands, Demand{Key: k, Rate: 30, Usual: 30, Floor: 35})
	}
	l.Demands[3].Rate = 40
	if s := FairShare(l, DefaultShareRules()); !s.Pressed || len(s.Limits) > 0 {
		t.Errorf("%+v are held, want nobody", s.Limits)
	}
	l.Demands[7].Rate = 300
	if s := FairShare(l, DefaultShareRules()); len(s.Limits) != 1 || s.Limits[0].Key != 8 {
		t.Errorf("%+v are held, want 8 alone", s.Limits)
	}
	l.Demands[7].Rate = 1000 // most of the increase has a name by now
	if s := FairShare(l, DefaultShareRules()); len(s.Limits) != 1 || s.Limits[0].Key != 8 {
		t.Errorf("%+v are held, want 8 alone", s.Limits)
	}
}

func TestWhileThereIsEnoughNobodyIsHeld(t *testing.T) {
	l := Load{Capacity: 1000, Demands: subdomains(10, 10, 10)}
	l.Demands[0].Rate = 820 // 82 times its usual
	if s := FairShare(l, DefaultShareRules()); len(s.Limits) > 0 || s.Overload {
		t.Errorf("%+v", s)
	}
}

func TestAbsurdNumbersHoldNobody(t *testing.T) {
	for _, c := range []float64{0, -1, math.NaN(), math.Inf(-1)} {
		l := Load{Capacity: c, Demands: subdomains(1, math.NaN(), -5, math.Inf(1))}
		if s := FairShare(l, DefaultShareRules()); len(s.Limits) > 0 || s.Overload {
			t.Errorf("capacity %v: %+v", c, s)
		}
	}
	l := Load{Capacity: 100, Demands: subdomains(10, math.NaN(), math.Inf(1))}
	s := FairShare(l, DefaultShareRules())
	for _, x := range s.Limits {
		if math.IsNaN(x.Limit) || x.Limit < 0 {
			t.Errorf("%+v", x)
		}
	}
}

func TestWhoIsAboveItsShareByChanceIsNotHeld(t *testing.T) {
	l := Load{Capacity: 1000, Demands: []Demand{{Key: 2, Rate: 4000, Usual: 50}}}
	for k := range Key(20) {
		l.Demands = append(l.Demands, Demand{Key: 10 + k, Rate: 40, Usual: 40})
	}
	l.Demands[1].Rate = 60 // of which a window of 50 ms has counted three
	held := func() (keys []Key) {
		for _, x := range FairShare(l, DefaultShareRules()).Limits {
			keys = append(keys, x.Key)
		}
		return keys
	}
	l.countedIn(50 * time.Millisecond)
	if got := held(); !slices.Equal(got, []Key{2}) {
		t.Errorf("held after 50 ms: %v, want the flooded one", got)
	}
	l.countedIn(10 * time.Second)
	if got := held(); !slices.Equal(got, []Key{2, 10}) {
		t.Errorf("held after 10 s: %v, want also who still asks for more than its share", got)
	}
}

// countedIn makes the demands what was counted in a window.
func (l *Load) countedIn(window time.Duration) {
	l.Spread = math.Sqrt(l.Sum() / window.Seconds())
	for i := range l.Demands {
		l.Demands[i].Spread = math.Sqrt(l.Demands[i].Rate / window.Seconds())
	}
}

// A flood of a quarter more than is borne, through doors that count little: within 70 ms
// it is told from chance by its surge alone.
func TestWhoSurgesIsHeldBeforeTheWindowIsFull(t *testing.T) {
	load := func(flood float64) Load {
		l := Load{Capacity: 320}
		for k := range Key(19) {
			l.Demands = append(l.Demands, Demand{Key: 10 + k, Rate: 5, Usual: 5})
		}
		l.countedIn(400 * time.Millisecond)
		d := Demand{Key: 2, Rate: flood, Usual: 5, Spread: math.Sqrt(flood / 0.07)}
		l.Spread = math.Hypot(l.Spread, d.Spread)
		l.Demands = append(l.Demands, d)
		return l
	}
	held := func(l Load) []Limit { return FairShare(l, DefaultShareRules()).Limits }
	l := load(305)
	if got := held(l); len(got) != 0 {
		t.Errorf("%+v held, want nobody: it may be chance", got)
	}
	l.Demands[19].Surges = true
	if got := held(l); len(got) != 1 || got[0].Key != 2 || !got[0].Surges || got[0].Limit < 150 {
		t.Errorf("%+v held, want who surges, and let in what is left", got)
	}
	l.Demands[0].Rate = 70 // beside it somebody else has many by chance
	if got := held(l); len(got) != 1 || got[0].Key != 2 {
		t.Errorf("%+v held, want who surges alone", got)
	}
	l = load(200)
	l.Demands[19].Surges = true
	if got := held(l); len(got) != 0 {
		t.Errorf("%+v held, want nobody: there is room for it", got)
	}
}

// A door that is late may be dead, and its clients at the others: who looks a third larger is
// not held. A flood is one also where all doors are late, as on a starved machine.
func TestWhatALateDoorSaidHidesNoFlood(t *testing.T) {
	l := Load{Capacity: 1000, Demands: []Demand{{Key: 2, Rate: 4000, Usual: 50, Doubt: 2700}}}
	for k := range Key(20) {
		l.Demands = append(l.Demands, Demand{Key: 10 + k, Rate: 45, Usual: 40, Floor: 40, Doubt: 15})
	}
	l.Demands[1].Rate = 55
	l.countedIn(10 * time.Second)
	held := func() (keys []Key) {
		for _, x := range FairShare(l, DefaultShareRules()).Limits {
			keys = append(keys, x.Key)
		}
		return keys
	}
	if got := held(); !slices.Equal(got, []Key{2}) {
		t.Errorf("held: %v, want the flooded one", got)
	}
	l.Demands[1].Doubt = 0
	if got := held(); !slices.Equal(got, []Key{2, 10}) {
		t.Errorf("held: %v, want also who is above its share at doors that are heard", got)
	}
}

func TestFloorsCannotBeFarmed(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		capacity := rapid.Float64Range(100, 1e5).Draw(t, "capacity")
		var usual []Demand
		n := rapid.IntRange(1, 60).Draw(t, "subdomains")
		for i := range n {
			usual = append(usual, Demand{Key: Key(i + 2), Usual: rapid.Float64Range(0, 3).Draw(t, "usual") * capacity})
		}
		rules := DefaultFloorRules()
		sum := 0.0
		for _, f := range FloorsFor(capacity, 1, n, usual, rules) {
			sum += f.Rate
			if most := max(capacity/float64(n), 0.20*capacity); f.Rate > most*(1+1e-9) {
				t.Fatalf("a floor of %v of %v", f.Rate, capacity)
			}
		}
		if sum > 0.70*capacity*(1+1e-9) {
			t.Fatalf("floors of %v in all of %v", sum, capacity)
		}
		f := Floors{Version: 1, By: "a", Capacity: capacity, List: FloorsFor(capacity, 1, n, usual, rules)}
		if err := f.Validate(rules); err != nil {
			t.Fatal(err)
		}
	})
}
