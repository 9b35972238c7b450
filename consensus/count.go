package consensus

import (
	"time"

	"moonwatch/agent"
	"moonwatch/member"
)

// count applies PROTOCOL 4, rules 1 to 4, to one subject and kind. Without
// marks the members that are taken out of the observers because they are in the
// cut themselves; nil marks nobody.
func (t *Tally) count(now time.Time, s *subject, kind agent.Kind, without marks) Count {
	return t.poll(now, s, kind, without, nil)
}

// spell counts, and lists the votes that were counted: what a verdict carries.
// Most counts decide nothing, and nobody ever reads their votes.
func (t *Tally) spell(now time.Time, s *subject, kind agent.Kind, without marks) Count {
	var votes []VoteCount
	c := t.poll(now, s, kind, without, &votes)
	c.Votes = votes
	return c
}

func (t *Tally) poll(now time.Time, s *subject, kind agent.Kind, without marks, votes *[]VoteCount) Count {
	observers := t.ledger.Overlay().watchers[s.place]
	c := Count{Assigned: len(observers)}
	life := s.incarnation()
	casts := inOrder{s.casts[kind]}
	var standing, seats, downs spread
	for _, at := range observers {
		e := &t.memory.entries[at]
		if e.silenced || without.has(int(at)) {
			continue
		}
		c.Standing++
		standing.add(e.domain)
		cast := casts.of(int(at))
		stance, said := cast.stance(now)
		if stance != agent.Abstain && said.vote.Incarnation != 0 && said.vote.Incarnation < life {
			stance = agent.Abstain // about an earlier life
		} else if e.abstainsNow(now) {
			continue
		} else if stance == agent.Abstain && t.lost(now, e) {
			continue
		}
		c.Eligible++
		if !t.memory.cuts || !t.ledger.DomainCut(e.domain) {
			seats.add(e.domain)
		}
		switch stance {
		case agent.Down:
			c.Downs++
			downs.add(e.domain)
			if said == &cast.fresh && said.vote.Roll == s.roll {
				c.asked++
			}
		case agent.Up:
			c.Ups++
		case agent.Abstain:
			if s.reached(now, cast, t.untilAnswered()) && cast.fresh.vote.Incarnation >= life && !t.unheard(now, e) {
				c.reached++
			}
			continue // unanswered but heard: stays eligible
		}
		if votes != nil {
			*votes = append(*votes, VoteCount{
				Observer: e.id, Domain: e.domain, Stance: stance,
				Reason: said.vote.Reason, Fresh: said == &cast.fresh,
				ForMS: max(1, now.Sub(said.since).Milliseconds()), Evidence: said.evidence(now),
			})
		}
	}
	c.Needed = ObserverQuorum(c.Eligible)
	c.OneSided = oneSided(c, seats, downs, standing)
	return c
}

// marks are members by their place in the roster; nil marks nobody.
type marks []bool

func (m marks) has(place int) bool { return m != nil && m[place] }

// marked marks the subjects of a cut.
func (t *Tally) marked(cut []*subject) marks {
	if len(cut) == 0 {
		return nil
	}
	m := make(marks, len(t.memory.entries))
	for _, s := range cut {
		m[s.place] = true
	}
	return m
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

// beyond reports that the votes bear a down verdict whatever the others would
// say: all who may vote and have not said down are taken for up.
func (c Count) beyond() bool {
	c.Ups, c.reached = c.Eligible-c.Downs, 0
	return c.down()
}

// agreed reports that everybody who can speak has just been asked, and says down.
func (c Count) agreed() bool { return c.decidable() && !c.OneSided && c.asked == c.Eligible }

// up reports that fresh answers bear the opposite.
func (c Count) up() bool {
	return c.decidable() && c.Ups >= c.Needed && c.Downs < low(c.Eligible)
}

// alone reports that one observer is left, and that its fresh answer is up. It
// decides nothing: nobody is condemned or absolved by one voice.
func (c Count) alone() bool { return c.Standing == 1 && c.Eligible == 1 && c.Ups == 1 }

// smeared reports that down votes are too many to be noise.
func (c Count) smeared() bool { return c.decidable() && c.Downs >= low(c.Eligible) }

// lost observers have been silent to all councillors and are themselves
// accused: they will not answer, and waiting for them would save nobody.
func (t *Tally) lost(now time.Time, e *entry) bool {
	return now.Sub(e.heard) >= t.cfg.Silent && e.subject != nil && e.subject.accusers(now, agent.OfAgent) >= 2
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

// untilAnswered is how long after a call the answers to the one before still speak for
// observers that have not answered again. In cascade calls of one subject are far apart,
// and who was asked and says nothing no longer says what it said then.
func (t *Tally) untilAnswered() time.Duration {
	if t.cascade {
		return t.cfg.ServiceWait
	}
	return t.cfg.RollValid
}
