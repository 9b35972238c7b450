package fenceagent

import (
	"context"
	"fmt"
	"strings"
	"time"

	"moonwatch/failover/driver"
	"moonwatch/internal/program"
)

// Config says how often a fence asks.
type Config struct {
	// Apart is the time between the two statuses that are proof. Longer proves
	// more: some controllers tell what was wanted before it is so.
	Apart time.Duration
	// Again is how often the status is asked while it is not off.
	Again time.Duration
	// Insist is after how long of "on" the agent is told once more.
	Insist time.Duration
	// Each bounds one run of the agent.
	Each time.Duration
}

// Defaults suit management controllers, which answer in one to five seconds and
// switch off in up to ten.
func Defaults() Config {
	return Config{Apart: time.Second, Again: 500 * time.Millisecond, Insist: 10 * time.Second, Each: askPatience}
}

// Fence switches a member off through all devices of one level: a machine with
// two power supplies is off when both are.
type Fence struct {
	level   string
	folder  program.Folder
	devices []Device
	cfg     Config
}

var _ driver.Driver = (*Fence)(nil)

// New makes the fence of one level, power or network, for one member.
func New(level string, folder program.Folder, devices []Device, cfg Config) *Fence {
	return &Fence{level: level, folder: folder, devices: devices, cfg: cfg}
}

// Observe is Done only if every device says off, twice. It changes nothing.
func (f *Fence) Observe(ctx context.Context, req driver.Request) driver.Result {
	ctx, cancel := context.WithDeadline(ctx, req.Deadline)
	defer cancel()
	if len(f.devices) == 0 {
		return f.none(req)
	}
	for _, d := range f.devices {
		if p, why := f.twice(ctx, d, req.Deadline); p != off {
			if p == on {
				return driver.Retryable.Because("%s of %s: on, says %s", f.level, req.Member, d.Agent)
			}
			return driver.Unknown.Because("%s of %s: %s: %s", f.level, req.Member, d.Agent, why)
		}
	}
	return f.proven(req, "")
}

// Plan names the devices.
func (f *Fence) Plan(req driver.Request) (string, error) {
	if len(f.devices) == 0 {
		return "", fmt.Errorf("plan fence: no %s device for %s on this machine", f.level, req.Member)
	}
	for _, d := range f.devices {
		if _, err := f.folder.Find(d.Agent); err != nil {
			return "", fmt.Errorf("plan fence: %w", err)
		}
		if _, _, err := d.input("status"); err != nil {
			return "", fmt.Errorf("plan fence: %s: %w", d.Agent, err)
		}
	}
	return fmt.Sprintf("switch %s of %s off with %s, and ask until it is off twice", f.level, req.Member, f.names()), nil
}

// Apply tells every device to switch off and asks until each has been off twice.
// What the agent says of its own deed decides nothing; it stands in the detail. A
// member that is off already is left so. Without proof by the deadline it is
// Unknown, and may be asked for again: off is off.
func (f *Fence) Apply(ctx context.Context, req driver.Request) driver.Result {
	started := time.Now()
	if err := req.Validate(); err != nil {
		return driver.Permanent.Because("fence: %v", err)
	}
	if len(f.devices) == 0 {
		return f.none(req)
	}
	if err := req.TooLate(ctx, started); err != nil {
		return driver.Retryable.Because("fence %s: not begun: %v", req.Member, err)
	}
	if req.DryRun {
		plan, err := f.Plan(req)
		if err != nil {
			return driver.Permanent.Because("%v", err)
		}
		return driver.Done.Because("would %s", plan)
	}
	ctx, cancel := context.WithDeadline(ctx, req.Deadline)
	defer cancel()
	var said []string
	for _, d := range f.devices {
		word, err := f.off(ctx, d, req.Deadline)
		if err != nil {
			return driver.Result{
				Outcome: driver.Unknown, Took: time.Since(started),
				Detail: fmt.Sprintf("%s of %s: %s: %v", f.level, req.Member, d.Agent, err),
			}
		}
		said = append(said, word)
	}
	result := f.proven(req, strings.Join(said, "; "))
	result.Took = time.Since(started)
	return result
}

// Compensate refuses: nobody may be switched on who could believe that it still
// has a slot. People do that, when they have looked.
func (f *Fence) Compensate(_ context.Context, req driver.Request) driver.Result {
	return driver.Refused.Because("undo %s: a fence is not taken back: switch %s on by hand", req, req.Member)
}

func (f *Fence) none(req driver.Request) driver.Result {
	return driver.Permanent.Because("fence %s: no %s device for it on this machine: want one in fences.yaml", req.Member, f.level)
}

func (f *Fence) proven(req driver.Request, said string) driver.Result {
	detail := fmt.Sprintf("%s of %s is off: %s said so twice, %v apart", f.level, req.Member, f.names(), f.cfg.Apart)
	if said != "" {
		detail += " (" + said + ")"
	}
	return driver.Done.Because("%s", detail)
}

func (f *Fence) names() string {
	names := make([]string, len(f.devices))
	for i, d := range f.devices {
		names[i] = d.Agent
	}
	return strings.Join(names, " and ")
}

const notAsked = "not asked"

// off brings one device to off, and says what the agent said to that.
func (f *Fence) off(ctx context.Context, d Device, deadline time.Time) (said string, err error) {
	last := notAsked
	var told time.Time
	for {
		if told.IsZero() || time.Since(told) >= f.cfg.Insist {
			if p, _ := d.status(ctx, f.folder, f.bound(deadline)); p != off {
				end, err := d.run(ctx, f.folder, "off", f.bound(deadline))
				if err != nil {
					return "", err // it is not installed as it should be: asking again mends nothing
				}
				said = "told off: " + end.Summary()
			} else if said == "" {
				said = "it was off already"
			}
			told = time.Now()
		}
		p, why := f.twice(ctx, d, deadline)
		if p == off {
			return said, nil
		}
		if ctx.Err() == nil || last == notAsked {
			last = why // what our own deadline cuts off says nothing about the device
		}
		select {
		case <-ctx.Done():
			if said == "" {
				said = "not told"
			}
			return "", fmt.Errorf("no proof: %s (%s)", last, said)
		case <-time.After(f.cfg.Again):
		}
	}
}

// twice asks the status twice, if the first one is off. An answer after the
// deadline is none.
func (f *Fence) twice(ctx context.Context, d Device, deadline time.Time) (power, string) {
	if p, why := d.status(ctx, f.folder, f.bound(deadline)); p != off {
		return p, why
	}
	select {
	case <-ctx.Done():
		return unclear, "off once, and no time to ask again"
	case <-time.After(f.cfg.Apart):
	}
	p, why := d.status(ctx, f.folder, f.bound(deadline))
	if p != off {
		return unclear, "off once, then " + why
	}
	return off, why
}

// bound is when one run has to be over.
func (f *Fence) bound(deadline time.Time) time.Time {
	if each := time.Now().Add(f.cfg.Each); each.Before(deadline) {
		return each
	}
	return deadline
}
