package strict

import "strings"

// Words lists what was wanted: a, b or c.
func Words[T ~string](list []T, last string) string {
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

// Meant is what to say about a word that is not known: the near miss if there
// is one, and else what is known.
func Meant[T ~string](word string, known []T) string {
	if near := Nearest(word, known); near != "" {
		return "did you mean " + near + "?"
	}
	return "want " + Words(known, "or")
}

// Nearest is the known word that somebody may have meant, or "".
func Nearest[T ~string](word string, known []T) string {
	best, found := len(word)/3+1, ""
	for _, k := range known {
		if d := Distance(word, string(k)); d <= best && d < len(k) && (found == "" || d < best) {
			best, found = d, string(k)
		}
	}
	return found
}

// Distance counts the letters to insert, leave out, change or swap with their
// neighbour to make b of a. Longer than any word of ours is far from all.
func Distance(a, b string) int {
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
