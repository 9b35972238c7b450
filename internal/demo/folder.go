package demo

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"moonwatch/internal/program"
)

// Folders of demos lie in the system's folder of temporary files under names
// that begin like this. That is the whole register: who looks for a running
// demo, or for what a killed one left, looks there.
const folderPrefix = "moonwatch-demo-"

const (
	recordFile = "launcher.json"
	keptFile   = "KEPT" // the story failed: the logs stay for people
	socketFile = "control.sock"
)

// record says whose a folder is. It is the first file in it.
type record struct {
	Launcher program.Process `json:"launcher"`
	Exe      string          `json:"exe"` // what agents and services run
}

// folder is one demo's folder.
type folder struct {
	path   string
	record record
}

// newFolder makes the folder of this launcher: at path, which must be empty or
// not there, or under a new name in the register if path is empty.
func newFolder(path, exe string) (f *folder, err error) {
	if path == "" {
		path, err = os.MkdirTemp("", folderPrefix)
	} else {
		path, err = emptyFolder(path)
	}
	if err != nil {
		return nil, fmt.Errorf("make the demo's folder: %w", err)
	}
	f = &folder{path: path, record: record{Launcher: program.Identify(os.Getpid()), Exe: exe}}
	text, err := json.Marshal(f.record)
	if err == nil {
		err = writeWhole(filepath.Join(path, recordFile), string(text)+"\n")
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("make the demo's folder: %w", err), os.RemoveAll(path))
	}
	return f, nil
}

// emptyFolder makes path or finds it empty: what is removed at the end must
// have been nobody else's.
func emptyFolder(path string) (string, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return "", err
	}
	if err := os.MkdirAll(path, 0o700); err != nil {
		return "", err
	}
	entries, err := os.ReadDir(path)
	if err != nil {
		return "", err
	}
	if len(entries) > 0 {
		return "", fmt.Errorf("%s is not empty (%s), want a folder for the demo alone", path, entries[0].Name())
	}
	return path, os.Chmod(path, 0o700)
}

// errNoFolder says that a folder is not one of ours, or not yet.
var errNoFolder = errors.New("no folder of a demo")

// openFolder looks at somebody's demo. It believes only what our own user
// wrote, where nobody else could write.
func openFolder(path string) (*folder, error) {
	info, err := os.Lstat(path)
	if err != nil {
		return nil, err
	}
	if !info.IsDir() || owner(info) != os.Geteuid() || info.Mode().Perm()&0o077 != 0 {
		return nil, fmt.Errorf("%s: %w: want one of user %d, mode 0700", path, errNoFolder, os.Geteuid())
	}
	text, err := os.ReadFile(filepath.Join(path, recordFile))
	if err != nil {
		return nil, fmt.Errorf("%s: %w: %w", path, errNoFolder, err)
	}
	f := &folder{path: path}
	if err := json.Unmarshal(text, &f.record); err != nil {
		return nil, fmt.Errorf("%s: %w: %s: %w", path, errNoFolder, recordFile, err)
	}
	return f, nil
}

// runs reports whether the folder's launcher lives.
func (f *folder) runs() bool { return f.record.Launcher.Fate() == program.Runs }

// registered lists the folders in the register that are ours to look at.
func registered() []*folder {
	paths, _ := filepath.Glob(filepath.Join(os.TempDir(), folderPrefix+"*")) // the pattern is right
	var found []*folder
	for _, path := range paths {
		if f, err := openFolder(path); err == nil {
			found = append(found, f)
		}
	}
	return found
}

// sweep ends and removes what launchers that were killed have left. Logs that
// one kept on purpose stay. It tells how many processes it ended.
func sweep() (ended int, err error) {
	for _, f := range registered() {
		if f.runs() {
			continue
		}
		ended += len(f.processes())
		bad := f.end()
		if bad == nil && !f.kept() {
			bad = f.remove()
		}
		err = errors.Join(err, bad)
	}
	return ended, errors.Join(err, sweepUnborn())
}

// sweepUnborn removes folders whose launcher died before it wrote the record,
// its first deed: they are empty, and nothing runs from them. A young one may
// belong to a launcher that is just beginning.
func sweepUnborn() error {
	paths, _ := filepath.Glob(filepath.Join(os.TempDir(), folderPrefix+"*"))
	var failed error
	for _, path := range paths {
		info, err := os.Lstat(path)
		if err != nil || !info.IsDir() || owner(info) != os.Geteuid() || time.Since(info.ModTime()) < time.Minute {
			continue
		}
		if entries, err := os.ReadDir(path); err != nil || len(entries) > 0 {
			continue
		}
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			failed = errors.Join(failed, err)
		}
	}
	return failed
}

func (f *folder) remove() error {
	if err := os.RemoveAll(f.path); err != nil {
		return fmt.Errorf("remove the demo's folder: %w", err)
	}
	return nil
}

// keep marks the folder's logs as wanted and removes the keys.
func (f *folder) keep() error {
	var failed error
	for _, secret := range []string{"ca.key", "gossip.key", "operator.key"} {
		if err := os.Remove(filepath.Join(f.path, secret)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			failed = errors.Join(failed, err)
		}
	}
	return errors.Join(failed, writeWhole(filepath.Join(f.path, keptFile), "The story failed; the logs stay until somebody removes this folder.\n"))
}

func (f *folder) kept() bool {
	_, err := os.Stat(filepath.Join(f.path, keptFile))
	return err == nil
}

// running finds the demo that is meant: the one in path, or the only one that
// runs.
func running(path string) (*folder, error) {
	if path != "" {
		f, err := openFolder(path)
		if err == nil && !f.runs() {
			err = fmt.Errorf("%s: its launcher does not run any more", path)
		}
		return f, err
	}
	var found []*folder
	var paths []string
	for _, f := range registered() {
		if f.runs() {
			found, paths = append(found, f), append(paths, f.path)
		}
	}
	switch len(found) {
	case 0:
		return nil, fmt.Errorf("no demo runs (looked for %s): start one with `moonwatch demo`, or name its folder with --dir",
			filepath.Join(os.TempDir(), folderPrefix+"*"))
	case 1:
		return found[0], nil
	default:
		return nil, fmt.Errorf("%d demos run, name one with --dir: %s", len(found), strings.Join(paths, ", "))
	}
}
