package driver

import (
	"context"
	"fmt"
	"time"

	"moonwatch/member"
)

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
	case req.DryRun:
		return Done.Because("%s: would change door from %s to %s", req, now, want)
	}
	if err := req.TooLate(ctx, time.Now()); err != nil {
		return Retryable.Because("%s: not done: %v", req, err)
	}
	if err := g.door.SetRoute(want); err != nil {
		return Retryable.Because("%s: set route to %s: %v", req, want, err)
	}
	return Done.Because("%s: door has %s", req, want)
}

// Compensate turns a drain into an undrain and back. A cutover is not taken
// back: the occupant before it is fenced.
func (g *Gateway) Compensate(ctx context.Context, req Request) Result {
	back, err := TakeBack(req)
	if err != nil {
		return Refused.Because("undo %s: %v", req, err)
	}
	return g.Apply(ctx, back)
}

func (g *Gateway) compare(req Request) (now, want Route, answer Result) {
	now, known := g.door.Route(req.Slot)
	want, answer = Compare(req, now, known)
	return now, want, answer
}
