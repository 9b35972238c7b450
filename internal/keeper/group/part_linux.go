package group

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"

	"golang.org/x/sys/unix"

	"moonwatch/member"
)

func partsIn(place string) (map[member.SlotID]Group, error) {
	var st unix.Statfs_t
	err := unix.Statfs(place, &st)
	if errors.Is(err, fs.ErrNotExist) { // no slot is here, and no keeper
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("cgroup %s: %w", place, err)
	}
	unified := st.Type == unix.CGROUP2_SUPER_MAGIC
	if !unified && st.Type != unix.CGROUP_SUPER_MAGIC {
		return nil, fmt.Errorf("cgroup %s: it lies in no cgroup hierarchy", place)
	}
	slots, err := (&cgroups{dir: place, unified: unified}).Slots()
	if err != nil {
		return nil, err
	}
	parts := map[member.SlotID]Group{}
	for _, s := range slots {
		parts[s] = &cgroups{dir: filepath.Join(place, string(s)), unified: unified}
	}
	return parts, nil
}
