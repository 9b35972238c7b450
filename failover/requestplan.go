package failover

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"moonwatch/member"
)

// A plan is what is shown before somebody asks or approves; its hash binds the answer to
// what was shown.

// Plan is what a request asks for, whole: what is approved is this and nothing else.
type Plan struct {
	Act   Act           `json:"act"`
	Case  uint64        `json:"case,omitempty"`
	Scope Scope         `json:"scope,omitempty"`
	For   time.Duration `json:"for"`
	Alone bool          `json:"alone,omitempty"`
	Cases []PlannedCase `json:"cases"`
}

// PlannedCase is one case of a plan, with all that it must not change under: an
// approval of it is void as soon as one of these is different.
type PlannedCase struct {
	Case    uint64           `json:"case"`
	Slot    member.SlotID    `json:"slot"`
	Subject member.ID        `json:"subject"`
	Epoch   member.SlotEpoch `json:"slot_epoch"`
	Verdict uint64           `json:"verdict"` // the evidence: it stands against the subject
	Policy  string           `json:"policy"`  // hash of the pool in fleet.yaml
	// Fencee is who does no harm any more, at its slot epoch: of ActFenced.
	Fencee     member.ID        `json:"fencee,omitempty"`
	FenceEpoch member.SlotEpoch `json:"fence_slot_epoch,omitempty"`
}

// Hash names the plan: equal hashes, equal plans.
func (p Plan) Hash() string { return digestOf(p) }

// Words says what the plan lets happen, a line per case.
func (p Plan) Words() []string {
	var out []string
	for _, x := range p.Cases {
		if p.Act == ActFenced {
			out = append(out, fmt.Sprintf("C-%d takes it as proven that %s does not run slot %s at slot epoch %d any more (V-%d)", x.Case, x.Fencee, x.Slot, x.FenceEpoch, x.Verdict))
			continue
		}
		if text := x.wordsOf(p.Act); text != "" {
			out = append(out, text)
			continue
		}
		beyond := "brake"
		if p.Case != 0 {
			beyond = "brake and budget"
		}
		out = append(out, fmt.Sprintf("C-%d goes on with slot %s, lost with %s at slot epoch %d (V-%d), in spite of the %s", x.Case, x.Slot, x.Subject, x.Epoch, x.Verdict, beyond))
	}
	return out
}

func digestOf(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic(fmt.Sprintf("failover: hash of %T: %v", v, err)) // plain values of this module
	}
	h := sha256.Sum256(b)
	return hex.EncodeToString(h[:])
}

// planned is what a plan says of a case.
func (st *State) planned(act Act, c *Case) PlannedCase {
	v, _ := st.ledger.Standing(c.Subject)
	pool, _ := st.ledger.Fleet().Pool(c.Pool)
	p := PlannedCase{Case: c.ID, Slot: c.Slot, Subject: c.Subject, Verdict: v.Index, Policy: digestOf(pool)}
	if s := st.s.Slots[c.Slot]; s != nil {
		p.Epoch = s.Epoch
	}
	if act == ActFenced {
		p.Fencee, p.FenceEpoch = c.Subject, c.Epoch
		if c.Fencee != "" {
			p.Fencee, p.FenceEpoch = c.Fencee, c.FenceEpoch
		}
	}
	return p
}

// PlanOf is what a request would ask for now; the error says why it may not.
func (st *State) PlanOf(now time.Time, r Requested) (Plan, error) {
	p := Plan{Act: r.Act, Case: r.Case, Scope: r.Scope, For: r.For, Alone: r.Alone}
	what := fmt.Sprintf("request %s of %s", r.Act, r.About())
	var err error
	switch {
	case !slices.Contains(Acts(), r.Act):
		return p, fmt.Errorf("request %q: want one of %v", r.Act, Acts())
	case r.For < minAllowed || r.For > MaxAllowed:
		return p, fmt.Errorf("%s: for %v, want %v to %v", what, r.For, minAllowed, MaxAllowed)
	case r.Act == ActFailover:
		return st.forcePlan(p, r)
	case (r.Case == 0) == (r.Scope == "") || r.Slot != "":
		return p, fmt.Errorf("request %s: want a case or a scope", r.Act)
	case r.Scope != "" && r.Act == ActFenced:
		return p, fmt.Errorf("%s: want a case: who is off is said of one member at a time", what)
	case r.Scope != "" && r.Act == ActReserve:
		return p, fmt.Errorf("%s: want a case: the reserve is given away spare by spare", what)
	case r.Case != 0:
		c, ok := st.s.Cases[r.Case]
		if !ok || !c.Open() {
			return p, fmt.Errorf("%s: no such case is open", what)
		}
		if err := st.mayAllow(now, r.Act, c); err != nil {
			return p, fmt.Errorf("%s: %w", what, err)
		}
		p.Cases = []PlannedCase{st.planned(r.Act, c)}
		return p, nil
	default:
		if err = st.checkScope(r.Scope); err != nil {
			return p, fmt.Errorf("%s: %w", what, err)
		}
	}
	for _, c := range st.OpenCases() {
		if slices.Contains(st.scopesOf(c.Subject, c.Pool), r.Scope) && st.mayAllow(now, r.Act, c) == nil {
			p.Cases = append(p.Cases, st.planned(r.Act, c))
		}
	}
	if len(p.Cases) == 0 {
		return p, fmt.Errorf("%s: the brake holds no case there", what)
	}
	return p, nil
}

// mayAllow says why an act is no use to a case, nil if it is.
func (st *State) mayAllow(now time.Time, act Act, c *Case) error {
	if c.Planned && c.Forced == 0 {
		return fmt.Errorf("%s is a switchover: it is given up, and can be ordered again", c.Name())
	}
	if act == ActFenced {
		pool, _ := st.ledger.Fleet().Pool(c.Pool)
		v, _ := st.ledger.Standing(c.Subject)
		if reason, _ := st.fenceGate(c, pool, v.Kind); c.fencing() || reason != "" && c.abortable() {
			return nil
		}
		return fmt.Errorf("%s is %s, and waits for no fence proof", c.Name(), c.State)
	}
	if act == ActReserve {
		pool, _ := st.ledger.Fleet().Pool(c.Pool)
		if free := st.FreeSpares(now, c); len(free) > 0 && st.reserved(c, pool, len(free)) != "" && c.abortable() {
			return nil
		}
		return fmt.Errorf("no reserve is kept from %s", c.Name())
	}
	switch c.State {
	case Draining, Held, Fenced, Claiming, Escalated, Fencing:
	default:
		return fmt.Errorf("%s is %s, and waits for no brake", c.Name(), c.State)
	}
	if reason, _ := st.brakeGate(now, c, c.inFlight()); reason != "" {
		return nil
	}
	if reason, _ := st.budgetGate(now); reason != "" && c.abortable() {
		return nil
	}
	return fmt.Errorf("neither brake nor budget holds %s", c.Name())
}

// Short is a hash as people compare it.
func Short(hash string) string { return hash[:min(len(hash), 12)] }

// stillMeant says what has changed under a request's plan, nil if nothing has.
func (st *State) stillMeant(now time.Time, r *Request) error {
	still := st.stillOpen
	if r.Act == ActFailover {
		still = st.stillWell
	}
	if why := still(r); why != "" {
		return fmt.Errorf("%s is void: %s", r.Name(), why)
	}
	plan, err := st.PlanOf(now, r.Requested)
	if err != nil {
		return fmt.Errorf("%s is void: %w", r.Name(), err)
	}
	if plan.Hash() != r.Plan {
		return fmt.Errorf("%s is void: %d cases are open in %s now, it was asked for %d", r.Name(), len(plan.Cases), r.Scope, len(r.Cases))
	}
	return nil
}

// stillOpen says what has changed about the cases of a request, empty if nothing has.
func (st *State) stillOpen(r *Request) string {
	for _, x := range r.Cases {
		if s := st.s.Slots[x.Slot]; s == nil || s.Epoch != x.Epoch {
			return fmt.Sprintf("slot %s has moved on from slot epoch %d", x.Slot, x.Epoch)
		}
		c, ok := st.s.Cases[x.Case]
		if !ok || !c.Open() {
			return fmt.Sprintf("C-%d is closed", x.Case)
		}
		if is := st.planned(r.Act, c); x != is {
			return x.changed(is)
		}
	}
	return ""
}

// changed says in what a case differs from its plan.
func (p PlannedCase) changed(is PlannedCase) string {
	switch {
	case is.Verdict != p.Verdict:
		return fmt.Sprintf("the verdict on %s is V-%d, it was asked for under V-%d", p.Subject, is.Verdict, p.Verdict)
	case is.Policy != p.Policy:
		return fmt.Sprintf("the pool of slot %s was changed in fleet.yaml since it was asked for", p.Slot)
	case is.Fencee != p.Fencee || is.FenceEpoch != p.FenceEpoch:
		return fmt.Sprintf("C-%d fences %s at slot epoch %d, it was asked for %s at %d", p.Case, is.Fencee, is.FenceEpoch, p.Fencee, p.FenceEpoch)
	default:
		return fmt.Sprintf("C-%d has changed", p.Case)
	}
}
