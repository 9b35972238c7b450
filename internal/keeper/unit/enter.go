package unit

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"moonwatch/internal/keeper/door"
	"moonwatch/internal/keeper/group"
	"moonwatch/member"
)

// Enter makes this process one of a slot's and then runs argv in its place, so
// that nothing of the slot is ever done outside of the keeper. It returns only if
// that fails; then nothing was run.
func Enter(ctx context.Context, socket string, slot member.SlotID, epoch member.SlotEpoch, argv []string) error {
	return EnterPart(ctx, socket, slot, epoch, "", argv)
}

// EnterPart is Enter for the main process of a unit of systemd, whose name the part has:
// End ends what it leaves behind. Without a name it is Enter.
func EnterPart(ctx context.Context, socket string, slot member.SlotID, epoch member.SlotEpoch, part string, argv []string) error {
	path, err := exec.LookPath(argv[0])
	if err != nil {
		return fmt.Errorf("enter slot %s: %w", slot, err)
	}
	c := door.Client{Socket: socket}
	st, err := c.Status(ctx)
	if err != nil {
		return fmt.Errorf("enter slot %s: %w", slot, err)
	}
	// A session of its own, where it has none yet: without cgroups that is what
	// the keeper goes by. The leader of a group cannot begin one.
	if _, err := syscall.Setsid(); err != nil && !errors.Is(err, syscall.EPERM) {
		return fmt.Errorf("enter slot %s: begin a session: %w", slot, err)
	}
	if _, err := c.Enter(ctx, slot, epoch); err != nil {
		return err
	}
	if err := join(st.Dir, slot, part); err != nil {
		return fmt.Errorf("enter slot %s: %w", slot, err)
	}
	mark := group.Mark + "=" + group.MarkOf(st.Dir, slot)
	env := []string{mark}
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, group.Mark+"=") {
			env = append(env, v)
		}
	}
	return fmt.Errorf("enter slot %s: run %s: %w", slot, path, syscall.Exec(path, argv, env))
}

// join moves this process, which is the slot's, into a part of the slot.
func join(dir string, slot member.SlotID, part string) error {
	if part == "" {
		return nil
	}
	if err := group.CheckPart(part); err != nil {
		return err
	}
	parts, err := group.Parts(dir)
	if err != nil || parts[slot] == nil { // a session: it is in its unit's own cgroup still
		return err
	}
	return parts[slot].Admit(member.SlotID(part), os.Getpid())
}

// lookAgain is how long End waits for what it has ended.
const lookAgain = 20 * time.Millisecond

// End ends a part by force, in whatever slot of the keeper with this folder it is. It
// returns when nothing of it runs; an error means that this is not known. It asks no
// keeper: systemd ends a unit because there is none.
func End(ctx context.Context, dir, part string) error {
	if err := group.CheckPart(part); err != nil {
		return err
	}
	slots, err := group.Parts(dir)
	if err != nil {
		return err
	}
	for slot, parts := range slots {
		for {
			n, err := parts.Count(member.SlotID(part))
			if err == nil && n == 0 {
				_ = parts.Forget(member.SlotID(part)) // an empty group is in nobody's way
				break
			}
			if err = errors.Join(err, parts.Signal(member.SlotID(part), true)); err != nil {
				return fmt.Errorf("end part %s of slot %s: %w", part, slot, err)
			}
			select {
			case <-ctx.Done():
				return fmt.Errorf("end part %s of slot %s: %d processes run: %w", part, slot, n, context.Cause(ctx))
			case <-time.After(lookAgain):
			}
		}
	}
	return nil
}
