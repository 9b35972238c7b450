//go:build mutants

package mutants

import (
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// TestEveryMutantIsKilled hunts every mutant for at most MOONWATCH_SEEDS
// (500) seeds, and writes what came of it into the table at MOONWATCH_TABLE, if that is
// set. MOONWATCH_MUTANT=NAME hunts one alone.
func TestEveryMutantIsKilled(t *testing.T) {
	most := uint64(500)
	if n, err := strconv.ParseUint(os.Getenv("MOONWATCH_SEEDS"), 10, 64); err == nil {
		most = n
	}
	h := Hunt{Root: root, Dir: t.TempDir()}
	plain, err := h.Build(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	one := os.Getenv("MOONWATCH_MUTANT")
	var mu sync.Mutex
	t.Run("all", func(t *testing.T) {
		for _, m := range All() {
			if one != "" && m.Name != one {
				continue
			}
			t.Run(m.Name, func(t *testing.T) {
				t.Parallel()
				k, err := h.Kill(t.Context(), plain, m, most)
				if err != nil {
					t.Fatal(err)
				}
				if !k.Dead() {
					t.Errorf("%s lives after %d seeds, in which %v rang and no %s: %s", m.Name, k.Seeds, k.Beside, m.Ought, m.Breaks)
				}
				t.Logf("%d seeds in %v: %s", k.Seeds, k.Took.Round(time.Millisecond), k.Words)
				mu.Lock()
				defer mu.Unlock()
				if path := os.Getenv("MOONWATCH_TABLE"); path != "" { // one after the other: a hunt may be ended early
					if err := Write(path, build(t), k); err != nil {
						t.Error(err)
					}
				}
			})
		}
	})
}

// build is the commit that is hunted on.
func build(t *testing.T) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "git", "rev-parse", "--short", "HEAD").Output()
	if err != nil {
		return "unknown"
	}
	return strings.TrimSpace(string(out))
}
