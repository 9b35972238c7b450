package failover

import (
	"encoding/json"
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
	LiveAt   time.Time        `json:"live_at,omitzero"`  // when a replacement went live in it
	Died     *Death           `json:"died,omitempty"`    // of that replacement, soon after; never changed in place
	Anew     uint64           `json:"anew,omitempty"`    // the fact since which its occupant has to start it anew
	Unable   bool             `json:"unable,omitempty"`  // its occupant said that it could not, and goes on trying
	Away     *Order           `json:"away,omitempty"`    // people took its traffic away; never changed in place
	Vacated  *Order           `json:"vacated,omitempty"` // people took it away from its last occupant; never changed in place
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
	Lent     *Loan                              `json:"lent,omitempty"` // it stands in for another pool; never changed in place
	Fits     map[string]Proof                   `json:"fits,omitempty"` // by pool that may borrow it; never changed in place
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

	Retired map[member.ID]*Use `json:"retired,omitempty"` // what is known of members without a duty, as long as they have a name

	Spent []time.Time      `json:"spent,omitempty"` // fencings within the budget window
	Dead  []time.Time      `json:"dead,omitempty"`  // replacements that died soon after going live
	Brake Brakes           `json:"brake"`
	Holds map[string]*Hold `json:"holds,omitempty"` // by the id of their command

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

// again makes a spare of a member that has come back.
func (u *Use) again(f consensus.Fact) {
	*u = Use{Duty: Spare, Since: f.Time, Struck: u.Struck, Proof: u.Proof, LastUsed: u.LastUsed, Drilled: u.Drilled, Fits: u.Fits}
}

// judged takes a verdict: one that lifts a member's trouble aborts what was
// begun because of it, as long as nothing irreversible was done.
func (st *State) judged(f consensus.Fact, x consensus.Finding) {
	u := st.s.Uses[x.Subject]
	if x.Kind != consensus.VerdictUp {
		st.diedSoon(f, x)
		if u != nil && u.Duty == Quarantined {
			u.LetGo = time.Time{} // people moved its slot away while it was well, and now it is not
		}
		if u != nil && (u.Duty == Spare || u.Duty == BurnIn) && x.Kind == consensus.VerdictDown {
			// A spare that fell has to prove itself like any other.
			u.Duty, u.Since, u.Lent = Quarantined, f.Time, nil
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
	st.undead(x)
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
	st.unlend(c)
	c.enter(Closed, f, detail)
	c.Outcome = o
	if o == OutcomeAborted && c.Would.IsZero() {
		st.unscore(c) // nothing was done
	}
	if s := st.s.Slots[c.Slot]; s != nil && s.Case == c.ID {
		s.Case = 0
		if o == OutcomeRestarted {
			s.Anew, s.Unable = 0, false
		}
		s.Drained = s.Away != nil || s.Drained && st.stillStopped(s)
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
