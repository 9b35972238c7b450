package shield

import (
	"fmt"
	"math"
	"slices"
	"time"
)

// measure turns what is held, and what the council has written down, into what
// this door does.
func (s *Shield) measure(now time.Time) *Measures {
	var out []Measure
	for _, h := range s.held {
		if t := s.standingOf(h.Key); t != nil && t.Rung == Observe {
			continue // people want it left alone
		}
		out = append(out, s.measureOf(now, h))
	}
	return NewMeasures(out)
}

// votedFor is how long a door goes on with a voted or pinned rung when its shield does
// not say so again, which it does with every tick.
const votedFor = 2 * time.Second

func (s *Shield) measureOf(now time.Time, h Held) Measure {
	m := Measure{
		Key: h.Key, Host: s.names[h.Key], Rung: h.Rung, Shadow: s.cfg.Shadow, Admit: permille(h.Admit),
		Until: h.Until, Since: h.Since, Demand: h.Demand, Limit: h.Limit, ByCost: s.cfg.Capacity.ByCost,
	}
	for _, d := range h.Doors {
		m.Doors = append(m.Doors, string(d))
	}
	if s.floors != nil {
		m.Floors = s.floors.Version
	}
	switch {
	case h.Admit < 1:
		m.Cap = s.capOf(h, h.Admit)
		m.Burst = max(1, m.Cap*s.cfg.SayEvery.Seconds())
	case h.Slack > 0: // what a window may have by chance comes at once
		m.Cap = s.capOf(h, h.Limit/h.Demand)
		m.Burst = max(1, m.Cap*(1+h.Slack/h.Limit)*s.cfg.Window.Seconds())
	}
	m.Why = s.why(h, m)
	if t := s.standingOf(h.Key); t != nil && t.Rung == h.Rung {
		m.Until, m.Host, m.By, m.Why = t.Until, t.Host, t.By, t.Why
		if renewed := now.Add(votedFor); renewed.Before(m.Until) {
			m.Until = renewed
		}
		m.Doors = nil
		for _, d := range t.Doors {
			m.Doors = append(m.Doors, string(d))
		}
	}
	if m.Rung >= Stop {
		m.Admit, m.Cap, m.Burst = 0, 0, 0
	}
	return m
}

// standingOf is what the ledger says of a subdomain, nil for nothing.
func (s *Shield) standingOf(k Key) *Throttle {
	if i := slices.IndexFunc(s.standing, func(t Throttle) bool { return t.Key == k }); i >= 0 {
		return &s.standing[i]
	}
	return nil
}

// permille rounds down, for a limit is a limit, but never to nothing: who is
// shaped is not stopped.
func permille(fraction float64) int {
	return min(max(int(fraction*Whole), 1), Whole)
}

// capOf is this door's part of the share, in requests a second, and a little
// more: the fraction does the work, and the cap holds while the demand jumps
// between two rounds, or may be more than its share by chance.
func (s *Shield) capOf(h Held, admit float64) float64 {
	if h.Demand <= 0 {
		return 0
	}
	here := s.recent.rate(h.Key)
	fleet := 0.0
	for _, x := range s.fleet.Hosts {
		if x.Key == h.Key {
			fleet = x.Asked
		}
	}
	// In requests: the same part of the demand is let in, whatever a request costs.
	allowed := admit * fleet * s.cfg.CapOver
	if fleet > 0 && here > 0 {
		allowed *= min(1, here/fleet)
	}
	return math.Max(allowed, 1)
}

func (s *Shield) why(h Held, m Measure) string {
	usual := s.usuals.Of(h.Key)
	text := fmt.Sprintf("%.0f %% of the demand", 100*h.Demand/max(s.shares.Pressure*s.capacity.Value(), h.Demand, 1))
	if usual > 0 {
		text += fmt.Sprintf(", %.1f times its usual", h.Demand/usual)
	}
	return fmt.Sprintf("%s; pressure %.2f; %d of %d doors", text, s.shares.Pressure, len(m.Doors), s.fleet.Doors)
}

// same reports that a door would do nothing new. What moved by less than a
// hundredth is nothing new, as long as what is in force does not end first.
func same(a, b *Measures) bool {
	return slices.EqualFunc(a.List(), b.List(), func(x, y Measure) bool {
		return x.Key == y.Key && x.Rung == y.Rung && x.Shadow == y.Shadow && x.Host == y.Host && x.Admit == y.Admit &&
			math.Abs(x.Cap-y.Cap) <= 0.01*y.Cap && y.Until.Sub(x.Until) < time.Second
	})
}

// differences are the notes about who came, climbed and left.
func (s *Shield) differences(old, now *Measures) []Effect {
	would := ""
	if s.cfg.Shadow {
		would = "would be "
	}
	var out []Effect
	for _, m := range now.List() {
		n := Note{Key: m.Key, Host: m.Host, Rung: m.Rung, Admit: m.Admit, Text: would + m.Rung.String() + ": " + m.Why}
		switch was := old.Find(m.Key); {
		case was == nil:
			n.What = Came
		case was.Rung != m.Rung:
			n.What = Climbed
		default:
			continue
		}
		out = append(out, n)
	}
	for _, m := range old.List() {
		if now.Find(m.Key) == nil {
			out = append(out, Note{What: Left, Key: m.Key, Host: m.Host, Rung: Observe, Admit: Whole, Text: "served as everybody again"})
		}
	}
	return out
}
