package failover

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"moonwatch/consensus"
	"moonwatch/member"
)

// The kinds of facts by which people forbid, and allow again.
const (
	KindHold       consensus.FactKind = "hold"
	KindHoldLifted consensus.FactKind = "hold-lifted"
)

// HoldKind is how much a hold forbids.
type HoldKind string

// The kinds of holds. Verdicts, and telling people, go on under all of them; so
// does a case that is past FENCED, for half a replacement is worse than a whole
// one.
const (
	HoldOnly    HoldKind = "hold"        // nothing destructive
	Freeze      HoldKind = "freeze"      // no drain either
	Disarm      HoldKind = "disarm"      // as freeze, until somebody arms again
	Maintenance HoldKind = "maintenance" // planned work: nothing destructive, and what falls there is no news to the brake
	DryRun      HoldKind = "dry-run"     // all gates are asked, and what would be done is written down instead
)

// HoldKinds lists them all, from the least to the most binding.
func HoldKinds() []HoldKind { return []HoldKind{DryRun, HoldOnly, Maintenance, Disarm, Freeze} }

// rank orders the kinds by how much they forbid.
func (k HoldKind) rank() int { return slices.Index(HoldKinds(), k) }

// reason is what a case that meets a hold of this kind is held by.
func (k HoldKind) reason() HeldReason {
	switch k {
	case Maintenance:
		return HeldMaintenance
	case Disarm:
		return HeldDisarmed
	case DryRun:
		return HeldDryRun
	default:
		return HeldHold
	}
}

// stills reports that not even traffic is moved.
func (k HoldKind) stills() bool { return k == Freeze || k == Disarm }

// HoldOf is the scope of one member.
func HoldOf(id member.ID) Scope { return Scope("member:" + string(id)) }

// HoldGiven is somebody's order to leave a scope alone.
type HoldGiven struct {
	Kind   HoldKind  `json:"kind"`
	Scope  Scope     `json:"scope"`
	Reason string    `json:"reason"`
	By     string    `json:"by,omitempty"`   // who gave it, as the agent's machine knows them; an operator's name stands in the warrant
	Until  time.Time `json:"until,omitzero"` // zero: until it is lifted; a disarm alone may have no end
}

// HoldLifted ends a hold before its time.
type HoldLifted struct {
	Hold   string `json:"hold"` // the id of the command that gave it
	Reason string `json:"reason,omitempty"`
}

// Hold is an order that stands.
type Hold struct {
	HoldGiven

	ID     string    `json:"id"`             // of its command: the same before the council has it and after
	Fact   uint64    `json:"fact,omitempty"` // 0: not confirmed by the council
	Given  time.Time `json:"given"`
	Signed bool      `json:"signed,omitempty"` // by an operator; else through an agent's socket
}

// Name is the hold's id as people see it.
func (h *Hold) Name() string {
	if h.Fact == 0 {
		return h.ID
	}
	return fmt.Sprintf("H-%d", h.Fact)
}

// Binds reports that the hold has not ended.
func (h *Hold) Binds(now time.Time) bool { return h.Until.IsZero() || now.Before(h.Until) }

// why is the hold as the reason for which something is not done.
func (h *Hold) why() string {
	text := fmt.Sprintf("%s of %s by %s: %s", h.Kind, h.Scope, h.By, h.Reason)
	if h.Until.IsZero() {
		return text
	}
	return text + ", until " + h.Until.UTC().Format("15:04:05 UTC")
}

// The longest holds. One that nobody signed came through the socket of one
// machine, whose root must not stop the fleet for ever.
const (
	MaxHold         = 30 * 24 * time.Hour
	MaxUnsignedHold = 8 * time.Hour
	maxReason       = 200
	keptHolds       = 256 // more orders at once are a mistake of a program
)

// checkHold says why an order may not stand, nil if it may.
func (st *State) checkHold(f consensus.Fact, p HoldGiven) error {
	unsigned := st.ledger.FromOperator(f.Command)
	switch {
	case unsigned != nil && f.Command.Warrant != nil:
		return unsigned
	case unsigned != nil && st.ledger.Roster().Index(f.Command.Proposer) < 0:
		return fmt.Errorf("hold of %s: handed in by %s, which is in no roster", p.Scope, f.Command.Proposer)
	}
	if err := p.Check(f.Time, unsigned == nil); err != nil {
		return err
	}
	if err := st.checkScope(p.Scope); err != nil {
		return fmt.Errorf("hold of %s: %w", p.Scope, err)
	}
	if n := len(st.Holds(f.Time)); n >= keptHolds {
		return fmt.Errorf("hold of %s: %d holds stand already: lift some", p.Scope, n)
	}
	return nil
}

// Check says what is wrong with an order by itself at a time. Signed says that
// an operator stands behind it.
func (p HoldGiven) Check(now time.Time, signed bool) error {
	longest := MaxHold
	if !signed {
		longest = MaxUnsignedHold
	}
	what := fmt.Sprintf("%s of %s", p.Kind, p.Scope)
	switch {
	case p.Kind.rank() < 0:
		return fmt.Errorf("hold of %s: kind %q, want one of %v", p.Scope, p.Kind, HoldKinds())
	case !signed && p.Kind != HoldOnly:
		return fmt.Errorf("%s: %w: without a signature only a hold may be given", what, consensus.ErrNoWarrant)
	case strings.TrimSpace(p.Reason) == "":
		return fmt.Errorf("%s: no reason, want one: whoever meets it has to know what it is for", what)
	case len(p.Reason) > maxReason:
		return fmt.Errorf("%s: a reason of %d bytes, want at most %d", what, len(p.Reason), maxReason)
	case p.Until.IsZero() && p.Kind == Disarm:
		return nil
	case p.Until.IsZero():
		return fmt.Errorf("%s: no end, want one", what)
	case !p.Until.After(now):
		return fmt.Errorf("%s: its end, %s, is over", what, p.Until.UTC().Format(time.RFC3339))
	case p.Until.Sub(now) > longest:
		return fmt.Errorf("%s: lasts %v, want at most %v", what, p.Until.Sub(now).Round(time.Second), longest)
	}
	return nil
}

// checkScope refuses a scope that nothing lies in.
func (st *State) checkScope(s Scope) error {
	kind, name, _ := strings.Cut(string(s), ":")
	switch {
	case s == Fleet:
		return nil
	case kind == "member" && st.ledger.Roster().Index(member.ID(name)) < 0:
		return fmt.Errorf("no member %s in the roster", name)
	case kind == "pool":
		if _, ok := st.ledger.Fleet().Pool(name); !ok {
			return fmt.Errorf("no pool %s in the fleet", name)
		}
		return nil
	case kind == "domain" && !slices.ContainsFunc(st.ledger.Roster().Members, func(m member.Member) bool { return m.Domain == member.FailureDomain(name) }):
		return fmt.Errorf("no member of the roster is in failure domain %s", name)
	case kind == "member", kind == "domain":
		return nil
	default:
		return fmt.Errorf("unknown kind of scope, want fleet, domain:NAME, pool:NAME or member:NAME")
	}
}

// give applies an order. What has ended is forgotten here: the facts keep it.
func (st *State) give(f consensus.Fact, p HoldGiven) {
	h := &Hold{HoldGiven: p, ID: f.Command.ID, Fact: f.Index, Given: f.Time, Signed: f.Command.Warrant != nil}
	if h.Signed {
		h.By = f.Command.Warrant.Operator
	}
	if h.By == "" {
		h.By = string(f.Command.Proposer)
	}
	maps.DeleteFunc(st.s.Holds, func(_ string, h *Hold) bool { return !h.Binds(f.Time) })
	if st.s.Holds == nil {
		st.s.Holds = map[string]*Hold{}
	}
	st.s.Holds[h.ID] = h
}

// checkLifted wants an operator's signature: what lifts a hold lets things
// happen.
func (st *State) checkLifted(f consensus.Fact, p HoldLifted) error {
	if err := st.ledger.FromOperator(f.Command); err != nil {
		return err
	}
	if h, ok := st.s.Holds[p.Hold]; !ok || !h.Binds(f.Time) {
		return fmt.Errorf("lift hold %s: it does not stand, or has ended", p.Hold)
	}
	return nil
}

// Holds lists the holds that bind now, oldest first.
func (st *State) Holds(now time.Time) []*Hold {
	var out []*Hold
	for _, h := range st.s.Holds {
		if h.Binds(now) {
			out = append(out, h)
		}
	}
	slices.SortFunc(out, func(a, b *Hold) int { return int(a.Fact) - int(b.Fact) })
	return out
}

// Bound finds the hold that forbids the most on any of some scopes, nil if none
// does.
func Bound(holds []*Hold, now time.Time, scopes ...Scope) *Hold {
	var worst *Hold
	for _, h := range holds {
		if h.Binds(now) && slices.Contains(scopes, h.Scope) && (worst == nil || h.Kind.rank() > worst.Kind.rank()) {
			worst = h
		}
	}
	return worst
}

// scopesOf are those in which a member lies. Pool is the slot's, if it is one.
func (st *State) scopesOf(id member.ID, pool string) []Scope {
	s := []Scope{Fleet, HoldOf(id), InDomain(st.ledger.Roster().Domain(id))}
	if pool != "" {
		s = append(s, InPool(pool))
	}
	return s
}

// holdGate says which order of people keeps a case from what cannot be undone.
// A dry run is none of these: it is asked last.
func (st *State) holdGate(now time.Time, c *Case) (HeldReason, string) {
	if h := Bound(st.Holds(now), now, st.scopesOf(c.Subject, c.Pool)...); h != nil && h.Kind != DryRun {
		return h.Kind.reason(), h.why()
	}
	return "", ""
}

// dryRunGate lets a case that everything else allows go no further where people
// only want to know.
func (st *State) dryRunGate(now time.Time, c *Case, would string) (HeldReason, string) {
	if h := Bound(st.Holds(now), now, st.scopesOf(c.Subject, c.Pool)...); h != nil {
		return h.Kind.reason(), "would " + would + "; " + h.why()
	}
	return "", ""
}

// stilled finds the order that leaves even the traffic of a member where it is.
func (st *State) stilled(now time.Time, id member.ID, pool string) *Hold {
	if h := Bound(st.Holds(now), now, st.scopesOf(id, pool)...); h != nil && h.Kind.stills() {
		return h
	}
	return nil
}

// spared says why an order of people keeps a spare from being used. An order
// about the member itself always does; one about its failure domain does not
// stop a case that has fenced already, and those about the pool and the fleet
// have been asked at the case's own gate.
func (st *State) spared(now time.Time, id member.ID, fenced bool) *Hold {
	scopes := []Scope{HoldOf(id)}
	if !fenced {
		scopes = append(scopes, InDomain(st.ledger.Roster().Domain(id)))
	}
	return Bound(st.Holds(now), now, scopes...)
}

// Attended reports that people have said of a member that they know: they named
// it in an order, or work is planned where it stands. To the brake its trouble
// is settled as long as that lasts.
func (st *State) Attended(now time.Time, id member.ID) bool {
	for _, h := range st.Holds(now) {
		switch {
		case h.Kind == DryRun:
		case h.Scope == HoldOf(id), h.Kind == Maintenance && h.Scope == InDomain(st.ledger.Roster().Domain(id)):
			return true
		}
	}
	return false
}

// OfPeople reports that only people give commands of this kind. A warrant on any other
// kind but a fleet's says nothing, for nobody looks at it.
func OfPeople(k consensus.FactKind) bool { return ofPeople(k) }

// ofPeople reports that only people give commands of this kind; whether they
// may is looked at one by one.
func ofPeople(k consensus.FactKind) bool {
	switch k {
	case KindHold, KindHoldLifted, KindDrain, KindVacated, KindFilled, KindSwitchover, KindRequest, KindAnswer, KindDrill, KindCleared:
		return true
	default:
		return false
	}
}

// checkOrder says why a command of people must be refused now.
func (st *State) checkOrder(f consensus.Fact) error {
	switch f.Command.Kind {
	case KindHold:
		p, err := consensus.DecodePayload[HoldGiven](f)
		if err != nil {
			return err
		}
		return st.checkHold(f, p)
	case KindDrain:
		p, err := consensus.DecodePayload[DrainOrdered](f)
		if err != nil {
			return err
		}
		return cmp.Or(st.ledger.FromOperator(f.Command), st.CheckDrain(f.Time, p))
	case KindFilled:
		p, err := consensus.DecodePayload[FillOrdered](f)
		if err != nil {
			return err
		}
		return cmp.Or(st.ledger.FromOperator(f.Command), st.newest(f), st.CheckFill(f.Time, p))
	case KindVacated:
		p, err := consensus.DecodePayload[VacateOrdered](f)
		if err != nil {
			return err
		}
		return cmp.Or(st.ledger.FromOperator(f.Command), st.newest(f), st.CheckVacate(f.Time, p))
	case KindSwitchover:
		p, err := consensus.DecodePayload[SwitchoverOrdered](f)
		if err != nil {
			return err
		}
		return cmp.Or(st.ledger.FromOperator(f.Command), st.CheckSwitchover(f.Time, p))
	case KindRequest:
		p, err := consensus.DecodePayload[Requested](f)
		if err != nil {
			return err
		}
		return cmp.Or(st.ledger.FromOperator(f.Command), st.newest(f), st.checkRequest(f.Time, p))
	case KindAnswer:
		p, err := consensus.DecodePayload[Answered](f)
		if err != nil {
			return err
		}
		if err := st.ledger.FromOperator(f.Command); err != nil {
			return err
		}
		return st.checkAnswer(f, p)
	case KindDrill:
		p, err := consensus.DecodePayload[DrillOrdered](f)
		if err != nil {
			return err
		}
		return cmp.Or(st.ledger.FromOperator(f.Command), st.newest(f), st.DrillGate(f.Time, p.Member))
	case KindCleared:
		p, err := consensus.DecodePayload[StrikesCleared](f)
		if err != nil {
			return err
		}
		return cmp.Or(st.ledger.FromOperator(f.Command), st.newest(f), st.CheckCleared(p))
	default:
		p, err := consensus.DecodePayload[HoldLifted](f)
		if err != nil {
			return err
		}
		return st.checkLifted(f, p)
	}
}

// order applies an accepted command of people.
func (st *State) order(f consensus.Fact) {
	switch f.Command.Kind {
	case KindHold:
		p, _ := consensus.DecodePayload[HoldGiven](f)
		st.give(f, p)
	case KindDrain:
		p, _ := consensus.DecodePayload[DrainOrdered](f)
		st.drain(f, p)
	case KindFilled:
		p, _ := consensus.DecodePayload[FillOrdered](f)
		st.signed(f)
		st.fill(f, p)
	case KindVacated:
		p, _ := consensus.DecodePayload[VacateOrdered](f)
		st.signed(f)
		st.vacate(f, p)
	case KindSwitchover:
		p, _ := consensus.DecodePayload[SwitchoverOrdered](f)
		st.switchover(f, p)
	case KindRequest:
		p, _ := consensus.DecodePayload[Requested](f)
		st.signed(f)
		st.request(f, p)
	case KindAnswer:
		p, _ := consensus.DecodePayload[Answered](f)
		st.answer(f, p)
	case KindDrill:
		p, _ := consensus.DecodePayload[DrillOrdered](f)
		st.signed(f)
		st.drill(f, p.Member, orderOf(f, p.Reason, "").By)
	case KindCleared:
		p, _ := consensus.DecodePayload[StrikesCleared](f)
		st.signed(f)
		st.clear(p)
	default:
		p, _ := consensus.DecodePayload[HoldLifted](f)
		delete(st.s.Holds, p.Hold)
	}
}

// Bound tells the conductor of holds that this agent has heard of and that are no
// facts yet.
func (c *Conductor) Bound(holds []*Hold) { c.heard = holds }

// heardGate says which unconfirmed hold keeps a leader from proposing what cannot be
// undone.
func (c *Conductor) heardGate(now time.Time, x *Case) (HeldReason, string) {
	if h := Bound(c.heard, now, c.st.scopesOf(x.Subject, x.Pool)...); h != nil {
		return h.Kind.reason(), h.why() + " (not confirmed by the council)"
	}
	return "", ""
}

// Bound tells the executor of holds that this agent has heard of and that are no
// facts yet.
func (e *Executor) Bound(holds []*Hold) { e.heard = holds }

// bound reports that an order of people keeps this member from beginning a step that
// the ledger shows: a restart, the first start of a slot, or a drill. What stops a slot, or
// belongs to a case past its fence, is never kept back.
func (e *Executor) bound(now time.Time, k StepKey, pool string) bool {
	if k.Step != StepRestart && (k.Step != StepActivate && k.Step != StepPrepare || k.Case != 0) {
		return false
	}
	return Bound(slices.Concat(e.st.Holds(now), e.heard), now, e.st.scopesOf(e.self, pool)...) != nil
}
