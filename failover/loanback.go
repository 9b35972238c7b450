package failover

import (
	"fmt"
	"time"

	"moonwatch/consensus"
	"moonwatch/member"
)

// What was lent and is not used yet goes back when its own pool gets into need: it is the
// lender's first. A spare that the borrower's case has claimed is used.

// KindLoanEnded gives a spare back to the pool that lent it.
const KindLoanEnded consensus.FactKind = "loan-ended"

// LoanEnded says which spare goes back, and from which case. Like a step it is a
// compare-and-swap on Version.
type LoanEnded struct {
	Case    uint64    `json:"case"`
	Version int       `json:"version"`
	Spare   member.ID `json:"spare"`
	Detail  string    `json:"detail"`
}

// LoanBack stands in a case's history where what it has borrowed goes back unused.
const LoanBack CaseState = "GIVEN-BACK"

// idleLoan is the case that a spare was lent to and that has not claimed it, nil if there
// is none.
func (st *State) idleLoan(id member.ID) *Case {
	u := st.s.Uses[id]
	if u == nil || u.Duty != Spare || u.Lent == nil {
		return nil
	}
	return st.s.Cases[u.Lent.Case]
}

// checkLoanEnded refuses to take a spare away from a case without its lender's need.
func (st *State) checkLoanEnded(now time.Time, p LoanEnded) error {
	c := st.idleLoan(p.Spare)
	switch {
	case c == nil || c.ID != p.Case:
		return fmt.Errorf("give %s back: C-%d has not borrowed it, or has claimed it", p.Spare, p.Case)
	case c.Version != p.Version:
		return fmt.Errorf("case %s: give %s back from version %d, it is at %d", c.Name(), p.Spare, p.Version, c.Version)
	}
	m, _ := st.ledger.Roster().Member(p.Spare)
	if free, keeps, owed := st.purse(now, m.Pool); free-owed >= keeps {
		return fmt.Errorf("case %s: give %s back: pool %s has %d spares free, keeps %d and owes %d", c.Name(), p.Spare, m.Pool, free, keeps, owed)
	}
	return nil
}

// endLoan gives the spare back.
func (st *State) endLoan(f consensus.Fact, p LoanEnded) {
	c := st.s.Cases[p.Case]
	c.Version++
	st.s.Uses[p.Spare].Lent = nil
	c.pass(f, LoanBack, join(string(p.Spare), p.Detail))
}

// lentBack proposes to give back what its lender needs, one spare at a time.
func (c *Conductor) lentBack(now time.Time, out []ConductorEffect) []ConductorEffect {
	for _, m := range c.st.ledger.Roster().Members {
		x := c.st.idleLoan(m.ID)
		if x == nil {
			continue
		}
		free, keeps, owed := c.st.purse(now, m.Pool)
		p := LoanEnded{
			Case: x.ID, Version: x.Version, Spare: m.ID,
			Detail: fmt.Sprintf("pool %s needs it: it has %d spares free, keeps %d and owes %d to cases of its own", m.Pool, free, keeps, owed),
		}
		if c.st.checkLoanEnded(now, p) == nil {
			return c.propose(now, out, KindLoanEnded, fmt.Sprintf("%s/%d/loan-ended/%s", x.Name(), x.Version, m.ID), p)
		}
	}
	return out
}
