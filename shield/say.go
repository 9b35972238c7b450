package shield

import "slices"

// Wanted names the subdomains whose counts the next Counted has to bring,
// whether they are hot or not.
func (s *Shield) Wanted() []Key {
	out := s.fleet.Candidates()
	for _, h := range s.held {
		out = append(out, h.Key)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// LearnAtMost is how many hosts may become known in the next tick: as many as come in
// calm, and none under pressure. Whoever owns a tenant that answers any name well could
// else make each name of a flood a subdomain of its own, too small to be held, in the
// place of the bucket that they share. A subdomain that is new then is served out of that
// bucket until the pressure is over.
func (s *Shield) LearnAtMost() int {
	if s.pressed {
		return 0
	}
	return 10_000
}

// newsOfSurges reports that a subdomain began to surge, or has done so for half as long
// again as was said last: then as much more is known about how much it asks for. The other
// doors wait for that, and not for this door's turn.
func (s *Shield) newsOfSurges() bool {
	return slices.ContainsFunc(s.recent.surges(), func(x Surge) bool { return 2*x.Over >= 3*s.surged[x.Key] })
}

// report is what this door would say now. What changes in it has a new sequence.
func (s *Shield) report() Report {
	s.seq++
	total, lines := s.recent.traffic(s.Wanted())
	r := Report{
		Door: s.cfg.Door, Life: s.cfg.Life, Mark: MarkOf(s.cfg.Salt), Seq: s.seq, Window: s.recent.window(),
		Total: total, Served: s.recent.served(), Capacity: Units(s.capacity.Value()), Trouble: s.trouble, Subdomains: s.subdomains,
		Lines: lines[:min(len(lines), MaxLines)], Votes: s.votes, Surges: s.recent.surges(), ByCost: s.cfg.Capacity.ByCost,
	}
	if s.floors != nil {
		r.Floors = s.floors.Version
	}
	return r
}

func (s *Shield) standingVotes() []Vote {
	var out []Vote
	for _, h := range s.held {
		if h.Vote.Voted() && !s.cfg.Shadow {
			out = append(out, Vote{Key: h.Key, Rung: h.Vote, Host: s.names[h.Key]})
		}
	}
	slices.SortStableFunc(out, func(a, b Vote) int { return int(b.Rung) - int(a.Rung) })
	return out[:min(len(out), MaxVotes)]
}
