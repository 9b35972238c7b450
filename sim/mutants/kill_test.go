//go:build mutants

package mutants

import (
	"cmp"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// TestEveryMutantIsKilled hunts every mutant for at most MOONWATCH_SEEDS
// (500) seeds, and prints the table. MOONWATCH_MUTANT=NAME hunts one alone.
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
	var kills []Kill
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
					t.Errorf("%s lives after %d seeds: %s", m.Name, k.Seeds, m.Breaks)
				}
				t.Logf("%d seeds in %v: %s", k.Seeds, k.Took.Round(time.Millisecond), k.Words)
				mu.Lock()
				defer mu.Unlock()
				kills = append(kills, k)
			})
		}
	})
	fmt.Print(table(kills))
}

// table is the outcome of a hunt for people, in Markdown.
func table(kills []Kill) string {
	place := map[string]int{}
	for i, m := range All() {
		place[m.Name] = i
	}
	slices.SortFunc(kills, func(a, b Kill) int { return cmp.Compare(place[a.Mutant.Name], place[b.Mutant.Name]) })
	var b strings.Builder
	b.WriteString("\n| mutant | what it breaks | story | ought to ring | rang | seeds | seconds |\n|---|---|---|---|---|---|---|\n")
	for _, k := range kills {
		fmt.Fprintf(&b, "| %s | %s | %s | %s | %s | %d | %.1f |\n",
			k.Mutant.Name, k.Mutant.Breaks, k.Mutant.story(), k.Mutant.Ought, cmp.Or(k.Rang, "**nothing**"), k.Seeds, k.Took.Seconds())
	}
	return b.String()
}
