package driver

import (
	"context"
	"fmt"

	"moonwatch/member"
)

// The steps that a gateway is told of.
const (
	StepDrain   = "drain"   // give the slot nothing new
	StepUndrain = "undrain" // give it requests again
	StepCutover = "cutover" // the slot has a new occupant
)

// Route is how a gateway treats one slot.
type Route struct {
	Slot      member.SlotID
	SlotEpoch member.SlotEpoch
	Member    member.ID // the occupant
	Drained   bool
}

// Door is the gateway of this member, as far as a step needs it.
type Door interface {
	// Route is what holds now, false for a slot that the gateway does not know.
	Route(slot member.SlotID) (Route, bool)
	// SetRoute replaces it, for all requests that begin after its return.
	SetRoute(Route) error
}

// Gateway tells the built-in gateway of this member of a drain or a cutover. It
// needs no journal: what the door does is looked up, and setting it twice is as
// good as once.
type Gateway struct {
	door Door
}

var _ Driver = (*Gateway)(nil)

// NewGateway drives one door.
func NewGateway(door Door) *Gateway { return &Gateway{door: door} }

// Observe is Done if the door does already what the step wants.
func (g *Gateway) Observe(_ context.Context, req Request) Result {
	now, want, answer := g.compare(req)
	if answer.Outcome == Retryable {
		answer.Detail = fmt.Sprintf("%s: door has %s, want %s", req, now, want)
	}
	return answer
}

// Plan says which route would be set.
func (g *Gateway) Plan(req Request) (string, error) {
	now, want, answer := g.compare(req)
	switch answer.Outcome {
	case Done:
		return fmt.Sprintf("nothing: door has %s", now), nil
	case Retryable:
		return fmt.Sprintf("change door from %s to %s", now, want), nil
	default:
		return "", fmt.Errorf("plan %s", answer.Detail)
	}
}

// Apply sets the route, unless it is set or a newer one is.
func (g *Gateway) Apply(ctx context.Context, req Request) Result {
	now, want, answer := g.compare(req)
	switch {
	case answer.Outcome != Retryable:
		return answer
	case ctx.Err() != nil:
		return retryable("%s: not done: %v", req, ctx.Err())
	case req.DryRun:
		return Result{Outcome: Done, Detail: fmt.Sprintf("%s: would change door from %s to %s", req, now, want)}
	}
	if err := g.door.SetRoute(want); err != nil {
		return retryable("%s: set route to %s: %v", req, want, err)
	}
	return Result{Outcome: Done, Detail: fmt.Sprintf("%s: door has %s", req, want)}
}

// Compensate turns a drain into an undrain and back. A cutover is not taken
// back: the occupant before it is fenced.
func (g *Gateway) Compensate(ctx context.Context, req Request) Result {
	switch req.Step {
	case StepDrain:
		req.Step = StepUndrain
	case StepUndrain:
		req.Step = StepDrain
	default:
		return refused("undo %s: only a drain or an undrain is taken back", req)
	}
	return g.Apply(ctx, req)
}

// compare holds the door against the request: Done if it agrees, Retryable if it
// is to be changed, Refused or Permanent if it must not be.
func (g *Gateway) compare(req Request) (now, want Route, answer Result) {
	if err := req.validate(); err != nil {
		return now, want, permanent("tell gateway: %v", err)
	}
	now, known := g.door.Route(req.Slot)
	want = Route{Slot: req.Slot, SlotEpoch: req.SlotEpoch, Member: req.Member}
	switch req.Step {
	case StepDrain:
		want.Drained = true
	case StepUndrain, StepCutover:
	default:
		return now, want, permanent("%s: a gateway knows drain, undrain and cutover", req)
	}
	switch {
	case known && req.SlotEpoch < now.SlotEpoch:
		return now, want, refused("%s: door has %s", req, now)
	case known && req.SlotEpoch == now.SlotEpoch && req.Member != now.Member:
		return now, want, refused("%s: names %s, but door has %s", req, req.Member, now)
	case known && now == want:
		return now, want, Result{Outcome: Done, Detail: fmt.Sprintf("%s: door has %s", req, now)}
	default:
		return now, want, Result{Outcome: Retryable}
	}
}

// String reads as part of a sentence.
func (r Route) String() string {
	switch {
	case r == Route{}:
		return "no route"
	case r.Drained:
		return fmt.Sprintf("%s at slot epoch %d, drained", r.Member, r.SlotEpoch)
	default:
		return fmt.Sprintf("%s at slot epoch %d", r.Member, r.SlotEpoch)
	}
}
