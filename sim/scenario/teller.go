package scenario

import (
	"fmt"
	"slices"
	"time"

	"moonwatch/consensus"
	"moonwatch/failover"
	"moonwatch/member"
	"moonwatch/sim"
)

// The lanes of a story.
const (
	LaneMember  = "member"
	LaneCouncil = "council"
	LaneBrake   = "brake"
	LanePool    = "pool"
	LaneCase    = "case"
	LaneChecker = "checker"
	LaneShield  = "shield"
)

// teller writes a run's story down as it happens. It looks and changes nothing.
type teller struct {
	w       *sim.World
	g       *ground
	x       *witness
	s       Story
	seq     int
	open    []int // places of faults that go on in Story.Faults
	members map[member.ID]*condition
	term    uint64
	leader  member.ID
	told    map[member.SlotID]bool // of slots that are not served
	stops   map[stopping]bool      // that are told; one that fails is tried again and again
	brakes  failover.Brakes
	cases   []uint64 // that are open
}

// stopping is a member that stops a slot that has moved on.
type stopping struct {
	who  member.ID
	slot member.SlotID
}

// condition is what a member's lane shows.
type condition struct {
	off, gone, halted bool
	verdict           consensus.VerdictKind
	isolated          bool
	duty              failover.Duty
	shown             string
}

// state is the most telling word: what the fleet has found comes before what is
// really the case, which the fault's band says.
func (c *condition) state() string {
	switch {
	case c.verdict != "":
		return string(c.verdict)
	case c.off:
		return "off"
	case c.halted:
		return "standing still"
	case c.gone:
		return "gone"
	case c.isolated:
		return string(failover.Isolated)
	case c.duty == failover.Occupant:
		return "serving"
	case c.duty != "":
		return string(c.duty)
	default:
		return "up"
	}
}

func newTeller(w *sim.World, g *ground, x *witness) *teller {
	t := &teller{w: w, g: g, x: x, members: map[member.ID]*condition{}, told: map[member.SlotID]bool{}, stops: map[stopping]bool{}}
	x.back = t.again
	t.s = Story{Members: g.fleet.Members, Council: g.council, Events: []Event{}, Faults: []Band{}}
	for _, m := range g.fleet.Members {
		t.members[m.ID] = &condition{gone: true, shown: "gone"}
	}
	return t
}

// tell adds an event.
func (t *teller) tell(e Event) {
	t.seq++
	e.AtMS, e.Seq = t.w.Now().Milliseconds(), t.seq
	t.s.Events = append(t.s.Events, e)
}

// see takes one happening.
func (t *teller) see(h sim.Happening) {
	switch h.What {
	case sim.FaultBegan:
		t.began(h.Fault)
	case sim.FaultEnded:
		t.ended(h.Fault, h.Held)
	case sim.AgentStarted:
		t.change(h.Member, h.What, func(c *condition) { c.off, c.gone = false, false })
	case sim.AgentEnded:
		t.change(h.Member, h.What, func(c *condition) { c.gone = true })
	case sim.AgentRefused:
		t.tell(Event{Lane: LaneMember, Member: h.Member, Raw: string(h.What), Text: fmt.Sprintf("the agent of %s does not start: %s", h.Member, h.Text)})
	case sim.LedBy:
		t.led(h)
	case sim.Agreed:
		t.agreed(h.Fact)
	case sim.ServiceDown, sim.ServiceUp, sim.ActionBegan, sim.ActionEnded:
		t.serving(h)
	case sim.PeopleNoted:
		t.tell(Event{Lane: LaneCase, Raw: string(h.What), Text: "people are refused: " + h.Text})
	case sim.ShieldSaid:
		t.tell(Event{Lane: LaneShield, Member: h.Member, Raw: string(h.What), Text: "shield: " + h.Text})
	}
}

// change notes that a member's condition may have changed, and tells it if its
// lane shows something else from now on.
func (t *teller) change(id member.ID, why sim.HappeningKind, do func(*condition)) {
	c := t.members[id]
	if c == nil {
		return
	}
	do(c)
	if s := c.state(); s != c.shown {
		c.shown = s
		t.tell(Event{Lane: LaneMember, Member: id, State: s, Raw: string(why)})
	}
}

// began opens a fault's band.
func (t *teller) began(f *sim.Fault) {
	t.seq++
	text, end := faultWords(t.g, f)
	t.open = append(t.open, len(t.s.Faults))
	t.s.Faults = append(t.s.Faults, Band{
		FromMS: t.w.Now().Milliseconds(), ToMS: -1, Kind: f.Do, Whom: f.Whom, Text: text, End: end, Seq: t.seq,
	})
	for _, id := range f.Whom {
		t.change(id, sim.FaultBegan, func(c *condition) {
			switch f.Do {
			case sim.Crash, sim.Wipe, sim.TornTail, sim.LostTail:
				c.off = true
			case sim.Pause, sim.Freeze:
				c.halted = true
			default: // seen by what follows
			}
		})
	}
}

// ended closes the band of the first fault that is like f; whom another one of its
// sort holds still is named.
func (t *teller) ended(f *sim.Fault, held []member.ID) {
	for i, place := range t.open {
		b := &t.s.Faults[place]
		if b.Kind == f.Do && slices.Equal(b.Whom, f.Whom) {
			t.seq++
			b.ToMS, b.EndSeq = t.w.Now().Milliseconds(), t.seq
			if len(held) > 0 && b.End != "" {
				b.End += "; another such fault still holds " + t.g.names(held)
			}
			t.open = slices.Delete(t.open, i, i+1)
			break
		}
	}
	for _, id := range f.Whom {
		t.change(id, sim.FaultEnded, func(c *condition) {
			if (f.Do == sim.Pause || f.Do == sim.Freeze) && !slices.Contains(held, id) {
				c.halted = false
			}
		})
	}
}

// led tells a new leader. That others hear of it is not told.
func (t *teller) led(h sim.Happening) {
	if h.Led.Leader != h.Member || h.Led.Term <= t.term {
		return
	}
	t.term, t.leader = h.Led.Term, h.Member
	t.tell(Event{
		Lane: LaneCouncil, Member: h.Member, State: string(h.Member), Raw: string(h.What),
		Text: fmt.Sprintf("%s leads the council (term %d)", h.Member, h.Led.Term),
	})
}

// nobody is the council lane's state without a leader.
const nobody = "nobody"

// sample tells what is seen by looking only, once a second.
func (t *teller) sample() {
	if t.term > 0 {
		switch leader := t.w.Leader(); {
		case leader == "" && t.leader != "":
			t.leader = ""
			t.tell(Event{Lane: LaneCouncil, State: nobody, Raw: "sample", Text: "nobody leads the council"})
		case leader != "" && t.leader == "":
			t.leader = leader
			t.tell(Event{Lane: LaneCouncil, Member: leader, State: string(leader), Raw: "sample"})
		}
	}
	for _, m := range t.g.fleet.Members {
		t.change(m.ID, "sample", func(c *condition) {
			c.isolated = t.term > 0 && t.w.Mode(m.ID) == failover.Isolated
		})
	}
}

// serving tells when a slot is not served any more, and when it is again.
func (t *teller) serving(h sim.Happening) {
	switch h.What {
	case sim.ServiceUp:
		delete(t.stops, stopping{h.Member, h.Slot})
	case sim.ServiceDown:
		if since, lost := t.x.lost[h.Slot]; lost && since == h.At {
			if !t.told[h.Slot] {
				t.told[h.Slot] = true
				t.tell(Event{
					Lane: LaneMember, Member: h.Member, Raw: string(h.What), Slot: h.Slot,
					Text: fmt.Sprintf("slot %s is not served any more", h.Slot),
				})
			}
		}
	case sim.ActionBegan:
		if this := (stopping{h.Member, h.Slot}); h.Step.Case == 0 && h.Step.Step == failover.StepStop && !t.stops[this] {
			t.stops[this] = true
			text := fmt.Sprintf("%s stops slot %s, which is not its own any more", h.Member, h.Slot)
			if st := t.w.State(); st != nil && st.Use(h.Member).Shadow[h.Slot] {
				text = fmt.Sprintf("%s takes back what it has prepared for slot %s", h.Member, h.Slot)
			}
			t.tell(Event{Lane: LaneMember, Member: h.Member, Raw: string(h.What), Text: text})
		}
		if h.Step.Case != 0 {
			doing := map[failover.StepKind]string{failover.StepActivate: "activating", failover.StepPrepare: "preparing", failover.StepRestart: "restarting", failover.StepStop: "stopping"}[h.Step.Step]
			t.tell(Event{Lane: LaneMember, Member: h.Member, State: doing, Raw: string(h.What)})
			t.members[h.Member].shown = doing
		}
	case sim.ActionEnded:
		t.change(h.Member, h.What, func(*condition) {})
	default: // what it was for is told by the slot
	}
}

// again tells that a slot is served again.
func (t *teller) again(slot member.SlotID, since time.Duration) {
	if !t.told[slot] {
		return
	}
	delete(t.told, slot)
	by := t.w.Occupant(slot)
	t.tell(Event{
		Lane: LaneMember, Member: by, Raw: string(sim.ServiceUp), Slot: slot, Served: true,
		Text: fmt.Sprintf("slot %s is served again by %s, after %s", slot, by, tenths(t.w.Now()-since)),
	})
}

// duties follows what the members are used for, and tells the pool's lane.
func (t *teller) duties() {
	st := t.w.State()
	if st == nil {
		return
	}
	for _, m := range t.g.fleet.Members {
		duty := st.Use(m.ID).Duty
		if duty == t.members[m.ID].duty {
			continue
		}
		t.change(m.ID, sim.Agreed, func(c *condition) { c.duty = duty })
		t.tell(Event{Lane: LanePool, Member: m.ID, State: string(duty), Raw: string(sim.Agreed)})
	}
}

// closed ends the lanes of the cases that are closed. A verdict that is lifted
// closes its case without a step.
func (t *teller) closed() {
	st := t.w.State()
	t.cases = slices.DeleteFunc(t.cases, func(id uint64) bool {
		c, ok := st.Case(id)
		if !ok || c.State != failover.Closed {
			return false
		}
		if n := len(t.s.Events); n == 0 || t.s.Events[n-1].Case != id || t.s.Events[n-1].State != string(failover.Closed) {
			t.tell(Event{
				Lane: LaneCase, Case: id, Member: c.Subject, State: string(failover.Closed), Raw: string(sim.Agreed),
				Text: fmt.Sprintf("C-%d: closed, %s", id, c.Outcome),
			})
		}
		return true
	})
}

// story closes the book.
func (t *teller) story(broken *sim.Broken, troubles []sim.Trouble) *Story {
	if broken != nil {
		t.tell(Event{Lane: LaneChecker, State: "broken", Raw: "broken", Text: "BROKEN: " + broken.Promise + ": " + broken.Text})
	}
	for _, x := range troubles {
		t.tell(Event{Lane: LaneChecker, State: "unsettled", Raw: "trouble", Text: "NOT WELL in the end: " + x.String()})
	}
	end := t.w.Now().Milliseconds()
	for _, place := range t.open {
		t.s.Faults[place].ToMS, t.s.Faults[place].End = end, ""
	}
	for _, r := range t.w.Requests() {
		d := Door{Host: r.Host}
		for _, s := range r.Seconds {
			d.Total, d.Failed = append(d.Total, s.Total), append(d.Failed, s.Failed)
		}
		t.s.Doors = append(t.s.Doors, d)
	}
	return &t.s
}
