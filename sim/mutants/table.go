package mutants

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
)

// head is what stands above the table's rows.
const head = `# Mutants

Faults of ours in the shipped decisions, one at a time, and what saw each when it was last hunted ([simulation.md](simulation.md)). Written by
%smake mutants%s, which takes a mutant for killed only if the promise that broke is the one that ought to break, or one
that breaks as surely by the same fault. "Seeds" is how many of its story it took; "beside" is what broke in seeds before that and
does not count. A row without a promise has not been hunted by that rule yet; what broke "nothing" lives.

| mutant | what it breaks | story | ought to break | broke | beside | seeds | build |
| --- | --- | --- | --- | --- | --- | --- | --- |
`

// columns are those of a row.
const columns = 8

// Write puts what came of a hunt into the table at path, by the name of the mutant. All
// other rows stay; there is one for each mutant, in the order of All.
func Write(path, build string, k Kill) error {
	rows, err := readRows(path)
	if err != nil {
		return fmt.Errorf("table of mutants: %w", err)
	}
	broke := k.Rang
	if broke == "" {
		broke = "nothing"
	}
	rows[k.Mutant.Name] = []string{broke, strings.Join(k.Beside, " "), fmt.Sprint(k.Seeds), build}
	var b strings.Builder
	fmt.Fprintf(&b, head, "`", "`")
	for _, m := range All() {
		ought := strings.Join(append([]string{m.Ought}, m.Also...), ", ")
		found := rows[m.Name]
		if found == nil {
			found = []string{"", "", "", ""}
		}
		fmt.Fprintf(&b, "| %s |\n", strings.Join(append([]string{m.Name, m.Breaks, m.story(), ought}, found...), " | "))
	}
	if err := os.WriteFile(path, []byte(b.String()), 0o644); err != nil { //nolint:gosec // a document, for everybody to read
		return fmt.Errorf("table of mutants: %w", err)
	}
	return nil
}

// readRows reads what hunts have found, by mutant: what broke, beside, seeds, build. A
// table that is not there yet has nothing.
func readRows(path string) (map[string][]string, error) {
	text, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	rows := map[string][]string{}
	for line := range strings.Lines(string(text)) {
		cells := strings.Split(strings.Trim(strings.TrimSpace(line), "|"), "|")
		if len(cells) != columns {
			continue
		}
		for i := range cells {
			cells[i] = strings.TrimSpace(cells[i])
		}
		rows[cells[0]] = cells[4:]
	}
	return rows, nil
}
