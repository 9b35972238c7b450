package shield

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"moonwatch/member"
)

// lead does what falls to the door whose agent leads the council: to publish the
// floors, and to propose what the doors have voted for. A door that has just begun
// publishes none: it does not know yet what is usual, and its set would take everybody's
// guarantee away for a minute.
func (s *Shield) lead(now time.Time) []Effect {
	var out []Effect
	due := now.Sub(s.began) >= s.cfg.FloorsEvery && (s.floorT.IsZero() || now.Sub(s.floorT) >= s.cfg.FloorsEvery)
	if due && !s.pressed && len(s.held) == 0 && s.capacity.Value() > 0 {
		s.floorT = now
		s.floors, s.floorsSaid = s.newFloors(), now
		out = append(out, Publish{Floors: *s.floors})
	} else if s.floors != nil && s.fleet.Behind < s.floors.Version && now.Sub(s.floorsSaid) >= floorsAgain {
		s.floorsSaid = now // a door has not heard of them, or has just begun
		out = append(out, Publish{Floors: *s.floors})
	}
	return append(out, s.propose(now)...)
}

// floorsAgain is how long a door is given to take floors before they are sent once
// more: four of its reports in calm.
const floorsAgain = time.Second

func (s *Shield) newFloors() *Floors {
	// Younger than any that a door has: this one may have been started anew since.
	f := &Floors{Version: s.floorsHeard + 1, By: s.cfg.Door, Capacity: s.capacity.Value()}
	if s.floors != nil {
		f.Version = max(f.Version, s.floors.Version+1)
	}
	var usual []Demand
	for _, k := range s.usuals.Keys() {
		usual = append(usual, Demand{Key: k, Usual: s.usuals.Of(k), Each: s.ownOf(k), Weight: s.cfg.Weights[k]})
	}
	f.List = FloorsFor(f.Capacity, s.each(), s.fleet.Subdomains, usual, s.cfg.Floors)
	return f
}

const (
	// proposeAgain is how long the council is given before a throttle is handed in
	// once more.
	proposeAgain = 2 * time.Second
	// unvotedFor is how long a throttle has had too few votes before it is released:
	// longer than a report that was lost takes to be missed and heard again.
	unvotedFor = 2 * time.Second
	// suppressedAgain is how long it is not said again that a gate forbids something.
	suppressedAgain = 30 * time.Second
)

// propose hands in every rung that enough doors vote for and that does not stand yet,
// or that ends soon; and the end of what too few vote for. What a gate of the ledger
// would refuse is not handed in, and said. Who is none of the doors proposes nothing,
// also if there is no other: every ledger refuses it.
func (s *Shield) propose(now time.Time) []Effect {
	if s.cfg.Shadow || s.apart || !s.fleet.Majority() {
		return nil
	}
	var out []Effect
	agreed := map[string]bool{}
	for _, k := range sortedKeys(s.fleet.Votes) {
		t, ok := s.agreed(now, k)
		if !ok {
			continue
		}
		agreed[t.Host] = true
		if x := s.standingOf(k); x == nil || x.By == "" && (x.Rung < t.Rung || x.Until.Sub(now) <= s.cfg.Throttle.For/2) {
			out = append(out, s.handIn(now, t)...)
		}
	}
	for _, x := range s.standing {
		switch since, counting := s.unvoted[x.Host]; {
		case agreed[x.Host], x.By != "":
			delete(s.unvoted, x.Host)
		case !counting:
			s.unvoted[x.Host] = now
		case now.Sub(since) >= unvotedFor:
			out = append(out, s.handIn(now, Throttle{
				Key: x.Key, Host: x.Host, All: s.doors, Until: now.Add(s.cfg.Throttle.For), Why: "most doors do not vote for it any more",
			})...)
		}
	}
	for _, of := range []map[string]time.Time{s.proposed, s.unvoted, s.suppressed} {
		maps.DeleteFunc(of, func(_ string, at time.Time) bool { return now.Sub(at) > time.Minute })
	}
	return out
}

// handIn proposes a throttle that its gates let pass, now and then.
func (s *Shield) handIn(now time.Time, t Throttle) []Effect {
	if now.Sub(s.proposed[t.Host]) < proposeAgain {
		return nil
	}
	err := s.ruled.Check(s.cfg.Throttle, now, t)
	switch {
	case err == nil:
		s.proposed[t.Host] = now
		return []Effect{Propose{Throttle: t}}
	case now.Sub(s.suppressed[t.Host]) < suppressedAgain:
		return nil
	default:
		s.suppressed[t.Host] = now
		return []Effect{Note{What: Suppressed, Key: t.Key, Host: t.Host, Rung: t.Rung, Gate: GateOf(err), Text: "voted for and not done: " + err.Error()}}
	}
}

// agreed finds the highest rung that most of all doors vote for; a vote for a
// rung is one for those below it. A name counts only if it is what the key is made of.
func (s *Shield) agreed(now time.Time, k Key) (Throttle, bool) {
	ballots := s.fleet.Votes[k]
	host := ""
	for _, b := range ballots {
		if key, ok := KeyOfHost(s.cfg.Salt, b.Host); ok && key == k && (host == "" || b.Host < host) {
			host = b.Host
		}
	}
	for rung := Drop; rung >= Challenge && host != ""; rung-- {
		var doors []member.ID
		for _, b := range ballots {
			if b.Rung >= rung {
				doors = append(doors, b.Door)
			}
		}
		slices.Sort(doors)
		doors = slices.Compact(doors) // a door that votes twice is one
		if len(doors) < len(s.doors)/2+1 {
			continue
		}
		usual := 0.0
		if sum := s.usuals.Sum(); sum > 0 {
			usual = min(s.usuals.Of(k)/sum, 1)
		}
		return Throttle{
			Key: k, Host: host, Rung: rung, Doors: doors, All: s.doors, Until: now.Add(s.cfg.Throttle.For),
			Why:        fmt.Sprintf("%s; %d of %d doors voted", s.flooding(k), len(doors), len(s.doors)),
			Subdomains: max(s.fleet.Subdomains, 1), Usual: usual,
		}, true
	}
	return Throttle{}, false
}

// flooding says what a subdomain does.
func (s *Shield) flooding(k Key) string {
	for _, h := range s.held {
		if h.Key == k && h.Limit > 0 {
			return fmt.Sprintf("asked for %.1f times its share, pressure %.2f", h.Demand/h.Limit, s.shares.Pressure)
		}
	}
	return fmt.Sprintf("pressure %.2f", s.shares.Pressure)
}
