package demo

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"syscall"

	"moonwatch/internal/program"
)

// blow is one signal for many processes, as far as can be at one moment. To find the
// processes of a member takes a look at all of the machine, which lasts a second when
// it is busy: a rack that loses its power must not die over three of them, an agent
// must not die a second before its service. So everything is found first, and then
// nothing is done but to signal.
type blow struct {
	signal  syscall.Signal
	targets []target
}

// target is a process that is held by a handle: it cannot come to mean a later one
// with the same id.
type target struct {
	handle *os.Process
	agent  *child // whose agent it is, nil: something else of a member
	name   string
}

// aim begins a blow without a target.
func aim(s syscall.Signal) *blow { return &blow{signal: s} }

// at adds one process. One that is gone already is an error.
func (b *blow) at(p program.Process, agent *child, name string) error {
	handle, err := os.FindProcess(p.PID)
	if err != nil {
		return fmt.Errorf("aim at %s: %w", name, err)
	}
	if p.Fate() != program.Runs {
		_ = handle.Release() // it only frees the handle
		return fmt.Errorf("aim at %s, process %d: %w", name, p.PID, os.ErrProcessDone)
	}
	b.targets = append(b.targets, target{handle, agent, name})
	return nil
}

// agent adds a member's agent.
func (b *blow) agent(c *child) error {
	c.mu.Lock()
	p := c.process
	c.mu.Unlock()
	return b.at(p, c, "agent "+string(c.Name))
}

// service adds a member's service.
func (b *blow) service(c *child) error {
	p, err := c.service()
	if err != nil {
		return err
	}
	return b.at(p, nil, "service on "+string(c.Name))
}

// machine adds agent and service; a member without a slot has no service.
func (b *blow) machine(c *child) error {
	err := b.agent(c)
	if bad := b.service(c); bad != nil && !errors.Is(bad, os.ErrProcessDone) && !errors.Is(bad, os.ErrNotExist) {
		err = errors.Join(err, bad)
	}
	return err
}

// everything adds whatever runs of a member, also an action that its agent has begun.
func (b *blow) everything(f *folder, c *child) error {
	if err := b.agent(c); err != nil {
		return err
	}
	pid := b.targets[len(b.targets)-1].handle.Pid
	running := f.processesUnder(f.memberDir(c.Name))
	for _, p := range slices.DeleteFunc(running, func(p program.Process) bool { return p.PID == pid }) {
		err := b.at(p, nil, filepath.Base(f.memberDir(c.Name)))
		if err != nil && !errors.Is(err, os.ErrProcessDone) { // an action that has just ended
			return err
		}
	}
	return nil
}

// fall signals all targets. A process that has ended since it was aimed at is no
// error if the blow ends processes.
func (b *blow) fall() error {
	if b.signal == syscall.SIGKILL {
		for _, t := range b.targets {
			if t.agent != nil {
				t.agent.expectEnd()
			}
		}
	}
	var failed error
	for _, t := range b.targets {
		if err := t.handle.Signal(b.signal); err != nil && (b.signal != syscall.SIGKILL || !errors.Is(err, os.ErrProcessDone)) {
			failed = errors.Join(failed, fmt.Errorf("signal %s: %w", t.name, err))
		}
	}
	b.release()
	return failed
}

// release frees the handles.
func (b *blow) release() {
	for _, t := range b.targets {
		_ = t.handle.Release() // it only frees the handle
	}
	b.targets = nil
}
