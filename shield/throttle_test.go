package shield

import (
	"strings"
	"testing"
	"time"

	"moonwatch/member"
)

func stop(k Key, host string) Throttle {
	return Throttle{
		Key: k, Host: host, Rung: Stop, Doors: []member.ID{"a", "b"}, All: []member.ID{"a", "b", "c"},
		Until: time.Unix(1030, 0), Subdomains: 40, Usual: 0.1,
	}
}

// stand applies throttles that have to pass.
func stand(t *testing.T, s *Standing, at time.Time, all ...Throttle) {
	t.Helper()
	for _, x := range all {
		if err := s.Apply(at, x); err != nil {
			t.Fatal(err)
		}
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
		"shaping is not voted":     {change: func(t *Throttle) { t.Rung = ShapeFleet }, want: "want a key and a rung"},
		"over already":             {change: func(t *Throttle) { t.Until = at }, want: "it ended"},
		"never stopped":            {change: func(t *Throttle) { t.Host = "pay.example.com" }, want: "never stopped"},
		"never stopped by people":  {change: func(t *Throttle) { t.Host, t.By = "pay.example.com", "ann" }, want: "never stopped"},
		"never stopped, but asked": {change: func(t *Throttle) { t.Host, t.Rung = "pay.example.com", Challenge }},
		"too many": {
			before: func(s *Standing) { stand(t, s, at, stop(1, "x"), stop(2, "y")) },
			change: func(*Throttle) {}, want: "3 of 40 subdomains would be stopped, at most 2 may",
		},
		"too much of what is normal": {
			before: func(s *Standing) { stand(t, s, at, stop(1, "x")) },
			change: func(t *Throttle) { t.Usual = 0.45 }, want: "55 % of the normal traffic",
		},
		"after a drain": {
			before: func(s *Standing) { s.Drained(at.Add(-10 * time.Second)) },
			change: func(*Throttle) {}, want: "drained 10s ago",
		},
		"renewed after a drain": {
			before: func(s *Standing) { stand(t, s, at, stop(9, "www.example.com")); s.Drained(at) },
			change: func(*Throttle) {},
		},
		"the seventh within a minute": {
			before: func(s *Standing) {
				for k := Key(10); k < 16; k++ {
					x := stop(k, "x")
					x.Rung = Challenge
					stand(t, s, at.Add(-30*time.Second), x)
				}
			},
			change: func(t *Throttle) { t.Rung = Challenge }, want: "6 new rungs within 1m0s are spent",
		},
	} {
		rules := DefaultThrottleRules()
		rules.NeverStop = []string{"pay.example.com"}
		s := NewStanding(rules)
		if c.before != nil {
			c.before(s)
		}
		x := stop(9, "www.example.com")
		c.change(&x)
		err := s.Apply(at, x)
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}

func TestWhatIsNotRenewedIsReleased(t *testing.T) {
	s := NewStanding(DefaultThrottleRules())
	at := time.Unix(1000, 0)
	x := stop(9, "www.example.com")
	x.Until = at.Add(time.Hour) // no vote stands for an hour
	if err := s.Apply(at, x); err != nil {
		t.Fatal(err)
	}
	if got := s.At(at.Add(29 * time.Second)); len(got) != 1 || got[0].Rung != Stop {
		t.Errorf("%+v", got)
	}
	if got := s.At(at.Add(30 * time.Second)); len(got) != 0 {
		t.Errorf("not renewed and stands: %+v", got)
	}
	x.Rung = Observe
	if err := s.Apply(at.Add(time.Second), x); err != nil || len(s.At(at.Add(time.Second))) != 0 {
		t.Errorf("released and stands: %v", err)
	}
}
