package scenario

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
		if !slices.Contains(known, p.key) {
			n.wrong(p.at, "unknown key %s, %s", o.join(p.key), meant(p.key, known))
			continue
		}
		o.pairs[p.key] = p
	}
	return o
}

func (o object) join(key string) string {
	if o.path == "" {
		return key
	}
	return o.path + "." + key
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

// word reads one of a few words, and names the near miss; empty if there is none.
func (o object) word(key string, known ...string) string {
	v, ok := o.get(key, words(known, "or"))
	if !ok {
		return ""
	}
	if v.shape != text || !slices.Contains(known, v.text) {
		o.notes.wrong(v.at, "%s is %s, %s", o.join(key), v.found(), meant(v.text, known))
		return ""
	}
	return v.text
}

// integer reads a whole number from least to most.
func (o object) integer(key string, otherwise, least, most int) int {
	want := fmt.Sprintf("a whole number from %d to %d", least, most)
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
	want := fmt.Sprintf("a time from %v to %v with its unit, such as 30s", short(least), short(most))
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

// ratio reads 5% or 0.05 as 0.05, within least and most.
func (o object) ratio(key string, otherwise, least, most float64) float64 {
	want := fmt.Sprintf("a number from %v to %v", least, most)
	if most == 1 {
		want = fmt.Sprintf("a share from %v%% to 100%%, such as 30%% or 0.3", 100*least)
	}
	v, ok := o.get(key, want)
	if !ok {
		return otherwise
	}
	f, good := number64(v)
	if !good || f < least || f > most {
		o.bad(key, v, want)
		return otherwise
	}
	return f
}

// number64 reads a number, or a percentage as a hundredth of it.
func number64(v *node) (float64, bool) {
	digits, percent := strings.CutSuffix(v.text, "%")
	if v.shape != number && !(v.shape == text && percent) || strings.ContainsAny(digits, "xXpPiInN_") {
		return 0, false
	}
	f, err := strconv.ParseFloat(digits, 64)
	if percent {
		f /= 100
	}
	return f, err == nil
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

// texts reads one text or a list of them.
func (o object) texts(key, want string) []item {
	v, ok := o.get(key, want)
	if !ok {
		return nil
	}
	switch v.shape {
	case text:
		return []item{{v.text, v.at}}
	case list:
	default:
		o.bad(key, v, want)
		return nil
	}
	if len(v.items) == 0 {
		o.bad(key, v, want)
	}
	var found []item
	for i, e := range v.items {
		if e.shape != text {
			o.notes.wrong(e.at, "%s[%d] is %s, want %s", o.join(key), i, e.found(), want)
			continue
		}
		found = append(found, item{e.text, e.at})
	}
	return found
}

// list reads the entries of a list.
func (o object) list(key, want string) []*node {
	v, ok := o.get(key, want)
	if !ok {
		return nil
	}
	if v.shape != list {
		o.bad(key, v, want)
		return nil
	}
	return v.items
}

// anything accepts every text.
func anything(string) bool { return true }
