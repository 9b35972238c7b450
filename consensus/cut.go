package consensus

import (
	"slices"
	"time"

	"moonwatch/agent"
	"moonwatch/member"
)

// cut finds who crosses the high watermark together, without those about whom
// the votes contradict each other: they become partial, and the brake counts
// them. Taking them out of the candidates makes them observers again, so the cut
// is worked out anew until nobody is taken out any more.
func (t *Tally) cut(now time.Time, subjects []*subject) []*subject {
	var barred []*subject
	for {
		in := t.crossing(now, subjects, barred)
		out := slices.Concat(t.feuds(now, in), t.islands(now, in), t.unborne(now, in))
		if len(out) == 0 {
			return in
		}
		barred = append(barred, out...)
	}
}

// borne reports that the votes of a count condemn its subject now. Up answers count
// for RollValid after the call, and standing down votes live longer: between two
// calls of the same subject the downs alone would decide. So nobody is cut then but
// in cascade, where it is one subject's turn after the other, and there only by
// votes that no answer could outweigh.
func (t *Tally) borne(now time.Time, s *subject, c Count) bool {
	if t.answers(now, s, c) {
		return c.down()
	}
	return t.cascade && c.beyond()
}

// answers reports that a count is of answers to the subject's last roll call. In
// cascade the accusations that stand may be much older than that call, and would be
// counted at once: so there whoever was asked has its time to contradict them.
func (t *Tally) answers(now time.Time, s *subject, c Count) bool {
	age := now.Sub(s.calledAt)
	if age >= t.cfg.RollValid {
		return false
	}
	return !t.cascade || age >= t.cfg.ServiceWait || c.asked+c.Ups >= c.Eligible
}

// crossing starts with all subjects that pass, takes them out of everybody's
// observers, and repeats until nobody else passes. Each round looks at all
// subjects with the same observers, so the result does not depend on the order.
func (t *Tally) crossing(now time.Time, subjects, barred []*subject) []*subject {
	var in []*subject
	var taken marks // who was in when this round began
	for {
		n := len(in)
		for _, s := range subjects {
			if taken.has(s.place) || slices.Contains(barred, s) || !t.undecided(s) {
				continue
			}
			if s.accusers(now, agent.OfAgent) < 2 {
				continue
			}
			c := s.counts[agent.OfAgent]
			if taken != nil {
				c = t.count(now, s, agent.OfAgent, taken)
			}
			if t.borne(now, s, c) {
				in = append(in, s)
			}
		}
		if len(in) == n {
			return in
		}
		taken = t.marked(in)
	}
}

// unborne lists the subjects of a cut whom the votes do not bear any more once
// all of the cut are taken out of the observers: who is taken out may have said
// down, and then the up votes of the others weigh more.
func (t *Tally) unborne(now time.Time, in []*subject) []*subject {
	var out []*subject
	taken := t.marked(in)
	for _, s := range in {
		if !t.borne(now, s, t.count(now, s, agent.OfAgent, taken)) {
			out = append(out, s)
		}
	}
	return out
}

// feuds lists the subjects of a cut that accuse each other and were both heard
// in this roll call: each half of a broken link is consistent, and neither is
// right.
func (t *Tally) feuds(now time.Time, in []*subject) []*subject {
	var out []*subject
	for _, a := range in {
		if slices.ContainsFunc(in, func(b *subject) bool {
			return a != b && b.says(now, a, agent.Down) && a.says(now, b, agent.Down)
		}) {
			out = append(out, a)
		}
	}
	return out
}

// islands lists the members of failure domains of which every member is in the
// cut although they are heard and say up about each other: the domain lives, and
// its link to the others does not.
func (t *Tally) islands(now time.Time, in []*subject) []*subject {
	var out []*subject
	for _, d := range t.wholeDomains(in) {
		mine := slices.DeleteFunc(slices.Clone(in), func(s *subject) bool { return t.memory.entries[s.place].domain != d })
		if slices.ContainsFunc(mine, func(a *subject) bool {
			return slices.ContainsFunc(mine, func(b *subject) bool { return a != b && a.says(now, b, agent.Up) })
		}) {
			out = append(out, mine...)
		}
	}
	return out
}

// wholeDomains lists the failure domains of at least two members that lie in
// the cut as a whole, in the order of the roster. A fleet of one domain has no
// outside from which it could be cut.
func (t *Tally) wholeDomains(in []*subject) []member.FailureDomain {
	if len(t.memory.domains) < 2 || len(in) < 2 {
		return nil
	}
	cut := map[member.FailureDomain]int{}
	for _, s := range in {
		cut[t.memory.entries[s.place].domain]++
	}
	var whole []member.FailureDomain
	for _, d := range t.memory.domains {
		if d.members >= 2 && cut[d.name] == d.members {
			whole = append(whole, d.name)
		}
	}
	return whole
}
