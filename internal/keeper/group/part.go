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
	case errors.Is(err, os.ErrNotExist) || place == None:
		return nil, nil
	case err != nil:
		return nil, fmt.Errorf("parts of slots: %w", err)
	case !filepath.IsAbs(place): // cut off by a build of before: what runs is not known
		return nil, fmt.Errorf("parts of slots: %s says %q, want %s or the path of a cgroup: start the keeper, which notes it anew", filepath.Join(dir, noteFile), place, None)
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
