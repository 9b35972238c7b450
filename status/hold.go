package status

import (
	"fmt"

	"moonwatch/consensus"
	"moonwatch/failover"
)

// holdLine tells who forbids what, for how long and why.
func holdLine(f consensus.Fact, p failover.HoldGiven) string {
	by := proposer(f)
	if f.Command.Warrant == nil && p.By != "" {
		by = fmt.Sprintf("%s at %s (not signed)", p.By, by)
	}
	text := fmt.Sprintf("H-%d %s of %s by %s", f.Index, p.Kind, p.Scope, by)
	if !p.Until.IsZero() {
		text += " until " + moment(p.Until)
	}
	return text + ": " + p.Reason
}

func liftedLine(f consensus.Fact, p failover.HoldLifted) string {
	text := fmt.Sprintf("hold %s lifted by %s", p.Hold, proposer(f))
	if p.Reason != "" {
		text += ": " + p.Reason
	}
	return text
}

// holdsOf lists what binds at this moment.
func holdsOf(in Input) []Hold {
	out := []Hold{}
	for _, h := range in.State.Holds(in.Now) {
		out = append(out, holdOf(h))
	}
	for _, h := range in.Unconfirmed {
		if h.Binds(in.Now) {
			out = append(out, holdOf(h))
		}
	}
	return out
}

func holdOf(h *failover.Hold) Hold {
	return Hold{
		ID: h.Name(), Key: h.ID, Kind: h.Kind, Means: forbids(h.Kind), Scope: h.Scope, Reason: h.Reason,
		By: h.By, Signed: h.Signed, Given: h.Given.UTC(), Until: h.Until.UTC(), Fact: h.Fact,
	}
}

// forbids says what a kind of hold keeps from being done.
func forbids(k failover.HoldKind) string {
	switch k {
	case failover.HoldOnly:
		return "nothing destructive is done; drains go on"
	case failover.Freeze:
		return "nothing destructive is done, and no traffic is moved"
	case failover.Disarm:
		return "nothing is done until somebody arms it again"
	case failover.Maintenance:
		return "people work there: nothing destructive is done, and what falls there is no news to the brake"
	case failover.DryRun:
		return "all gates are asked, and what would be done is written down instead"
	default:
		return ""
	}
}

// Line is a hold in one line.
func (h Hold) Line() string {
	by := h.By
	if !h.Signed {
		by += " (not signed)"
	}
	text := fmt.Sprintf("%s %s of %s by %s", h.ID, h.Kind, h.Scope, by)
	if h.Fact == 0 {
		text += ", not confirmed by the council,"
	}
	if !h.Until.IsZero() {
		text += " until " + moment(h.Until)
	}
	return oneLine(text + ": " + h.Reason)
}
