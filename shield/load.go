package shield

import "math"

// load is what the fleet is asked for, in its unit.
func (s *Shield) load() Load {
	f := &s.fleet
	each := s.each()
	capacity := s.capacity.Value()
	if len(f.Live) < f.Doors {
		capacity = s.ours(capacity)
	}
	floors := s.floors
	if floors == nil && capacity > 0 { // none were published, for nobody knew the capacity; all doors know what is usual
		floors = s.newFloors()
	}
	scale := 1.0
	if floors != nil && floors.Capacity > capacity {
		scale = capacity / floors.Capacity
	}
	l := Load{Capacity: capacity, Rest: f.Asked * each, Usual: s.usuals.rest.value}
	variance := f.Spread * f.Spread * each * each // of the whole; few dear requests vary by more than many cheap ones
	for _, x := range f.Hosts {
		own := s.costOf(x.Key)
		d := Demand{
			Key: x.Key, Rate: x.Asked * own, Usual: s.usuals.Of(x.Key), Floor: floors.Of(x.Key) * scale, Weight: s.cfg.Weights[x.Key],
			Spread: x.Spread * own, Surges: x.Surges, Doubt: x.Doubt * own,
		}
		variance += d.Spread*d.Spread - x.Spread*x.Spread*each*each
		l.Demands = append(l.Demands, d)
		l.Rest -= x.Asked * each
	}
	l.Rest = max(l.Rest, 0)
	l.Spread = math.Sqrt(max(variance, 0))
	return l
}

// ours is what is left for the doors that are heard: the others are there for
// all we know, and let in what is theirs. Most doors together do not leave them
// so much that what is usual finds no room: they may as well be gone, and their
// clients here.
func (s *Shield) ours(capacity float64) float64 {
	part := capacity * float64(len(s.fleet.Live)) / float64(s.fleet.Doors)
	if !s.fleet.Majority() {
		return part
	}
	return min(capacity, max(part, s.cfg.Shares.CommonGrowth*s.usuals.Sum()/s.cfg.Shares.Pressure))
}

// each is what a request is of the unit, as a mean.
func (s *Shield) each() float64 {
	if !s.cfg.Capacity.ByCost {
		return 1
	}
	return s.costs.mean()
}

// ownOf is what a request of a subdomain is of the unit where subdomains differ, and else 0.
func (s *Shield) ownOf(k Key) float64 {
	if !s.cfg.Capacity.ByCost {
		return 0
	}
	return s.costs.of(k)
}

// costOf is what a request of a subdomain is of the unit.
func (s *Shield) costOf(k Key) float64 {
	if !s.cfg.Capacity.ByCost {
		return 1
	}
	return s.costs.of(k)
}

// servedNow is what was served well, a second, of the unit.
func (s *Shield) servedNow() float64 {
	if !s.cfg.Capacity.ByCost {
		return s.fleet.Served
	}
	f := &s.fleet
	return max(0, f.Cost-s.costs.waiting*f.Costed) + max(0, f.Admitted-f.Costed)*s.each()
}

// Costless reports that no door tells what requests cost, and the capacity is one of time:
// nobody can be held.
func (s *Shield) Costless() bool {
	return s.cfg.Capacity.ByCost && s.fleet.Admitted > 0 && s.costs.mean() == 0
}
