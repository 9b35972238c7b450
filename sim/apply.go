package sim

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"moonwatch/consensus"
	"moonwatch/member"
)

// OrderApply is an operator who edits fleet.yaml and applies it, whatever is under way.
// The ledger may refuse it, as it may refuse every order.
const OrderApply FaultKind = "order-apply"

// FleetChange is what an operator edits: only what is set changes. It is a change of the
// fleet that stands then and not a fleet of its own, so a plan without one of its steps
// still makes sense.
type FleetChange struct {
	Profile string                `json:"profile,omitempty"` // of the ledger; agents observe by their own, which agent.yaml names
	Guarded *member.Threshold     `json:"guarded,omitempty"`
	Cascade *member.Threshold     `json:"cascade,omitempty"`
	Pools   map[string]PoolChange `json:"pools,omitempty"`
	Members MemberChange          `json:"members,omitzero"` // of those whom the step means
}

// PoolChange is what changes about one pool.
type PoolChange struct {
	Exclusive   *bool           `json:"exclusive,omitempty"`
	Armed       *bool           `json:"armed,omitempty"`
	Prepare     *bool           `json:"prepare,omitempty"` // whether it has such actions
	Restart     *bool           `json:"restart,omitempty"` // likewise
	Fence       []string        `json:"fence,omitempty"`
	DrillEvery  *time.Duration  `json:"drill_every,omitempty"`
	EarlyAfter  *time.Duration  `json:"early_after,omitempty"`
	Reserve     *int            `json:"reserve,omitempty"`
	Floor       *int            `json:"floor,omitempty"`
	BorrowFrom  *[]string       `json:"borrow_from,omitempty"` // of an empty list: nowhere any more
	AddSlots    []member.SlotID `json:"add_slots,omitempty"`
	RemoveSlots []member.SlotID `json:"remove_slots,omitempty"`
}

// MemberChange is what changes about members.
type MemberChange struct {
	Retired *bool  `json:"retired,omitempty"`
	Pool    string `json:"pool,omitempty"`
}

// To is the fleet with the change, some members being meant by it. Pools and members that
// the fleet does not have are left out.
func (c *FleetChange) To(f member.Fleet, whom []member.ID) member.Fleet {
	if c.Profile != "" {
		f.Profile = c.Profile
	}
	set(&f.Brake.Guarded, c.Guarded)
	set(&f.Brake.Cascade, c.Cascade)
	f.Pools, f.Members = slices.Clone(f.Pools), slices.Clone(f.Members)
	for i, p := range f.Pools {
		f.Pools[i] = c.Pools[p.Name].to(p)
	}
	for i := range f.Members {
		if m := &f.Members[i]; slices.Contains(whom, m.ID) {
			set(&m.Retired, c.Members.Retired)
			if c.Members.Pool != "" {
				m.Pool = c.Members.Pool
			}
		}
	}
	return f
}

func (c PoolChange) to(p member.Pool) member.Pool {
	set(&p.Exclusive, c.Exclusive)
	set(&p.Armed, c.Armed)
	set(&p.Spares.DrillEvery, c.DrillEvery)
	set(&p.Spares.EarlyAfter, c.EarlyAfter)
	set(&p.Spares.Reserve, c.Reserve)
	set(&p.Spares.Floor, c.Floor)
	set(&p.Spares.BorrowFrom, c.BorrowFrom)
	if c.Fence != nil {
		p.Fence = c.Fence
	}
	if c.Prepare != nil {
		p.Actions.Prepare, p.Actions.Unprepare = named(*c.Prepare, p.Name+"-prepare"), named(*c.Prepare, p.Name+"-unprepare")
	}
	if c.Restart != nil {
		p.Actions.Restart = named(*c.Restart, p.Name+"-restart")
	}
	p.Slots = slices.DeleteFunc(slices.Clone(p.Slots), func(s member.SlotID) bool { return slices.Contains(c.RemoveSlots, s) })
	p.Slots = append(p.Slots, c.AddSlots...)
	return p
}

func set[T any](field *T, to *T) {
	if to != nil {
		*field = *to
	}
}

// named is an action's name where there is to be one.
func named(is bool, name string) string {
	if is {
		return name
	}
	return ""
}

// check says what is wrong with a change by itself. Whether the fleet may be like that is
// the ledger's to say.
func (c *FleetChange) check(whom bool) error {
	members := c.Members != MemberChange{}
	switch {
	case members && !whom:
		return errors.New("changes members and has no whom")
	case !members && whom:
		return errors.New("has whom and changes nothing about members")
	case !members && c.String() == "":
		return errors.New("changes nothing")
	}
	return nil
}

// String is the change for people.
func (c *FleetChange) String() string {
	var parts []string
	if c.Profile != "" {
		parts = append(parts, "profile "+c.Profile)
	}
	for _, x := range []struct {
		mode string
		at   *member.Threshold
	}{{"guarded", c.Guarded}, {"cascade", c.Cascade}} {
		if x.at != nil {
			parts = append(parts, fmt.Sprintf("%s from %d members or %g %%", x.mode, x.at.Min, 100*x.at.Share))
		}
	}
	for _, name := range slices.Sorted(maps.Keys(c.Pools)) {
		if text := c.Pools[name].String(); text != "" {
			parts = append(parts, "pool "+name+": "+text)
		}
	}
	if c.Members.Pool != "" {
		parts = append(parts, "in pool "+c.Members.Pool)
	}
	if r := c.Members.Retired; r != nil {
		parts = append(parts, map[bool]string{true: "retired", false: "no longer retired"}[*r])
	}
	return strings.Join(parts, "; ")
}

// String is the change of a pool for people, empty if there is none.
func (c PoolChange) String() string {
	var parts []string
	is := func(yes *bool, on, off string) {
		if yes != nil {
			parts = append(parts, map[bool]string{true: on, false: off}[*yes])
		}
	}
	is(c.Exclusive, "exclusive", "not exclusive")
	is(c.Armed, "armed", "not armed")
	is(c.Prepare, "spares prepare", "spares do not prepare")
	is(c.Restart, "services restart in place", "no restart in place")
	if c.Fence != nil {
		parts = append(parts, "fence "+strings.Join(c.Fence, ", "))
	}
	for _, x := range []struct {
		what string
		d    *time.Duration
	}{{"a drill every", c.DrillEvery}, {"early after", c.EarlyAfter}} {
		if x.d != nil {
			parts = append(parts, x.what+" "+x.d.String())
		}
	}
	for _, x := range []struct {
		what string
		n    *int
	}{{"reserve", c.Reserve}, {"floor", c.Floor}} {
		if x.n != nil {
			parts = append(parts, fmt.Sprintf("%s %d", x.what, *x.n))
		}
	}
	switch {
	case c.BorrowFrom == nil:
	case len(*c.BorrowFrom) == 0:
		parts = append(parts, "borrows nowhere")
	default:
		parts = append(parts, "borrows from "+strings.Join(*c.BorrowFrom, " and "))
	}
	if len(c.RemoveSlots) > 0 {
		parts = append(parts, "without slot "+slotNames(c.RemoveSlots))
	}
	if len(c.AddSlots) > 0 {
		parts = append(parts, "with slot "+slotNames(c.AddSlots))
	}
	return strings.Join(parts, ", ")
}

func slotNames(slots []member.SlotID) string {
	names := make([]string, len(slots))
	for i, s := range slots {
		names[i] = string(s)
	}
	return strings.Join(names, " and ")
}

// fleet is the fleet that stands: the one that was applied last, and before any was the
// one that the world begins with.
func (w *World) fleet() *member.Fleet {
	if f := w.checker.fold.Fleet(); f != nil {
		return f
	}
	return &w.cfg.Fleet
}

// orderApply lets an operator apply the fleet that stands, with a change.
func (w *World) orderApply(f Fault) {
	w.applied++
	w.order(operator, consensus.KindFleet, fmt.Sprintf("fleet/%d", 1+w.applied), f.Change.To(*w.fleet(), f.Whom))
}

// refit lets an agent whose ledger has just taken another fleet hear of what its
// machine's adapters find by it: which members its fence devices reach, and its keeper.
func (m *machine) refit(facts []consensus.Fact) {
	if m.w.applied == 0 || !slices.ContainsFunc(facts, func(f consensus.Fact) bool { return f.Accepted && f.Command.Kind == consensus.KindFleet }) {
		return
	}
	life := m.life
	m.w.after(time.Millisecond, func() {
		m.deliver(func(m *machine) {
			if m.life == life {
				m.tellFences()
				m.keepsTelling(life)
			}
		})
	})
}
