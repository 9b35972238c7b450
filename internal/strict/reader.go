// Package strict reads the YAML that people write, and tells them all that is
// wrong with it: each [Mistake] with its file, line and column, what was found
// and what was wanted, and the near miss of a word that is not known. Nothing
// is guessed and nothing is left out silently.
//
// A file is read as plain YAML: no anchors, aliases, tags or second document.
// They save some typing and cost everybody who reads the file at three in the
// morning. A text that looks like a secret is shown to nobody.
//
// It is a function of bytes: who has a file reads it and hands the text over.
// So the agent reads its configuration with it, and the simulator, which does
// no I/O, its scenarios.
package strict

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"
)

// MaxFile bounds a file in bytes: a fleet of 10,000 members is half of it.
const MaxFile = 1 << 20

// Reader reads one file and collects its mistakes.
type Reader struct {
	File     string // as it stands in mistakes
	Mistakes Mistakes

	// Leave, if any, says which unknown keys are no mistake of [Reader.Object]:
	// the caller says more about them.
	Leave func(key string) bool
	// Hint, if any, is what to say about a text with which no YAML begins; empty
	// for what the parser says.
	Hint func(text string) string
}

// Wrong notes a mistake.
func (r *Reader) Wrong(at Place, format string, args ...any) {
	r.Mistakes = append(r.Mistakes, Mistake{r.File, at.Line, at.Column, fmt.Sprintf(format, args...)})
}

// Err is nil or all mistakes in the order in which a reader of the file meets
// them.
func (r *Reader) Err() error {
	if len(r.Mistakes) == 0 {
		return nil
	}
	InOrder(r.Mistakes)
	return r.Mistakes
}

// Read reads the one document of a file, a mapping. It gives nil if that cannot
// be had; then a mistake says why.
func (r *Reader) Read(src []byte) *Value {
	top := Place{1, 1}
	if len(src) > MaxFile {
		r.Wrong(top, "the file has %d bytes, want at most %d", len(src), MaxFile)
		return nil
	}
	if !utf8.Valid(src) {
		r.Wrong(badByte(src), "the text is not UTF-8")
		return nil
	}
	file, ok := r.parse(strings.TrimPrefix(string(src), "\ufeff"))
	if !ok {
		return nil
	}
	var root *Value
	for _, doc := range file.Docs {
		if doc.Body == nil {
			continue
		}
		v := r.convert(doc.Body)
		if root != nil {
			r.Wrong(v.At, "a second document begins here, want one")
			return nil
		}
		root = v
	}
	switch {
	case root == nil || root.Shape == Empty:
		r.Wrong(top, "the file is empty")
		return nil
	case root.Shape != Mapping:
		r.Wrong(root.At, "the file holds %s, want keys and values", root.Found())
		return nil
	}
	return root
}

// badByte is the place of the first byte that is no UTF-8.
func badByte(b []byte) Place {
	at := Place{1, 1}
	for len(b) > 0 {
		r, size := utf8.DecodeRune(b)
		if r == utf8.RuneError && size <= 1 {
			break
		}
		at.Column++
		if r == '\n' {
			at = Place{at.Line + 1, 1}
		}
		b = b[size:]
	}
	return at
}

// Object reads v as a mapping of known keys. Another key is a mistake, and the
// near miss is named. It gives an object without keys if v is no mapping.
func (r *Reader) Object(path string, v *Value, known ...string) Object {
	o := Object{reader: r, Path: path, At: v.At, Pairs: map[string]Pair{}}
	if v.Shape != Mapping {
		r.Wrong(v.At, "%s is %s, want a mapping of %s", path, v.Found(), Words(known, "and"))
		return o
	}
	for _, p := range v.Pairs {
		switch {
		case slices.Contains(known, p.Key):
			o.Pairs[p.Key] = p
		case r.Leave != nil && r.Leave(p.Key):
		default:
			r.Wrong(p.At, "unknown key %s, %s", o.Join(p.Key), Meant(p.Key, known))
		}
	}
	return o
}
