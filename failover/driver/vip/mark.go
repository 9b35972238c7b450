package vip

import (
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"path/filepath"
	"strings"

	"moonwatch/failover/driver"
	"moonwatch/member"
)

func (d *Driver) markPath(slot member.SlotID) string {
	return filepath.Join(d.config.Folder, url.PathEscape(string(slot))+".vip")
}

// mark writes down what this member is about to do. It stands in memory: after a
// boot mark and address are gone together.
func (d *Driver) mark(r driver.Route) error {
	path := d.markPath(r.Slot)
	if err := os.MkdirAll(d.config.Folder, 0o755); err != nil {
		return fmt.Errorf("mark slot: %w", err)
	}
	if err := os.WriteFile(path+".new", []byte(r.Mark()+"\n"), 0o644); err != nil {
		return fmt.Errorf("mark slot: %w", err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		return fmt.Errorf("mark slot: %w", err)
	}
	return nil
}

func (d *Driver) readMark(slot member.SlotID) (driver.Route, bool, error) {
	text, err := os.ReadFile(d.markPath(slot))
	if errors.Is(err, fs.ErrNotExist) {
		return driver.Route{}, false, nil
	}
	if err != nil {
		return driver.Route{}, false, fmt.Errorf("read mark: %w", err)
	}
	r, err := driver.ParseMark(slot, strings.TrimSpace(string(text)))
	if err != nil {
		return driver.Route{}, false, fmt.Errorf("%w: %s: %w", errSetup, d.markPath(slot), err)
	}
	return r, true, nil
}
