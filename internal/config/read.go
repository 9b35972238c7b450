package config

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// object is a mapping whose keys are known.
type object struct {
	notes *notes
	path  string // of the keys that lead here, "" at the top
	at    place
	pairs map[string]pair
}

// object reads v as a mapping of known keys. Another key is a mistake, and the
// near miss is named. It gives an object without keys if v is no mapping.
func (n *notes) object(path string, v *node, known ...string) object {
	o := object{notes: n, path: path, at: v.at, pairs: map[string]pair{}}
	if v.shape != mapping {
		n.wrong(v.at, "%s is %s, want a mapping of %s", path, v.found(), words(known, "and"))
		return o
	}
	for _, p := range v.pairs {
		switch {
		case slices.Contains(known, p.key):
			o.pairs[p.key] = p
		case secretKey(p.key): // noSecrets says more
		default:
			n.unknown(p.at, o.join(p.key), p.key, known)
		}
	}
	return o
}

func (n *notes) unknown(at place, path, key string, known []string) {
	if meant := nearest(key, known); meant != "" {
		n.wrong(at, "unknown key %s, did you mean %s?", path, meant)
		return
	}
	n.wrong(at, "unknown key %s, want %s", path, words(known, "or"))
}

func (o object) join(key string) string {
	if o.path == "" {
		return key
	}
	return o.path + "." + key
}

// words lists what was wanted: a, b or c.
func words(list []string, last string) string {
	if len(list) < 2 {
		return strings.Join(list, "")
	}
	return strings.Join(list[:len(list)-1], ", ") + " " + last + " " + list[len(list)-1]
}

// get finds a key's value. A key without a value is a mistake: somebody meant
// something by it.
func (o object) get(key, want string) (*node, bool) {
	p, ok := o.pairs[key]
	if !ok {
		return nil, false
	}
	if p.value.shape == empty {
		o.notes.wrong(p.at, "%s is empty, want %s", o.join(key), want)
		return nil, false
	}
	return p.value, true
}

// has reports whether the key was written, with whatever value.
func (o object) has(key string) bool { _, ok := o.pairs[key]; return ok }

// where is the place of a key's value, or of the object itself.
func (o object) where(key string) place {
	p, ok := o.pairs[key]
	switch {
	case !ok:
		return o.at
	case p.value.shape == empty || p.value.shape == mapping && len(p.value.pairs) > 0:
		return p.at
	default:
		return p.value.at
	}
}

func (o object) bad(key string, v *node, want string) {
	o.notes.wrong(v.at, "%s is %s, want %s", o.join(key), v.found(), want)
}

// missing says that a key has to be there.
func (o object) missing(key, want string) {
	o.notes.wrong(o.at, "%s is missing, want %s", o.join(key), want)
}

// text reads a text that valid accepts, or gives otherwise.
func (o object) text(key, otherwise, want string, valid func(string) bool) string {
	v, ok := o.get(key, want)
	if !ok {
		return otherwise
	}
	if v.shape != text || !valid(v.text) {
		o.bad(key, v, want)
		return otherwise
	}
	return v.text
}

// integer reads a whole number from least to most.
func (o object) integer(key string, otherwise, least, most int) int {
	want := fmt.Sprintf("a whole number from %d to %d", least, most)
	if least == most {
		want = strconv.Itoa(least)
	}
	v, ok := o.get(key, want)
	if !ok {
		return otherwise
	}
	i, err := strconv.Atoi(v.text)
	if v.shape != number || err != nil || i < least || i > most {
		o.bad(key, v, want)
		return otherwise
	}
	return i
}

// duration reads a time with its unit.
func (o object) duration(key string, otherwise, least, most time.Duration) time.Duration {
	want := fmt.Sprintf("a time from %v to %v with its unit, such as %v", short(least), short(most), short(otherwise))
	v, ok := o.get(key, want)
	if !ok {
		return otherwise
	}
	d, err := time.ParseDuration(v.text)
	if v.shape != text || err != nil || d < least || d > most {
		o.bad(key, v, want)
		return otherwise
	}
	return d
}

// short prints 1h as 1h and not as 1h0m0s.
func short(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// share reads 5% as 0.05.
func (o object) share(key string, otherwise float64) float64 {
	const want = "a share from 0% to 100%, such as 5%"
	v, ok := o.get(key, want)
	if !ok {
		return otherwise
	}
	digits, isShare := strings.CutSuffix(v.text, "%")
	percent, err := strconv.ParseFloat(digits, 64)
	if v.shape != text || !isShare || err != nil || strings.ContainsAny(digits, "xXpPiInN_") || percent < 0 || percent > 100 {
		o.bad(key, v, want)
		return otherwise
	}
	return percent / 100
}

// truth reads true or false.
func (o object) truth(key string) bool {
	const want = "true or false"
	v, ok := o.get(key, want)
	if !ok {
		return false
	}
	if v.shape != truth || v.text != "true" && v.text != "false" {
		o.bad(key, v, want)
		return false
	}
	return v.text == "true"
}

// item is an entry of a list of texts, with its place.
type item struct {
	text string
	at   place
}

// texts reads a list of texts that valid accepts, each at most once.
func (o object) texts(key, want string, valid func(string) bool) []item {
	v, ok := o.get(key, "a list of "+want)
	if !ok {
		return nil
	}
	if v.shape != list {
		o.bad(key, v, "a list of "+want)
		return nil
	}
	var found []item
	for i, e := range v.items {
		path := fmt.Sprintf("%s[%d]", o.join(key), i)
		switch {
		case e.shape != text || !valid(e.text):
			o.notes.wrong(e.at, "%s is %s, want %s", path, e.found(), want)
		case slices.ContainsFunc(found, func(f item) bool { return f.text == e.text }):
			o.notes.wrong(e.at, "%s is %s, which stands in the list already", path, e.found())
		default:
			found = append(found, item{e.text, e.at})
		}
	}
	return found
}

func textsOf(items []item) []string {
	var all []string
	for _, i := range items {
		all = append(all, i.text)
	}
	return all
}

// oneOf accepts the words given.
func oneOf(list ...string) func(string) bool {
	return func(s string) bool { return slices.Contains(list, s) }
}
