package failover

import (
	"fmt"
	"time"

	"moonwatch/member"
)

// A spare is worth what it is proven to be. Its observers prove all the time that it
// can be reached: they probe it as they probe everybody, and a verdict or two
// accusers rule it out. What only it can see it tests itself, and reports: that the
// pool's actions are installed and safe to run, that its disk takes a write, that its
// clock agrees with the councillors'. The report is a fact, so that every ledger
// refuses to give a slot to a member without a proof, or with one that has expired.

// StepTest is a member's test of itself. It changes nothing in the world.
const StepTest StepKind = "self-test"

// The times of a proof.
const (
	// proofRenew is the age at which a proof is renewed, in a fleet with few spares.
	proofRenew = 5 * time.Minute
	// proofPace is about how often a fleet hears of a renewal at most: each is a
	// fact, and facts go to everybody. Beyond 300 spares proofs are renewed later.
	proofPace = time.Second
	// proofRenewals is how many of them a proof outlives: two attempts may fail.
	proofRenewals = 3
	// testEvery is how often a member that is no occupant tests itself. What it
	// finds is a fact only if it is news.
	testEvery = time.Minute
	// TestDeadline bounds one test. A disk that needs longer is no disk to serve from.
	TestDeadline = 5 * time.Second
)

// Proof is a member's last word about its own readiness.
type Proof struct {
	At   time.Time `json:"at"`
	Good bool      `json:"good"`
	Says string    `json:"says,omitempty"` // what is wrong, or the version that tested itself
}

// ProofLife is how long a proof is good for, which depends on how many members have
// to prove something: those that have no slot. An agent that has stopped deciding (it
// met a fact of a later version) proves nothing any more, and so its proof expires.
func (st *State) ProofLife() time.Duration { return proofRenewals * st.proofRenew() }

func (st *State) proofRenew() time.Duration {
	f := st.ledger.Fleet()
	if f == nil {
		return proofRenew
	}
	spares := len(f.Members)
	for _, p := range f.Pools {
		spares -= len(p.Slots)
	}
	return max(proofRenew, time.Duration(spares)*proofPace)
}

// Ready says what keeps a member from taking a slot as far as proofs and drills tell,
// nil if nothing does.
func (st *State) Ready(now time.Time, id member.ID) error {
	if u := st.s.Uses[id]; u != nil && u.Drilled != nil && !u.Drilled.Good {
		return fmt.Errorf("%s has failed its drill of %s: %s", id, u.Drilled.At.UTC().Format("2006-01-02 15:04 UTC"), u.Drilled.Says)
	}
	if u := st.s.Uses[id]; u != nil && u.Lent != nil {
		if err := st.Fit(now, id, u.Lent.Pool); err != nil {
			return err
		}
	}
	return st.proven(now, id)
}

// proven says the same of its own tests alone.
func (st *State) proven(now time.Time, id member.ID) error {
	u := st.s.Uses[id]
	switch {
	case u == nil:
		return fmt.Errorf("%s has no duty", id)
	case u.Proof == nil:
		return fmt.Errorf("%s has not proven yet that it is ready", id)
	case !u.Proof.Good:
		return fmt.Errorf("%s is not ready: %s", id, u.Proof.Says)
	case now.Sub(u.Proof.At) >= st.ProofLife():
		return fmt.Errorf("%s proved that it is ready %v ago, which is good for %v", id, now.Sub(u.Proof.At).Round(time.Second), st.ProofLife())
	default:
		return nil
	}
}
