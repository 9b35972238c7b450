package group

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"moonwatch/member"
)

// noteFile is the file in a keeper's folder that says where its slots are.
const noteFile = "owns"

// Parts are, for each slot of the keeper with this folder of which there is a cgroup, the
// cgroups below its own. A part holds what entered the slot by one unit of systemd: that
// unit's own cgroup is left by entering, so systemd can end its main process alone. No
// keeper is asked, so it need not live. Sessions leave no cgroup and have no parts.
func Parts(dir string) (map[member.SlotID]Group, error) {
	b, err := os.ReadFile(filepath.Join(dir, noteFile))
	place := strings.TrimSpace(string(b))
	switch {
	case errors.Is(err, os.ErrNotExist) || err == nil && !filepath.IsAbs(place):
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("parts of slots: %w", err)
	}
	parts, err := partsIn(place)
	if err != nil {
		return nil, fmt.Errorf("parts of slots: %w", err)
	}
	return parts, nil
}

// CheckPart refuses a name that is none of a file of its own.
func CheckPart(name string) error {
	if !filepath.IsLocal(name) || filepath.Base(name) != name || name == "." {
		return fmt.Errorf("part of a slot: %q, want the name of a unit, such as mydb.service", name)
	}
	return nil
}
