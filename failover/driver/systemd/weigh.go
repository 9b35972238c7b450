package systemd

import (
	"fmt"

	"moonwatch/failover/driver"
)

// route is the step's request as one to a door: a stopped unit is a drained one,
// so that driver.Compare knows which of two is the newer.
func (a aim) route() driver.Request {
	r := a.req
	r.Step = driver.StepCutover
	if a.req.Step == StepStop {
		r.Step = driver.StepDrain
	}
	return r
}

// key names the attempt.
func (a aim) key() string { return fmt.Sprintf("%s/%s/%d", a.req.Case, a.req.Step, a.req.Attempt) }

// weigh holds a unit against the request. The mark says what was begun, the unit
// what came of it.
func (a aim) weigh(now unit) driver.Result {
	want, answer := driver.Compare(a.route(), now.route, now.marked)
	if answer.Outcome == driver.Refused || answer.Outcome == driver.Permanent {
		return answer
	}
	if !now.loaded() && a.req.Step != StepStop {
		return driver.Permanent.Because("%s: unit %s is %s: install it", a.req, a.unit, now.load)
	}
	begun := answer.Outcome == driver.Done
	if a.req.Step == StepRestart {
		begun = begun && now.note.Key == a.key()
	}
	switch {
	case !begun:
		return driver.Retryable.Because("%s: %s, want %s", a.req, now, want)
	case a.there(now):
		return driver.Done.Because("%s: %s", a.req, now)
	case now.state == "activating" || now.state == "deactivating" || now.job:
		return driver.InProgress.Because("%s: %s", a.req, now)
	default:
		return driver.Unknown.Because("%s: begun, and %s", a.req, now)
	}
}

// there reports whether the unit is as the step wants, whoever brought it there.
func (a aim) there(now unit) bool {
	if a.req.Step == StepStop {
		return !now.runs()
	}
	return now.active() && !now.owesRestart()
}

// verb is what systemd has to be asked for.
func (a aim) verb(now unit) string {
	switch {
	case a.req.Step == StepStop:
		return "stop"
	case a.req.Step == StepRestart:
		return "restart"
	case now.active() && !now.marked:
		return "keep" // it runs already
	case now.active() && (now.route.SlotEpoch != a.req.SlotEpoch || now.owesRestart()):
		return "restart" // at an older slot epoch
	default:
		return "start"
	}
}

// note is what is to be written down beside the unit.
func (a aim) note(now unit) note {
	want, _ := driver.Compare(a.route(), now.route, now.marked)
	n := note{Mark: want.Mark(), Slot: a.req.Slot, Epoch: a.req.SlotEpoch, Key: a.key()}
	switch {
	case now.note.Key == a.key():
		n.Before = now.note.Before // it was begun before
	case a.verb(now) == "restart":
		n.Before = now.invocation
	}
	return n
}

// ended explains a job that did not help. A unit that failed is a failed step:
// to ask for the same again will not help.
func (a aim) ended(now unit, r driver.Result) driver.Result {
	if r.Outcome == driver.Unknown && a.req.Step != StepStop && now.state == "failed" {
		return driver.Permanent.Because("%s: %s: 'journalctl -u %s' says why", a.req, now, a.unit)
	}
	return r
}
