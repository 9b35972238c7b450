package sim

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"moonwatch/failover"
	"moonwatch/member"
)

// allowedFor is how long a world's people want to make use of what they ask for.
const allowedFor = 10 * time.Minute

// orderRequest lets an operator ask for what takes two: about a scope if the
// members are exactly that, else about the open case of each. As in the program, the
// plan is the one that is shown at this moment; what may not be asked for is handed
// in all the same, so that the story has the refusal.
func (w *World) orderRequest(f Fault) {
	p := failover.Requested{Act: failover.ActOverride, For: allowedFor, Alone: f.Do == OrderAlone, Reason: "the scenario wants it"}
	switch f.Do {
	case OrderFenced:
		p.Act = failover.ActFenced
	case OrderReserve:
		p.Act = failover.ActReserve
	default: // an override
	}
	for _, s := range w.scopesOf(f.Whom) {
		if !strings.HasPrefix(string(s), "member:") {
			p.Scope = s
			w.ask(f, p)
			return
		}
	}
	asked := false
	for _, c := range w.checker.state.OpenCases() {
		if slices.Contains(f.Whom, c.Subject) {
			p.Case, asked = c.ID, true
			w.ask(f, p)
		}
	}
	if !asked {
		w.vain("no case about %s is open", f.Whom)
	}
}

// vain tells that what people want of some members cannot even be handed in.
func (w *World) vain(format string, whom []member.ID) {
	var names []string
	for _, id := range whom {
		names = append(names, string(id))
	}
	if n := len(names) - 3; n > 0 {
		names = append(names[:3], fmt.Sprintf("%d more", n))
	}
	w.tell(Happening{What: PeopleNoted, Text: fmt.Sprintf(format, strings.Join(names, ", "))})
}

// ask hands a request in with the plan as it is now.
func (w *World) ask(f Fault, p failover.Requested) {
	if plan, err := w.checker.state.PlanOf(w.time(), p); err == nil {
		p.Plan = plan.Hash()
	}
	w.order(alice, failover.KindRequest, fmt.Sprintf("%s/%s/%d", f.Do, p.About(), w.now), p)
}

// orderFailover lets an operator ask to have the slots fail over that some members hold.
func (w *World) orderFailover(f Fault) {
	asked := false
	for _, id := range f.Whom {
		if slot, sits := w.checker.books.seats[id]; sits {
			asked = true
			w.ask(f, failover.Requested{Act: failover.ActFailover, Slot: slot, For: allowedFor, Reason: "the scenario wants it"})
		}
	}
	if !asked {
		w.vain("%s holds no slot", f.Whom)
	}
}

// orderAnswer lets an operator answer the newest request about the cases of some
// members; the one who made it, if the fault says so.
func (w *World) orderAnswer(f Fault) {
	all := w.checker.state.Requests()
	for _, r := range slices.Backward(all) {
		if !slices.ContainsFunc(r.Cases, func(x failover.PlannedCase) bool { return slices.Contains(f.Whom, x.Subject) }) {
			continue
		}
		p := failover.Answered{Request: r.ID, Approve: f.Do != OrderReject, Plan: r.Plan, Reason: "the scenario wants it"}
		by := bob
		if f.Do == OrderApproveOwn {
			by = alice
		}
		w.order(by, failover.KindAnswer, fmt.Sprintf("%s/%s/%d", f.Do, r.Name(), w.now), p)
		return
	}
	w.vain("nobody asked for anything about %s", f.Whom)
}
