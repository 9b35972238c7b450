package scenario

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Mistake is one thing that is wrong with a scenario file, and where.
type Mistake struct {
	File   string
	Line   int    // from 1
	Column int    // from 1, in characters
	Text   string // what was found and what was wanted
}

func (m Mistake) String() string {
	return fmt.Sprintf("%s:%d:%d: %s", m.File, m.Line, m.Column, m.Text)
}

// Mistakes are all that is wrong with a file, sorted by place. It is an error
// with one line for each.
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

// notes collects the mistakes of one file.
type notes struct {
	file     string
	mistakes Mistakes
}

func (n *notes) wrong(at place, format string, args ...any) {
	n.mistakes = append(n.mistakes, Mistake{n.file, at.line, at.column, fmt.Sprintf(format, args...)})
}

// err is nil or all mistakes in the order in which a reader meets them.
func (n *notes) err() error {
	if len(n.mistakes) == 0 {
		return nil
	}
	slices.SortStableFunc(n.mistakes, func(a, b Mistake) int {
		return cmp.Or(cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
	return n.mistakes
}

// words lists what was wanted: a, b or c.
func words[T ~string](list []T, last string) string {
	var b strings.Builder
	for i, w := range list {
		switch {
		case i == 0:
		case i == len(list)-1:
			b.WriteString(" " + last + " ")
		default:
			b.WriteString(", ")
		}
		b.WriteString(string(w))
	}
	return b.String()
}

// meant is what to say about a word that is not known: the near miss if there
// is one, and else what is known.
func meant[T ~string](word string, known []T) string {
	if near := nearest(word, known); near != "" {
		return "did you mean " + near + "?"
	}
	return "want " + words(known, "or")
}

// nearest is the known word that somebody may have meant, or "".
func nearest[T ~string](word string, known []T) string {
	best, found := len(word)/3+1, ""
	for _, k := range known {
		if d := distance(word, string(k)); d <= best && d < len(k) && (found == "" || d < best) {
			best, found = d, string(k)
		}
	}
	return found
}

// distance counts the letters to insert, leave out, change or swap with their
// neighbour to make b of a. Longer than any word of ours is far from all.
func distance(a, b string) int {
	const longest = 64
	if len(a) > longest || len(b) > longest {
		return longest
	}
	var before, above, row [longest + 1]int
	for j := range len(b) + 1 {
		row[j] = j
	}
	for i := 1; i <= len(a); i++ {
		before, above = above, row
		row[0] = i
		for j := 1; j <= len(b); j++ {
			same := 1
			if a[i-1] == b[j-1] {
				same = 0
			}
			row[j] = min(above[j]+1, row[j-1]+1, above[j-1]+same)
			if i > 1 && j > 1 && a[i-1] == b[j-2] && a[i-2] == b[j-1] {
				row[j] = min(row[j], before[j-2]+1)
			}
		}
	}
	return row[len(b)]
}
