package failover

import (
	"fmt"
	"time"

	"moonwatch/consensus"
)

// A case that wants no fence proof has done nothing by FENCED that cannot be undone. Its
// member may be back by then, or back for some of its observers: somebody looks once more
// before a spare takes the slot, and where nobody can say, the case is held again.

// KindHeldBack takes a case back from FENCED. It is no step, for builds of before it
// refuse this one.
const KindHeldBack consensus.FactKind = "case-held-back"

// HeldBack says why. Like a step it is a compare-and-swap on Version.
type HeldBack struct {
	Case    uint64 `json:"case"`
	Version int    `json:"version"`
	Detail  string `json:"detail"`
}

func (st *State) checkHeldBack(p HeldBack) error {
	c, ok := st.s.Cases[p.Case]
	switch {
	case !ok:
		return fmt.Errorf("case C-%d: unknown", p.Case)
	case c.Version != p.Version:
		return fmt.Errorf("case %s: held back from version %d, it is at %d", c.Name(), p.Version, c.Version)
	case c.State != Fenced || !c.abortable() || c.Planned:
		return fmt.Errorf("case %s: %s with proof %q, and nothing is held back any more", c.Name(), c.State, c.Proof)
	}
	return nil
}

// holdBack takes back what the case has begun: its spares are free again, and it is in
// flight no more. What it spent of the budget is spent.
func (st *State) holdBack(f consensus.Fact, p HeldBack) {
	c := st.s.Cases[p.Case]
	c.Version++
	st.giveBack(f, c)
	c.Proof, c.Fencee, c.FenceEpoch = "", "", 0
	if c.Would.IsZero() {
		st.unscore(c)
	}
	c.enter(Held, f, p.Detail)
	c.Held, c.Why = HeldEvidence, p.Detail
	c.History[len(c.History)-1].Held = HeldEvidence
}

// lookBack asks whether the member is gone whose slot a spare is about to take, and
// holds the case where the answer is not clear, or none comes: nobody waits in silence
// for what may be half alive for hours, and the spares are free for others. It begins
// anew with a clear roll call, or ends with the verdict.
func (c *Conductor) lookBack(now time.Time, x *Case, out []ConductorEffect) []ConductorEffect {
	began := c.sights.began(x)
	p := HeldBack{Case: x.ID, Version: x.Version}
	switch look, looked := c.looks[x.Subject]; {
	case looked && look.Called.After(began) && !confirms(x, look):
		p.Detail = "the roll call before a spare goes live was not clear"
	case now.Sub(began) >= claimPatience:
		p.Detail = fmt.Sprintf("no roll call has said within %v whether %s is gone", claimPatience, x.Subject)
	}
	if p.Detail != "" {
		delete(c.looks, x.Subject)
		return c.propose(now, out, KindHeldBack, fmt.Sprintf("%s/%d/held-back", x.Name(), x.Version), p)
	}
	if now.Sub(c.asked[x.Subject]) >= c.st.timing().LookAgain {
		c.asked[x.Subject] = now
		out = append(out, LookAgain{Subject: x.Subject})
	}
	return out
}
