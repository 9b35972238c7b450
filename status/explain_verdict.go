package status

import (
	"fmt"

	"moonwatch/agent"
	"moonwatch/consensus"
	"moonwatch/member"
)

// explainVerdict tells what was decided and what came of it, then who voted
// what and why, and who still reached the subject.
func (p Page) explainVerdict(v Verdict) Explanation {
	e := Explanation{ID: v.ID, Verdict: &v}
	var t lines
	for _, f := range v.Findings {
		t.say(0, "%s calls %s %s (%s). %s", v.ID, f.Subject, f.Kind, kindMeans(f.Kind), p.aftermath(v, f))
		e.See = append(e.See, string(f.Subject))
	}
	for _, c := range p.Cases {
		if c.Verdict == v.ID {
			t.say(0, "It opened case %s for slot %s, %s.", c.ID, c.Slot, c.standing())
			e.See = append(e.See, c.ID)
		}
	}
	t.say(0, "Committed at %s in term %d, with the roster of fact %d.", moment(v.At), v.Term, v.Roster)
	if n := len(v.Findings); n > 1 {
		t.say(0, "The %d members crossed the line together.", n)
	}
	for _, f := range v.Findings {
		p.tellFinding(&t, v, f)
	}
	e.Lines = t
	return e
}

// tellFinding adds one finding with every vote behind it, and by which way the votes came.
func (p Page) tellFinding(t *lines, v Verdict, f Finding) {
	t.say(0, "Evidence about %s:", f.Subject)
	if f.Withdrawn {
		t.say(1, "Withdrawn: it was well again before anything irreversible was done.")
	}
	if !f.SilentSince.IsZero() {
		t.say(1, "Silent since about %s, %s before the verdict.", clock(f.SilentSince), span(v.At.Sub(f.SilentSince)))
	}
	for _, c := range f.Tallies {
		t.say(1, "About its %s: %d down, %d up; %d of %d observers eligible, %d down votes needed%s.",
			c.Of, c.Downs, c.Ups, c.Eligible, c.Assigned, c.Needed, reached(c))
		p.tellWay(t, f.Subject, c.Of)
		for _, vote := range c.Votes {
			t.put(2, vote.line())
		}
		if n := c.Eligible - len(c.Votes); n > 0 {
			t.say(2, "%s said nothing in time.", plural(n, "more eligible observer"))
		}
		if c.OneSided {
			t.say(2, "All down votes came from one failure domain: that proves a cut between domains, no more.")
		}
	}
	if who := reachers(f.Decisive()); who != "" {
		t.say(1, "Still reached by %s.", who)
	} else if f.Kind != consensus.VerdictUp {
		t.say(1, "No observer still reached it.")
	}
}

// tellWay says how observers ask an agent or a service, as the fleet stands at present:
// each by itself, and there is no second way.
func (p Page) tellWay(t *lines, subject member.ID, of string) {
	m, ok := p.member(subject)
	switch {
	case !ok:
	case of == "service":
		if check := p.checkOf(m.Pool); check != "" {
			t.say(2, "Each asks its service by itself: %s.", check)
		}
	case m.Addr != "":
		t.say(2, "Each probes it by itself, by UDP to %s.", m.Addr)
	default:
		t.say(2, "Each probes it by itself, by UDP; this agent's gossip knows no address of it.")
	}
}

// checkOf is what observers ask the services of a pool, empty where there is none.
func (p Page) checkOf(pool string) string {
	for _, x := range p.Pools {
		if x.Name == pool {
			return x.Check
		}
	}
	return ""
}

func reached(t Tally) string {
	if t.Downs >= t.Needed && !t.OneSided {
		return ": reached"
	}
	return ": not reached"
}

// line is one vote in words.
func (v Vote) line() string {
	text := string(v.Observer) + " (" + string(v.Domain) + ") " + v.Stance
	if v.Reason != "" {
		text += ": " + reasonMeans(v.Reason)
	}
	if v.Evidence != "" {
		text += " (" + v.Evidence + ")"
	}
	switch {
	case v.Fresh && !v.Since.IsZero():
		return text + ", answering the roll call at " + clock(v.Since)
	case v.Fresh:
		return text + ", answering the roll call"
	case !v.Since.IsZero():
		return text + ", its standing vote since " + clock(v.Since)
	default:
		return text + ", its standing vote"
	}
}

func reachers(t Tally) string {
	var who []string
	for _, v := range t.Votes {
		if v.Stance == agent.Up.String() {
			who = append(who, string(v.Observer))
		}
	}
	return names(who)
}

// aftermath tells whether the verdict still stands.
func (p Page) aftermath(v Verdict, f Finding) string {
	m, listed := p.member(f.Subject)
	switch {
	case f.Kind == consensus.VerdictUp:
		return fmt.Sprintf("It lifted what stood against %s.", f.Subject)
	case !listed:
		return fmt.Sprintf("%s is no longer in the roster.", f.Subject)
	case m.VerdictID == v.ID:
		return "It stands."
	case m.Verdict != "":
		return fmt.Sprintf("It was followed by %s: %s.", m.VerdictID, m.Verdict)
	default:
		return "It has been lifted."
	}
}

// kindMeans puts a verdict's kind into words (PROTOCOL 4).
func kindMeans(k consensus.VerdictKind) string {
	switch k {
	case consensus.VerdictDown:
		return "agent and service are out of reach"
	case consensus.VerdictServiceDown:
		return "its agent answers, its service does not"
	case consensus.VerdictAgentLost:
		return "its service answers, only our agent is gone: nothing is replaced"
	case consensus.VerdictPartial:
		return "some reach it and some do not: people are told, nothing is replaced"
	case consensus.VerdictDomainCut:
		return "its whole failure domain is out of reach: the brake takes hold"
	case consensus.VerdictUp:
		return "it is well again"
	default:
		return "a kind that this agent does not know"
	}
}

// reasonMeans puts a vote's reason into words.
func reasonMeans(r agent.Reason) string {
	switch r {
	case agent.Silence:
		return "no answer"
	case agent.Loss:
		return "far more loss than on its other edges"
	case agent.Flapping:
		return "three new lives in a minute"
	case agent.Refused:
		return "the service refuses or fails"
	case agent.NoReply:
		return "the service says nothing in time"
	case agent.Answered:
		return "fresh probes or checks were answered"
	default:
		return string(r)
	}
}
