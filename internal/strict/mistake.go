package strict

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Mistake is one thing that is wrong, or worth a thought, and where.
type Mistake struct {
	File   string // the file, or what stood for it: a variable (MOONWATCH_BIND), a flag (--bind)
	Line   int    // from 1; 0 for a variable or a flag
	Column int    // from 1, in characters
	Text   string // what was found and what was wanted
}

func (m Mistake) String() string {
	if m.Line == 0 {
		return m.File + ": " + m.Text
	}
	return fmt.Sprintf("%s:%d:%d: %s", m.File, m.Line, m.Column, m.Text)
}

// Mistakes are all that is wrong with a file and what overrides it, sorted by
// place. It is an error with one line for each.
type Mistakes []Mistake

func (m Mistakes) Error() string {
	lines := make([]string, len(m))
	for i, mistake := range m {
		lines[i] = mistake.String()
	}
	return strings.Join(lines, "\n")
}

// InOrder sorts by line and column; variables and flags, which have none, come
// after the file.
func InOrder(list []Mistake) {
	slices.SortStableFunc(list, func(a, b Mistake) int {
		if a.Line == 0 || b.Line == 0 {
			return cmp.Compare(b.Line, a.Line)
		}
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
}
