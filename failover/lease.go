package failover

import (
	"fmt"
	"slices"
	"time"

	"moonwatch/consensus"
	"moonwatch/member"
)

// Enforcer is an agent's word about what would end its exclusive slot if it could
// not do so itself any more.
type Enforcer struct {
	Kind     string        `json:"kind"` // keeper, systemd or watchdog; empty: none
	Watchdog bool          `json:"watchdog,omitempty"`
	Age      time.Duration `json:"age,omitempty"` // of its last good self-test, when this was said
	Detail   string        `json:"detail,omitempty"`
}

// Enforced is what the ledger knows about a member's enforcer.
type Enforced struct {
	Kind     string    `json:"kind"`
	Watchdog bool      `json:"watchdog,omitempty"`
	Tested   time.Time `json:"tested"`
	Detail   string    `json:"detail,omitempty"`
}

// EnforcerValid is how long a self-test of an enforcer is believed (PROTOCOL 6).
const EnforcerValid = 15 * time.Minute

// Enforcer is what the ledger knows about a member's enforcer; false: nothing.
func (st *State) Enforcer(id member.ID) (Enforced, bool) {
	e, ok := st.s.Enforcers[id]
	return e, ok && e.Kind != ""
}

// enforced says why a member's lease proves nothing at a time, nil if it does.
func (st *State) enforced(id member.ID, at time.Time, watchdog bool) error {
	e, ok := st.Enforcer(id)
	switch {
	case !ok && e.Detail != "":
		return fmt.Errorf("%s has no enforcer: %s", id, e.Detail)
	case !ok:
		return fmt.Errorf("%s has no enforcer that would end its lease", id)
	case watchdog && !e.Watchdog:
		return fmt.Errorf("the enforcer of %s (%s) has no watchdog device", id, e.Kind)
	case at.Sub(e.Tested) > EnforcerValid:
		return fmt.Errorf("the enforcer of %s (%s) was last tested %v before, valid for %v", id, e.Kind,
			at.Sub(e.Tested).Round(time.Second), EnforcerValid)
	}
	return nil
}

func (st *State) enforcerSaid(f consensus.Fact, p Enforcer) {
	if st.s.Enforcers == nil {
		st.s.Enforcers = map[member.ID]Enforced{}
	}
	st.s.Enforcers[f.Command.Proposer] = Enforced{Kind: p.Kind, Watchdog: p.Watchdog, Tested: f.Said().Add(-max(0, p.Age)), Detail: p.Detail}
}

func (st *State) checkEnforcer(by member.ID, p Enforcer) error {
	if _, in := st.ledger.Roster().Member(by); !in {
		return fmt.Errorf("enforcer of %s: not in the roster", by)
	}
	switch p.Kind {
	case "", "keeper", "systemd", "watchdog":
		return nil
	default:
		return fmt.Errorf("enforcer of %s: %q, want keeper, systemd or watchdog", by, p.Kind)
	}
}

// proofLease is the proof that the lease of whoever is fenced has surely ended.
const proofLease = "lease"

// byLease reports whether a pool takes the end of a lease for a proof, and whether
// it wants a watchdog behind it.
func byLease(pool member.Pool) (ok, watchdog bool) {
	if !pool.Exclusive {
		return false, false
	}
	if slices.Contains(pool.Fence, "lease") {
		return true, false
	}
	return slices.Contains(pool.Fence, "watchdog"), true
}

// Tenure is the slot epoch of an exclusive slot that a member may run now, and so
// may hold a lease for: as its occupant, or as the spare that a case activates.
// From FENCING on nobody may: what is granted then would never end.
func (st *State) Tenure(id member.ID) (slot member.SlotID, epoch member.SlotEpoch, ok bool) {
	u := st.s.Uses[id]
	if u == nil {
		return "", 0, false
	}
	s := st.s.Slots[u.Slot]
	if s == nil {
		return "", 0, false
	}
	if pool, known := st.ledger.Fleet().Pool(s.Pool); !known || !pool.Exclusive {
		return "", 0, false
	}
	c := st.s.Cases[s.Case]
	switch u.Duty {
	case Occupant:
		// Not while the case fences a spare either: the next one may be claimed at
		// any moment. From the cutover on the occupant is another one, at a slot
		// epoch of its own.
		return u.Slot, s.Epoch, c == nil || c.FenceEpoch == 0 || c.Epoch != s.Epoch
	case Claimed:
		if c == nil || c.Spare != id || c.State != Activating && c.State != Verifying {
			return "", 0, false
		}
		return u.Slot, c.NewEpoch, true
	case Spare, Quarantined, BurnIn:
	}
	return "", 0, false
}

// fencingOf is the case that fences a slot epoch, nil if none does.
func (st *State) fencingOf(slot member.SlotID, epoch member.SlotEpoch) *Case {
	s := st.s.Slots[slot]
	if s == nil || s.Case == 0 {
		return nil
	}
	if c := st.s.Cases[s.Case]; c != nil && c.FenceEpoch == epoch {
		return c
	}
	return nil
}

// Terms are those by which leases are granted now.
func (st *State) Terms() member.LeaseTerms { return st.ledger.Fleet().Leases() }

// longest is the longest lease that may still be held: a fleet with shorter ones
// does not shorten those that were granted before it.
func (st *State) longest(now time.Time) time.Duration {
	length := st.Terms().Length
	if x := st.s.Former; x != nil && now.Before(x.Until) {
		length = max(length, x.Length)
	}
	return length
}

// formerLease is the length of leases before the fleet was changed.
type formerLease struct {
	Length time.Duration `json:"length"`
	Until  time.Time     `json:"until"` // nobody holds one any more
}

// newTerms remembers the terms before a fleet that shortens leases.
func (st *State) newTerms(f consensus.Fact, fl *member.Fleet) {
	was, now := st.s.Leased, time.Duration(0)
	if fl.Exclusive() {
		now = fl.Leases().Length
	}
	st.s.Leased = now
	if x := st.s.Former; x != nil && f.Time.Before(x.Until) {
		was = max(was, x.Length)
	}
	if was > now {
		// Twice: the times of facts are those of several clocks.
		st.s.Former = &formerLease{Length: was, Until: f.Time.Add(2*member.Slower(was) + 10*time.Second)}
	}
}

// waits reports that a fence need not be done by anybody: the lease ends by itself.
func (st *State) waits(c *Case) bool {
	pool, _ := st.ledger.Fleet().Pool(c.Pool)
	ok, _ := byLease(pool)
	return ok && st.leaseProof(c, pool) == nil
}

// leaseProof says why the end of the fencee's lease would prove nothing, nil if it
// would: its enforcer was tested not long before it was last heard.
func (st *State) leaseProof(c *Case, pool member.Pool) error {
	_, watchdog := byLease(pool)
	if c.Fencee == "" || c.Fencee == c.Subject {
		return st.enforced(c.Subject, c.Silent, watchdog)
	}
	return st.enforced(c.Fencee, st.s.Uses[c.Fencee].LastUsed, watchdog) // when it was claimed
}

// checkProof refuses a proof that the pool does not take.
func (st *State) checkProof(c *Case, proof string) error {
	pool, _ := st.ledger.Fleet().Pool(c.Pool)
	if proof != proofLease {
		return fmt.Errorf("case %s: %q is no proof that a leader can have", c.Name(), proof)
	}
	if ok, _ := byLease(pool); !ok {
		return fmt.Errorf("case %s: pool %s takes no lease for a proof: its fence is %v", c.Name(), c.Pool, pool.Fence)
	}
	if err := st.leaseProof(c, pool); err != nil {
		return fmt.Errorf("case %s: proof by lease: %w", c.Name(), err)
	}
	return nil
}

// enforceable says why a member must not be given a slot of the pool that it stands in for, nil if it may:
// whoever is to run an exclusive one by lease has something that ends it.
func (st *State) enforceable(now time.Time, id member.ID) error {
	return st.enforceableIn(now, id, st.PoolOf(id))
}

// enforceableIn says the same of a slot of any pool.
func (st *State) enforceableIn(now time.Time, id member.ID, name string) error {
	pool, _ := st.ledger.Fleet().Pool(name)
	if ok, watchdog := byLease(pool); ok {
		return st.enforced(id, now, watchdog)
	}
	return nil
}

// checkExclusive refuses to make a pool exclusive, or to end that, under the services that
// run: they were started without an enforcer, and no lease would end them, or they run by a
// lease that nobody would renew any more, and all of them would be stopped.
func (st *State) checkExclusive(s *Slot, fl *member.Fleet) error {
	was, _ := st.ledger.Fleet().Pool(s.Pool)
	is, ok := fl.Pool(s.Pool)
	how := "without an enforcer"
	switch {
	case !ok || was.Exclusive == is.Exclusive:
		return nil
	case was.Exclusive:
		how = "by a lease, which ends its service when nobody renews it"
	}
	return fmt.Errorf("pools.%s.exclusive: slot %s is run by %s %s: make another pool for it, and drain this one", s.Pool, s.ID, s.Occupant, how)
}
