package failover

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"moonwatch/consensus"
	"moonwatch/member"
)

// A case whose own pool has no spare may borrow one of another pool, where fleet.yaml
// says of which (borrow_from). A spare can run what is installed on its machine: so it
// tests itself for every pool that may borrow it, and only one that has proven lately
// that it fits is lent. The lender keeps its floor and its reserve, and what its own
// cases need. The loan is for one case. Whoever goes live under it serves the borrower's
// slot until it is relieved, by a failure or by people; then it is its own pool's again.

const (
	// KindFits is a member's word about whether it could run the slots of a pool that
	// may borrow it.
	KindFits consensus.FactKind = "spare-fits"
	// KindBorrowed lends a spare of another pool to a case that has none.
	KindBorrowed consensus.FactKind = "spare-borrowed"
)

// Fits is what a member has found when it tested itself for another pool.
type Fits struct {
	Pool string `json:"pool"`
	Good bool   `json:"good"`
	Says string `json:"says,omitempty"`
}

// SpareBorrowed gives a case a spare of another pool. Like a step it is a
// compare-and-swap on Version.
type SpareBorrowed struct {
	Case    uint64    `json:"case"`
	Version int       `json:"version"`
	Spare   member.ID `json:"spare"`
	From    string    `json:"from"` // the spare's own pool
}

// Loan is the pool that a spare stands in for, and the case that it was lent to. It ends
// when the case ends without it, or when its work in the slot does.
type Loan struct {
	Pool string    `json:"pool"`
	Case uint64    `json:"case"`
	At   time.Time `json:"at"`
}

// Borrowed stands in a case's history where it gets a spare of another pool: the case
// goes on in its state meanwhile.
const Borrowed CaseState = "BORROWED"

// PoolOf is the pool that a member stands in for: its own one, or the one that has
// borrowed it.
func (st *State) PoolOf(id member.ID) string {
	if u := st.s.Uses[id]; u != nil && u.Lent != nil {
		return u.Lent.Pool
	}
	m, _ := st.ledger.Roster().Member(id)
	return m.Pool
}

// standsFor reports that a member may be a spare of a case: it is of its pool, or was
// lent to this very case.
func (st *State) standsFor(m member.Member, c *Case) bool {
	if u := st.s.Uses[m.ID]; u != nil && u.Lent != nil {
		return u.Lent.Case == c.ID
	}
	return m.Pool == c.Pool
}

// borrowers are the pools that may borrow a spare of a pool.
func (st *State) borrowers(of string) []string {
	var out []string
	if f := st.ledger.Fleet(); f != nil {
		for _, p := range f.Pools {
			if slices.Contains(p.Spares.BorrowFrom, of) {
				out = append(out, p.Name)
			}
		}
	}
	return out
}

// Fit says what keeps a spare from running the slots of a pool that is not its own, as
// far as its own tests tell; nil if nothing does.
func (st *State) Fit(now time.Time, id member.ID, pool string) error {
	var p Proof
	if u := st.s.Uses[id]; u != nil {
		p = u.Fits[pool]
	}
	switch {
	case p.At.IsZero():
		return fmt.Errorf("%s has not proven yet that it fits pool %s", id, pool)
	case !p.Good:
		return fmt.Errorf("%s does not fit pool %s: %s", id, pool, p.Says)
	case now.Sub(p.At) >= st.ProofLife():
		return fmt.Errorf("%s proved that it fits pool %s %v ago, which is good for %v", id, pool, now.Sub(p.At).Round(time.Second), st.ProofLife())
	default:
		return nil
	}
}

// checkFits refuses a word about a pool that cannot borrow whoever says it.
func (st *State) checkFits(by member.ID, p Fits) error {
	m, _ := st.ledger.Roster().Member(by)
	if st.s.Uses[by] == nil || !slices.Contains(st.borrowers(m.Pool), p.Pool) {
		return fmt.Errorf("fit of %s: pool %q may not borrow it", by, p.Pool)
	}
	return nil
}

func (st *State) fitsSaid(f consensus.Fact, p Fits) {
	u := st.s.Uses[f.Command.Proposer]
	fits := maps.Clone(u.Fits) // other states of this process may share it
	if fits == nil {
		fits = map[string]Proof{}
	}
	fits[p.Pool] = Proof{At: f.Said(), Good: p.Good, Says: p.Says}
	u.Fits = fits
}

// Lender finds a spare of another pool for a case, and the pool; an empty spare comes
// with the reasons why there is none, and with none at all where the case's pool does
// not borrow. It does not ask whether the case needs one.
func (st *State) Lender(now time.Time, c *Case) (spare member.ID, from, why string) {
	pool, _ := st.ledger.Fleet().Pool(c.Pool)
	if why := st.cannotPay(now, c); why != "" && len(pool.Spares.BorrowFrom) > 0 {
		return "", "", "nothing is lent to it: " + why
	}
	for _, name := range pool.Spares.BorrowFrom {
		held := st.lends(now, name)
		if held == "" {
			var fit []member.ID
			fit, held = st.fitting(now, c, name)
			if len(fit) > 0 {
				return fit[0], name, ""
			}
		}
		if why != "" {
			why += "; "
		}
		why += fmt.Sprintf("pool %s lends none: %s", name, held)
	}
	return "", "", why
}

// cannotPay says why the budget would keep a case from using a spare now, empty if it
// would not: what is lent to it meanwhile is missing elsewhere. That is asked by whoever
// proposes the loan, and of no ledger: a loan takes nothing away that does not come back.
func (st *State) cannotPay(now time.Time, c *Case) string {
	if !c.abortable() || st.beyondBudget(now, c) {
		return "" // it has spent already, or need not
	}
	_, why := st.budgetGate(now)
	return why
}

// lends says why a pool lends none of its spares now, empty if it does.
func (st *State) lends(now time.Time, name string) string {
	pool, ok := st.ledger.Fleet().Pool(name)
	if !ok {
		return "it is gone"
	}
	if !pool.Armed {
		return "it is not armed"
	}
	if h := Bound(st.Holds(now), now, InPool(name)); h != nil {
		return h.why()
	}
	if m := st.s.Brake.In(InPool(name)); m.Mode == Cascade {
		return "it is in cascade: " + m.Why
	}
	if free, keeps, owed := st.purse(now, name); free-owed-1 < keeps {
		return fmt.Sprintf("it has %d spares free, keeps %d and owes %d to cases of its own", free, keeps, owed)
	}
	return ""
}

// purse counts a pool's spares as a lender does: those that it could part with, how many
// it keeps, and how many it owes to open cases of its own.
func (st *State) purse(now time.Time, name string) (free, keeps, owed int) {
	pool, _ := st.ledger.Fleet().Pool(name)
	for _, m := range st.ledger.Roster().Members {
		if st.mayLend(now, m, name) == nil {
			free++
		}
	}
	for _, x := range st.OpenCases() {
		if x.Pool == name && x.Spare == "" && len(x.Preparing) == 0 {
			owed++
		}
	}
	return free, max(pool.Spares.Floor, pool.Spares.Reserve), owed
}

// mayLend says why a member is none of the spares that a pool could part with.
func (st *State) mayLend(now time.Time, m member.Member, pool string) error {
	u := st.s.Uses[m.ID]
	if m.Pool != pool || u == nil || u.Lent != nil {
		return fmt.Errorf("%s is no spare of pool %s", m.ID, pool)
	}
	if err := st.claimable(now, m.ID); err != nil {
		return err
	}
	if h := st.spared(now, m.ID, false); h != nil {
		return fmt.Errorf("%s: %s", m.ID, h.why())
	}
	return nil
}

// fitting lists the spares of a lender that can run a case's slot, best first; where
// there is none, why the last one that was looked at cannot.
func (st *State) fitting(now time.Time, c *Case, from string) (fit []member.ID, why string) {
	for _, m := range st.ledger.Roster().Members {
		if st.mayLend(now, m, from) != nil {
			continue
		}
		if err := st.Fit(now, m.ID, c.Pool); err != nil {
			why = err.Error()
		} else if err := st.enforceableIn(now, m.ID, c.Pool); err != nil {
			why = err.Error()
		} else {
			fit = append(fit, m.ID)
		}
	}
	return st.bestFirst(now, c, fit), why
}

// checkBorrow holds the gates of a loan: the lower rungs of the ladder come first, and a
// case that could not go on with a spare gets none.
func (st *State) checkBorrow(now time.Time, p SpareBorrowed) error {
	c, ok := st.s.Cases[p.Case]
	switch {
	case !ok:
		return fmt.Errorf("borrow: no case C-%d", p.Case)
	case c.Version != p.Version:
		return fmt.Errorf("case %s: borrow from version %d, it is at %d", c.Name(), p.Version, c.Version)
	case !c.starved() || c.Planned:
		return fmt.Errorf("case %s: borrow: it does not lack a spare", c.Name())
	case len(st.FreeSpares(now, c)) > 0:
		return fmt.Errorf("case %s: borrow: pool %s has a free spare", c.Name(), c.Pool)
	}
	pool, ok := st.ledger.Fleet().Pool(c.Pool)
	if !ok || !pool.Armed {
		return fmt.Errorf("case %s: borrow: pool %s is not armed", c.Name(), c.Pool)
	}
	if h := Bound(st.Holds(now), now, st.scopesOf(c.Subject, c.Pool)...); h != nil {
		return fmt.Errorf("case %s: borrow: %s", c.Name(), h.why())
	}
	if reason, why := st.brakeGate(now, c, true); reason != "" {
		return fmt.Errorf("case %s: borrow held: %s: %s", c.Name(), reason, why)
	}
	for _, m := range st.ledger.Roster().Members {
		if m.Pool == c.Pool && st.checkEarly(now, ReturnedEarly{Member: m.ID, Case: c.ID}) == nil {
			return fmt.Errorf("case %s: borrow: %s of its own pool may end its burn-in", c.Name(), m.ID)
		}
	}
	if !slices.Contains(pool.Spares.BorrowFrom, p.From) {
		return fmt.Errorf("case %s: borrow: pool %s does not borrow from pool %q", c.Name(), c.Pool, p.From)
	}
	if why := st.lends(now, p.From); why != "" {
		return fmt.Errorf("case %s: borrow: pool %s lends none: %s", c.Name(), p.From, why)
	}
	if fit, why := st.fitting(now, c, p.From); !slices.Contains(fit, p.Spare) {
		return fmt.Errorf("case %s: borrow: %s of pool %s cannot be lent: %s", c.Name(), p.Spare, p.From, why)
	}
	return nil
}

// borrow makes a spare of another pool one of this case's.
func (st *State) borrow(f consensus.Fact, p SpareBorrowed) {
	c := st.s.Cases[p.Case]
	c.Version++
	st.s.Uses[p.Spare].Lent = &Loan{Pool: c.Pool, Case: c.ID, At: f.Time}
	c.pass(f, Borrowed, fmt.Sprintf("%s of pool %s", p.Spare, p.From))
}

// unlend gives back what was lent to a case and not made use of.
func (st *State) unlend(c *Case) {
	for _, u := range st.s.Uses {
		if u.Duty == Spare && u.Lent != nil && u.Lent.Case == c.ID {
			u.Lent = nil
		}
	}
}

// staysLent reports that a fleet leaves a member that serves another pool's slot, or is
// about to, in the pool that it is of.
func (st *State) staysLent(m member.Member) bool {
	u, is := st.s.Uses[m.ID], m.Pool
	was, _ := st.ledger.Roster().Member(m.ID)
	return u != nil && u.Lent != nil && is == was.Pool
}

// borrow lends a spare of another pool to the oldest case that has none.
func (c *Conductor) borrow(now time.Time, out []ConductorEffect) []ConductorEffect {
	for _, x := range c.st.OpenCases() {
		if !x.starved() {
			continue
		}
		spare, from, _ := c.st.Lender(now, x)
		p := SpareBorrowed{Case: x.ID, Version: x.Version, Spare: spare, From: from}
		if spare == "" || c.st.checkBorrow(now, p) != nil {
			continue
		}
		if reason, _ := c.heardGate(now, x); reason != "" || Bound(c.heard, now, c.st.scopesOf(spare, from)...) != nil {
			continue
		}
		return c.propose(now, out, KindBorrowed, fmt.Sprintf("%s/%d/borrow/%s", x.Name(), x.Version, spare), p)
	}
	return out
}
