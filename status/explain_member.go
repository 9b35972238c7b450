package status

import (
	"fmt"
	"slices"
	"strings"

	"moonwatch/consensus"
	"moonwatch/failover"
	"moonwatch/member"
)

// explainMember tells what a member is, what stands against it and who says
// so, and what is being done about it.
func (p Page) explainMember(m Member) Explanation {
	e := Explanation{ID: string(m.ID), Member: &m}
	var t lines
	t.say(0, "%s is in failure domain %s%s.", m.ID, m.Domain, m.role())
	t.say(0, "Duty: %s.", m.duty())
	switch {
	case m.Duty != failover.Spare || m.Verdict != "":
	case m.Ready:
		t.say(0, "It proved at %s that it is ready.", moment(m.Proven))
	default:
		t.say(0, "It cannot be claimed: %s %s.", m.ID, m.NotReady)
	}
	for _, h := range p.Holds {
		if slices.Contains([]failover.Scope{failover.Fleet, failover.HoldOf(m.ID), failover.InDomain(m.Domain), failover.InPool(m.Pool)}, h.Scope) {
			h.tell(&t)
		}
	}
	if m.Expelled != "" {
		t.say(0, "Nothing is taken from it: %s. It is observed as if it were silent, and comes back with a certificate that has another key.", m.Expelled)
	}
	if m.Verdict == "" {
		t.say(0, "It stands under no verdict.")
	} else {
		t.say(0, "It stands under %s since %s: %s (%s).", m.VerdictID, moment(m.Since), m.Verdict, kindMeans(m.Verdict))
		e.See = append(e.See, m.VerdictID)
	}
	for _, c := range p.Cases {
		if c.Subject == m.ID || c.Spare == m.ID {
			t.say(0, "Case %s: slot %s of %s, %s.", c.ID, c.Slot, c.Subject, c.standing())
			e.See = append(e.See, c.ID)
		}
	}
	if m.Accused {
		t.say(0, "Observers accuse it, not enough of them for a verdict so far.")
	}
	switch {
	case m.InView && m.Verdict == consensus.VerdictDown:
		t.say(0, "The gossip of %s still believes it alive, at %s. That is a hint, never a verdict.", p.Self.Name, orUnknown(m.Addr))
	case m.InView:
		t.say(0, "The gossip of %s believes it alive, at %s.", p.Self.Name, orUnknown(m.Addr))
	default:
		t.say(0, "The gossip of %s does not see it. That is a hint, never a verdict.", p.Self.Name)
	}
	if n := len(m.Observers); n > 0 {
		t.say(0, "Observed by %s.", joined(m.Observers))
	} else {
		t.say(0, "Observed by nobody: nothing can be decided about it.")
	}
	if m.Falls > 0 {
		t.say(0, "It fell %s since its last quiet day.", plural(m.Falls, "time"))
	}
	if m.Strikes > 0 {
		t.say(0, "It has %s within a week; with %d it waits for people.", plural(m.Strikes, "strike"), failover.StrikesOut)
	}
	if len(m.Leftover) > 0 {
		t.say(0, "Before it is a spare again it has to say that it stopped %s.", names(m.Leftover))
	}
	if m.Verdict != "" {
		p.tellVotes(&t, m)
	}
	e.Lines = t
	return e
}

// tellVotes repeats the votes of the verdict that stands.
func (p Page) tellVotes(t *lines, m Member) {
	for _, v := range p.Verdicts {
		for _, f := range v.Findings {
			if v.ID == m.VerdictID && f.Subject == m.ID {
				p.tellFinding(t, v, f)
				return
			}
		}
	}
	t.say(0, "%s no longer keeps the votes of %s.", p.Self.Name, m.VerdictID)
}

func (m Member) role() string {
	switch {
	case m.Leader:
		return ", and leads the council"
	case m.Councillor:
		return ", and sits in the council"
	default:
		return ""
	}
}

func (m Member) duty() string {
	switch m.Duty {
	case failover.Occupant:
		return fmt.Sprintf("occupant of slot %s in pool %s%s", m.Slot, m.Pool, m.lent())
	case failover.Claimed:
		return fmt.Sprintf("spare of pool %s%s, claimed by %s for slot %s", m.Pool, m.lent(), m.Case, m.Slot)
	case failover.Spare:
		return "spare of pool " + m.Pool + m.lent()
	case failover.Quarantined:
		return fmt.Sprintf("quarantined in pool %s until it is well again", m.Pool)
	case failover.BurnIn:
		return fmt.Sprintf("in burn-in in pool %s: watched before it is a spare again", m.Pool)
	default:
		return "none, it observes"
	}
}

// lent says whose a member is that stands in for another pool than its own.
func (m Member) lent() string {
	if m.Home == "" {
		return ""
	}
	return ", lent by pool " + m.Home
}

func orUnknown(s string) string {
	if s == "" {
		return "an address that it does not tell"
	}
	return s
}

// joined lists all names: sixteen observers at most.
func joined(ids []member.ID) string {
	all := make([]string, len(ids))
	for i, id := range ids {
		all[i] = string(id)
	}
	return strings.Join(all, ", ")
}
