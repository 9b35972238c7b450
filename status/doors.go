package status

import (
	"fmt"
	"strings"
	"time"

	"moonwatch/failover"
	"moonwatch/member"
)

// Door is a way by which clients reach the slots of a pool, and which a member
// tells of each change.
type Door struct {
	Name   failover.Door `json:"name"`
	Pool   string        `json:"pool"`
	Kind   string        `json:"kind"`
	Teller member.ID     `json:"teller"`
	Slots  int           `json:"slots"`
	Behind []DoorBehind  `json:"behind,omitempty"`
}

// DoorBehind is a slot that a door does not treat as the ledger says, as far as
// is known.
type DoorBehind struct {
	Slot  member.SlotID `json:"slot"`
	Since time.Time     `json:"since,omitzero"` // of the last word about it
	Why   string        `json:"why"`
}

func doorsOf(in Input) []Door {
	var all []Door
	for _, d := range in.State.Doors(in.Now) {
		x := Door{Name: d.Door, Pool: d.Pool, Kind: d.Kind, Teller: d.Teller, Slots: d.Slots}
		for _, b := range d.Behind {
			x.Behind = append(x.Behind, DoorBehind{Slot: b.Slot, Since: b.Since.UTC(), Why: oneLine(b.Why)})
		}
		all = append(all, x)
	}
	return all
}

// toldLine says of each slot how the door treats it now, the first few if they
// are many.
func toldLine(by member.ID, p failover.DoorsTold) string {
	const few = 4
	var parts []string
	for _, r := range p.Routes[:min(few, len(p.Routes))] {
		text := fmt.Sprintf("%s to %s at slot epoch %d", r.Slot, r.Occupant, r.Epoch)
		if r.Drained {
			text += ", drained"
		}
		switch {
		case r.Result != failover.ToldDone:
			text += ": " + string(r.Result)
		case r.Took > 0:
			text += ", in " + r.Took.Round(100*time.Microsecond).String()
		}
		if r.Result != failover.ToldDone && r.Detail != "" || strings.HasPrefix(r.Detail, "had changed by itself") {
			text += ": " + r.Detail
		}
		parts = append(parts, text)
	}
	if more := len(p.Routes) - few; more > 0 {
		parts = append(parts, fmt.Sprintf("%d more", more))
	}
	return fmt.Sprintf("%s says: door %s: %s", by, p.Door, strings.Join(parts, "; "))
}
