package shield

import (
	"encoding/json"
	"fmt"
	"math"
	"reflect"
	"strings"
	"testing"
	"time"

	"moonwatch/member"
)

func stop(host string) Throttle {
	return Throttle{
		Host: host, Rung: Stop, Doors: []member.ID{"a", "b"}, All: []member.ID{"a", "b", "c"},
		Until: time.Unix(1030, 0), Subdomains: 40, Usual: 0.1,
	}
}

// stand applies throttles that have to pass.
func stand(t *testing.T, s *Standing, at time.Time, all ...Throttle) {
	t.Helper()
	for _, x := range all {
		if err := s.Check(DefaultThrottleRules(), at, x); err != nil {
			t.Fatal(err)
		}
		s.Apply(DefaultThrottleRules(), at, x)
	}
}

func TestThrottlesPassTheGatesInEveryLedger(t *testing.T) {
	at := time.Unix(1000, 0)
	for name, c := range map[string]struct {
		before func(*Standing)
		change func(*Throttle)
		want   string
	}{
		"two of three doors":       {change: func(*Throttle) {}},
		"one of three doors":       {change: func(t *Throttle) { t.Doors = t.Doors[:1] }, want: "1 of 3 doors voted, want 2"},
		"one of two doors":         {change: func(t *Throttle) { t.Doors, t.All = t.Doors[:1], t.All[:2] }, want: "1 of 2 doors voted, want 2"},
		"a door named twice":       {change: func(t *Throttle) { t.Doors = []member.ID{"a", "a"} }, want: "once each"},
		"who is no door":           {change: func(t *Throttle) { t.Doors = []member.ID{"a", "x"} }, want: "x voted and is no door"},
		"the only door":            {change: func(t *Throttle) { t.Doors, t.All = t.Doors[:1], t.All[:1] }, want: "one door only"},
		"an operator at one door":  {change: func(t *Throttle) { t.Doors, t.All, t.By = nil, t.All[:1], "ann" }},
		"shaping is not voted":     {change: func(t *Throttle) { t.Rung = ShapeFleet }, want: "want a rung from challenge up"},
		"over already":             {change: func(t *Throttle) { t.Until = at }, want: "it ended"},
		"no part of the traffic":   {change: func(t *Throttle) { t.Usual = math.NaN() }, want: "NaN, want 0 to 1"},
		"less than none of it":     {change: func(t *Throttle) { t.Usual = -0.4 }, want: "-0.4, want 0 to 1"},
		"more than all of it":      {change: func(t *Throttle) { t.Usual = 1.1 }, want: "1.1, want 0 to 1"},
		"of no subdomains":         {change: func(t *Throttle) { t.Subdomains = 0 }, want: "one of 0 subdomains"},
		"never stopped":            {change: func(t *Throttle) { t.Host = "pay.example.com" }, want: "never stopped"},
		"never stopped by people":  {change: func(t *Throttle) { t.Host, t.By = "pay.example.com", "ann" }, want: "never stopped"},
		"a bucket of such a one":   {change: func(t *Throttle) { t.Host, t.By = "*.example.com", "ann" }, want: "pay.example.com, which is never stopped"},
		"never stopped, but asked": {change: func(t *Throttle) { t.Host, t.Rung = "pay.example.com", Challenge }},
		"too many": {
			before: func(s *Standing) { stand(t, s, at, stop("x"), stop("y")) },
			change: func(*Throttle) {}, want: "3 of 40 subdomains would be stopped, at most 2 may",
		},
		"too much of what is normal": {
			before: func(s *Standing) { stand(t, s, at, stop("x")) },
			change: func(t *Throttle) { t.Usual = 0.45 }, want: "55 % of the normal traffic",
		},
		"after a drain": {
			before: func(s *Standing) { s.Drained = at.Add(-10 * time.Second) },
			change: func(*Throttle) {}, want: "drained 10s ago",
		},
		"renewed after a drain": {
			before: func(s *Standing) { stand(t, s, at, stop("www.example.com")); s.Drained = at },
			change: func(*Throttle) {},
		},
		"the seventh within a minute": {
			before: func(s *Standing) {
				for k := range 6 {
					x := stop(fmt.Sprintf("x%d", k))
					x.Rung = Challenge
					stand(t, s, at.Add(-30*time.Second), x)
				}
			},
			change: func(t *Throttle) { t.Rung = Challenge }, want: "6 new rungs within 1m0s are spent",
		},
	} {
		rules := DefaultThrottleRules()
		rules.NeverStop = []string{"pay.example.com"}
		s := &Standing{}
		if c.before != nil {
			c.before(s)
		}
		x := stop("www.example.com")
		c.change(&x)
		err := s.Check(rules, at, x)
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}

// TestWhatIsUsualAddsUpInOneOrder: three parts whose sum is at most the half in some
// orders and above it in others. Every ledger has to decide the same, each time.
func TestWhatIsUsualAddsUpInOneOrder(t *testing.T) {
	at, rules := time.Unix(1000, 0), DefaultThrottleRules()
	rules.MostUsual = 0.6
	verdicts := map[bool]int{}
	for range 200 {
		s := &Standing{}
		for host, usual := range map[string]float64{"x.example.com": 0.1, "y.example.com": 0.2, "z.example.com": 0.3} {
			x := stop(host)
			x.Subdomains, x.Usual = 400, usual
			s.Apply(rules, at, x)
		}
		x := stop("www.example.com")
		x.Subdomains, x.Usual = 400, 0
		verdicts[s.Check(rules, at, x) == nil]++
	}
	if len(verdicts) != 1 {
		t.Errorf("one throttle, one ledger, and it may stand %d times of %d", verdicts[true], verdicts[true]+verdicts[false])
	}
}

func TestWhatIsNotRenewedIsReleased(t *testing.T) {
	s, rules := &Standing{}, DefaultThrottleRules()
	at := time.Unix(1000, 0)
	x := stop("www.example.com")
	x.Until = at.Add(time.Hour) // no vote stands for an hour
	stand(t, s, at, x)
	if got := s.At(at.Add(29 * time.Second)); len(got) != 1 || got[0].Rung != Stop {
		t.Errorf("%+v", got)
	}
	if got := s.At(at.Add(30 * time.Second)); len(got) != 0 {
		t.Errorf("not renewed and stands: %+v", got)
	}
	x.Rung = Observe
	if err := s.Check(rules, at.Add(time.Minute), x); err == nil {
		t.Error("what has ended is released once more")
	}
	stand(t, s, at.Add(time.Second), x)
	if len(s.At(at.Add(time.Second))) != 0 {
		t.Error("released and stands")
	}
}

// TestWhatPeoplePinStaysWhateverTheDoorsVote, until its end or until it is unpinned.
func TestWhatPeoplePinStaysWhateverTheDoorsVote(t *testing.T) {
	s, rules := &Standing{}, DefaultThrottleRules()
	at := time.Unix(1000, 0)
	stand(t, s, at, stop("www.example.com"))
	left := Throttle{Host: "www.example.com", Rung: Observe, Until: at.Add(time.Hour), By: "ann", Why: "a sale"}
	stand(t, s, at, left)
	for _, rung := range []Rung{Stop, Observe} {
		x := stop("www.example.com")
		x.Rung = rung
		if err := s.Check(rules, at, x); err == nil || !strings.Contains(err.Error(), "ann has pinned it to observe") {
			t.Errorf("votes for %v: %v", rung, err)
		}
	}
	if got := s.At(at.Add(59 * time.Minute)); len(got) != 1 || got[0].Rung != Observe || got[0].By != "ann" {
		t.Errorf("%+v", got)
	}
	if err := s.Unpinnable(at, "other.example.com"); err == nil {
		t.Error("what nobody pinned is unpinned")
	}
	if err := s.Unpinnable(at, "www.example.com"); err != nil {
		t.Error(err)
	}
	if s.Unpin("www.example.com"); len(s.At(at)) != 0 {
		t.Error("unpinned and stands")
	}
	x := stop("www.example.com")
	x.Until = at.Add(time.Minute)
	stand(t, s, at, x)
}

func TestAPinIsChecked(t *testing.T) {
	at := time.Unix(1000, 0)
	for name, c := range map[string]struct {
		change func(*Pin)
		want   string
	}{
		"good":        {func(*Pin) {}, ""},
		"a bucket":    {func(p *Pin) { p.Host = "*.example.com" }, ""},
		"left alone":  {func(p *Pin) { p.Rung = Observe }, ""},
		"no name":     {func(p *Pin) { p.Host = "a b" }, "want a host name"},
		"upper case":  {func(p *Pin) { p.Host = "WWW.example.com" }, "want a host name"},
		"shaping":     {func(p *Pin) { p.Rung = ShapeFleet }, "want challenge, stop, drop, or observe"},
		"no reason":   {func(p *Pin) { p.Reason = " " }, "no reason"},
		"over":        {func(p *Pin) { p.Until = at }, "is over"},
		"for a month": {func(p *Pin) { p.Until = at.Add(31 * 24 * time.Hour) }, "at most"},
	} {
		p := Pin{Host: "www.example.com", Rung: Stop, Until: at.Add(time.Hour), Reason: "they asked for it"}
		c.change(&p)
		if err := p.Check(at); c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}

// A ledger writes what stands into its snapshots.
func TestWhatStandsIsReadBack(t *testing.T) {
	s := &Standing{Drained: time.Unix(900, 0).UTC()}
	stand(t, s, time.Unix(1000, 0).UTC(), stop("www.example.com"))
	b, err := json.Marshal(s)
	if err != nil || !strings.Contains(string(b), `"rung":"stop"`) {
		t.Fatalf("%v: %s", err, b)
	}
	var again Standing
	if err := json.Unmarshal(b, &again); err != nil || fmt.Sprint(again) != fmt.Sprint(*s) && !reflect.DeepEqual(again, *s) {
		t.Errorf("%v:\n%+v\n%+v", err, again, *s)
	}
}
