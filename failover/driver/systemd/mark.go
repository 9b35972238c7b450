package systemd

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"moonwatch/internal/whole"
	"moonwatch/member"
)

// note is what stands beside a unit.
type note struct {
	Mark   string           `json:"mark"` // as driver.Route writes it; drained: stopped
	Slot   member.SlotID    `json:"slot"`
	Epoch  member.SlotEpoch `json:"slot_epoch"`
	Key    string           `json:"key"`    // of the last attempt
	Before string           `json:"before"` // the unit's invocation that a restart is to end; empty: no restart was wanted
}

const (
	markName = "50-moonwatch.conf"
	heading  = "# moonwatch "
)

func (d *Driver) markPath(unit string) string {
	return filepath.Join(d.config.Folder, unit+".d", markName)
}

// Marks are where the marks of all units of this machine stand, or stood.
func (c Config) Marks() ([]string, error) {
	dirs, err := filepath.Glob(filepath.Join(c.Folder, "*.d"))
	for i, dir := range dirs {
		dirs[i] = filepath.Join(dir, markName)
	}
	return dirs, err
}

// mark writes the drop-in: a line for us, and what the service is to know. It
// stands in memory: after a boot it is gone, as it should be.
func (d *Driver) mark(unit string, n note) error {
	head, err := json.Marshal(n)
	if err != nil {
		return fmt.Errorf("mark unit: %w", err)
	}
	path := d.markPath(unit)
	text := fmt.Sprintf("%s%s\n[Service]\nEnvironment=\"MOONWATCH_SLOT=%s\" MOONWATCH_SLOT_EPOCH=%d\n", heading, head, n.Slot, n.Epoch)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return fmt.Errorf("mark unit: %w", err)
	}
	if err := whole.ReplaceForNow(path, []byte(text), 0o644); err != nil {
		return fmt.Errorf("mark unit: %w", err)
	}
	return nil
}

func (d *Driver) readMark(unit string) (n note, marked bool, err error) {
	text, err := os.ReadFile(d.markPath(unit))
	if errors.Is(err, fs.ErrNotExist) {
		return note{}, false, nil
	}
	if err != nil {
		return note{}, false, fmt.Errorf("read mark: %w", err)
	}
	first, _, _ := strings.Cut(string(text), "\n")
	head, ours := strings.CutPrefix(first, heading)
	if !ours || json.Unmarshal([]byte(head), &n) != nil {
		return note{}, false, fmt.Errorf("mark %s is not ours: move it away once nothing of the slot runs here", d.markPath(unit))
	}
	return n, true, nil
}

// lockAgain is how often a unit that another step holds is tried.
const lockAgain = 20 * time.Millisecond

// lock keeps two steps of one unit apart, also of two agents on one machine.
func (d *Driver) lock(ctx context.Context, unit string) (unlock func(), err error) {
	dir := filepath.Dir(d.markPath(unit))
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("lock unit: %w", err)
	}
	file, err := os.Open(dir)
	if err != nil {
		return nil, fmt.Errorf("lock unit: %w", err)
	}
	for {
		err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if err == nil {
			return func() { _ = file.Close() }, nil
		}
		if !errors.Is(err, syscall.EWOULDBLOCK) {
			_ = file.Close()
			return nil, fmt.Errorf("lock unit: %w", err)
		}
		select {
		case <-ctx.Done():
			_ = file.Close()
			return nil, fmt.Errorf("lock unit: another step of %s holds it: %w", unit, ctx.Err())
		case <-time.After(lockAgain):
		}
	}
}
