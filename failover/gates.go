package failover

import (
	"fmt"
	"time"

	"moonwatch/consensus"
	"moonwatch/member"
)

// ReplaceGate says what keeps a case from beginning what cannot be undone; an
// empty reason lets it go. It is asked by the leader before it proposes, and
// again by every ledger that applies the command.
func (st *State) ReplaceGate(now time.Time, c *Case) (HeldReason, string) {
	return st.replaceGate(now, c, false)
}

// replaceGate is asked would what a pool that is not armed, or on a dry run, would do.
func (st *State) replaceGate(now time.Time, c *Case, would bool) (HeldReason, string) {
	pool, ok := st.ledger.Fleet().Pool(c.Pool)
	if !ok {
		return HeldDisarmed, "the pool is gone"
	}
	if reason, why := st.holdGate(now, c); reason != "" {
		return reason, why
	}
	if !pool.Armed && !would {
		return HeldDisarmed, "would replace " + string(c.Subject) + ", but the pool is not armed"
	}
	if s := st.s.Slots[c.Slot]; s == nil || s.Occupant != c.Subject || s.Epoch != c.Epoch {
		return HeldEvidence, "the slot has moved on"
	}
	v, stands := st.ledger.Standing(c.Subject)
	if !stands || !replaceable(v.Kind) {
		return HeldEvidence, "no verdict asks for it any more"
	}
	if silent := now.Sub(c.Silent); silent < st.timing().ReplaceAfter {
		return HeldEvidence, fmt.Sprintf("silent for %v, replaced after %v", silent.Round(time.Millisecond), st.timing().ReplaceAfter)
	}
	if reason, why := st.fenceGate(c, pool, v.Kind); reason != "" && st.allowed(now, ActFenced, c) == nil {
		return reason, why
	}
	if reason, why := st.brakeGate(now, c, false); reason != "" {
		return reason, why
	}
	free := st.FreeSpares(now, c)
	if len(free) == 0 {
		return HeldPoolEmpty, "no free spare in pool " + c.Pool
	}
	if why := st.reserved(c, pool, len(free)); why != "" && st.allowed(now, ActReserve, c) == nil {
		return HeldReserve, why
	}
	if reason, why := st.budgetGate(now); reason != "" && !st.beyondBudget(now, c) {
		return reason, why
	}
	if would {
		return "", ""
	}
	return st.dryRunGate(now, c, fmt.Sprintf("replace %s by %s", c.Subject, free[0]))
}

// fenceGate asks whether the proof that the pool wants can be had at all: a
// silent member cannot say that it stopped its slot.
func (st *State) fenceGate(c *Case, pool member.Pool, kind consensus.VerdictKind) (HeldReason, string) {
	if !pool.Exclusive && (len(pool.Fence) == 0 || pool.Fence[0] == "none") {
		return "", ""
	}
	for _, level := range pool.Fence {
		if level == "self" && kind == consensus.VerdictServiceDown {
			return "", ""
		}
	}
	if st.fencedOutside(pool, c.Subject) != "" {
		return "", ""
	}
	if ok, _ := byLease(pool); ok {
		err := st.leaseProof(c, pool)
		if err == nil {
			return "", ""
		}
		return HeldFence, err.Error()
	}
	return HeldFence, fmt.Sprintf("fence levels %v give no proof against a silent member", pool.Fence)
}

// brakeGate asks the committed modes and, because a leader may be the last to
// know, the verdicts in this ledger as well. People can let a case past it.
func (st *State) brakeGate(now time.Time, c *Case, begun bool) (HeldReason, string) {
	if st.allowed(now, ActOverride, c) != nil {
		return "", ""
	}
	at, m := st.s.Brake.Worst(Fleet, InDomain(st.ledger.Roster().Domain(c.Subject)), InPool(c.Pool))
	if m.Mode == Cascade {
		return HeldBrake, fmt.Sprintf("%s is in cascade: %s", at, m.Why)
	}
	var policy member.BrakePolicy
	if f := st.ledger.Fleet(); f != nil {
		policy = f.Brake
	}
	unsettled := st.Unsettled(now)
	n := len(unsettled)
	if st.s.Brake.Fallen.covers(unsettled) {
		n = 0
	}
	if l := levelsOf(policy, st.ledger.Roster().Len()); n >= l.cascade {
		return HeldBrake, fmt.Sprintf("%d members are condemned, cascade from %d", n, l.cascade)
	}
	if m.Mode == Guarded && !begun && st.InFlight() > 0 {
		return HeldBrake, fmt.Sprintf("%s is guarded: one case at a time", at)
	}
	return "", ""
}

// BudgetOf is how many cases may be under way at once, and how many may begin
// in a window, in a fleet of n. Budgets round down.
func BudgetOf(n int) (inFlight, perWindow int) { return max(1, n*5/100), max(2, n*10/100) }

func (st *State) budgetGate(now time.Time) (HeldReason, string) {
	inFlight, perWindow := BudgetOf(st.ledger.Roster().Len())
	if n := st.InFlight(); n >= inFlight {
		return HeldBudget, fmt.Sprintf("%d cases under way, at most %d", n, inFlight)
	}
	if n := len(within(st.s.Spent, now, st.timing().BudgetWindow)); n >= perWindow {
		return HeldBudget, fmt.Sprintf("%d replacements in %v, at most %d", n, st.timing().BudgetWindow, perWindow)
	}
	return "", ""
}

// InFlight counts the cases between fencing and cutover.
func (st *State) InFlight() int {
	n := 0
	for _, c := range st.s.Cases {
		if c.inFlight() {
			n++
		}
	}
	return n
}

// RestartsPerSlot is how often a slot's service is restarted in place within
// the window before the member is replaced.
const RestartsPerSlot = 3

// Restartable reports whether a restart in place could still help a case; if
// not, the member is replaced.
func (st *State) Restartable(now time.Time, c *Case) bool {
	pool, ok := st.ledger.Fleet().Pool(c.Pool)
	s := st.s.Slots[c.Slot]
	return ok && s != nil && c.Kind == consensus.VerdictServiceDown && (pool.Actions.Restart != "" || pool.Unit(c.Slot) != "") &&
		len(within(s.Restarts, now, st.timing().RestartWindow)) < RestartsPerSlot
}

// RestartGate says what keeps a case from a restart in place. A restart is
// destructive: a shared database that fails must not restart forty services.
func (st *State) RestartGate(now time.Time, c *Case) (HeldReason, string) {
	return st.restartGate(now, c, false)
}

func (st *State) restartGate(now time.Time, c *Case, would bool) (HeldReason, string) {
	if reason, why := st.holdGate(now, c); reason != "" {
		return reason, why
	}
	pool, ok := st.ledger.Fleet().Pool(c.Pool)
	switch {
	case !ok || !pool.Armed && !would:
		return HeldDisarmed, "would restart " + string(c.Slot) + ", but the pool is not armed"
	case c.Kind != consensus.VerdictServiceDown:
		return HeldEvidence, "the member itself is down"
	case !st.Restartable(now, c):
		return HeldBudget, fmt.Sprintf("no restart is left: at most %d in %v",
			RestartsPerSlot, st.timing().RestartWindow)
	}
	if reason, why := st.brakeGate(now, c, false); reason != "" {
		return reason, why
	}
	n := 0
	for _, x := range st.s.Cases {
		if x.Pool == c.Pool && x.Restart && x.Open() {
			n++
		}
	}
	if limit := max(1, len(pool.Slots)*10/100); n >= limit {
		return HeldBudget, fmt.Sprintf("%d restarts under way in pool %s, at most %d", n, c.Pool, limit)
	}
	if would {
		return "", ""
	}
	return st.dryRunGate(now, c, "restart "+string(c.Slot))
}
