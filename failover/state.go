package failover

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"moonwatch/consensus"
	"moonwatch/member"
)

// Slot is a place in the cluster and who holds it now.
type Slot struct {
	ID       member.SlotID    `json:"id"`
	Pool     string           `json:"pool"`
	Occupant member.ID        `json:"occupant,omitempty"` // empty: vacant
	Epoch    member.SlotEpoch `json:"epoch"`
	Since    time.Time        `json:"since"`
	Started  bool             `json:"started,omitempty"` // the occupant said that its service is up
	Drained  bool             `json:"drained,omitempty"`
	Case     uint64           `json:"case,omitempty"` // the open one
	Restarts []time.Time      `json:"restarts,omitempty"`
	LiveAt   time.Time        `json:"live_at,omitzero"` // when a replacement went live in it
	Away     *Order           `json:"away,omitempty"`   // people took its traffic away; never changed in place
}

// Duty is what a member is used for.
type Duty string

// The duties. A member without one has no pool.
const (
	Spare       Duty = "spare"
	Occupant    Duty = "occupant"
	Claimed     Duty = "claimed"
	Quarantined Duty = "quarantined"
	BurnIn      Duty = "burn-in"
)

// Use is one member's duty and its history.
type Use struct {
	Duty   Duty          `json:"duty"`
	Slot   member.SlotID `json:"slot,omitempty"`
	Case   uint64        `json:"case,omitempty"`
	Since  time.Time     `json:"since"`
	Struck []time.Time   `json:"struck,omitempty"` // when it failed, within the strike window
	Proof  *Proof        `json:"proof,omitempty"`  // its last word about its own readiness
	// Leftover is what may still run here and must be seen stopped before the
	// member is a spare again.
	Leftover map[member.SlotID]member.SlotEpoch `json:"leftover,omitempty"`
	Drilled  *Drilled                           `json:"drilled,omitempty"` // its last drill; never changed in place
	Shadow   map[member.SlotID]bool             `json:"shadow,omitempty"`  // leftovers that were prepared and never live
	LastUsed time.Time                          `json:"last_used,omitzero"`
	// LetGo is until when it goes on serving a slot that people moved away from it.
	LetGo time.Time `json:"let_go,omitzero"`
}

// State is the fold of all facts of this package. It is read by everybody and
// changed by Apply alone.
type State struct {
	ledger *consensus.Ledger
	s      folded
	shared bool // with other states of this process: it is copied before it is changed
}

type folded struct {
	Slots map[member.SlotID]*Slot `json:"slots"`
	Uses  map[member.ID]*Use      `json:"uses"`
	Cases map[uint64]*Case        `json:"cases"`
	Spent []time.Time             `json:"spent,omitempty"` // fencings within the budget window
	Dead  []time.Time             `json:"dead,omitempty"`  // replacements that died soon after going live
	Brake Brakes                  `json:"brake"`
	Holds map[string]*Hold        `json:"holds,omitempty"` // by the id of their command

	Requests map[uint64]*Request `json:"requests,omitempty"` // by their fact
	Signed   map[string]Signing  `json:"signed,omitempty"`   // by operator
	Scores   []Score             `json:"scores,omitempty"`   // never changed in place

	Enforcers map[member.ID]Enforced `json:"enforcers,omitempty"`
	Fencers   map[member.ID]Fencer   `json:"fencers,omitempty"`
	Leased    time.Duration          `json:"leased,omitempty"` // how long leases are by the present fleet, 0: it has none
	Former    *formerLease           `json:"former_lease,omitempty"`
	Doors     map[string]*Treating   `json:"doors,omitempty"` // by door and slot

	Drill   *Drill                     `json:"drill,omitempty"`   // the one under way; never changed in place
	DrillAt time.Time                  `json:"drill_at,omitzero"` // when the last one began
	Took    map[string][]time.Duration `json:"took,omitempty"`    // by pool: how long spares took to prepare, the last ones
}

// NewState makes an empty state. Bind must be called before the first fact.
func NewState() *State {
	return &State{s: folded{Slots: map[member.SlotID]*Slot{}, Uses: map[member.ID]*Use{}, Cases: map[uint64]*Case{}}}
}

// Bind gives the state the ledger that it is a folder of.
func (st *State) Bind(l *consensus.Ledger) { st.ledger = l }

// Name is this part's key in snapshots.
func (st *State) Name() string { return "failover" }

// Knows reports the kinds of this package.
func (st *State) Knows(kind consensus.FactKind) bool {
	switch kind {
	case KindCaseOpened, KindCaseStep, KindReport, KindBrake, KindReturned, KindEnforcer, KindFencer, KindFenceOrder, KindTold, KindAnnounced, KindWould,
		KindPrepare, KindRelease, KindDrillDue, KindDrillEnded, KindEarly:
		return true
	default:
		return ofPeople(kind)
	}
}

// Check says why a command must be refused now.
func (st *State) Check(f consensus.Fact) error {
	if ofPeople(f.Command.Kind) {
		return st.checkOrder(f)
	}
	if st.Knows(f.Command.Kind) && f.Command.Kind != KindReport && f.Command.Kind != KindEnforcer && f.Command.Kind != KindFencer && f.Command.Kind != KindTold {
		if err := st.ledger.FromCouncil(f.Command); err != nil {
			return err
		}
	}
	switch f.Command.Kind {
	case consensus.KindFleet:
		fl, err := consensus.DecodePayload[member.Fleet](f)
		if err != nil {
			return err
		}
		return st.checkFleet(&fl)
	case consensus.KindVerdict:
		v, err := consensus.DecodePayload[consensus.Verdict](f)
		if err != nil {
			return err
		}
		return st.checkAnew(v)
	case consensus.KindCouncil:
		return st.checkSwap(f)
	case KindCaseOpened:
		p, err := consensus.DecodePayload[CaseOpened](f)
		if err != nil {
			return err
		}
		return st.checkOpened(p)
	case KindCaseStep:
		p, err := consensus.DecodePayload[CaseStep](f)
		if err != nil {
			return err
		}
		return st.checkStep(f.Time, p)
	case KindReport:
		p, err := consensus.DecodePayload[Report](f)
		if err != nil {
			return err
		}
		return st.checkReport(f.Command.Proposer, p)
	case KindTold:
		p, err := consensus.DecodePayload[DoorsTold](f)
		if err != nil {
			return err
		}
		return st.checkTold(f.Command.Proposer, p)
	case KindBrake:
		p, err := consensus.DecodePayload[Brakes](f)
		if now := st.s.Brake.Weighing; err == nil && p.Over != now {
			err = fmt.Errorf("brake: weighed over proposal %d of term %d; proposal %d of term %d stands", p.Over.Turn, p.Over.Term, now.Turn, now.Term)
		}
		if err != nil {
			return err
		}
		return st.checkFallen(f.Time, p)
	case KindReturned:
		p, err := consensus.DecodePayload[Returned](f)
		if err != nil {
			return err
		}
		return st.BurntIn(f.Time, p.Member)
	case KindEnforcer:
		p, err := consensus.DecodePayload[Enforcer](f)
		if err != nil {
			return err
		}
		return st.checkEnforcer(f.Command.Proposer, p)
	case KindFencer:
		p, err := consensus.DecodePayload[Fencer](f)
		if err != nil {
			return err
		}
		return st.checkFencer(f.Command.Proposer, p)
	case KindFenceOrder:
		p, err := consensus.DecodePayload[FenceOrder](f)
		if err != nil {
			return err
		}
		return st.checkFenceOrder(f.Time, p)
	case KindAnnounced:
		p, err := consensus.DecodePayload[Announced](f)
		if err != nil {
			return err
		}
		return st.checkAnnounced(p)
	case KindWould:
		p, err := consensus.DecodePayload[Would](f)
		if err != nil {
			return err
		}
		return st.checkWould(f.Time, p)
	case KindPrepare:
		p, err := consensus.DecodePayload[PrepareOrdered](f)
		if err != nil {
			return err
		}
		return st.checkPrepare(f.Time, p)
	case KindEarly:
		p, err := consensus.DecodePayload[ReturnedEarly](f)
		if err != nil {
			return err
		}
		return st.checkEarly(f.Time, p)
	case KindDrillDue:
		p, err := consensus.DecodePayload[DrillOrdered](f)
		if err != nil {
			return err
		}
		return st.DrillGate(f.Time, p.Member)
	case KindDrillEnded:
		p, err := consensus.DecodePayload[DrillEnded](f)
		if err != nil {
			return err
		}
		return st.checkDrillEnded(p)
	case KindRelease:
		p, err := consensus.DecodePayload[SpareReleased](f)
		if err != nil {
			return err
		}
		return st.checkRelease(p)
	default:
		return nil
	}
}

// Apply takes an accepted fact into the state.
func (st *State) Apply(f consensus.Fact) {
	st.own()
	defer st.calm(f.Time)
	if ofPeople(f.Command.Kind) {
		st.order(f)
		return
	}
	switch f.Command.Kind {
	case consensus.KindFleet:
		st.arrange(f)
	case consensus.KindVerdict:
		v, _ := consensus.DecodePayload[consensus.Verdict](f)
		for _, x := range v.Findings {
			st.judged(f, x)
		}
	case KindCaseOpened:
		p, _ := consensus.DecodePayload[CaseOpened](f)
		st.open(f, p)
	case KindCaseStep:
		p, _ := consensus.DecodePayload[CaseStep](f)
		st.step(f, p)
	case KindReport:
		p, _ := consensus.DecodePayload[Report](f)
		st.reported(f, p)
	case KindTold:
		p, _ := consensus.DecodePayload[DoorsTold](f)
		st.told(f, p)
	case KindBrake:
		p, _ := consensus.DecodePayload[Brakes](f)
		st.s.Brake = p
	case KindReturned:
		p, _ := consensus.DecodePayload[Returned](f)
		st.s.Uses[p.Member].again(f)
	case KindEarly:
		p, _ := consensus.DecodePayload[ReturnedEarly](f)
		st.s.Uses[p.Member].again(f)
	case KindEnforcer:
		p, _ := consensus.DecodePayload[Enforcer](f)
		st.enforcerSaid(f, p)
	case KindFencer:
		p, _ := consensus.DecodePayload[Fencer](f)
		st.fencerSaid(f, p)
	case KindFenceOrder:
		p, _ := consensus.DecodePayload[FenceOrder](f)
		st.orderFence(f, p)
	case KindAnnounced:
		p, _ := consensus.DecodePayload[Announced](f)
		st.announce(f, p)
	case KindWould:
		p, _ := consensus.DecodePayload[Would](f)
		st.wouldHave(f, p)
	case KindPrepare:
		p, _ := consensus.DecodePayload[PrepareOrdered](f)
		st.prepare(f, p)
	case KindDrillDue:
		p, _ := consensus.DecodePayload[DrillOrdered](f)
		st.drill(f, p.Member, "")
	case KindDrillEnded:
		p, _ := consensus.DecodePayload[DrillEnded](f)
		st.drilled(f, false, p.Detail)
	case KindRelease:
		p, _ := consensus.DecodePayload[SpareReleased](f)
		c := st.s.Cases[p.Case]
		c.Version++
		st.fellShort(f, c, p.Spare, p.Detail)
	default: // of other packages
	}
}

// again makes a spare of a member that has come back.
func (u *Use) again(f consensus.Fact) {
	*u = Use{Duty: Spare, Since: f.Time, Struck: u.Struck, Proof: u.Proof, LastUsed: u.LastUsed, Drilled: u.Drilled}
}

// checkFleet refuses a fleet that takes the ground away from under what runs.
func (st *State) checkFleet(fl *member.Fleet) error {
	var errs []error
	in := map[member.ID]member.Member{}
	for _, m := range fl.Members {
		in[m.ID] = m
	}
	declared := map[member.SlotID]string{}
	for _, p := range fl.Pools {
		for _, s := range p.Slots {
			declared[s] = p.Name
		}
	}
	for _, s := range st.Slots() {
		if s.Occupant == "" {
			continue
		}
		if err := st.checkExclusive(s, fl); err != nil {
			errs = append(errs, err)
		}
		if pool, ok := declared[s.ID]; !ok || pool != s.Pool {
			errs = append(errs, fmt.Errorf("pools.%s.slots: slot %s is occupied by %s: drain it before it is removed", s.Pool, s.ID, s.Occupant))
		}
		if m, ok := in[s.Occupant]; !ok || m.Retired {
			errs = append(errs, fmt.Errorf("members.%s: occupies slot %s: switch over before it is removed", s.Occupant, s.ID))
		} else if m.Pool != s.Pool {
			errs = append(errs, fmt.Errorf("members.%s.pool: occupies slot %s of pool %s: switch over before it moves", s.Occupant, s.ID, s.Pool))
		}
	}
	for _, c := range st.OpenCases() {
		if m, ok := in[c.Spare]; c.Spare != "" && (!ok || m.Retired || m.Pool != c.Pool) {
			errs = append(errs, fmt.Errorf("members.%s: case %s is putting it into slot %s: wait for its end", c.Spare, c.Name(), c.Slot))
		}
		for _, p := range c.Preparing {
			if m, ok := in[p.Spare]; !ok || m.Retired || m.Pool != c.Pool {
				errs = append(errs, fmt.Errorf("members.%s: it prepares for slot %s of case %s: wait for its end", p.Spare, c.Slot, c.Name()))
			}
		}
	}
	return errors.Join(errs...)
}

// arrange brings slots and duties in line with a new fleet: members take the
// vacant slots of their pool in the order of the file, the others are spares.
func (st *State) arrange(f consensus.Fact) {
	fl, _ := consensus.DecodePayload[member.Fleet](f)
	st.newTerms(f, &fl)
	uses := map[member.ID]*Use{}
	for _, m := range fl.Members {
		if m.Retired || m.Pool == "" {
			continue
		}
		uses[m.ID] = st.s.Uses[m.ID]
		if uses[m.ID] == nil {
			uses[m.ID] = &Use{Duty: Spare, Since: f.Time}
		}
	}
	st.s.Uses = uses
	slots := map[member.SlotID]*Slot{}
	for _, p := range fl.Pools {
		for _, id := range p.Slots {
			slots[id] = st.s.Slots[id]
			if slots[id] == nil {
				slots[id] = &Slot{ID: id, Pool: p.Name}
			}
			if slots[id].Occupant == "" {
				st.place(f, fl.Members, slots[id])
			}
		}
	}
	st.s.Slots = slots
	st.forgetDoors()
	st.left(f)
}

// place puts the first free member of the pool into a slot.
func (st *State) place(f consensus.Fact, members []member.Member, s *Slot) {
	for _, m := range members {
		u := st.s.Uses[m.ID]
		if u == nil || u.Duty != Spare || m.Pool != s.Pool || len(u.Leftover) > 0 {
			continue
		}
		if _, condemned := st.ledger.Standing(m.ID); condemned || st.spared(f.Time, m.ID, true) != nil {
			continue
		}
		s.Occupant, s.Epoch, s.Since, s.Started = m.ID, member.SlotEpoch(f.Index), f.Time, false
		*u = Use{Duty: Occupant, Slot: s.ID, Since: f.Time, LastUsed: f.Time}
		return
	}
}

// judged takes a verdict: one that lifts a member's trouble aborts what was
// begun because of it, as long as nothing irreversible was done.
func (st *State) judged(f consensus.Fact, x consensus.Finding) {
	u := st.s.Uses[x.Subject]
	if x.Kind != consensus.VerdictUp {
		if s := st.slotOf(x.Subject); s != nil && x.Kind == consensus.VerdictDown &&
			!s.LiveAt.IsZero() && f.Time.Sub(s.LiveAt) < st.timing().DeadReplaced {
			st.s.Dead = append(within(st.s.Dead, f.Time, st.timing().DeadReplaced), f.Time)
		}
		if u != nil && (u.Duty == Spare || u.Duty == BurnIn) && x.Kind == consensus.VerdictDown {
			// A spare that fell has to prove itself like any other.
			u.Duty, u.Since = Quarantined, f.Time
			st.strike(u, f.Time)
		}
		for _, c := range st.OpenCases() {
			if c.Planned && c.Subject == x.Subject && replaceable(x.Kind) && c.State != Settling {
				st.fell(f, c, x)
			}
		}
		return
	}
	st.foundUp(f, x)
	if u != nil && u.Duty == Quarantined {
		u.Duty, u.Since = BurnIn, f.Time
	}
	for _, c := range st.OpenCases() {
		if c.Planned {
			continue // of a member that is well
		}
		if c.Subject == x.Subject && (c.abortable() || st.stranded(c)) {
			c.enter(Aborting, f, "the verdict was withdrawn")
			st.close(c, f, OutcomeAborted, "")
		}
	}
}

// stranded cases found no spare: the slot still is the subject's, nobody else
// has been given anything, and who is back may have it again.
func (st *State) stranded(c *Case) bool {
	s := st.s.Slots[c.Slot]
	return c.State == Escalated && c.Spare == "" && c.Outside == nil && c.Fencee == c.Subject && s != nil && s.Occupant == c.Subject && s.Epoch == c.Epoch
}

func (st *State) close(c *Case, f consensus.Fact, o Outcome, detail string) {
	st.giveBack(f, c)
	c.enter(Closed, f, detail)
	c.Outcome = o
	if o == OutcomeAborted && c.Would.IsZero() {
		st.unscore(c) // nothing was done
	}
	if s := st.s.Slots[c.Slot]; s != nil && s.Case == c.ID {
		s.Case = 0
		s.Drained = s.Away != nil
	}
	st.trim()
}

// keptCases is how many closed cases stay in the state; the facts about older
// ones stay in the ledger.
const keptCases = 200

func (st *State) trim() {
	ids := slices.Sorted(maps.Keys(st.s.Cases))
	for _, id := range ids {
		if len(st.s.Cases) <= keptCases {
			return
		}
		if !st.s.Cases[id].Open() {
			delete(st.s.Cases, id)
		}
	}
}

func (st *State) timing() Timing { return timing(st.ledger.Fleet()) }

// Snapshot gives the state as bytes.
func (st *State) Snapshot() (json.RawMessage, error) {
	b, err := json.Marshal(st.s)
	if err != nil {
		return nil, fmt.Errorf("failover state: %w", err)
	}
	return b, nil
}

// Restore replaces the state by a snapshot's.
func (st *State) Restore(b json.RawMessage) error {
	n := NewState()
	if len(b) > 0 {
		if err := json.Unmarshal(b, &n.s); err != nil {
			return fmt.Errorf("failover state: %w", err)
		}
	}
	st.s, st.shared = n.s, false
	return nil
}

// within drops what lies before the window that ends now.
func within(times []time.Time, now time.Time, window time.Duration) []time.Time {
	return slices.DeleteFunc(slices.Clone(times), func(t time.Time) bool { return now.Sub(t) >= window })
}
