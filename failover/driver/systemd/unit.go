package systemd

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"time"

	sd "github.com/coreos/go-systemd/v22/dbus"
	"github.com/godbus/dbus/v5"

	"moonwatch/failover/driver"
)

// unit is what systemd and the mark say of one unit.
type unit struct {
	name       string
	load       string // loaded, not-found, masked, bad-setting, error
	state      string // active, reloading, inactive, failed, activating, deactivating
	sub        string
	result     string // of the last run: success, exit-code, timeout, ...
	job        bool   // something is under way
	invocation string // of the present or last run
	group      string // its control group, empty: it has none
	left       int    // processes in it, if the unit does not run
	note       note
	route      driver.Route // by the mark
	marked     bool
}

func (u unit) loaded() bool { return u.load == "loaded" }
func (u unit) active() bool { return u.state == "active" || u.state == "reloading" }

// runs reports that something of the unit may run.
func (u unit) runs() bool {
	return u.loaded() && u.state != "inactive" && u.state != "failed" || u.left > 0
}

// owesRestart reports that a restart was begun and has not happened.
func (u unit) owesRestart() bool { return u.note.Before != "" && u.note.Before == u.invocation }

// String reads as part of a sentence.
func (u unit) String() string {
	text := fmt.Sprintf("%s is %s (%s)", u.name, u.state, u.sub)
	if !u.loaded() {
		text = fmt.Sprintf("%s is %s", u.name, u.load)
	}
	if u.state == "failed" {
		text += ", result " + u.result
	}
	if u.left > 0 {
		text += fmt.Sprintf(", %d of its processes are left", u.left)
	}
	return text + ", marked " + u.route.String()
}

// look asks for all properties of a unit and reads its mark.
func (d *Driver) look(ctx context.Context, name string) (unit, error) {
	u := unit{name: name}
	var err error
	if u.note, u.marked, err = d.readMark(name); err != nil {
		return unit{}, err
	}
	if u.marked {
		if u.route, err = driver.ParseMark(u.note.Slot, u.note.Mark); err != nil {
			return unit{}, err
		}
	}
	err = d.insist(ctx, d.config.AnswerWithin, func(ctx context.Context, c *sd.Conn) error {
		p, err := c.GetAllPropertiesContext(ctx, name)
		if err != nil {
			return err
		}
		return u.read(p)
	})
	if err == nil && !u.active() && u.state != "activating" {
		u.left, err = d.processes(u.group)
	}
	return u, err
}

// read takes what systemd says. An answer without what every unit has is none.
func (u *unit) read(p map[string]any) error {
	text := func(key string) string { s, _ := p[key].(string); return s }
	u.load, u.state, u.sub, u.result = text("LoadState"), text("ActiveState"), text("SubState"), text("Result")
	if text("Id") == "" || u.load == "" || u.state == "" {
		return fmt.Errorf("the answer is no unit's: Id %q, LoadState %q, ActiveState %q", text("Id"), u.load, u.state)
	}
	u.group = text("ControlGroup")
	if id, ok := p["InvocationID"].([]byte); ok {
		u.invocation = hex.EncodeToString(id)
	}
	if job, ok := p["Job"].([]any); ok && len(job) == 2 {
		if id, ok := job[0].(uint32); ok {
			u.job = id != 0
		}
	}
	return nil
}

// noSuchUnit is what systemd says of a unit that it does not keep in mind, for
// nothing of it runs.
func noSuchUnit(err error) bool {
	var said dbus.Error
	return errors.As(err, &said) && said.Name == "org.freedesktop.systemd1.NoSuchUnit"
}

// tell asks systemd for a job; how it ends is looked at.
func (d *Driver) tell(ctx context.Context, verb, name string) error {
	if verb != "stop" { // its environment has changed with the mark
		// The answer comes when all units are read anew, on a machine with many of
		// them after seconds; still there is to be time for asking once more.
		within := d.config.AnswerWithin
		if end, ok := ctx.Deadline(); ok {
			within = max(within, time.Until(end)/2)
		}
		if err := d.insist(ctx, within, func(ctx context.Context, c *sd.Conn) error { return c.ReloadContext(ctx) }); err != nil {
			return fmt.Errorf("reload units: %w", err)
		}
	}
	switch verb {
	case "keep":
		return nil
	case "start":
		return d.insist(ctx, d.config.AnswerWithin, func(ctx context.Context, c *sd.Conn) error {
			// One that failed too often is allowed to begin again: it is we who ask.
			_ = c.ResetFailedUnitContext(ctx, name)
			_, err := c.StartUnitContext(ctx, name, "replace", nil)
			return err
		})
	case "restart": // asked twice, it may happen twice
		return d.ask(ctx, d.config.AnswerWithin, func(ctx context.Context, c *sd.Conn) error {
			_ = c.ResetFailedUnitContext(ctx, name)
			_, err := c.RestartUnitContext(ctx, name, "replace", nil)
			return err
		})
	default: // stop
		return d.insist(ctx, d.config.AnswerWithin, func(ctx context.Context, c *sd.Conn) error {
			_, err := c.StopUnitContext(ctx, name, "replace", nil)
			if noSuchUnit(err) {
				return nil
			}
			return err
		})
	}
}
