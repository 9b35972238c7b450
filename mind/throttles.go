package mind

import (
	"encoding/json"
	"fmt"
	"slices"

	"moonwatch/consensus"
	"moonwatch/failover"
	"moonwatch/member"
	"moonwatch/shield"
)

// Throttles is the part of the state that the shield's facts build up: who of the
// subdomains is challenged, stopped or dropped by the doors' votes, and what people
// pinned. Package shield has the gates, and knows nothing of ledgers.
type Throttles struct {
	ledger *consensus.Ledger
	s      shield.Standing
	shared bool // with others of this process: it is copied before it is changed
}

func (t *Throttles) bind(l *consensus.Ledger) { t.ledger = l }

// Standing is what the facts add up to. The caller must not change it.
func (t *Throttles) Standing() shield.Standing { return t.s }

// Rules are the gates by the fleet's policy.
func (t *Throttles) Rules() shield.ThrottleRules {
	if f := t.ledger.Fleet(); f != nil {
		return shield.RulesFor(f.Shield, f.NeverStop)
	}
	return shield.RulesFor(member.ShieldPolicy{}, nil)
}

// Doors are those of the policy that stand under no verdict, sorted.
func (t *Throttles) Doors() []member.ID {
	f := t.ledger.Fleet()
	if f == nil {
		return nil
	}
	condemned := t.ledger.Condemned()
	return slices.DeleteFunc(slices.Clone(f.Shield.Doors), func(id member.ID) bool { return slices.Contains(condemned, id) })
}

// Name is this part's key in snapshots.
func (t *Throttles) Name() string { return "shield" }

// Knows reports that a kind is this part's own.
func (t *Throttles) Knows(k consensus.FactKind) bool {
	return k == consensus.KindThrottle || k == consensus.KindPin || k == consensus.KindUnpin
}

// Check says why a command may not stand.
func (t *Throttles) Check(f consensus.Fact) error {
	switch f.Command.Kind {
	case consensus.KindThrottle:
		p, err := consensus.DecodePayload[shield.Throttle](f)
		if err != nil {
			return err
		}
		return t.checkVoted(f, p)
	case consensus.KindPin:
		p, err := consensus.DecodePayload[shield.Pin](f)
		if err == nil {
			err = t.ledger.FromOperator(f.Command)
		}
		if err == nil {
			err = p.Check(f.Time)
		}
		if err == nil {
			err = t.s.Check(t.Rules(), f.Time, pinned(f, p))
		}
		return err
	case consensus.KindUnpin:
		p, err := consensus.DecodePayload[shield.Unpin](f)
		if err == nil {
			err = t.ledger.FromOperator(f.Command)
		}
		if err == nil {
			err = t.s.Unpinnable(f.Time, p.Host)
		}
		return err
	default:
		return nil
	}
}

// checkVoted asks what a throttle has to pass that the doors voted for. The proposer is
// one of them; which doors there are is not for it to say.
func (t *Throttles) checkVoted(f consensus.Fact, p shield.Throttle) error {
	doors := t.Doors()
	switch {
	case p.By != "":
		return fmt.Errorf("throttle %s: %s pins nothing by a vote", p.Host, p.By)
	case !slices.Contains(doors, f.Command.Proposer):
		return fmt.Errorf("throttle %s: proposed by %s, which is no door", p.Host, f.Command.Proposer)
	case !slices.Equal(p.All, doors):
		return fmt.Errorf("throttle %s: it counts the doors %v, there are %v", p.Host, p.All, doors)
	}
	return t.s.Check(t.Rules(), f.Time, p)
}

// pinned is a pin as what stands.
func pinned(f consensus.Fact, p shield.Pin) shield.Throttle {
	x := shield.Throttle{Host: p.Host, Rung: p.Rung, Until: p.Until, Why: p.Reason, By: string(f.Command.Proposer)}
	if f.Command.Warrant != nil {
		x.By = f.Command.Warrant.Operator
	}
	return x
}

// Apply takes an accepted fact in.
func (t *Throttles) Apply(f consensus.Fact) {
	switch f.Command.Kind {
	case consensus.KindThrottle:
		p, _ := consensus.DecodePayload[shield.Throttle](f)
		t.own()
		t.s.Apply(t.Rules(), f.Time, p)
	case consensus.KindPin:
		p, _ := consensus.DecodePayload[shield.Pin](f)
		t.own()
		t.s.Apply(t.Rules(), f.Time, pinned(f, p))
	case consensus.KindUnpin:
		p, _ := consensus.DecodePayload[shield.Unpin](f)
		t.own()
		t.s.Unpin(p.Host)
	case failover.KindCaseOpened, failover.KindDrain, failover.KindSwitchover, failover.KindForced:
		if t.Rules().Highest.Voted() { // else nobody asks
			t.own()
			t.s.Drained = f.Time
		}
	default: // of other parts
	}
}

func (t *Throttles) own() {
	if t.shared {
		t.s, t.shared = t.s.Clone(), false
	}
}

// Share gives the state as it is now.
func (t *Throttles) Share() any {
	t.shared = true
	return t.s
}

// Adopt takes over what another one has shared.
func (t *Throttles) Adopt(shared any) { t.s, t.shared = shared.(shield.Standing), true }

// Snapshot gives the state as bytes; none while nothing stands, as in the snapshots of
// builds that know no throttles.
func (t *Throttles) Snapshot() (json.RawMessage, error) {
	if t.s.Empty() {
		return nil, nil
	}
	b, err := json.Marshal(t.s)
	if err != nil {
		return nil, fmt.Errorf("throttles: %w", err)
	}
	return b, nil
}

// Restore replaces the state by a snapshot's.
func (t *Throttles) Restore(b json.RawMessage) error {
	var s shield.Standing
	if len(b) > 0 {
		if err := json.Unmarshal(b, &s); err != nil {
			return fmt.Errorf("throttles: %w", err)
		}
	}
	t.s, t.shared = s, false
	return nil
}

// Throttles is what this agent's ledger says of subdomains.
func (m *Mind) Throttles() *Throttles { return m.throttles }

// OfPeople reports that only people give commands of this kind.
func OfPeople(k consensus.FactKind) bool {
	return failover.OfPeople(k) || k == consensus.KindPin || k == consensus.KindUnpin || k == consensus.KindRevoked
}
