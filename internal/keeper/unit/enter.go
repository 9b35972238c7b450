package unit

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"

	"moonwatch/internal/keeper/door"
	"moonwatch/internal/keeper/group"
	"moonwatch/member"
)

// Enter makes this process one of a slot's and then runs argv in its place, so
// that nothing of the slot is ever done outside of the keeper. It returns only if
// that fails; then nothing was run.
func Enter(ctx context.Context, socket string, slot member.SlotID, epoch member.SlotEpoch, argv []string) error {
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
	mark := group.Mark + "=" + group.MarkOf(st.Dir, slot)
	env := []string{mark}
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, group.Mark+"=") {
			env = append(env, v)
		}
	}
	return fmt.Errorf("enter slot %s: run %s: %w", slot, path, syscall.Exec(path, argv, env))
}
