package demo

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"
)

// powerOff ends everything that runs of a member, also an action that its agent has
// begun: on a machine without power nothing is finished.
func (l *launcher) powerOff(c *child) error {
	b := aim(syscall.SIGKILL)
	if err := b.everything(l.kit.folder, c); err != nil {
		b.release()
		return err
	}
	if err := b.fall(); err != nil {
		return err
	}
	return l.sweep(c)
}

// sweep ends what a member started between the look and the blow.
func (l *launcher) sweep(c *child) error {
	return l.kit.folder.endUnder(l.kit.folder.memberDir(c.Name))
}

// bootTime is how long a machine's init may take to start a service.
const bootTime = 10 * time.Second

// powerOn starts a member that was killed: its agent, and its service as the init
// system of a real machine does, at the slot epoch that it had. Whether it is still
// its own is for the agent to find out.
func (l *launcher) powerOn(ctx context.Context, v victim) error {
	c, err := l.child(v.Member)
	if err == nil && v.Slot != "" {
		err = c.boot(ctx, v)
	}
	if err != nil {
		return fmt.Errorf("start %s again: %w", v.Member, err)
	}
	return c.restart()
}

func (c *child) boot(ctx context.Context, v victim) error {
	ctx, cancel := context.WithTimeout(ctx, bootTime)
	defer cancel()
	cmd := exec.CommandContext(ctx, filepath.Join(c.dir, "actions", "web-start"))
	cmd.Env = append(environment(),
		"MOONWATCH_MEMBER="+string(v.Member), "MOONWATCH_SLOT="+string(v.Slot),
		fmt.Sprintf("MOONWATCH_SLOT_EPOCH=%d", v.Epoch), "MOONWATCH_DRY_RUN=false")
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("web-start: %w: %s", err, out)
	}
	return nil
}

// powerComesBack waits for the cascade, lets it hold for a while in which nothing
// may be done to anybody, and gives the victims their power back.
func (l *launcher) powerComesBack(s *story, dark time.Duration) plot {
	return func(ctx context.Context) error {
		braked := func() bool { return s.modes[expectations[s.fault].mode] != 0 }
		if err := l.cue(ctx, "mode "+string(expectations[s.fault].mode), braked); err != nil {
			return err
		}
		if err := wait(ctx, dark); err != nil {
			return err
		}
		l.mu.Lock()
		victims := s.victims
		l.mu.Unlock()
		l.say("the power of %d members comes back", len(victims))
		var failed error
		for _, v := range victims {
			failed = errors.Join(failed, l.powerOn(ctx, v))
		}
		return failed
	}
}

// stands reports whether the member's service runs or is paused: the process is
// there.
func (c *child) stands() bool {
	_, err := c.service()
	return !errors.Is(err, os.ErrProcessDone) && !errors.Is(err, os.ErrNotExist)
}
