package mutants

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"moonwatch/sim/mutants/seed"
)

// Hunt builds and plays mutants. Dir is a folder of its own for what it writes
// there, Root the module's. Program is the package that is built, the worker's if it
// is empty.
type Hunt struct{ Root, Dir, Program string }

// Kill tells how a mutant came to its end.
type Kill struct {
	Mutant Mutant
	Seeds  uint64        // played, the one that killed it included
	Rang   string        // the promise that rang, of those that the mutant expects; empty if none did
	Words  string        // in the checker's words
	Beside []string      // promises that rang in earlier seeds and are no kill, sorted
	Took   time.Duration // of playing, without the build
}

// Dead reports that a promise rang which the mutant expects.
func (k Kill) Dead() bool { return k.Rang != "" }

// plain stands for the product as it is.
const plain = "plain"

// Build builds the worker with a mutant in it, nil for none, and returns its
// path.
func (h Hunt) Build(ctx context.Context, m *Mutant) (string, error) {
	name, overlay := plain, map[string]string{}
	if m != nil {
		name = m.Name
		files, err := m.Mutated(h.Root)
		if err != nil {
			return "", err
		}
		if overlay, err = h.write(name, files); err != nil {
			return "", fmt.Errorf("mutant %s: %w", name, err)
		}
	}
	list := filepath.Join(h.Dir, name+".json")
	b, err := json.Marshal(map[string]any{"Replace": overlay})
	if err == nil {
		err = os.WriteFile(list, b, 0o600)
	}
	if err != nil {
		return "", fmt.Errorf("mutant %s: %w", name, err)
	}
	worker := filepath.Join(h.Dir, name)
	c := exec.CommandContext(ctx, "go", "build", "-overlay", list, "-o", worker, cmp.Or(h.Program, "moonwatch/sim/mutants/worker"))
	c.Dir = h.Root
	if out, err := c.CombinedOutput(); err != nil {
		return "", fmt.Errorf("build mutant %s: %w\n%s", name, err, out)
	}
	return worker, nil
}

// write puts the changed files aside, and says what they stand for.
func (h Hunt) write(name string, files map[string][]byte) (map[string]string, error) {
	overlay := map[string]string{}
	for i, file := range slices.Sorted(maps.Keys(files)) {
		original, err := filepath.Abs(filepath.Join(h.Root, file))
		if err != nil {
			return nil, err
		}
		changed := filepath.Join(h.Dir, fmt.Sprintf("%s-%d.go", name, i))
		if err := os.WriteFile(changed, files[file], 0o600); err != nil {
			return nil, err
		}
		overlay[original] = changed
	}
	return overlay, nil
}

// Play plays seeds from the first one on until a promise breaks, at most most of
// them, and reports the last one. A worker that dies without a word has broken
// something as well.
func (h Hunt) Play(ctx context.Context, worker, story string, from, most uint64) (seed.Played, error) {
	c := exec.CommandContext(ctx, worker, "-story", story, "-from", u(from), "-seeds", u(most))
	c.Env = append(os.Environ(), "GOGC=400", "GOMAXPROCS=1")
	var said strings.Builder
	c.Stderr = &said
	out, err := c.StdoutPipe()
	if err != nil {
		return seed.Played{}, err
	}
	if err := c.Start(); err != nil {
		return seed.Played{}, err
	}
	last, err := readTo(out)
	if ended := c.Wait(); ctx.Err() != nil {
		return last, context.Cause(ctx)
	} else if crash := (*exec.ExitError)(nil); errors.As(ended, &crash) && strings.HasPrefix(said.String(), "panic: ") {
		first, _, _ := strings.Cut(said.String(), "\n")
		return seed.Played{Seed: max(from, last.Seed+1), Promise: "panic", Words: first}, nil
	} else if ended != nil {
		return last, fmt.Errorf("worker %s: %w: %s", worker, ended, said.String())
	}
	return last, err
}

// readTo reads a worker's lines to the last one.
func readTo(r io.Reader) (last seed.Played, err error) {
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		if err := json.Unmarshal(lines.Bytes(), &last); err != nil {
			return last, fmt.Errorf("worker's line %q: %w", lines.Text(), err)
		}
	}
	return last, lines.Err()
}

func u(n uint64) string { return strconv.FormatUint(n, 10) }

// Kill builds a mutant and plays its story until a promise breaks that the mutant
// expects, at most most seeds. A seed in which another one breaks, or the worker dies, is
// no kill: that promise would have to ring for any fault. What rings under the mutant must be
// silent without it, so the plain worker plays the same seed.
func (h Hunt) Kill(ctx context.Context, plain string, m Mutant, most uint64) (Kill, error) {
	worker, err := h.Build(ctx, &m)
	if err != nil {
		return Kill{Mutant: m}, err
	}
	defer os.Remove(worker) //nolint:errcheck // the folder goes with all that is in it
	begun := time.Now()
	story, k := m.story(), Kill{Mutant: m}
	for k.Seeds < most && !k.Dead() {
		last, err := h.Play(ctx, worker, story, k.Seeds+1, most-k.Seeds)
		k.Took = time.Since(begun)
		if err != nil {
			return k, err
		}
		if last.Seed <= k.Seeds {
			return k, fmt.Errorf("mutant %s: its worker played nothing from seed %d on", m.Name, k.Seeds+1)
		}
		k.hears(last)
	}
	if !k.Dead() {
		return k, nil
	}
	sober, err := h.Play(ctx, plain, story, k.Seeds, 1)
	if err == nil && sober.Promise != "" {
		err = fmt.Errorf("mutant %s: seed %d of story %s breaks %s without it: %s", m.Name, k.Seeds, story, sober.Promise, sober.Words)
	}
	return k, err
}

// hears takes the seed with which a worker ended.
func (k *Kill) hears(last seed.Played) {
	k.Seeds = last.Seed
	switch {
	case last.Promise == "":
	case k.Mutant.Expects(last.Promise):
		k.Rang, k.Words = last.Promise, last.Words
	case !slices.Contains(k.Beside, last.Promise):
		k.Beside = append(k.Beside, last.Promise)
		slices.Sort(k.Beside)
	}
}

func (m Mutant) story() string {
	if m.Story == "" {
		return "swarm"
	}
	return m.Story
}
