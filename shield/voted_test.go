package shield

import (
	"fmt"
	"testing"
	"time"

	"moonwatch/member"
)

// ruling is some doors that hear each other at once, and a ledger that applies what the
// first of them proposes.
type ruling struct {
	t      *testing.T
	now    time.Time
	doors  map[member.ID]*Shield
	names  []member.ID
	parted map[member.ID]bool // hears nobody, and is not heard
	ledger Standing
	rules  ThrottleRules
	asked  map[member.ID]uint64
	told   []Note
	facts  []Throttle
}

const attacked = "a.example.com"

func newRuling(t *testing.T, names ...member.ID) *ruling {
	r := &ruling{
		t: t, now: time.Unix(10_000, 0), names: names, doors: map[member.ID]*Shield{}, parted: map[member.ID]bool{},
		rules: DefaultThrottleRules(), asked: map[member.ID]uint64{},
	}
	for _, n := range names {
		cfg := DefaultConfig(n)
		cfg.Shadow, cfg.Salt, cfg.Capacity.Configured, cfg.Window = false, 7, 1000, 400*time.Millisecond
		cfg.Ladder.Highest = Stop
		s, err := New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		s.Step(r.now, Doors{Doors: names})
		r.doors[n] = s
	}
	r.doors[names[0]].Step(r.now, Leads{Leading: true})
	return r
}

// run lets time pass in ticks of 50 ms: one subdomain asks all doors together for so
// many requests a second, another one for 200.
func (r *ruling) run(rate int, long time.Duration) {
	r.t.Helper()
	key := func(host string) Key { k, _ := KeyOfHost(7, host); return k }
	for end := r.now.Add(long); r.now.Before(end); {
		r.now = r.now.Add(50 * time.Millisecond)
		var said []Report
		for _, n := range r.names {
			a, b := uint64(rate)/20/uint64(len(r.names)), uint64(200)/20/uint64(len(r.names))
			r.asked[n] += a
			total := r.asked[n]
			out := r.doors[n].Step(r.now, Counted{
				Tick: 50 * time.Millisecond, Asked: total + uint64(r.now.Sub(time.Unix(10_000, 0))/(50*time.Millisecond))*b, Subdomains: 40,
				Counts: []Count{{Key: key(attacked), Name: attacked, Asked: a, Total: uint32(total)}, {Key: key("b.example.com"), Name: "b.example.com", Asked: b}},
			})
			for _, e := range out {
				switch e := e.(type) {
				case Say:
					if !r.parted[n] {
						said = append(said, e.Report)
					}
				case Propose:
					r.fact(e.Throttle)
				case Note:
					r.told = append(r.told, e)
				}
			}
		}
		for _, n := range r.names {
			for _, x := range said {
				if !r.parted[n] && x.Door != n {
					r.doors[n].Step(r.now, Heard{Report: x})
				}
			}
		}
	}
}

func (r *ruling) fact(x Throttle) {
	r.t.Helper()
	if err := r.ledger.Check(r.rules, r.now, x); err != nil {
		r.t.Fatalf("a proposal that the ledger refuses: %v", err)
	}
	r.ledger.Apply(r.rules, r.now, x)
	r.facts = append(r.facts, x)
	r.ruled()
}

func (r *ruling) ruled() {
	for _, n := range r.names {
		r.doors[n].Step(r.now, Ruled{Standing: r.ledger})
	}
}

func (r *ruling) wants(n member.ID, rung Rung) *Measure {
	r.t.Helper()
	k, _ := KeyOfHost(7, attacked)
	m := r.doors[n].Measures().Find(k)
	if got := rungOf(m); got != rung {
		r.t.Errorf("after %v %s holds it at %v, want %v", r.now.Sub(time.Unix(10_000, 0)), n, got, rung)
	}
	return m
}

func rungOf(m *Measure) Rung {
	if m == nil {
		return Observe
	}
	return m.Rung
}

func TestDoorsVoteAndTheLedgerRules(t *testing.T) {
	r := newRuling(t, "a", "b", "c")
	r.run(100, 5*time.Second)
	r.run(12_000, 5*time.Second)
	r.wants("a", ShapeFleet)
	r.run(12_000, 8*time.Second)
	m := r.wants("a", Challenge)
	if m != nil && (len(m.Doors) != 3 || m.Until.Before(r.now) || m.Host != attacked) {
		t.Errorf("%+v", m)
	}
	r.run(12_000, 15*time.Second)
	if m := r.wants("c", Stop); m != nil && m.Admit != 0 {
		t.Errorf("stopped, and %d permille are let in", m.Admit)
	}
	r.run(12_000, 2*time.Minute) // renewed as long as it goes on
	r.wants("b", Stop)
	r.run(100, 4*time.Second)
	r.wants("b", Stop)
	r.run(100, 6*time.Second)
	r.wants("b", ShapeFleet) // released by the doors, before its end, and let in slowly
	if last := r.facts[len(r.facts)-1]; last.Rung != Observe {
		t.Errorf("the last fact is %+v, want its release", last)
	}
	r.run(100, 30*time.Second)
	r.wants("a", Observe)
}

// TestAMinorityShapesAlone: a door that is cut off obeys no vote, though its ledger says
// what stands; the others go on.
func TestAMinorityShapesAlone(t *testing.T) {
	r := newRuling(t, "a", "b", "c")
	r.run(100, 5*time.Second)
	r.run(12_000, 13*time.Second)
	r.wants("c", Challenge)
	r.parted["c"] = true
	r.run(12_000, 2*time.Second)
	r.wants("c", ShapeLocal)
	r.wants("a", Challenge)
	r.wants("b", Challenge)
}

func TestOneVoteOfThreeIsNone(t *testing.T) {
	r := newRuling(t, "a", "b", "c")
	for _, n := range []member.ID{"b", "c"} {
		r.doors[n].cfg.NeverStop, r.doors[n].ladder.rules.Highest = nil, ShapeFleet
	}
	r.run(100, 5*time.Second)
	r.run(12_000, 30*time.Second)
	r.wants("a", ShapeFleet)
	if len(r.facts) > 0 {
		t.Errorf("%+v", r.facts)
	}
}

// What a gate of the ledger forbids is not handed in, and said once in a while.
func TestWhatAGateForbidsIsSaidAndNotProposed(t *testing.T) {
	r := newRuling(t, "a")
	r.run(100, 5*time.Second)
	r.run(12_000, 30*time.Second)
	r.wants("a", ShapeLocal)
	said := 0
	for _, n := range r.told {
		if n.What == Suppressed {
			said++
		}
	}
	if len(r.facts) > 0 || said < 1 || said > 2 {
		t.Errorf("%d facts of the only door, said %d times: %v", len(r.facts), said, r.told)
	}
}

// TestADoorThatVotesTwiceIsOne: it neither makes a majority, nor a proposal that every
// ledger refuses in place of the majority that there is.
func TestADoorThatVotesTwiceIsOne(t *testing.T) {
	r := newRuling(t, "a", "b", "c")
	s := r.doors["a"]
	k, _ := KeyOfHost(7, attacked)
	ballot := func(d member.ID, rung Rung) Ballot {
		return Ballot{Door: d, Vote: Vote{Key: k, Rung: rung, Host: attacked}}
	}
	s.fleet.Votes = map[Key][]Ballot{k: {ballot("a", Challenge), ballot("b", Stop), ballot("b", Stop)}}
	x, ok := s.agreed(r.now, k)
	if !ok || x.Rung != Challenge || fmt.Sprint(x.Doors) != "[a b]" {
		t.Errorf("%v %+v, want the challenge of a and b", ok, x)
	}
}

// TestTheOnlyDoorUnderAVerdictProposesNothing: no ledger takes it from who is no door,
// though it is trusted alone.
func TestTheOnlyDoorUnderAVerdictProposesNothing(t *testing.T) {
	r := newRuling(t, "a")
	r.rules.TrustSingleDoor, r.doors["a"].cfg.Throttle.TrustSingleDoor = true, true
	r.doors["a"].Step(r.now, Doors{})
	r.run(100, 5*time.Second)
	r.run(12_000, 20*time.Second)
	if len(r.facts) > 0 {
		t.Errorf("%d facts, the first of them %+v", len(r.facts), r.facts[0])
	}
	r.doors["a"].Step(r.now, Doors{Doors: r.names}) // acquitted
	if r.run(12_000, 5*time.Second); len(r.facts) == 0 {
		t.Error("it is the only door again, and trusted, and proposes nothing")
	}
}

// TestAYoungerPolicyCapsWhatStands: what was written down under another one stands no
// higher than the present one allows.
func TestAYoungerPolicyCapsWhatStands(t *testing.T) {
	for name, c := range map[string]struct {
		host, by, never string
		highest, want   Rung
	}{
		"voted, as it is allowed":             {attacked, "", "", Stop, Stop},
		"voted, and the highest is challenge": {attacked, "", "", Challenge, Challenge},
		"voted, and the highest is shaping":   {attacked, "", "", ShapeFleet, Observe},
		"voted, and never stopped by now":     {attacked, "", attacked, Drop, Challenge},
		"pinned, as it is allowed":            {attacked, "ann", "", ShapeFleet, Stop},
		"pinned, and never stopped by now":    {attacked, "ann", attacked, Drop, Challenge},
		"a pinned bucket of one that is":      {"*.example.com", "ann", attacked, Drop, Challenge},
	} {
		r := newRuling(t, "a", "b")
		for _, s := range r.doors {
			s.cfg.Throttle.Highest = c.highest
			if c.never != "" {
				s.cfg.Throttle.NeverStop = []string{c.never}
			}
		}
		x := stop(c.host)
		x.By, x.Until = c.by, r.now.Add(20*time.Second)
		r.ledger.Apply(r.rules, r.now, x)
		r.ruled()
		r.run(100, time.Second)
		k, _ := KeyOfHost(7, c.host)
		if got := rungOf(r.doors["a"].Measures().Find(k)); got != c.want {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}

// TestASlowClockStopsNobodyForLonger: the ledger's time is an hour ahead of the doors', and
// nothing is released or renewed, for the council is lost.
func TestASlowClockStopsNobodyForLonger(t *testing.T) {
	for by, lasts := range map[string]time.Duration{"": DefaultThrottleRules().For, "ann": time.Minute} {
		r := newRuling(t, "a", "b")
		r.doors["a"].Step(r.now, Leads{})
		ahead := r.now.Add(time.Hour)
		x := stop(attacked)
		x.By, x.Until = by, ahead.Add(lasts)
		r.ledger.Apply(r.rules, ahead, x)
		r.ruled()
		r.run(100, lasts-time.Second)
		r.wants("a", Stop)
		r.ruled() // the ledger moved, and this did not
		r.run(100, 2*time.Second)
		if m := r.doors["a"].Measures().Find(key7(attacked)); rungOf(m).Voted() {
			t.Errorf("pinned by %q: %v, %v after it was seen first, until %v", by, m.Rung, lasts+time.Second, m.Until)
		}
		x.Until = x.Until.Add(time.Second) // renewed after all
		r.ledger.Apply(r.rules, ahead.Add(time.Second), x)
		r.ruled()
		r.run(100, time.Second)
		r.wants("a", Stop)
	}
}

// TestAVotedMeasureEndsWithItsShield: a door goes on for two seconds with what nobody
// renews, whatever the ledger says, and each tick renews it.
func TestAVotedMeasureEndsWithItsShield(t *testing.T) {
	r := newRuling(t, "a", "b")
	x := stop(attacked)
	x.By, x.Until = "ann", r.now.Add(time.Hour)
	r.ledger.Apply(r.rules, r.now, x)
	r.ruled()
	for range 200 {
		r.run(100, 50*time.Millisecond)
		m := r.wants("a", Stop)
		if left := m.Until.Sub(r.now); left < 500*time.Millisecond || left > 2*time.Second {
			t.Fatalf("it goes on for %v without its shield, want about 2 s at most", left)
		}
	}
}

func key7(host string) Key {
	k, _ := KeyOfHost(7, host)
	return k
}

func TestAPinBindsEveryDoor(t *testing.T) {
	r := newRuling(t, "a", "b", "c")
	r.run(100, 5*time.Second)
	pin := func(rung Rung, long time.Duration) {
		r.ledger.Apply(r.rules, r.now, Throttle{Host: attacked, Rung: rung, Until: r.now.Add(long), By: "ann", Why: "she knows them"})
		r.ruled()
	}
	pin(Stop, 10*time.Second)
	r.run(100, time.Second)
	r.parted["c"] = true
	r.run(100, 2*time.Second)
	if m := r.wants("c", Stop); m != nil && (m.By != "ann" || m.Why != "she knows them") {
		t.Errorf("%+v", m)
	}
	r.parted["c"] = false
	pin(Observe, time.Minute)
	r.run(12_000, 30*time.Second)
	for _, n := range r.names {
		r.wants(n, Observe)
	}
	r.run(12_000, 40*time.Second) // the pin has ended, and the flood has not
	if rungOf(r.wants("a", Challenge)) == Observe {
		t.Error("left alone after the pin's end")
	}
}

func ExampleStanding() {
	var s Standing
	rules, at := DefaultThrottleRules(), time.Unix(1000, 0)
	x := Throttle{Host: "a.example.com", Rung: Challenge, Doors: []member.ID{"d1"}, All: []member.ID{"d1", "d2", "d3"}, Until: at.Add(30 * time.Second), Subdomains: 40}
	fmt.Println(s.Check(rules, at, x))
	x.Doors = []member.ID{"d1", "d3"}
	fmt.Println(s.Check(rules, at, x))
	// Output:
	// throttle a.example.com to challenge: 1 of 3 doors voted, want 2
	// <nil>
}

// TestANeverStopListOfEverybodyEndsTheLadder: nobody can be stopped any more, so a flood is
// challenged and stays so, and nothing else ceases.
func TestANeverStopListOfEverybodyEndsTheLadder(t *testing.T) {
	r := newRuling(t, "a", "b", "c")
	all := []string{attacked, "b.example.com", "*.example.com"}
	r.rules.NeverStop = all
	for _, n := range r.names {
		cfg := &r.doors[n].cfg
		cfg.Throttle.NeverStop, cfg.NeverStop = all, map[Key]bool{}
		for _, host := range all {
			cfg.NeverStop[key7(host)] = true
		}
	}
	r.run(100, 5*time.Second)
	r.run(12_000, time.Minute)
	m := r.wants("a", Challenge)
	if m != nil && m.Admit == 0 {
		t.Errorf("nobody is let in: %+v", m)
	}
	r.run(100, time.Minute)
	r.wants("a", Observe)
	for _, f := range r.facts {
		if f.Rung >= Stop {
			t.Errorf("proposed: %+v", f)
		}
	}
}
