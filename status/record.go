package status

import (
	"cmp"
	"slices"
	"time"

	"moonwatch/consensus"
	"moonwatch/failover"
)

// verdictOf makes the page's form of a committed verdict.
func verdictOf(f consensus.Fact, v consensus.Verdict) Verdict {
	out := Verdict{
		ID: verdictID(f.Index), Index: f.Index, At: f.Time,
		Domain: v.Domain, Term: v.Term, Roster: v.Roster,
	}
	for _, x := range v.Findings {
		y := Finding{
			Subject: x.Subject, Kind: x.Kind, Incarnation: x.Incarnation,
			Withdrawn: x.Withdrawn, SilentSince: x.SilentSince,
			Tallies: []Tally{tallyOf("agent", f.Time, x.Agent)},
		}
		if !x.Service.IsZero() {
			y.Tallies = append(y.Tallies, tallyOf("service", f.Time, x.Service))
		}
		out.Findings = append(out.Findings, y)
	}
	return out
}

func tallyOf(of string, at time.Time, c consensus.Count) Tally {
	t := Tally{
		Of: of, Assigned: c.Assigned, Eligible: c.Eligible, Needed: c.Needed,
		Downs: c.Downs, Ups: c.Ups, OneSided: c.OneSided, Votes: []Vote{},
	}
	for _, v := range c.Votes {
		vote := Vote{
			Observer: v.Observer, Domain: v.Domain, Stance: v.Stance.String(), Reason: v.Reason,
			Fresh: v.Fresh, Evidence: evidence(v.Evidence),
		}
		if v.ForMS > 0 {
			vote.Since = at.Add(-time.Duration(v.ForMS) * time.Millisecond)
		}
		t.Votes = append(t.Votes, vote)
	}
	return t
}

// Decisive is the tally that bears the finding: about the service if that is
// what the verdict is about.
func (f Finding) Decisive() Tally {
	last := f.Tallies[len(f.Tallies)-1]
	agentClean := f.Tallies[0].Downs == 0
	if f.Kind == consensus.VerdictServiceDown || f.Kind == consensus.VerdictPartial && agentClean {
		return last
	}
	return f.Tallies[0]
}

func casesOf(in Input) []Case {
	out := []Case{}
	for _, c := range in.State.Cases() {
		out = append(out, caseOf(in, c))
	}
	slices.SortStableFunc(out, func(a, b Case) int {
		switch {
		case a.Open != b.Open && a.Open:
			return -1
		case a.Open != b.Open:
			return 1
		default:
			return cmp.Compare(b.Index, a.Index)
		}
	})
	return out
}

func caseOf(in Input, c *failover.Case) Case {
	executor, step, _, _ := c.Step()
	x := Case{
		ID: c.Name(), Index: c.ID, Slot: c.Slot, Pool: c.Pool, Subject: c.Subject,
		Kind: c.Kind, Verdict: verdictID(c.Verdict), State: c.State, Since: c.Since, Deadline: c.Deadline,
		Open: c.Open(), Held: c.Held, Why: oneLine(c.Why), Drained: c.Drained,
		Epoch: c.Epoch, Spare: c.Spare, NewEpoch: c.NewEpoch, Attempt: c.Attempt,
		Executor: executor, Step: step, Proof: c.Proof, Outcome: c.Outcome, Next: next(c, executor),
		Planned: c.Planned, Order: c.Order, Would: c.Would,
	}
	if c.Verdict == 0 {
		x.Verdict = ""
	}
	if c.Held != "" {
		x.HeldBy, x.Runbook = heldBy(c.Held), Runbook(c.Held)
	}
	if c.State == failover.Draining || c.State == failover.Held {
		if reason, why := in.State.Gate(in.Now, c); reason != "" {
			x.Gate = string(reason) + ": " + why
		}
	}
	for _, h := range c.History {
		x.Passages = append(x.Passages, Passage{
			State: h.State, At: h.At, Fact: h.Fact, Held: h.Held, Detail: oneLine(h.Detail),
		})
	}
	return x
}
