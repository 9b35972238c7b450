// Package systemd is the driver of a slot's service that is a systemd unit: it
// starts, restarts and stops the unit over D-Bus, and asks what became of it. It
// takes the place of installed actions.
//
// Beside the unit stands the slot's mark, a drop-in in /run: slot epoch, member
// and the last step. The service sees slot and slot epoch in its environment. The
// mark is written first: a step that ends half-way is seen, and a late copy of an
// older one is refused. It is gone after a boot, and so is the service.
//
// systemd's word that a job is done is not believed: the unit is looked at. A
// stopped unit has no process left in its control group, also with
// KillMode=process. A restart is done once the unit's invocation is another one
// than when the step began; so it happens once for each attempt.
//
// A unit that runs and was never marked, as one that the init system started at
// boot, is taken over as it is. A unit that runs at an older slot epoch is
// restarted: its environment would be a lie.
package systemd

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strings"
	"time"

	"moonwatch/failover/driver"
	"moonwatch/member"
)

// The steps that a service is told.
const (
	StepActivate = "activate"
	StepRestart  = "restart"
	StepStop     = "stop"
)

// Config says which unit serves a slot.
type Config struct {
	// Unit is the slot's service, web.service or web@web-0.service.
	Unit func(member.SlotID) string
	// Address is systemd's own socket or a bus, as D-Bus writes it.
	Address string
	// Folder is where systemd reads drop-ins of this boot.
	Folder string
	// Groups are where systemd may keep its control groups; the first one that
	// holds them counts.
	Groups []string
	// AnswerWithin bounds one question, so that it can be asked again before the
	// step's deadline. The longer, the later is a lost question found out.
	AnswerWithin time.Duration
}

// Default talks with the systemd of this machine, as root.
func Default(unit func(member.SlotID) string) Config {
	return Config{
		Unit: unit, Address: "unix:path=/run/systemd/private", Folder: "/run/systemd/system",
		Groups:       []string{"/sys/fs/cgroup/systemd", "/sys/fs/cgroup", "/sys/fs/cgroup/unified"},
		AnswerWithin: 2 * time.Second, // and asked again: a machine that boots or reloads its units is slow
	}
}

// Validate lists every mistake.
func (c Config) Validate() error {
	var mistakes []error
	wrong := func(format string, args ...any) { mistakes = append(mistakes, fmt.Errorf(format, args...)) }
	if c.Unit == nil {
		wrong("unit is missing: nobody says which unit serves a slot")
	}
	if c.Address == "" {
		wrong("address is empty, want one as in unix:path=/run/systemd/private")
	}
	if !filepath.IsAbs(c.Folder) {
		wrong("folder is %q, want a path from the root", c.Folder)
	}
	if c.AnswerWithin <= 0 {
		wrong("answer_within is %v, want more than 0s", c.AnswerWithin)
	}
	return errors.Join(mistakes...)
}

// Driver drives the units of this machine.
type Driver struct{ config Config }

var _ driver.Driver = (*Driver)(nil)

// New drives the units of a config.
func New(c Config) (*Driver, error) {
	if err := c.Validate(); err != nil {
		return nil, fmt.Errorf("systemd: %w", err)
	}
	return &Driver{config: c}, nil
}

// Observe is Done if unit and mark are as the step wants, InProgress while the
// unit starts or stops, and Unknown if the step was begun and the unit is not as
// it wants.
func (d *Driver) Observe(ctx context.Context, req driver.Request) driver.Result {
	aim, err := d.aim(req)
	if err != nil {
		return driver.Permanent.Because("%v", err)
	}
	ctx, cancel := context.WithDeadline(ctx, req.Deadline)
	defer cancel()
	now, err := d.look(ctx, aim.unit)
	if err != nil {
		return driver.Unknown.Because("%s: cannot be seen: %v", req, err)
	}
	return aim.weigh(now)
}

// Plan says what systemd would be asked for.
func (d *Driver) Plan(req driver.Request) (string, error) {
	aim, err := d.aim(req)
	if err != nil {
		return "", fmt.Errorf("plan %w", err)
	}
	ctx, cancel := context.WithDeadline(context.Background(), req.Deadline)
	defer cancel()
	now, err := d.look(ctx, aim.unit)
	if err != nil {
		return "", fmt.Errorf("plan %s: %w", req, err)
	}
	switch answer := aim.weigh(now); answer.Outcome {
	case driver.Done, driver.InProgress:
		return "nothing: " + answer.Detail, nil
	case driver.Refused, driver.Permanent:
		return "", fmt.Errorf("plan %s", answer.Detail)
	default:
		return fmt.Sprintf("%s %s, marked %s", aim.verb(now), aim.unit, aim.note(now).Mark), nil
	}
}

// Apply marks the unit, asks systemd for the job and waits for its end until the
// deadline.
func (d *Driver) Apply(ctx context.Context, req driver.Request) driver.Result {
	began := time.Now()
	aim, err := d.aim(req)
	if err != nil {
		return driver.Permanent.Because("%v", err)
	}
	if err := req.TooLate(ctx, began); err != nil {
		return driver.Retryable.Because("%s: not done: %v", req, err)
	}
	ctx, cancel := context.WithDeadline(ctx, req.Deadline)
	defer cancel()
	if req.DryRun {
		return d.rehearse(ctx, aim)
	}
	unlock, err := d.lock(ctx, aim.unit)
	if err != nil {
		return driver.Retryable.Because("%s: not done: %v", req, err)
	}
	defer unlock()
	result := d.bring(ctx, aim)
	result.Took = time.Since(began)
	return result
}

// Compensate refuses: a start is undone by a stop, which is a step of its own at
// a slot epoch of its own.
func (d *Driver) Compensate(_ context.Context, req driver.Request) driver.Result {
	return driver.Refused.Because("undo %s: what a unit was told is not taken back, it is told something else", req)
}

func (d *Driver) rehearse(ctx context.Context, a aim) driver.Result {
	now, err := d.look(ctx, a.unit)
	if err != nil {
		return driver.Retryable.Because("%s: not tried: %v", a.req, err)
	}
	answer := a.weigh(now)
	if answer.Outcome != driver.Retryable && answer.Outcome != driver.Unknown {
		return answer
	}
	return driver.Done.Because("%s: would %s %s, %s", a.req, a.verb(now), a.unit, now)
}

// bring does what is lacking. What was told and not seen is Unknown.
func (d *Driver) bring(ctx context.Context, a aim) driver.Result {
	now, err := d.look(ctx, a.unit)
	if err != nil {
		return driver.Retryable.Because("%s: not done: %v", a.req, err)
	}
	answer := a.weigh(now)
	switch answer.Outcome {
	case driver.Retryable, driver.Unknown:
	case driver.InProgress:
		return d.wait(ctx, a)
	default:
		return answer
	}
	verb := a.verb(now)
	if err := d.mark(a.unit, a.note(now)); err != nil {
		return driver.Retryable.Because("%s: not done: %v", a.req, err)
	}
	// Who did not answer may have heard: the unit tells.
	if err := d.tell(ctx, verb, a.unit); err != nil && !errors.Is(err, errSilent) {
		return driver.Unknown.Because("%s: told to %s %s: %v", a.req, verb, a.unit, err)
	}
	return d.wait(ctx, a)
}

// lookEvery is how often a job under way is asked about, and blindFor how long
// systemd may refuse to talk: one that executes itself anew is soon back.
const (
	lookEvery = 50 * time.Millisecond
	blindFor  = 2 * time.Second
)

// wait looks until the unit is as wanted or has failed. A systemd that is silent,
// as one that reloads, is waited for until the deadline.
func (d *Driver) wait(ctx context.Context, a aim) driver.Result {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	last, seen := driver.Unknown.Because("%s: told, and not seen since", a.req), time.Now()
	for {
		now, err := d.look(ctx, a.unit)
		switch {
		case err != nil && ctx.Err() != nil: // what was seen last stands
		case err != nil:
			last = driver.Unknown.Because("%s: told, and then: %v", a.req, err)
			if !errors.Is(err, errSilent) && time.Since(seen) > blindFor {
				return last
			}
		case now.job:
			seen = time.Now()
			last = driver.InProgress.Because("%s: %s", a.req, now)
		default:
			seen = time.Now()
			if last = a.weigh(now); last.Outcome != driver.InProgress {
				return a.ended(now, last)
			}
		}
		select {
		case <-ctx.Done():
			return last
		case <-tick.C:
		}
	}
}

// aim is a request with the unit that it means.
type aim struct {
	req  driver.Request
	unit string
}

func (d *Driver) aim(req driver.Request) (aim, error) {
	if err := req.Validate(); err != nil {
		return aim{}, fmt.Errorf("tell systemd: %w", err)
	}
	switch req.Step {
	case StepActivate, StepRestart, StepStop:
	default:
		return aim{}, fmt.Errorf("%s: a unit knows activate, restart and stop", req)
	}
	if strings.ContainsAny(string(req.Slot)+string(req.Member), "\n\"\\%") {
		return aim{}, fmt.Errorf("%s: slot or member has a character that a unit's environment cannot hold", req)
	}
	unit := d.config.Unit(req.Slot)
	if !strings.HasSuffix(unit, ".service") || strings.ContainsAny(unit, "/ \n") {
		return aim{}, fmt.Errorf("%s: its unit would be %q, want the name of a service", req, unit)
	}
	return aim{req: req, unit: unit}, nil
}
