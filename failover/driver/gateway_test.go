package driver

import (
	"context"
	"errors"
	"testing"

	"moonwatch/member"
)

func TestTheDoorFollowsTheNewestSlotEpoch(t *testing.T) {
	here := Route{Slot: "web-0", SlotEpoch: 42, Member: "web-1"}
	drained := here
	drained.Drained = true
	tests := []struct {
		claim string
		door  door
		step  string
		who   member.ID
		epoch member.SlotEpoch
		want  Outcome
		route Route
	}{
		{"a drain", door{"web-0": here}, StepDrain, "web-1", 42, Done, drained},
		{"a drain of what is drained", door{"web-0": drained}, StepDrain, "web-1", 42, Done, drained},
		{"an undrain", door{"web-0": drained}, StepUndrain, "web-1", 42, Done, here},
		{"a cutover", door{"web-0": drained}, StepCutover, "spare-1", 57, Done, Route{"web-0", 57, "spare-1", false}},
		{"a cutover of a new slot", door{}, StepCutover, "spare-1", 57, Done, Route{"web-0", 57, "spare-1", false}},
		{"an old leader's cutover", door{"web-0": here}, StepCutover, "web-9", 41, Refused, here},
		{"a late drain of the occupant before", door{"web-0": here}, StepDrain, "web-9", 41, Refused, here},
		{"a second occupant at one slot epoch", door{"web-0": here}, StepCutover, "web-9", 42, Refused, here},
		{"a step that no door knows", door{"web-0": here}, "fence", "web-1", 42, Permanent, here},
	}
	for _, tt := range tests {
		t.Run(tt.claim, func(t *testing.T) {
			g := NewGateway(tt.door)
			req := request()
			req.Step, req.Member, req.SlotEpoch = tt.step, tt.who, tt.epoch
			rehearsal := req
			rehearsal.DryRun = true
			before := tt.door["web-0"]
			g.Apply(t.Context(), rehearsal)
			if got := tt.door["web-0"]; got != before {
				t.Errorf("a dry run changed the door to %v", got)
			}
			if _, err := g.Plan(req); (err == nil) != (tt.want == Done) {
				t.Errorf("plan: %v", err)
			}
			for range 2 { // the second is as good as none
				if result := g.Apply(t.Context(), req); result.Outcome != tt.want {
					t.Errorf("got %v (%s), want %v", result.Outcome, result.Detail, tt.want)
				}
				if got := tt.door["web-0"]; got != tt.route {
					t.Errorf("door has %v, want %v", got, tt.route)
				}
			}
			if result := g.Observe(t.Context(), req); result.Outcome != tt.want {
				t.Errorf("observed %v (%s), want %v", result.Outcome, result.Detail, tt.want)
			}
		})
	}
}

func TestObservingADoorChangesNothing(t *testing.T) {
	here := Route{Slot: "web-0", SlotEpoch: 42, Member: "web-1"}
	d := door{"web-0": here}
	req := request()
	req.Step, req.Member = StepDrain, "web-1"
	result := NewGateway(d).Observe(t.Context(), req)
	if result.Outcome != Retryable || d["web-0"] != here {
		t.Errorf("got %v (%s), door has %v", result.Outcome, result.Detail, d["web-0"])
	}
}

func TestADrainIsTakenBackAndACutoverIsNot(t *testing.T) {
	here := Route{Slot: "web-0", SlotEpoch: 42, Member: "web-1"}
	g, req := NewGateway(door{"web-0": here}), request()
	req.Step, req.Member = StepDrain, "web-1"
	g.Apply(t.Context(), req)
	if result := g.Compensate(t.Context(), req); result.Outcome != Done || g.door.(door)["web-0"] != here {
		t.Errorf("got %v (%s), door has %v", result.Outcome, result.Detail, g.door.(door)["web-0"])
	}
	req.Step = StepUndrain
	if result := g.Compensate(t.Context(), req); result.Outcome != Done || !g.door.(door)["web-0"].Drained {
		t.Errorf("got %v (%s)", result.Outcome, result.Detail)
	}
	req.Step = StepCutover
	if result := g.Compensate(t.Context(), req); result.Outcome != Refused {
		t.Errorf("got %v (%s)", result.Outcome, result.Detail)
	}
}

func TestADoorThatFailsIsAskedAgain(t *testing.T) {
	req := request()
	req.Step = StepCutover
	if result := NewGateway(brokenDoor{}).Apply(t.Context(), req); result.Outcome != Retryable {
		t.Errorf("got %v (%s)", result.Outcome, result.Detail)
	}
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	d := door{}
	if result := NewGateway(d).Apply(gone, req); result.Outcome != Retryable || len(d) != 0 {
		t.Errorf("got %v (%s), door has %v", result.Outcome, result.Detail, d)
	}
	req.Slot = ""
	if result := NewGateway(d).Apply(t.Context(), req); result.Outcome != Permanent {
		t.Errorf("got %v (%s)", result.Outcome, result.Detail)
	}
}

type door map[member.SlotID]Route

func (d door) Route(slot member.SlotID) (Route, bool) { r, ok := d[slot]; return r, ok }
func (d door) SetRoute(r Route) error                 { d[r.Slot] = r; return nil }

type brokenDoor struct{ door }

func (brokenDoor) SetRoute(Route) error { return errors.New("listener is closed") }
