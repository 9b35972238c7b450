package failover

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"moonwatch/consensus"
	"moonwatch/member"
)

// The kinds of facts by which people move traffic and slots of members that are
// well.
const (
	KindDrain      consensus.FactKind = "drain"
	KindSwitchover consensus.FactKind = "switchover"
)

// DrainOrdered takes the traffic of a slot away from its occupant, or gives it
// back. The slot stays where it is.
type DrainOrdered struct {
	Slot    member.SlotID    `json:"slot"`
	Subject member.ID        `json:"subject"`
	Epoch   member.SlotEpoch `json:"slot_epoch"`
	Back    bool             `json:"back,omitempty"`
	Reason  string           `json:"reason,omitempty"`
}

// SwitchoverOrdered opens a case that moves a slot away from an occupant that is
// well: the same steps as a failover, without its haste.
type SwitchoverOrdered struct {
	Slot    member.SlotID    `json:"slot"`
	Subject member.ID        `json:"subject"`
	Epoch   member.SlotEpoch `json:"slot_epoch"`
	To      member.ID        `json:"to,omitempty"` // empty: the best free spare
	Reason  string           `json:"reason"`
}

// Order says who wanted something and why.
type Order struct {
	By     string    `json:"by"`
	Reason string    `json:"reason"`
	At     time.Time `json:"at"`
	To     member.ID `json:"to,omitempty"` // of a switchover: this spare and no other
}

func orderOf(f consensus.Fact, reason string, to member.ID) *Order {
	by := string(f.Command.Proposer)
	if f.Command.Warrant != nil {
		by = f.Command.Warrant.Operator
	}
	return &Order{By: by, Reason: reason, At: f.Time, To: to}
}

// PlannedFor is how long a switchover may wait for its gates. Nobody is without
// service while it waits, and whoever ordered it looks.
const PlannedFor = 10 * time.Minute

// Linger is how long a member goes on serving a slot that people have moved away
// from it, so that requests under way can end.
const Linger = 3 * time.Second

// checkOccupied wants the order to mean the slot as it is now.
func (st *State) checkOccupied(what string, slot member.SlotID, subject member.ID, epoch member.SlotEpoch) (*Slot, error) {
	s, ok := st.s.Slots[slot]
	switch {
	case !ok:
		return nil, fmt.Errorf("%s: no slot %s", what, slot)
	case s.Occupant != subject || s.Epoch != epoch:
		return nil, fmt.Errorf("%s of %s: it is occupied by %s at slot epoch %d, the order means %s at %d", what, slot, s.Occupant, s.Epoch, subject, epoch)
	case s.Case != 0:
		return nil, fmt.Errorf("%s of %s: case C-%d goes on", what, slot, s.Case)
	}
	return s, nil
}

func checkReason(what, reason string) error {
	switch {
	case strings.TrimSpace(reason) == "":
		return fmt.Errorf("%s: no reason, want one", what)
	case len(reason) > maxReason:
		return fmt.Errorf("%s: a reason of %d bytes, want at most %d", what, len(reason), maxReason)
	}
	return nil
}

// CheckDrain says why an order to drain may not stand, nil if it may. Who gives
// it is looked at elsewhere.
func (st *State) CheckDrain(now time.Time, p DrainOrdered) error {
	if p.Back {
		s, ok := st.s.Slots[p.Slot]
		if !ok || s.Occupant != p.Subject || s.Epoch != p.Epoch || s.Away == nil {
			return fmt.Errorf("undrain of %s: people have not drained it, or it has moved on", p.Slot)
		}
		if h := st.stilled(now, p.Subject, s.Pool); h != nil {
			return fmt.Errorf("undrain of %s: %s", p.Slot, h.why())
		}
		return nil
	}
	s, err := st.checkOccupied("drain", p.Slot, p.Subject, p.Epoch)
	if err != nil {
		return err
	}
	if err := checkReason(fmt.Sprintf("drain of %s", p.Slot), p.Reason); err != nil {
		return err
	}
	if s.Away != nil {
		return fmt.Errorf("drain of %s: it is drained since %s by %s: %s", p.Slot, s.Away.At.Format(time.RFC3339), s.Away.By, s.Away.Reason)
	}
	if h := st.stilled(now, p.Subject, s.Pool); h != nil {
		return fmt.Errorf("drain of %s: %s", p.Slot, h.why())
	}
	slots, serving := st.servingWithout(s)
	if floor := max(1, (slots+1)/2); serving < floor {
		return fmt.Errorf("drain of %s: %d of %d slots of pool %s would go on serving, at least %d have to", p.Slot, serving, slots, s.Pool, floor)
	}
	return nil
}

// servingWithout counts a pool's slots, and those besides one that really serve:
// an occupant under a verdict is none of them.
func (st *State) servingWithout(s *Slot) (slots, serving int) {
	for _, x := range st.s.Slots {
		if x.Pool != s.Pool {
			continue
		}
		slots++
		v, stands := st.ledger.Standing(x.Occupant)
		if x != s && x.Occupant != "" && x.Started && !x.Drained && (!stands || !replaceable(v.Kind) && v.Kind != consensus.VerdictDomainCut) {
			serving++
		}
	}
	return slots, serving
}

// drain applies an order to drain.
func (st *State) drain(f consensus.Fact, p DrainOrdered) {
	s := st.s.Slots[p.Slot]
	if !p.Back {
		s.Away, s.Drained = orderOf(f, p.Reason, ""), true
		return
	}
	s.Away, s.Drained = nil, false
	if c := st.s.Cases[s.Case]; c != nil {
		s.Drained = c.Drained
	}
}

// CheckSwitchover says why a switchover may not be opened, nil if it may. What a
// failover would wait for is a refusal here: whoever orders it is there to hear.
func (st *State) CheckSwitchover(now time.Time, p SwitchoverOrdered) error {
	s, err := st.checkOccupied("switchover", p.Slot, p.Subject, p.Epoch)
	if err != nil {
		return err
	}
	what := fmt.Sprintf("switchover of %s", p.Slot)
	if err := checkReason(what, p.Reason); err != nil {
		return err
	}
	if v, stands := st.ledger.Standing(p.Subject); stands && replaceable(v.Kind) {
		return fmt.Errorf("%s: %s is under %s: a failover is about to come", what, p.Subject, v.Kind)
	}
	if !s.Started {
		return fmt.Errorf("%s: %s has not started it yet", what, p.Subject)
	}
	if m, ok := st.ledger.Roster().Member(p.To); p.To != "" && (!ok || m.Pool != s.Pool) {
		return fmt.Errorf("%s: %s is no member of pool %s", what, p.To, s.Pool)
	}
	c := &Case{Slot: p.Slot, Pool: s.Pool, Subject: p.Subject, Epoch: p.Epoch, Silent: now, Planned: true, Order: &Order{To: p.To}}
	if reason, why := st.PlannedGate(now, c); reason != "" {
		return fmt.Errorf("%s: %s: %s", what, reason, why)
	}
	return nil
}

// switchover opens the planned case.
func (st *State) switchover(f consensus.Fact, p SwitchoverOrdered) {
	s := st.s.Slots[p.Slot]
	c := &Case{
		ID: f.Index, Slot: p.Slot, Pool: s.Pool, Subject: p.Subject, Epoch: p.Epoch, Silent: f.Time,
		Planned: true, Order: orderOf(f, p.Reason, p.To), Drained: s.Drained,
	}
	c.enter(Opened, f, fmt.Sprintf("ordered by %s: %s", c.Order.By, p.Reason))
	c.enter(Draining, f, "traffic stays until the spare serves")
	st.s.Cases[c.ID] = c
	s.Case = c.ID
}

// PlannedGate says what keeps a switchover from going on; an empty reason lets it.
// Evidence is not wanted, for the occupant is well; maintenance is what it is for;
// and it spends nothing of the budget for failures, but is counted in flight.
func (st *State) PlannedGate(now time.Time, c *Case) (HeldReason, string) {
	pool, ok := st.ledger.Fleet().Pool(c.Pool)
	if !ok {
		return HeldDisarmed, "the pool is gone"
	}
	holds := slices.DeleteFunc(st.Holds(now), func(h *Hold) bool { return h.Kind == Maintenance })
	if h := Bound(holds, now, st.scopesOf(c.Subject, c.Pool)...); h != nil {
		return h.Kind.reason(), h.why()
	}
	if s := st.s.Slots[c.Slot]; s == nil || s.Occupant != c.Subject || s.Epoch != c.Epoch {
		return HeldEvidence, "the slot has moved on"
	}
	if reason, why := st.fenceGate(c, pool, consensus.VerdictServiceDown); reason != "" {
		return reason, why
	}
	if reason, why := st.brakeGate(now, c, false); reason != "" {
		return reason, why
	}
	if len(st.FreeSpares(now, c)) == 0 {
		return HeldPoolEmpty, st.noSpare(now, c)
	}
	if inFlight, _ := BudgetOf(st.ledger.Roster().Len()); st.InFlight() >= inFlight {
		return HeldBudget, fmt.Sprintf("%d cases under way, at most %d", st.InFlight(), inFlight)
	}
	return "", ""
}

// noSpare says why nobody can be claimed: of the one that was asked for.
func (st *State) noSpare(now time.Time, c *Case) string {
	if c.Order == nil || c.Order.To == "" {
		return "no free spare in pool " + c.Pool
	}
	if err := st.claimable(now, c.Order.To); err != nil {
		return err.Error()
	}
	if h := st.spared(now, c.Order.To, false); h != nil {
		return h.why()
	}
	return string(c.Order.To) + " is not free"
}

// fell makes a failover of a switchover whose occupant was condemned on the way:
// what it has done so far is a failover's first half.
func (st *State) fell(f consensus.Fact, c *Case, x consensus.Finding) {
	booked := c.Forced != 0 && c.inFlight()
	c.Planned, c.Forced = false, 0
	c.Kind, c.Verdict, c.Silent = x.Kind, f.Index, x.SilentSince
	if c.Silent.IsZero() {
		c.Silent = f.Time
	}
	c.Version++
	deadline := c.Deadline
	c.enter(c.State, f, string(x.Kind)+" on the way: it is a failover now")
	c.Deadline = deadline
	if c.inFlight() {
		if !booked {
			st.s.Spent = append(within(st.s.Spent, f.Time, st.timing().BudgetWindow), f.Time)
		}
		st.score(f, c, DeedReplace, false)
	}
	if s := st.s.Slots[c.Slot]; !s.Drained && st.stilled(f.Time, c.Subject, c.Pool) == nil && st.mayDrain(s) {
		s.Drained, c.Drained = true, true
	}
}

// givenUp reports that a switchover may be closed as it is: the old occupant still
// has the slot, and nobody else was given anything.
func (c *Case) givenUp() bool {
	switch c.State {
	case Draining, Held:
		return c.Planned
	case Fenced, Claiming:
		return c.Planned && c.Proof == noProof && c.Spare == ""
	default:
		return false
	}
}

// beginPlanned lets a switchover begin, or wait for its gates, or give up.
func (c *Conductor) beginPlanned(now time.Time, x *Case, out []ConductorEffect) []ConductorEffect {
	if x.Forced != 0 {
		if why := c.st.unforced(now, x); why != "" {
			return c.step(now, x, Closed, CaseStep{Detail: "given up: " + why}, out)
		}
	} else if now.Sub(x.Order.At) >= PlannedFor {
		return c.step(now, x, Closed, CaseStep{Detail: "given up: " + x.Why}, out)
	}
	if reason, why := c.st.Gate(now, x); reason != "" {
		return c.hold(now, x, reason, why, out)
	}
	return c.step(now, x, Fencing, CaseStep{Detail: "ordered by " + x.Order.By}, out)
}

// claimPlanned gives a switchover up where there is no spare for it: the old
// occupant is well, so nothing is lost by leaving the slot to it. One that has
// stopped it for a fence proof has nobody to leave it to, and goes on as a failover
// does.
func (c *Conductor) claimPlanned(now time.Time, x *Case, out []ConductorEffect) (_ []ConductorEffect, done bool) {
	if !x.givenUp() {
		return out, false
	}
	if reason, why := c.st.brakeGate(now, x, true); reason != "" {
		return c.step(now, x, Closed, CaseStep{Detail: "given up: " + why}, out), true
	}
	if len(x.Preparing) == 0 && len(c.st.FreeSpares(now, x)) == 0 {
		return c.step(now, x, Closed, CaseStep{Detail: "given up: " + c.st.noSpare(now, x)}, out), true
	}
	return out, false
}
