package scenario

import (
	"slices"
	"time"

	"moonwatch/consensus"
	"moonwatch/failover"
	"moonwatch/member"
	"moonwatch/sim"
)

// witness measures a run: what it tells is what happened, and not what any
// agent believes.
type witness struct {
	w *sim.World

	crashed map[member.ID]time.Duration // lost their power and are not condemned yet
	off     map[member.ID]bool
	verdict map[member.ID]consensus.VerdictKind
	detect  []time.Duration

	first   map[member.SlotID]member.ID // who held the slot at the beginning
	dealt   bool                        // first is what the ledger says
	lost    map[member.SlotID]time.Duration
	recover []time.Duration
	back    func(member.SlotID, time.Duration) // is told of a slot that is served again, and since when it was not; may be nil
	stale   map[member.SlotID]bool             // slots that may be served again
	all     bool                               // all of them may be

	cases        map[uint64]caseOf
	mode, before failover.Mode
	modes        []failover.Mode
	term         uint64
	unquorate    bool // the council's quorum was lost at some time
	condemned    []WantedVerdict

	failovers, restarts, destructive int
}

// caseOf is what a case is about.
type caseOf struct {
	subject member.ID
	slot    member.SlotID
}

func newWitness(w *sim.World, g *ground) *witness {
	x := &witness{
		w: w, crashed: map[member.ID]time.Duration{}, off: map[member.ID]bool{},
		verdict: map[member.ID]consensus.VerdictKind{}, first: map[member.SlotID]member.ID{}, lost: map[member.SlotID]time.Duration{}, stale: map[member.SlotID]bool{},
		cases: map[uint64]caseOf{}, mode: failover.Normal, before: failover.Normal,
	}
	for id, slot := range g.holds {
		x.first[slot] = id
	}
	return x
}

// see takes one happening.
func (x *witness) see(h sim.Happening) {
	switch h.What {
	case sim.FaultBegan:
		x.struck(h)
	case sim.FaultEnded:
		x.mended(h)
	case sim.Agreed:
		if h.Fact.Accepted {
			x.agreed(h)
		}
	case sim.ActionBegan:
		if h.Step.Case != 0 {
			x.destructive++
		}
	case sim.ServiceDown:
		x.missing(h.Slot, h.Member, h.At)
	case sim.LedBy:
		if x.elected(h) {
			x.term = max(x.term, h.Led.Term)
		}
	case sim.AgentStarted:
		x.all = true // when none ran, nobody could say who the occupants are
	case sim.ServiceUp:
		x.stale[h.Slot] = true
	default: // nothing to measure
	}
}

// elected reports that a member begins to lead in a new term.
func (x *witness) elected(h sim.Happening) bool {
	return h.Led.Leader == h.Member && h.Led.Term >= x.term
}

func (x *witness) struck(h sim.Happening) {
	for _, id := range h.Fault.Whom {
		switch h.Fault.Do {
		case sim.Crash, sim.Wipe, sim.TornTail, sim.LostTail:
			if !x.off[id] && x.verdict[id] == "" {
				x.crashed[id] = h.At
			}
			x.off[id] = true
		case sim.Pause, sim.Sicken:
			for _, slot := range x.slotsOf(id) {
				x.missing(slot, id, h.At)
			}
		default: // the power is there, and what serves goes on
		}
	}
}

func (x *witness) mended(h sim.Happening) {
	x.all = true
	switch h.Fault.Do {
	case sim.Crash, sim.Wipe, sim.TornTail, sim.LostTail:
		for _, id := range h.Fault.Whom {
			if !slices.Contains(h.Held, id) {
				delete(x.crashed, id)
				delete(x.off, id)
			}
		}
	default: // the power was there
	}
}

func (x *witness) agreed(h sim.Happening) {
	f := h.Fact
	switch f.Command.Kind {
	case consensus.KindVerdict:
		for _, y := range payload[consensus.Verdict](f).Findings {
			x.found(y, h.At)
		}
	case failover.KindCaseOpened:
		p := payload[failover.CaseOpened](f)
		x.cases[f.Index] = caseOf{p.Subject, p.Slot}
	case failover.KindForced:
		if c, ok := x.w.State().Case(f.Index); ok {
			x.cases[f.Index] = caseOf{c.Subject, c.Slot}
		}
	case failover.KindSwitchover:
		p := payload[failover.SwitchoverOrdered](f)
		x.cases[f.Index] = caseOf{p.Subject, p.Slot}
	case failover.KindCaseStep:
		p := payload[failover.CaseStep](f)
		x.stale[x.cases[p.Case].slot] = true
		switch p.To {
		case failover.Cutover:
			if c, ok := x.w.State().Case(p.Case); !ok || !c.Planned || c.Forced != 0 {
				x.failovers++
			}
		case failover.Restarting:
			x.restarts++
		default: // counted by their beginning
		}
	case failover.KindBrake:
		x.before, x.mode = x.mode, payload[failover.Brakes](f).Mode()
		if !slices.Contains(x.modes, x.mode) {
			x.modes = append(x.modes, x.mode)
		}
	default: // no measure of a run
	}
}

// found books one finding.
func (x *witness) found(y consensus.Finding, at time.Duration) {
	switch {
	case y.Kind == consensus.VerdictUp:
		delete(x.verdict, y.Subject)
		return
	case !condemns(y.Kind):
		return
	}
	x.verdict[y.Subject] = y.Kind
	x.condemned = append(x.condemned, WantedVerdict{isMember(y.Subject), y.Kind})
	if since, ok := x.crashed[y.Subject]; ok {
		x.detect = append(x.detect, at-since)
		delete(x.crashed, y.Subject)
	}
}

// missing books that a slot lost its service, if this member was the one to
// serve it.
func (x *witness) missing(slot member.SlotID, id member.ID, at time.Duration) {
	if _, already := x.lost[slot]; !already && x.w.Occupant(slot) == id {
		x.lost[slot] = at
	}
}

// slotsOf are the slots that a member occupies.
func (x *witness) slotsOf(id member.ID) []member.SlotID {
	st := x.w.State()
	if st == nil {
		return nil
	}
	var slots []member.SlotID
	for _, s := range st.Slots() {
		if s.Occupant == id {
			slots = append(slots, s.ID)
		}
	}
	return slots
}

// look finds the slots that are served again. It is asked after every event,
// and looks at those about which something happened: in a mass failure there
// are many lost ones.
func (x *witness) look() {
	if !x.all && len(x.stale) == 0 {
		return
	}
	slots := sortedKeys(x.stale)
	if x.all {
		slots = sortedKeys(x.lost)
	}
	x.all = false
	clear(x.stale)
	for _, slot := range slots {
		if _, lost := x.lost[slot]; lost && x.w.Served(slot) {
			x.recover = append(x.recover, x.w.Now()-x.lost[slot])
			if x.back != nil {
				x.back(slot, x.lost[slot])
			}
			delete(x.lost, slot)
		}
	}
}

// sample looks at the whole fleet, once a second.
func (x *witness) sample() {
	x.all = true
	x.look()
	x.deal()
	if x.term == 0 || x.unquorate {
		return
	}
	running, isolated := 0, 0
	for _, m := range x.members() {
		switch x.w.Mode(m) {
		case "":
		case failover.Isolated:
			running++
			isolated++
		default:
			running++
		}
	}
	x.unquorate = running > 0 && running == isolated
}

// deal notes who held which slot when the fleet had come up.
func (x *witness) deal() {
	st := x.w.State()
	if x.dealt || st == nil || len(st.Slots()) == 0 {
		return
	}
	x.dealt = true
	for _, s := range st.Slots() {
		x.first[s.ID] = s.Occupant
	}
}

func (x *witness) members() []member.ID {
	st := x.w.State()
	if st == nil || st.Ledger().Roster() == nil {
		return nil
	}
	var ids []member.ID
	for _, m := range st.Ledger().Roster().Members {
		ids = append(ids, m.ID)
	}
	return ids
}
