package consensus

import (
	"slices"
	"time"

	"moonwatch/agent"
	"moonwatch/member"
)

// verdict words the cut: one finding per member, agent and service weighed
// together, and one word for a whole failure domain that is out of reach.
func (t *Tally) verdict(now time.Time, cut []*subject) Verdict {
	taken := t.marked(cut)
	v := Verdict{Term: t.term, Roster: t.memory.roster.Epoch}
	var late, slow []*subject
	for _, s := range cut {
		f, answer := t.finding(now, s, taken)
		switch answer {
		case toCome:
			late = append(late, s)
			continue
		case slowToCome:
			slow = append(slow, s)
			continue
		case known:
		}
		if st := t.verdictOn(s); st != "" && f.Kind.rank() <= st.rank() {
			continue // nothing graver to say
		}
		v.Findings = append(v.Findings, f)
	}
	// What crossed the line together is one verdict: it waits, shortly, for
	// the services of all; for one that is slow only its own waits, and that of its
	// failure domain, if all of it crossed: it may be out of reach as a whole.
	cut, v.Findings = t.without(cut, slow, v.Findings)
	if slices.ContainsFunc(late, func(s *subject) bool { return slices.Contains(cut, s) }) {
		return Verdict{}
	}
	v.Domain = t.cutDomain(now, cut, v.Findings)
	if v.Domain == "" && t.fallingSilent(now, cut, v.Findings) {
		return Verdict{}
	}
	if v.Domain != "" {
		for i := range v.Findings {
			if t.memory.roster.Domain(v.Findings[i].Subject) == v.Domain {
				v.Findings[i].Kind = VerdictDomainCut
			}
		}
	}
	if v.Domain == "" {
		v.Findings = t.unproposed(now, v.Findings)
		return v
	}
	if len(t.unproposed(now, slices.Clone(v.Findings))) == 0 {
		return Verdict{}
	}
	return v
}

// unproposed are the findings that are not on their way already: where a dozen members
// cross the line one after the other while nothing is agreed on, each verdict would carry
// all that those before it did. That of a failure domain is one word about all of them.
func (t *Tally) unproposed(now time.Time, findings []Finding) []Finding {
	return slices.DeleteFunc(findings, func(f Finding) bool {
		return !t.propose(now, t.memory.subject(f.Subject), f.Kind)
	})
}

// without takes those out of a cut whose services are slow to answer, and with each the
// others of a failure domain that lies in the cut as a whole.
func (t *Tally) without(cut, slow []*subject, findings []Finding) ([]*subject, []Finding) {
	if len(slow) == 0 {
		return cut, findings
	}
	whole := t.wholeDomains(cut)
	stays := func(place int) bool {
		domain := t.memory.entries[place].domain
		return slices.ContainsFunc(slow, func(s *subject) bool {
			return s.place == place || t.memory.entries[s.place].domain == domain && slices.Contains(whole, domain)
		})
	}
	cut = slices.DeleteFunc(slices.Clone(cut), func(s *subject) bool { return stays(s.place) })
	return cut, slices.DeleteFunc(findings, func(f Finding) bool { return stays(t.memory.place(f.Subject)) })
}

// answer says whether a service has answered the present roll call.
type answer uint8

const (
	known      answer = iota // or its silence is
	toCome                   // it has its time
	slowToCome               // that is over, and somebody reaches it
)

// finding applies PROTOCOL 4's table to a member whose agent is silent. It is worth
// nothing while its service may still answer.
func (t *Tally) finding(now time.Time, s *subject, without marks) (Finding, answer) {
	f := Finding{
		Subject: s.id, Incarnation: s.incarnation(), Kind: VerdictDown,
		Agent: t.spell(now, s, agent.OfAgent, without),
	}
	f.SilentSince = now.Add(-silence(f.Agent.Votes))
	if !t.checked(s.id) {
		return f, known
	}
	f.Service = t.spell(now, s, agent.OfService, without)
	switch {
	case f.Service.down():
	case f.Service.Ups >= max(1, ceilShare(f.Service.Eligible, 25)):
		f.Kind = VerdictAgentLost
	case s.roll.IsZero(), now.Sub(s.calledAt) < t.cfg.ServiceWait, now.Sub(s.calledAt) >= t.cfg.RollValid:
		// Not asked, still to answer, or so long ago that its answers have
		// lapsed: that is no silence. The next roll call tells. Who was slow to answer
		// the one before has had its time.
		if s.slow {
			return f, slowToCome
		}
		return f, toCome
	case f.Service.Ups > f.Service.Downs && now.Sub(s.accusedSince()) < t.cfg.Unsaid:
		// Who finds a service silent says so. Those who were asked have said
		// nothing yet, and somebody reaches it: they are slow, and not it.
		s.slow = true
		return f, slowToCome
	}
	if !s.door.IsZero() && s.door.After(s.accusedAt) && now.Sub(s.door) < t.cfg.RollValid && f.Kind == VerdictDown {
		// A gateway serves from it this very second: tell, never replace.
		f.Kind = VerdictPartial
	}
	return f, known
}

// silence is for how long nobody has heard from the subject: the second
// shortest time that an accuser reports. The shortest would be nearest to the
// truth and one liar's to choose; observers probe out of step, so the second is
// at most a little longer. A median would count up to half a probe interval of
// life as silence, and replace after stalls that are to be forgiven.
func silence(votes []VoteCount) time.Duration {
	var all []time.Duration
	for _, v := range votes {
		if v.Stance == agent.Down && v.Evidence.SilentFor > 0 {
			all = append(all, v.Evidence.SilentFor)
		}
	}
	if len(all) == 0 {
		return 0
	}
	slices.Sort(all)
	return all[min(1, len(all)-1)]
}

// silentSince is when the silence began that these votes are about. It is zero if
// one of them complains of something else: a member that loses most of what it is
// sent gives a sign of life now and then, and is none the better for it.
func silentSince(now time.Time, votes []VoteCount) time.Time {
	if slices.ContainsFunc(votes, func(v VoteCount) bool { return v.Stance == agent.Down && v.Reason != agent.Silence }) {
		return time.Time{}
	}
	return now.Add(-silence(votes))
}

// cutDomain names the failure domain that this cut takes out of reach as a
// whole: every member of a domain of at least two, nobody elsewhere reaching
// any of them, and all of them silent to the council.
func (t *Tally) cutDomain(now time.Time, cut []*subject, findings []Finding) member.FailureDomain {
	for _, d := range t.wholeDomains(cut) {
		if !slices.ContainsFunc(findings, func(f Finding) bool {
			silent := t.unheardFor(now, f.Subject) >= t.cfg.Silent
			return t.memory.roster.Domain(f.Subject) == d && (f.Kind != VerdictDown || f.Agent.Ups > 0 || !silent)
		}) {
			return d
		}
	}
	return ""
}

// fallingSilent reports that a failure domain lies in the cut as a whole, and that
// some of its members were heard too lately for the council to call them silent, and
// not surely since they are accused. That comes within two seconds, one way or the
// other, and the cut waits for it: else a few milliseconds decide whether a rack that
// is gone is told as one domain out of reach or as so many members that happened to
// die.
func (t *Tally) fallingSilent(now time.Time, cut []*subject, findings []Finding) bool {
	for _, d := range t.wholeDomains(cut) {
		var until time.Time
		for _, f := range findings {
			e := &t.memory.entries[t.memory.place(f.Subject)]
			switch {
			case e.domain != d:
			case f.Kind != VerdictDown || f.Agent.Ups > 0 || e.heard.After(e.subject.accusedSince().Add(t.cfg.HeardLag)):
				return false // not out of reach, however long we wait
			case e.heard.Add(t.cfg.Silent).After(until):
				until = e.heard.Add(t.cfg.Silent)
			}
		}
		if until.After(now) {
			t.quiet = until
			return true
		}
	}
	return false
}

func (t *Tally) unheardFor(now time.Time, id member.ID) time.Duration {
	return now.Sub(t.memory.entries[t.memory.place(id)].heard)
}
