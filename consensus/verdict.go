package consensus

import (
	"fmt"
	"time"

	"moonwatch/agent"
	"moonwatch/member"
)

// VerdictKind is what a verdict says about a member.
type VerdictKind string

// The kinds of PROTOCOL 4.
const (
	VerdictUp          VerdictKind = "up"
	VerdictPartial     VerdictKind = "partial"      // some reach it and some do not: tell people, never replace
	VerdictAgentLost   VerdictKind = "agent-lost"   // the service answers, only our agent is gone
	VerdictServiceDown VerdictKind = "service-down" // the agent answers, the service does not
	VerdictDomainCut   VerdictKind = "domain-cut"   // a whole failure domain is out of reach
	VerdictDown        VerdictKind = "down"
)

// rank orders the kinds by how much they say: a verdict may be followed by a
// graver one at once, by a milder one only through up.
func (k VerdictKind) rank() int {
	switch k {
	case VerdictUp:
		return 0
	case VerdictPartial:
		return 1
	case VerdictAgentLost, VerdictServiceDown:
		return 2
	case VerdictDomainCut:
		return 3
	case VerdictDown:
		return 4
	default:
		return -1
	}
}

// Silences reports whether a member under this verdict may not observe.
// service-down says nothing against its agent, so such a member goes on voting:
// else a shared database that fails would leave nobody to vote. Partial says
// that nobody knows: if it silenced, a deaf third of a fleet could first bring
// the others into partial, one by one, and then condemn them all.
func (k VerdictKind) Silences() bool { return k.rank() > 1 && k != VerdictServiceDown }

// Verdict is a committed statement about the members that crossed the line
// together.
type Verdict struct {
	Findings []Finding            `json:"findings"`
	Domain   member.FailureDomain `json:"domain,omitempty"` // of a domain-cut
	Term     uint64               `json:"term"`
	Roster   member.RosterEpoch   `json:"roster"`
}

// Finding is the verdict about one member, with the count behind it.
type Finding struct {
	Subject     member.ID          `json:"subject"`
	Incarnation member.Incarnation `json:"incarnation"`
	Kind        VerdictKind        `json:"kind"`
	Withdrawn   bool               `json:"withdrawn,omitempty"` // up again before anything irreversible was done
	SilentSince time.Time          `json:"silent_since,omitzero"`
	Agent       Count              `json:"agent"`
	Service     Count              `json:"service,omitzero"`
}

// Count is the outcome of counting votes about one subject and kind.
type Count struct {
	Assigned int         `json:"assigned"` // observers that the overlay gives the subject
	Standing int         `json:"standing"` // of these, not themselves under a verdict
	Eligible int         `json:"eligible"`
	Needed   int         `json:"needed"` // down votes that decide
	Downs    int         `json:"downs"`
	Ups      int         `json:"ups"`
	OneSided bool        `json:"one_sided,omitempty"` // enough votes, but from one failure domain only
	Votes    []VoteCount `json:"votes,omitempty"`

	reached int // observers whose last answer, lapsed by now, was up
	asked   int // of the down votes, those that answer the present roll call
}

// VoteCount is one vote as it was counted.
type VoteCount struct {
	Observer member.ID            `json:"observer"`
	Domain   member.FailureDomain `json:"domain"`
	Stance   agent.Stance         `json:"stance"`
	Reason   agent.Reason         `json:"reason,omitempty"`
	Fresh    bool                 `json:"fresh,omitempty"` // answered a roll call
	// ForMS is for how many milliseconds before the count its observer had said so, at least one, as the
	// leader heard it: short, for a verdict has many votes; builds of before do not tell.
	ForMS    int64          `json:"ms,omitempty"`
	Evidence agent.Evidence `json:"evidence,omitzero"`
}

// IsZero reports that nothing was counted.
func (c Count) IsZero() bool { return c.Assigned == 0 && len(c.Votes) == 0 }

// check refuses a finding whose own numbers do not bear it: the ledger does
// not take a leader's word for a quorum.
func (f Finding) check(o *Overlay) error {
	if f.Kind.rank() < 0 {
		return fmt.Errorf("verdict on %s: unknown kind %q", f.Subject, f.Kind)
	}
	counts := []Count{f.Agent}
	switch f.Kind {
	case VerdictServiceDown:
		counts = []Count{f.Service}
	case VerdictUp, VerdictPartial:
		return nil // neither takes anything away from anybody
	case VerdictDown, VerdictAgentLost, VerdictDomainCut:
	}
	for _, c := range counts {
		downs := map[member.ID]bool{}
		for _, v := range c.Votes {
			if !o.Assigned(v.Observer, f.Subject) {
				return fmt.Errorf("verdict on %s: %s is not one of its observers", f.Subject, v.Observer)
			}
			if v.Stance == agent.Down {
				downs[v.Observer] = true
			}
		}
		if len(downs) < 2 || len(downs) < ObserverQuorum(c.Eligible) {
			return fmt.Errorf("verdict on %s: %d down votes, want %d", f.Subject, len(downs), ObserverQuorum(c.Eligible))
		}
	}
	return nil
}

// ObserverQuorum is how many down votes condemn among so many eligible observers: 60 %, at
// least two (PROTOCOL 4).
func ObserverQuorum(eligible int) int { return max(2, ceilShare(eligible, 60)) }

// low is the low watermark: below it an accusation is noise.
func low(eligible int) int { return max(2, ceilShare(eligible, 25)) }

// ceilShare is pct per cent of n, rounded up.
func ceilShare(n, pct int) int { return (n*pct + 99) / 100 }
