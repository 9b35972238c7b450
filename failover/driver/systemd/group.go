package systemd

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// processes counts what runs in a unit's control group and those below it. That
// of a unit which stopped well is empty or gone; with KillMode=process it may be
// neither.
func (d *Driver) processes(group string) (int, error) {
	if group == "" {
		return 0, nil
	}
	for _, hierarchy := range d.config.Groups {
		if _, err := os.Stat(filepath.Join(hierarchy, "init.scope")); err == nil {
			return countProcesses(filepath.Join(hierarchy, group))
		}
	}
	return 0, fmt.Errorf("no control groups of systemd in %q: nobody can tell whether all processes have ended", d.config.Groups)
}

func countProcesses(group string) (int, error) {
	n := 0
	err := filepath.WalkDir(group, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.Name() != "cgroup.procs" {
			return gone(err)
		}
		text, err := os.ReadFile(path)
		n += bytes.Count(text, []byte("\n"))
		return gone(err)
	})
	return n, err
}

// gone takes a group that was removed meanwhile for an empty one.
func gone(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}
