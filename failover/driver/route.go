package driver

import (
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"

	"moonwatch/member"
)

// The steps that a door is told of.
const (
	StepDrain   = "drain"   // give the slot nothing new
	StepUndrain = "undrain" // give it requests again
	StepCutover = "cutover" // the slot has a new occupant
)

// Route is how a door treats one slot.
type Route struct {
	Slot      member.SlotID
	SlotEpoch member.SlotEpoch
	Member    member.ID // the occupant
	Drained   bool
}

// String reads as part of a sentence.
func (r Route) String() string {
	switch {
	case r.SlotEpoch == 0 && r.Member == "":
		return "no route"
	case r.Drained:
		return fmt.Sprintf("%s at slot epoch %d, drained", r.Member, r.SlotEpoch)
	default:
		return fmt.Sprintf("%s at slot epoch %d", r.Member, r.SlotEpoch)
	}
}

// Mark is the route without its slot in one word, "57/spare-1" or
// "57/spare-1/drained", as a door keeps it beside the slot. It holds no space,
// quote or semicolon, whatever the member's name holds.
func (r Route) Mark() string {
	mark := strconv.FormatUint(uint64(r.SlotEpoch), 10) + "/" + url.PathEscape(string(r.Member))
	if r.Drained {
		mark += "/drained"
	}
	return mark
}

// ParseMark reads what Mark wrote, and accepts nothing else.
func ParseMark(slot member.SlotID, mark string) (Route, error) {
	parts := strings.Split(mark, "/")
	if len(parts) >= 2 {
		epoch, err := strconv.ParseUint(parts[0], 10, 64)
		name, err2 := url.PathUnescape(parts[1])
		r := Route{Slot: slot, SlotEpoch: member.SlotEpoch(epoch), Member: member.ID(name), Drained: len(parts) == 3}
		if err == nil && err2 == nil && r.Mark() == mark {
			return r, nil
		}
	}
	return Route{}, fmt.Errorf(`mark of slot %s is %q, want slot epoch and occupant as in "57/spare-1" or "57/spare-1/drained"`, slot, mark)
}

// Compare holds what a door has for the request's slot against the request.
// The answer is Done if they agree, Retryable if the door is to be changed to
// want, Refused if it knows better, and Permanent if the request is none that a
// door can do. A slot that is not known has never had a route.
func Compare(req Request, now Route, known bool) (want Route, answer Result) {
	if err := req.Validate(); err != nil {
		return want, Permanent.Because("tell door: %v", err)
	}
	want = Route{Slot: req.Slot, SlotEpoch: req.SlotEpoch, Member: req.Member}
	switch req.Step {
	case StepDrain:
		want.Drained = true
	case StepUndrain, StepCutover:
	default:
		return want, Permanent.Because("%s: a door knows drain, undrain and cutover", req)
	}
	switch {
	case known && req.SlotEpoch < now.SlotEpoch:
		return want, Refused.Because("%s: door has %s", req, now)
	case known && req.SlotEpoch == now.SlotEpoch && req.Member != now.Member:
		return want, Refused.Because("%s: names %s, but door has %s", req, req.Member, now)
	case known && now == want:
		return want, Done.Because("%s: door has %s", req, now)
	default:
		return want, Result{Outcome: Retryable}
	}
}

// TakeBack is the request that takes a drain or an undrain back.
func TakeBack(req Request) (Request, error) {
	switch req.Step {
	case StepDrain:
		req.Step = StepUndrain
	case StepUndrain:
		req.Step = StepDrain
	default:
		return req, errors.New("only a drain or an undrain is taken back")
	}
	return req, nil
}
