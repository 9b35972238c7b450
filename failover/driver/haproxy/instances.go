package haproxy

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"

	"moonwatch/failover/driver"
	"moonwatch/member"
)

// look is what one instance has, held against a request.
type look struct {
	instance Instance
	slot     slot
	err      error // why the slot is not known
	want     driver.Route
	at       netip.AddrPort // where want is served
	answer   driver.Result
}

// look asks all instances.
func (d *Driver) look(ctx context.Context, aim aim) []look {
	looks := make([]look, len(d.config.Instances))
	d.each(func(i int) { looks[i] = d.lookAt(ctx, d.config.Instances[i], aim) })
	return looks
}

func (d *Driver) lookAt(ctx context.Context, in Instance, aim aim) look {
	l := look{instance: in}
	if l.slot, l.err = d.read(ctx, in, aim.req.Slot); l.err != nil {
		outcome := driver.Unknown
		if errors.Is(l.err, errSetup) {
			outcome = driver.Permanent
		}
		l.answer = outcome.Because("cannot be read: %v", l.err)
		return l
	}
	l.at = aim.address
	if !l.at.IsValid() && aim.req.Step == driver.StepDrain {
		l.at = l.slot.address // it is left where it is, and gets nothing
	}
	l.want, l.answer = d.weigh(aim.req, l.at, l.slot)
	return l
}

// weigh holds a slot against a request. The mark says what was begun, the server
// what came of it.
func (d *Driver) weigh(req driver.Request, at netip.AddrPort, s slot) (driver.Route, driver.Result) {
	want, answer := driver.Compare(req, s.route, s.marked)
	if answer.Outcome == driver.Refused || answer.Outcome == driver.Permanent {
		return want, answer
	}
	if !at.IsValid() {
		return want, driver.Permanent.Because("nobody knows where %s serves", req.Member)
	}
	there := s.has(want, at, d.config.KeepSessions)
	switch {
	case answer.Outcome != driver.Done:
		return want, driver.Retryable.Because("has %s, want %s at %s", s, want, at)
	case !there:
		return want, driver.Unknown.Because("half-way: has %s, want %s at %s", s, want, at)
	case !want.Drained && !s.up:
		return want, driver.InProgress.Because("has %s", s)
	default:
		return want, driver.Done.Because("has %s", s)
	}
}

// bring gives one instance the commands that it lacks and reads back.
func (d *Driver) bring(ctx context.Context, aim aim, l *look) {
	switch {
	case l.answer.Outcome == driver.Permanent:
		return
	case l.err != nil:
		l.answer = driver.Retryable.Because("not told: %v", l.err)
		return
	}
	for _, command := range d.commands(l.slot, l.want, l.at) {
		answer, err := d.ask(ctx, l.instance, command)
		if err == nil {
			err = obeyed(answer)
		}
		if err != nil {
			outcome := driver.Unknown
			if errors.Is(err, errSetup) {
				outcome = driver.Permanent
			}
			l.answer = outcome.Because("told %q: %v", command, err)
			return
		}
	}
	*l = d.lookAt(ctx, l.instance, aim)
	switch l.answer.Outcome {
	case driver.Retryable, driver.Refused: // somebody else came between
		l.answer = driver.Unknown.Because("told, and read back: %s", l.answer.Detail)
	case driver.Done, driver.InProgress, driver.Unknown, driver.Permanent:
	}
}

// keepFor keeps what was set in one instance, if it was.
func (d *Driver) keepFor(ctx context.Context, l *look) {
	switch l.answer.Outcome {
	case driver.Done, driver.InProgress:
		if err := d.keep(ctx, l.instance, l.slot); err != nil {
			l.answer.Detail += fmt.Sprintf(" (not kept beyond a restart: %v)", err)
		}
	case driver.Retryable, driver.Refused, driver.Unknown, driver.Permanent:
	}
}

func refused(looks []look) bool {
	for _, l := range looks {
		if l.answer.Outcome == driver.Refused {
			return true
		}
	}
	return false
}

// together is the answer of all instances. Where one has the effect and another
// has not, the step is half-way.
func (d *Driver) together(aim aim, looks []look) driver.Result {
	count := map[driver.Outcome]int{}
	details := make([]string, len(looks))
	for i, l := range looks {
		count[l.answer.Outcome]++
		details[i] = fmt.Sprintf("%s: %s: %s", l.instance.Name, l.answer.Outcome, l.answer.Detail)
	}
	outcome := driver.Unknown
	for _, o := range []driver.Outcome{driver.Refused, driver.Permanent, driver.Unknown, driver.InProgress} {
		if count[o] > 0 {
			outcome = o
			break
		}
	}
	for _, o := range []driver.Outcome{driver.Retryable, driver.Done} {
		if count[o] == len(looks) {
			outcome = o
		}
	}
	if count[driver.Retryable] > 0 && outcome == driver.InProgress {
		outcome = driver.Unknown
	}
	detail := fmt.Sprintf("%s: %s", aim.req, strings.Join(details, "; "))
	if differ := divergence(aim.req.Slot, looks); differ != "" && len(looks) > 1 {
		detail += "; " + differ
	}
	return outcome.Because("%s", detail)
}

func (d *Driver) plan(aim aim, looks []look) (string, error) {
	var plans []string
	for _, l := range looks {
		switch l.answer.Outcome {
		case driver.Done, driver.InProgress:
			plans = append(plans, fmt.Sprintf("%s: nothing: %s", l.instance.Name, l.answer.Detail))
			continue
		case driver.Refused, driver.Permanent:
			return "", fmt.Errorf("plan %s: %s: %s", aim.req, l.instance.Name, l.answer.Detail)
		case driver.Unknown, driver.Retryable:
		}
		if l.err != nil {
			return "", fmt.Errorf("plan %s: %s: %w", aim.req, l.instance.Name, l.err)
		}
		plans = append(plans, l.instance.Name+": "+strings.Join(d.commands(l.slot, l.want, l.at), ", "))
	}
	return strings.Join(plans, "; "), nil
}

// rehearse says what Apply would do.
func (d *Driver) rehearse(aim aim, looks []look) driver.Result {
	plan, err := d.plan(aim, looks)
	switch {
	case err == nil:
		return driver.Done.Because("%s: would give: %s", aim.req, plan)
	case d.together(aim, looks).Outcome == driver.Permanent:
		return driver.Permanent.Because("%v", err)
	default:
		return driver.Retryable.Because("%v", err)
	}
}

// Divergence says where the instances treat a slot differently or cannot be
// asked, as the text of an alert. It is empty if they are alike.
func (d *Driver) Divergence(ctx context.Context, id member.SlotID) string {
	looks := make([]look, len(d.config.Instances))
	d.each(func(i int) {
		looks[i].instance = d.config.Instances[i]
		looks[i].slot, looks[i].err = d.read(ctx, looks[i].instance, id)
	})
	return divergence(id, looks)
}

func divergence(id member.SlotID, looks []look) string {
	alike := true
	says := make([]string, len(looks))
	for i, l := range looks {
		a, b := looks[0].slot, l.slot
		a.up, b.up = true, true // each checks for itself
		alike = alike && l.err == nil && a == b
		says[i] = fmt.Sprintf("%s has %s", l.instance.Name, l.slot)
		if l.err != nil {
			says[i] = fmt.Sprintf("%s cannot be asked: %v", l.instance.Name, l.err)
		}
	}
	if alike || len(looks) == 1 && looks[0].err == nil {
		return ""
	}
	return fmt.Sprintf("slot %s is not treated alike: %s", id, strings.Join(says, ", "))
}
