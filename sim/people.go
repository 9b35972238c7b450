package sim

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"moonwatch/consensus"
	"moonwatch/failover"
	"moonwatch/member"
	"moonwatch/mind"
)

// What people order. It is no fault, but it happens to a fleet like one: at a
// time, about somebody, and with an end.
const (
	OrderHold        FaultKind = "order-hold"
	OrderFreeze      FaultKind = "order-freeze"
	OrderDisarm      FaultKind = "order-disarm"
	OrderMaintenance FaultKind = "order-maintenance"
	OrderDryRun      FaultKind = "order-dry-run"
	OrderDrain       FaultKind = "order-drain"
	OrderSwitchover  FaultKind = "order-switchover"
	OrderVacate      FaultKind = "order-vacate"
	OrderFill        FaultKind = "order-fill"
	OrderDrill       FaultKind = "order-drill"
	OrderClear       FaultKind = "order-clear"
)

// What takes two people, and their answers.
const (
	OrderOverride   FaultKind = "order-override"
	OrderAlone      FaultKind = "order-override-alone"
	OrderFenced     FaultKind = "order-fenced"
	OrderReserve    FaultKind = "order-reserve"
	OrderFailover   FaultKind = "order-failover"
	OrderApprove    FaultKind = "order-approve"
	OrderApproveOwn FaultKind = "order-approve-own"
	OrderReject     FaultKind = "order-reject"
)

// heldFor is the end of a hold that a step gives none, and that is lifted if
// somebody mends it.
const heldFor = 8 * time.Hour

// isOrder reports that nothing breaks: people only say something.
func (k FaultKind) isOrder() bool { return strings.HasPrefix(string(k), "order-") }

// holdKind is what people order.
func (k FaultKind) holdKind() failover.HoldKind {
	return failover.HoldKind(strings.TrimPrefix(string(k), "order-"))
}

// orderHold lets an operator give a hold.
func (w *World) orderHold(f Fault) {
	p := failover.HoldGiven{Kind: f.Do.holdKind(), Reason: "the scenario wants it", By: "operator", Until: w.time().Add(f.For)}
	switch {
	case f.For > 0:
	case f.Do == OrderDisarm:
		p.Until = time.Time{}
	default:
		p.Until = w.time().Add(heldFor)
	}
	for _, s := range w.scopesOf(f.Whom) {
		p.Scope = s
		w.order(operator, failover.KindHold, fmt.Sprintf("%s/%s/%d", f.Do, s, w.now), p)
	}
}

// orderLift lets an operator lift what orderHold gave. A hold that has an end of
// its own needs nobody.
func (w *World) orderLift(f Fault) {
	if f.For > 0 {
		return
	}
	for _, s := range w.scopesOf(f.Whom) {
		var last *failover.Hold
		for _, h := range w.checker.state.Holds(w.time()) {
			if h.Kind == f.Do.holdKind() && h.Scope == s {
				last = h
			}
		}
		if last != nil {
			w.order(operator, failover.KindHoldLifted, "lift/"+last.ID, failover.HoldLifted{Hold: last.ID})
		}
	}
}

// orderDrain lets an operator take the traffic of all slots that some members
// hold, or give it back.
func (w *World) orderDrain(f Fault, back bool) {
	ordered := false
	for _, id := range f.Whom {
		if slot, sits := w.checker.books.seats[id]; sits {
			ordered = true
			w.order(operator, failover.KindDrain, fmt.Sprintf("drain/%s/%v/%d", slot, back, w.now), failover.DrainOrdered{
				Slot: slot, Subject: id, Epoch: w.checker.books.slots[slot].epoch, Back: back, Reason: "the scenario wants it",
			})
		}
	}
	if !ordered && !back {
		w.vain("%s holds no slot", f.Whom)
	}
}

// orderVacate lets an operator empty all slots that some members hold.
func (w *World) orderVacate(f Fault) {
	ordered := false
	for _, id := range f.Whom {
		if slot, sits := w.checker.books.seats[id]; sits {
			ordered = true
			w.order(operator, failover.KindVacated, fmt.Sprintf("vacate/%s/%d", slot, w.now), failover.VacateOrdered{
				Slot: slot, Subject: id, Epoch: w.checker.books.slots[slot].epoch, Reason: "the scenario wants it",
			})
		}
	}
	if !ordered {
		w.vain("%s holds no slot", f.Whom)
	}
}

// orderFill lets an operator fill the slots that were emptied under some members.
func (w *World) orderFill(f Fault) {
	ordered := false
	for _, slot := range slices.Sorted(maps.Keys(w.checker.books.slots)) {
		if s := w.checker.books.slots[slot]; s.vacated != "" && slices.Contains(f.Whom, s.vacated) {
			ordered = true
			w.order(operator, failover.KindFilled, fmt.Sprintf("fill/%s/%d", slot, w.now), failover.FillOrdered{
				Slot: slot, Epoch: s.epoch, Reason: "the scenario wants it",
			})
		}
	}
	if !ordered {
		w.vain("no slot of %s was vacated", f.Whom)
	}
}

// orderSwitchover lets an operator move the slots that some members hold.
func (w *World) orderSwitchover(f Fault) {
	ordered := false
	for _, id := range f.Whom {
		if slot, sits := w.checker.books.seats[id]; sits {
			ordered = true
			w.order(operator, failover.KindSwitchover, fmt.Sprintf("switchover/%s/%d", slot, w.now), failover.SwitchoverOrdered{
				Slot: slot, Subject: id, Epoch: w.checker.books.slots[slot].epoch, Reason: "the scenario wants it",
			})
		}
	}
	if !ordered {
		w.vain("%s holds no slot", f.Whom)
	}
}

// orderDrill lets an operator have some members do a drill; one is under way at a time.
func (w *World) orderDrill(f Fault) {
	for _, id := range f.Whom {
		w.order(operator, failover.KindDrill, fmt.Sprintf("drill/%s/%d", id, w.now), failover.DrillOrdered{Member: id, Reason: "the scenario wants it"})
	}
}

// orderClear lets an operator say that some members have been looked at.
func (w *World) orderClear(f Fault) {
	for _, id := range f.Whom {
		w.order(operator, failover.KindCleared, fmt.Sprintf("clear/%s/%d", id, w.now), failover.StrikesCleared{Member: id, Reason: "the scenario wants it"})
	}
}

// scopesOf is what a list of members means to people: the fleet, a failure
// domain or a pool where it is exactly that, else one after the other. As selectors mean
// them, failure domains and pools are those of the beginning.
func (w *World) scopesOf(ids []member.ID) []failover.Scope {
	is := func(in func(member.Member) bool) bool {
		n := 0
		for _, m := range w.cfg.Fleet.Members {
			if in(m) != slices.Contains(ids, m.ID) {
				return false
			}
			n++
		}
		return n > 0 && len(ids) > 1
	}
	if is(func(member.Member) bool { return true }) {
		return []failover.Scope{failover.Fleet}
	}
	for _, m := range w.cfg.Fleet.Members {
		switch {
		case !slices.Contains(ids, m.ID):
		case is(func(x member.Member) bool { return x.Domain == m.Domain }):
			return []failover.Scope{failover.InDomain(m.Domain)}
		case m.Pool != "" && is(func(x member.Member) bool { return x.Pool == m.Pool }):
			return []failover.Scope{failover.InPool(m.Pool)}
		}
	}
	var out []failover.Scope
	for _, id := range ids {
		out = append(out, failover.HoldOf(id))
	}
	return out
}

// orderedFor is how long people try to hand an order in.
const orderedFor = time.Minute

// The operators of a world. Its cluster signs nothing, so their names are all that
// tells them apart.
const (
	operator member.ID = "operator"
	alice    member.ID = "alice" // who asks for what takes two
	bob      member.ID = "bob"   // who answers
)

// order hands a command in as an operator would: at any councillor that answers,
// again until it stands.
func (w *World) order(by member.ID, kind consensus.FactKind, id string, payload any) {
	c, err := consensus.NewCommand(kind, id, by, w.time(), payload)
	if err != nil {
		panic("sim: " + err.Error())
	}
	b, err := c.Encode()
	if err != nil {
		panic("sim: " + err.Error())
	}
	until := w.now + orderedFor
	var submit func()
	submit = func() {
		if _, stands := w.checker.stood[id]; stands || w.now > until {
			return
		}
		for _, m := range w.those(w.cfg.Council) {
			if m.up() && m.mind.Councillor() {
				m.step(mind.Submitted{Command: b})
			}
		}
		w.after(500*time.Millisecond, submit)
	}
	submit()
}
