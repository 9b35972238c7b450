package config

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Mistake is one thing that is wrong, or worth a thought, and where.
type Mistake struct {
	File   string // the file, the variable (MOONWATCH_BIND) or the flag (--bind)
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

// Mistakes are all that is wrong with a file and its overrides, sorted by
// place. It is an error with one line for each.
type Mistakes []Mistake

func (m Mistakes) Error() string {
	lines := make([]string, len(m))
	for i, mistake := range m {
		lines[i] = mistake.String()
	}
	return strings.Join(lines, "\n")
}

// place is where something stands in a file.
type place struct{ line, column int }

// notes collects mistakes and warnings of one file.
type notes struct {
	file     string
	mistakes Mistakes
	warnings []Mistake
}

func (n *notes) wrong(at place, format string, args ...any) {
	n.mistakes = append(n.mistakes, Mistake{n.file, at.line, at.column, fmt.Sprintf(format, args...)})
}

func (n *notes) warn(at place, format string, args ...any) {
	n.warnings = append(n.warnings, Mistake{n.file, at.line, at.column, fmt.Sprintf(format, args...)})
}

// err is nil or all mistakes in the order in which a reader meets them.
func (n *notes) err() error {
	if len(n.mistakes) == 0 {
		return nil
	}
	inOrder(n.mistakes)
	return n.mistakes
}

// inOrder sorts by line and column; variables and flags, which have none, come
// after the file.
func inOrder(list []Mistake) {
	slices.SortStableFunc(list, func(a, b Mistake) int {
		if a.Line == 0 || b.Line == 0 {
			return cmp.Compare(b.Line, a.Line)
		}
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
}
