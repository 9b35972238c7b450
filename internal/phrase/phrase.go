// Package phrase says in another language what decisions wrote in English.
//
// Decisions, facts of the ledger and evidence are English text, on every agent the same
// and for years: a ledger has one form. Who shows them to people looks each text up here,
// by the form that it was written with. What no form fits is left as it is, and so are
// names, ids, and the words of the product itself (DRAINING, service-down), which
// commands and logs have as well.
//
// A Book may be used by any number of goroutines. It does no I/O.
package phrase

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"sync"
)

// Book is a language's forms of sentences.
type Book struct {
	forms []*form

	mu   sync.Mutex
	said map[string]string // answers of before: a page says the same again and again
}

// remembered is how many answers a Book keeps before it forgets all of them: a page with
// all that it can hold has about 2,000, of 100 bytes each.
const remembered = 8192

// deepest is how far texts within texts are followed. A list is one of them, however long.
const deepest = 8

// A list has no more clauses than longestList, and no more than longestRest bytes of it are
// looked up as one text; what decisions write is shorter. What follows is left as it is.
const (
	longestList = 64
	longestRest = 1024
)

// New makes a book of English forms and what they are in its language. A form is written
// as fmt has it; %w is a value that people or actions wrote: it stays as it is, and before
// it there are names and times, which have no ": ". In the other language %s stands for the
// values in order, and %[2]s for the second one.
func New(forms map[string]string) (*Book, error) {
	b := &Book{said: map[string]string{}}
	for english, other := range forms {
		f, err := newForm(english, other)
		if err != nil {
			return nil, fmt.Errorf("phrase %q: %w", english, err)
		}
		b.forms = append(b.forms, f)
	}
	// A form that knows how the text begins is the outer one of texts within texts. Of
	// those the one that says most itself is tried first: it is the least likely to fit
	// what was written with another one.
	slices.SortFunc(b.forms, func(x, y *form) int {
		switch begins := x.parts[0] != ""; {
		case begins != (y.parts[0] != "") && begins:
			return -1
		case begins != (y.parts[0] != ""):
			return 1
		}
		return cmp.Or(y.letters-x.letters, strings.Compare(x.english, y.english))
	})
	return b, nil
}

// Say is a text in the language of the book, as far as it knows it. A text of one word is
// a name or a word of the product, and stays what it is.
func (b *Book) Say(text string) string {
	if b == nil {
		return text
	}
	return b.say(text, deepest)
}

// say is a text as far as it is known. Only what was followed all the way is remembered.
func (b *Book) say(text string, depth int) string {
	if depth == 0 || !strings.Contains(text, " ") && !strings.HasSuffix(text, ":") {
		return text
	}
	if depth < deepest {
		return b.look(text, depth)
	}
	b.mu.Lock()
	said, known := b.said[text]
	b.mu.Unlock()
	if known {
		return said
	}
	said = b.look(text, depth)
	b.mu.Lock()
	if len(b.said) >= remembered {
		clear(b.said)
	}
	b.said[text] = said
	b.mu.Unlock()
	return said
}

// look finds the form of a text, or those of its parts: of each sentence, of the clauses of
// a list, of what stands after a colon.
func (b *Book) look(text string, depth int) string {
	if said, ok := b.whole(text, depth); ok {
		return said
	}
	for _, joint := range []struct{ english, other string }{{". ", "。"}, {"; ", "；"}, {": ", "："}, {", ", "、"}} {
		if said, ok := b.list(text, joint.english, joint.other, depth); ok {
			return said
		}
	}
	return text
}

// whole says a text that one form fits.
func (b *Book) whole(text string, depth int) (string, bool) {
	for _, f := range b.forms {
		if values, ok := f.match(text); ok {
			said := make([]any, len(values))
			for i, v := range values {
				if said[i] = v; f.holes[i] != verbatim {
					said[i] = b.say(v, depth-1)
				}
			}
			return fmt.Sprintf(f.other, said...), true
		}
	}
	return "", false
}

// list says the clauses of a text, or several of them at once if a form fits all the rest;
// false if none is known.
func (b *Book) list(text, joint, other string, depth int) (string, bool) {
	if !strings.Contains(text, joint) {
		return "", false
	}
	var said strings.Builder
	found := false
	for range longestList {
		clause, rest, more := strings.Cut(text, joint)
		in := b.say(clause, depth-1)
		found = found || in != clause
		said.WriteString(in)
		if text = rest; !more {
			return said.String(), found
		}
		said.WriteString(other)
		if len(rest) > longestRest {
			continue
		}
		if in, ok := b.whole(rest, depth-1); ok {
			return said.String() + in, true
		}
	}
	return said.String() + text, found
}

// form is one way of writing a sentence, with holes for its values.
type form struct {
	english, other string
	parts          []string // around the holes: one more than there are
	holes          []hole   // what each takes
	free           int      // the first that is verbatim; as many as there are: none is
	letters        int
	longest        string // of the parts
}

// hole is what a form's hole takes.
type hole byte

const (
	phrased  hole = iota // a text, which is said in turn
	number               // a number alone
	verbatim             // what people or actions wrote
)

func newForm(english, other string) (*form, error) {
	f := &form{english: english, other: other}
	var err error
	if f.parts, f.holes, err = split(english); err != nil {
		return nil, err
	}
	if f.free = slices.Index(f.holes, verbatim); f.free < 0 {
		f.free = len(f.holes)
	}
	for i, p := range f.parts {
		f.letters += len(p)
		if len(p) > len(f.longest) {
			f.longest = p
		}
		if p == "" && i > 0 && i < len(f.holes) {
			return nil, fmt.Errorf("two values with nothing between them")
		}
	}
	values := make([]any, len(f.holes))
	for i := range values {
		values[i] = fmt.Sprintf("‹%d›", i)
	}
	said := fmt.Sprintf(other, values...)
	if strings.Contains(said, "%!") {
		return nil, fmt.Errorf("%q takes other values: %s", other, said)
	}
	for _, v := range values {
		if !strings.Contains(said, v.(string)) {
			return nil, fmt.Errorf("%q leaves out a value: %s", other, said)
		}
	}
	return f, nil
}

// split takes a form of fmt apart.
func split(english string) (parts []string, holes []hole, err error) {
	var part strings.Builder
	for i := 0; i < len(english); i++ {
		if english[i] != '%' {
			part.WriteByte(english[i])
			continue
		}
		i++
		for i < len(english) && strings.IndexByte(".0123456789", english[i]) >= 0 {
			i++
		}
		if i == len(english) {
			return nil, nil, fmt.Errorf("ends in the middle of a value")
		}
		switch english[i] {
		case '%':
			part.WriteByte('%')
			continue
		case 'd', 'f', 'g':
			holes = append(holes, number)
		case 's', 'v':
			holes = append(holes, phrased)
		case 'w':
			holes = append(holes, verbatim)
		case 'q':
			part.WriteByte('"')
			parts, holes = append(parts, part.String()), append(holes, phrased)
			part.Reset()
			part.WriteByte('"')
			continue
		default:
			return nil, nil, fmt.Errorf("%%%c is no value that it knows", english[i])
		}
		parts = append(parts, part.String())
		part.Reset()
	}
	return append(parts, part.String()), holes, nil
}

// match finds the values with which a text was written in this form.
func (f *form) match(text string) ([]string, bool) {
	if len(text) < f.letters || !strings.HasPrefix(text, f.parts[0]) || !strings.Contains(text, f.longest) {
		return nil, false
	}
	return f.from(0, text[len(f.parts[0]):], make([]string, 0, len(f.holes)))
}

// from matches a text that begins with hole i.
func (f *form) from(i int, text string, values []string) ([]string, bool) {
	if i == len(f.holes) {
		return values, text == ""
	}
	part := f.parts[i+1]
	if i+1 == len(f.holes) { // the last value reaches to the end
		value, ends := strings.CutSuffix(text, part)
		return append(values, value), ends && f.takes(i, value)
	}
	if i == f.free { // free text may have in it what follows it
		for at := strings.LastIndex(text, part); at >= 0; at = strings.LastIndex(text[:at], part) {
			if !f.takes(i, text[:at]) {
				break
			}
			if all, ok := f.from(i+1, text[at+len(part):], append(values, text[:at])); ok {
				return all, true
			}
		}
		return nil, false
	}
	for at := 0; ; at++ {
		next := strings.Index(text[at:], part)
		if next < 0 {
			return nil, false
		}
		at += next
		if !f.takes(i, text[:at]) {
			continue
		}
		if all, ok := f.from(i+1, text[at+len(part):], append(values, text[:at])); ok {
			return all, true
		}
	}
}

func (f *form) takes(i int, value string) bool {
	if f.holes[i] != number {
		return value != "" && (i >= f.free || f.free == len(f.holes) || !strings.Contains(value, ": "))
	}
	digits := strings.TrimPrefix(value, "-")
	return digits != "" && strings.Trim(digits, "0123456789.") == ""
}
