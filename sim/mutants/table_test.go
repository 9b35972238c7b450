package mutants

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"moonwatch/sim/mutants/seed"
)

func TestOnlyAPromiseThatIsExpectedKills(t *testing.T) {
	m := Mutant{Name: "x", Ought: "S1", Also: []string{"S2"}}
	k := Kill{Mutant: m}
	for i, rings := range []string{"L4", "", "panic", "L4", "S2"} {
		if k.Dead() {
			t.Fatalf("%s killed it", k.Rang)
		}
		k.hears(seed.Played{Seed: uint64(i + 1), Promise: rings})
	}
	if k.Rang != "S2" || k.Seeds != 5 || !slices.Equal(k.Beside, []string{"L4", "panic"}) {
		t.Errorf("%+v", k)
	}
}

func TestAHuntOfOneMutantLeavesTheOthersRows(t *testing.T) {
	path := filepath.Join(t.TempDir(), "mutants.md")
	all := All()
	first, second := all[0], all[len(all)-1]
	for _, k := range []Kill{
		{Mutant: first, Seeds: 3, Rang: first.Ought},
		{Mutant: second, Seeds: 500, Beside: []string{"L4", "S2"}},
		{Mutant: first, Seeds: 4, Rang: first.Ought},
	} {
		if err := Write(path, "abc", k); err != nil {
			t.Fatal(err)
		}
	}
	rows, err := readRows(path)
	if err != nil {
		t.Fatal(err)
	}
	if got := rows[first.Name]; !slices.Equal(got, []string{first.Ought, "", "4", "abc"}) {
		t.Errorf("%q", got)
	}
	if got := rows[second.Name]; !slices.Equal(got, []string{"nothing", "L4 S2", "500", "abc"}) {
		t.Errorf("%q", got)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(text), "\n| "); n != len(all)+2 {
		t.Errorf("%d rows with their head, want one for each of %d mutants", n, len(all))
	}
}

// TestTheTableTellsOfMutantsThatThereAre holds docs/mutants.md against the list: it is
// written by hunts, which are rare.
func TestTheTableTellsOfMutantsThatThereAre(t *testing.T) {
	rows, err := readRows(filepath.Join(root, "docs", "mutants.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range All() {
		row := rows[m.Name]
		if row == nil {
			t.Errorf("%s has no row: MUTANT=%s make mutants", m.Name, m.Name)
		} else if row[0] != "" && row[0] != "nothing" && !m.Expects(row[0]) {
			t.Errorf("%s was killed by %s, which it does not expect", m.Name, row[0])
		}
		delete(rows, m.Name)
	}
	for name := range rows {
		if name != "mutant" && !strings.HasPrefix(name, "---") {
			t.Errorf("there is no mutant %s any more", name)
		}
	}
}
