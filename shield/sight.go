package shield

import (
	"time"

	"moonwatch/member"
)

func (s *Shield) sight(l Load) Sight {
	v := Sight{
		Shares: s.shares, Majority: s.fleet.Majority(), Handshakes: s.handshakes, NeverStop: s.cfg.NeverStop,
		Demand: make(map[Key]float64, len(l.Demands)), Chance: make(map[Key]float64, len(l.Demands)), Doubt: map[Key]float64{}, Evidence: make(map[Key][]member.ID, len(l.Demands)), Standing: map[Key]Rung{},
	}
	for _, d := range l.Demands {
		v.Demand[d.Key] = d.Rate
		v.Chance[d.Key] = s.cfg.Shares.chance(d)
		if d.Doubt > 0 {
			v.Doubt[d.Key] = d.Doubt
		}
	}
	for _, x := range s.fleet.Hosts {
		v.Evidence[x.Key] = x.Doors
	}
	for _, t := range s.standing {
		v.Standing[t.Key] = t.Rung
	}
	return v
}

// ignorant reports that this door has just begun, and that there are floors which it has not
// heard yet: nobody has a guarantee here until then, so only who asks for everything is held.
func (s *Shield) ignorant(now time.Time) bool {
	return s.floors == nil && s.floorsHeard > 0 && now.Sub(s.began) < 2*floorsAgain
}
