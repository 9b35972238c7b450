package group

import (
	"bufio"
	"errors"
	"fmt"
	"hash/fnv"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"moonwatch/member"
)

// cgroups are the slots' cgroups below one folder.
type cgroups struct {
	dir     string
	unified bool // v2
}

// anyCgroup makes a folder for this keeper in the first hierarchy that lets it:
// v2 first, for there a whole group is killed in one step.
func anyCgroup(dir string) (Group, error) {
	mounts, err := hierarchies()
	if err != nil {
		return nil, err
	}
	abs, err := filepath.Abs(dir)
	if err != nil {
		return nil, err
	}
	h := fnv.New64a()
	_, _ = h.Write([]byte(abs)) // a hash takes everything
	name := fmt.Sprintf("moonwatch-keeper-%x", h.Sum64())
	errs := []error{errors.New("no cgroup hierarchy is mounted")}
	for _, m := range mounts {
		g, err := openCgroup(filepath.Join(m, name))
		if err == nil {
			return g, nil
		}
		errs = append(errs, err)
	}
	return nil, errors.Join(errs...)
}

// hierarchies are the mount points of v2 and of v1's freezer, in that order.
func hierarchies() ([]string, error) {
	f, err := os.Open("/proc/self/mountinfo")
	if err != nil {
		return nil, err
	}
	defer f.Close() //nolint:errcheck // it was only read
	var v2, v1 []string
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		// ID parent device root MOUNT options ... - TYPE source OPTIONS
		before, after, ok := strings.Cut(lines.Text(), " - ")
		at, kind := strings.Fields(before), strings.Fields(after)
		if !ok || len(at) < 5 || len(kind) < 3 {
			continue
		}
		switch {
		case kind[0] == "cgroup2":
			v2 = append(v2, at[4])
		case kind[0] == "cgroup" && hasWord(kind[2], "freezer"):
			v1 = append(v1, at[4])
		}
	}
	return append(v2, v1...), lines.Err()
}

func hasWord(list, word string) bool {
	for w := range strings.SplitSeq(list, ",") {
		if w == word {
			return true
		}
	}
	return false
}

func openCgroup(dir string) (Group, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("cgroup: %w", err)
	}
	var st unix.Statfs_t
	if err := unix.Statfs(dir, &st); err != nil {
		return nil, fmt.Errorf("cgroup %s: %w", dir, err)
	}
	g := &cgroups{dir: dir}
	switch st.Type {
	case unix.CGROUP2_SUPER_MAGIC:
		g.unified = true
	case unix.CGROUP_SUPER_MAGIC:
	default:
		return nil, fmt.Errorf("cgroup %s: it lies in no cgroup hierarchy", dir)
	}
	// What cannot be filled is found out now and not when a slot wants to run.
	try := filepath.Join(dir, ".try")
	if err := os.Mkdir(try, 0o755); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, fmt.Errorf("cgroup: %w", err)
	}
	_, lacks := os.Stat(filepath.Join(try, g.freezer()))
	if err := os.Remove(try); err != nil {
		return nil, fmt.Errorf("cgroup: %w", err)
	}
	if lacks != nil {
		return nil, fmt.Errorf("cgroup %s: it cannot be frozen (%w): want the freezer hierarchy, or v2 of Linux 5.2 or newer", dir, lacks)
	}
	return g, nil
}

func (g *cgroups) Name() string {
	if g.unified {
		return "cgroup v2"
	}
	return "cgroup v1"
}

func (g *cgroups) Place() string { return g.dir }

func (g *cgroups) at(slot member.SlotID) string { return filepath.Join(g.dir, string(slot)) }

func (g *cgroups) Admit(slot member.SlotID, pid int) error {
	if pid <= 0 {
		return errors.New("its process id is not known here: it is of another pid namespace")
	}
	if err := os.MkdirAll(g.at(slot), 0o755); err != nil { // somebody may have tidied up the empty ones
		return fmt.Errorf("make cgroup: %w", err)
	}
	if err := put(filepath.Join(g.at(slot), "cgroup.procs"), strconv.Itoa(pid)); err != nil {
		return fmt.Errorf("move process %d into its cgroup: %w", pid, err)
	}
	return nil
}

func (g *cgroups) Signal(slot member.SlotID, kill bool) error {
	dir := g.at(slot)
	if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	list := func() ([]int, error) { return processes(dir) }
	if !kill {
		return signalAll(list, unix.SIGTERM)
	}
	if g.unified {
		if err := put(filepath.Join(dir, "cgroup.kill"), "1"); !errors.Is(err, fs.ErrNotExist) {
			return err // of Linux 5.14 and newer: all of it, forks included
		}
	}
	// Frozen, nothing is started while the list is read. What was frozen before,
	// by whomever, has to be thawed: it dies only then.
	err := put(filepath.Join(dir, g.freezer()), g.freeze(true))
	if err == nil {
		settle(dir, g)
	}
	return errors.Join(err, signalAll(list, unix.SIGKILL), put(filepath.Join(dir, g.freezer()), g.freeze(false)))
}

// settle waits a moment for a freeze. What does not freeze, in the middle of a
// disk's answer perhaps, is killed as it is; the next round finds its children.
func settle(dir string, g *cgroups) {
	for range 10 {
		b, err := os.ReadFile(filepath.Join(dir, g.frozen()))
		if err != nil || strings.Contains(string(b), g.frozenWord()) {
			return
		}
		time.Sleep(time.Millisecond)
	}
}

func (g *cgroups) freezer() string {
	if g.unified {
		return "cgroup.freeze"
	}
	return "freezer.state"
}

func (g *cgroups) freeze(yes bool) string {
	switch {
	case g.unified && yes:
		return "1"
	case g.unified:
		return "0"
	case yes:
		return "FROZEN"
	default:
		return "THAWED"
	}
}

func (g *cgroups) frozen() string {
	if g.unified {
		return "cgroup.events"
	}
	return "freezer.state"
}

func (g *cgroups) frozenWord() string {
	if g.unified {
		return "frozen 1"
	}
	return "FROZEN"
}

// Count reads the group and whatever groups the service made below its own.
func (g *cgroups) Count(slot member.SlotID) (int, error) {
	dir := g.at(slot)
	if g.unified { // one word for the whole tree, threads included
		b, err := os.ReadFile(filepath.Join(dir, "cgroup.events"))
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return 0, nil
		case err != nil:
			return 0, fmt.Errorf("look at cgroup: %w", err)
		case strings.Contains(string(b), "populated 0"):
			return 0, nil
		}
	}
	pids, err := processes(dir)
	if err != nil {
		return 0, err
	}
	if g.unified {
		return max(1, len(pids)), nil
	}
	return len(pids), nil
}

// processes lists a group with all below it. A group that vanishes meanwhile had
// none.
func processes(dir string) ([]int, error) {
	var pids []int
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return nil
		case err != nil:
			return err
		case !e.IsDir():
			return nil
		}
		b, err := os.ReadFile(filepath.Join(path, "cgroup.procs"))
		switch {
		case errors.Is(err, fs.ErrNotExist), errors.Is(err, unix.ENODEV), errors.Is(err, unix.EOPNOTSUPP):
			return nil // gone, or its processes are listed above it
		case err != nil:
			return err
		}
		for line := range strings.Lines(string(b)) {
			pid, err := strconv.Atoi(strings.TrimSpace(line))
			if err != nil {
				return fmt.Errorf("cgroup %s lists %q, want process ids", path, line)
			}
			pids = append(pids, pid)
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("look at cgroup: %w", err)
	}
	return pids, nil
}

func (g *cgroups) Slots() ([]member.SlotID, error) {
	entries, err := os.ReadDir(g.dir)
	if err != nil {
		return nil, fmt.Errorf("look at cgroups: %w", err)
	}
	var slots []member.SlotID
	for _, e := range entries {
		if e.IsDir() && !strings.HasPrefix(e.Name(), ".") {
			slots = append(slots, member.SlotID(e.Name()))
		}
	}
	return slots, nil
}

func (g *cgroups) Forget(slot member.SlotID) error {
	var below []string // parts of it, and what the service made below its own
	err := filepath.WalkDir(g.at(slot), func(path string, e fs.DirEntry, err error) error {
		if err == nil && e.IsDir() {
			below = append(below, path)
		}
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		return err
	})
	for _, dir := range slices.Backward(below) {
		if gone := os.Remove(dir); gone != nil && !errors.Is(gone, fs.ErrNotExist) {
			err = errors.Join(err, gone)
		}
	}
	if err != nil {
		return fmt.Errorf("forget cgroup: %w", err)
	}
	return nil
}

func (g *cgroups) Close() { _ = os.Remove(g.dir) } // one that is not empty stays

// put writes one word into a file of the kernel's.
func put(path, word string) error {
	f, err := os.OpenFile(path, os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = f.WriteString(word)
	return errors.Join(err, f.Close())
}
