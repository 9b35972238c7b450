package campaign

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"golang.org/x/sys/unix"
)

// What says of what a folder keeps the results. Results of different programs,
// or of different scenarios, do not add up.
type What struct {
	Version  int    `json:"version"` // of the folder's format
	Scenario string `json:"scenario"`
	Members  int    `json:"members"`
	Storm    string `json:"storm"` // how long faults strike
	Build    string `json:"build"`
	Plan     string `json:"plan"` // hash of the plan of seed 1, for everything else that a scenario says
}

// folderVersion is the format that this program reads and writes.
const folderVersion = 1

// Folder keeps the results of a campaign: campaign.json says of what, each
// slice-N.jsonl has a line per seed. A line is written when its seed has ended,
// so whatever ends a slice, the next one goes on behind it.
type Folder struct {
	dir     string
	lock    *os.File
	slice   *os.File // of this run; nil until the first result
	n       int      // its number
	records []Record // of earlier slices
	wall    time.Duration
	err     error // of the first line that could not be written
}

// OpenFolder opens the folder of a campaign, or makes it. It fails if the
// results in it are of something else, and if another campaign is writing.
func OpenFolder(dir string, what What) (_ *Folder, err error) {
	what.Version = folderVersion
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, fmt.Errorf("keep results: %w", err)
	}
	f := &Folder{dir: dir}
	if f.lock, err = os.Open(dir); err != nil {
		return nil, fmt.Errorf("keep results: %w", err)
	}
	defer func() {
		if err != nil {
			_ = f.lock.Close() // it was only read
		}
	}()
	if err := unix.Flock(int(f.lock.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		return nil, fmt.Errorf("keep results in %s: another campaign is writing there", dir)
	}
	if err := f.compare(what); err != nil {
		return nil, fmt.Errorf("keep results in %s: %w", dir, err)
	}
	if err := f.load(); err != nil {
		return nil, fmt.Errorf("results in %s: %w", dir, err)
	}
	return f, nil
}

// Close lets others write to the folder.
func (f *Folder) Close() error {
	err := f.lock.Close()
	if f.slice != nil {
		err = errors.Join(err, f.slice.Close())
	}
	return err
}

// Records are those of earlier slices.
func (f *Folder) Records() []Record { return f.records }

// compare refuses a folder that has results of something else.
func (f *Folder) compare(want What) error {
	path := filepath.Join(f.dir, "campaign.json")
	text, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		if entries, err := os.ReadDir(f.dir); err != nil || len(entries) > 0 {
			return errors.Join(errors.New("it is not empty, and no campaign's: want an empty or a new folder"), err)
		}
		text, _ := json.MarshalIndent(want, "", "  ") // strings and a number
		return WriteNew(path, append(text, '\n'))
	}
	if err != nil {
		return err
	}
	var has What
	if err := json.Unmarshal(text, &has); err != nil {
		return fmt.Errorf("campaign.json: %w", err)
	}
	for _, x := range []struct{ what, has, want string }{
		{"format", fmt.Sprint(has.Version), fmt.Sprint(want.Version)},
		{"scenario", has.Scenario, want.Scenario},
		{"number of members", fmt.Sprint(has.Members), fmt.Sprint(want.Members)},
		{"time of faults", has.Storm, want.Storm},
		{"version of the program", has.Build, want.Build},
		{"plan of seed 1", has.Plan, want.Plan},
	} {
		if x.has != x.want {
			return fmt.Errorf("the %s of the results there is %s, and now it is %s: they do not add up; want another folder", x.what, x.has, x.want)
		}
	}
	return nil
}

// load reads what earlier slices have kept.
func (f *Folder) load() error {
	paths, err := filepath.Glob(filepath.Join(f.dir, "slice-*.jsonl"))
	if err != nil {
		return err
	}
	slices.Sort(paths)
	seen := map[uint64]bool{}
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		var wall int64
		for n, line := range bytes.SplitAfter(text, []byte("\n")) {
			if !bytes.HasSuffix(line, []byte("\n")) {
				break // the last line, cut off in the middle of writing: that seed is played again
			}
			var r Record
			if err := json.Unmarshal(line, &r); err != nil {
				return fmt.Errorf("%s:%d: %w", filepath.Base(path), n+1, err)
			}
			if seen[r.Seed] {
				return fmt.Errorf("%s:%d: seed %d was played before", filepath.Base(path), n+1, r.Seed)
			}
			seen[r.Seed] = true
			if r.Plan != "" {
				r.Plan = filepath.Join(f.dir, r.Plan)
			}
			f.records = append(f.records, r)
			wall = max(wall, r.WallMS)
		}
		f.wall += time.Duration(wall) * time.Millisecond
	}
	f.n = len(paths) + 1
	return nil
}

// keep appends the line of one seed.
func (f *Folder) keep(r Record) error {
	if f.err != nil {
		return f.err
	}
	if f.slice == nil {
		path := filepath.Join(f.dir, fmt.Sprintf("slice-%06d.jsonl", f.n))
		if f.slice, f.err = os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644); f.err != nil {
			return f.err
		}
	}
	r.Plan = filepath.Base(r.Plan)
	if r.Plan == "." {
		r.Plan = ""
	}
	line, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("keep the result of seed %d: %w", r.Seed, err)
	}
	if _, err := f.slice.Write(append(line, '\n')); err != nil {
		f.err = fmt.Errorf("keep the result of seed %d: %w; what stands in %s before it is kept", r.Seed, bare(err), f.slice.Name())
	}
	return f.err
}
