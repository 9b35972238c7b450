package sim

import (
	"time"

	"moonwatch/consensus"
	"moonwatch/failover"
	"moonwatch/member"
	"moonwatch/mind"
)

// Happening is one thing in a world that an onlooker may want to know: a
// trigger of a scenario, a lane of a report, a counter. It is told at the moment
// at which it happens; what it points to must not be changed.
type Happening struct {
	At     time.Duration // since the world began
	Member member.ID     // to whom it happens, or who does it; empty: the fleet
	What   HappeningKind

	Fault *Fault            // of FaultBegan and FaultEnded
	Held  []member.ID       // of FaultEnded: whom another fault of its sort holds still
	Fact  *consensus.Fact   // of Agreed
	Led   *mind.Led         // of LedBy: what Member believes
	Step  *failover.StepKey // of ActionBegan and ActionEnded
	Slot  member.SlotID     // of ServiceUp and ServiceDown
	Text  string            // more about it, for people
}

// HappeningKind says which of the pointers of a Happening are set.
type HappeningKind string

// The happenings.
const (
	FaultBegan   HappeningKind = "fault-began"
	FaultEnded   HappeningKind = "fault-ended"
	AgentStarted HappeningKind = "agent-started"
	AgentEnded   HappeningKind = "agent-ended"
	AgentRefused HappeningKind = "agent-refused" // it does not start; Text says why
	Agreed       HappeningKind = "agreed"        // the first agent applied a fact
	LedBy        HappeningKind = "led-by"
	ActionBegan  HappeningKind = "action-began"
	ActionEnded  HappeningKind = "action-ended"
	ServiceUp    HappeningKind = "service-up"
	ServiceDown  HappeningKind = "service-down"
	PeopleNoted  HappeningKind = "people-noted" // what people wanted comes to nothing before the ledger hears of it; Text says why
	ShieldSaid   HappeningKind = "shield-said"  // a door of the shield, first of all; Text says what
)

// Watch lets an onlooker see everything that happens from now on. Onlookers are
// told in the order in which they came. They may hit and mend, and see the
// consequences after the present event.
func (w *World) Watch(look func(Happening)) { w.onlookers = append(w.onlookers, look) }

// tell tells the onlookers.
func (w *World) tell(h Happening) {
	h.At = w.now
	for _, look := range w.onlookers {
		look(h)
	}
}
