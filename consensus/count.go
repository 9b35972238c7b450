package consensus

import (
	"slices"
	"time"

	"moonwatch/agent"
	"moonwatch/member"
)

// count applies PROTOCOL 4, rules 1 to 4, to one subject and kind. Without
// names members that are taken out of the observers because they are in the
// cut themselves.
func (t *Tally) count(now time.Time, s *subject, kind agent.Kind, without []member.ID) Count {
	observers := t.ledger.Overlay().ObserversOf(s.id)
	c := Count{Assigned: len(observers)}
	life := s.incarnation()
	cuts := t.ledger.anyCut()
	casts := inOrder{s.casts[kind]}
	var standing, seats, downs spread
	for _, id := range observers {
		if slices.Contains(without, id) || t.silenced(id) {
			continue
		}
		c.Standing++
		d := t.roster.Domain(id)
		standing.add(d)
		said := casts.of(id)
		stance, vote, fresh := said.stance(now)
		if stance != agent.Abstain && vote.Incarnation != 0 && vote.Incarnation < life {
			stance = agent.Abstain // about an earlier life
		} else if t.abstains(now, id) {
			continue
		} else if stance == agent.Abstain && t.lost(now, id) {
			continue
		}
		c.Eligible++
		if !cuts || !t.ledger.DomainCut(d) {
			seats.add(d)
		}
		switch stance {
		case agent.Down:
			c.Downs++
			downs.add(d)
		case agent.Up:
			c.Ups++
		case agent.Abstain:
			if s.reached(now, said, t.cfg.RollValid) && said.fresh.vote.Incarnation >= life && !t.unheard(now, id) {
				c.reached++
			}
			continue // unanswered but heard: stays eligible
		}
		if c.Votes == nil {
			c.Votes = make([]VoteCount, 0, len(observers))
		}
		c.Votes = append(c.Votes, VoteCount{
			Observer: id, Domain: d, Stance: stance, Reason: vote.Reason, Fresh: fresh, Evidence: vote.Evidence,
		})
	}
	c.Needed = needed(c.Eligible)
	c.OneSided = oneSided(c, seats, downs, standing)
	return c
}

// oneSided applies rule 4: with observers in two domains, down votes of one of
// them alone prove nothing but a cut between domains.
func oneSided(c Count, seats, downs, standing spread) bool {
	switch {
	case seats.n >= 2:
		return c.Downs > 0 && downs.n < 2
	case seats.n == 1:
		return standing.n > 1
	default:
		return true
	}
}

// decidable is the floor: too few eligible observers decide nothing.
func (c Count) decidable() bool {
	return c.Standing >= 2 && c.Eligible >= max(2, (c.Standing+1)/2)
}

// down reports that the votes bear a down verdict.
func (c Count) down() bool {
	if !c.decidable() || c.OneSided || c.Downs < c.Needed {
		return false
	}
	if c.Eligible <= 4 {
		return c.Ups+c.reached == 0 // one fresh up vetoes
	}
	return 4*(c.Ups+c.reached) < c.Eligible
}

// up reports that fresh answers bear the opposite.
func (c Count) up() bool {
	return c.decidable() && c.Ups >= c.Needed && c.Downs < low(c.Eligible)
}

// smeared reports that down votes are too many to be noise.
func (c Count) smeared() bool { return c.decidable() && c.Downs >= low(c.Eligible) }

// silenced observers are under a verdict: their word is not asked for.
func (t *Tally) silenced(id member.ID) bool {
	s, ok := t.ledger.Standing(id)
	return ok && s.Kind.Silences()
}

func (t *Tally) abstains(now time.Time, id member.ID) bool {
	v := t.voices[id]
	return v != nil && v.abstains != "" && now.Before(v.abstainsUntil)
}

// lost observers have been silent to all councillors and are themselves
// accused: they will not answer, and waiting for them would save nobody.
func (t *Tally) lost(now time.Time, id member.ID) bool {
	v, s := t.voices[id], t.subjects[id]
	return v != nil && now.Sub(v.heard) >= t.cfg.Silent && s != nil && s.accusers(now, agent.OfAgent) >= 2
}

// spread says over how many failure domains something reaches, up to two:
// more does not matter to any rule.
type spread struct {
	first member.FailureDomain
	n     int
}

func (s *spread) add(d member.FailureDomain) {
	switch {
	case s.n == 0:
		s.first, s.n = d, 1
	case d != s.first:
		s.n = 2
	}
}
