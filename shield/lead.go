package shield

import (
	"fmt"
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
		usual = append(usual, Demand{Key: k, Usual: s.usuals.Of(k), Weight: s.cfg.Weights[k]})
	}
	f.List = FloorsFor(f.Capacity, s.each(), s.fleet.Subdomains, usual, s.cfg.Floors)
	return f
}

// proposeAgain is how long the council is given before a throttle is handed in
// once more.
const proposeAgain = 2 * time.Second

// propose hands in every rung that enough live doors vote for and that does not
// stand yet, or that ends soon.
func (s *Shield) propose(now time.Time) []Effect {
	if s.cfg.Shadow || !s.fleet.Majority() {
		return nil
	}
	var out []Effect
	for _, k := range sortedKeys(s.fleet.Votes) {
		t, ok := s.agreed(now, k)
		if !ok || now.Sub(s.proposed[k]) < proposeAgain {
			continue
		}
		i := slices.IndexFunc(s.standing, func(x Throttle) bool { return x.Key == k })
		if i >= 0 && s.standing[i].Rung >= t.Rung && s.standing[i].Until.Sub(now) > s.cfg.Throttle.For/2 {
			continue
		}
		s.proposed[k] = now
		out = append(out, Propose{Throttle: t})
	}
	for k, at := range s.proposed {
		if now.Sub(at) > time.Minute {
			delete(s.proposed, k)
		}
	}
	return out
}

// agreed finds the highest rung that most of all doors vote for; a vote for a
// rung is one for those below it.
func (s *Shield) agreed(now time.Time, k Key) (Throttle, bool) {
	ballots := s.fleet.Votes[k]
	for rung := Drop; rung >= Challenge; rung-- {
		var doors []member.ID
		host := ""
		for _, b := range ballots {
			if b.Rung >= rung {
				doors = append(doors, b.Door)
				if host == "" || b.Host != "" && b.Host < host {
					host = b.Host
				}
			}
		}
		if len(doors) < len(s.doors)/2+1 {
			continue
		}
		slices.Sort(doors)
		usual := 0.0
		if sum := s.usuals.Sum(); sum > 0 {
			usual = s.usuals.Of(k) / sum
		}
		return Throttle{
			Key: k, Host: host, Rung: rung, Doors: doors, All: s.doors, Until: now.Add(s.cfg.Throttle.For),
			Why:        fmt.Sprintf("%d of %d doors; pressure %.2f", len(doors), len(s.doors), s.shares.Pressure),
			Subdomains: s.fleet.Subdomains, Usual: usual,
		}, true
	}
	return Throttle{}, false
}
