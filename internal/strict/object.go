package strict

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Object is a mapping whose keys are known.
type Object struct {
	Path  string // of the keys that lead here, "" at the top
	At    Place
	Pairs map[string]Pair

	reader *Reader
}

// Join is the path of a key.
func (o Object) Join(key string) string {
	if o.Path == "" {
		return key
	}
	return o.Path + "." + key
}

// Get finds a key's value. A key without a value is a mistake: somebody meant
// something by it.
func (o Object) Get(key, want string) (*Value, bool) {
	p, ok := o.Pairs[key]
	if !ok {
		return nil, false
	}
	if p.Value.Shape == Empty {
		o.reader.Wrong(p.At, "%s is empty, want %s", o.Join(key), want)
		return nil, false
	}
	return p.Value, true
}

// Has reports whether the key was written, with whatever value.
func (o Object) Has(key string) bool { _, ok := o.Pairs[key]; return ok }

// Where is the place of a key's value, or of the object itself.
func (o Object) Where(key string) Place {
	p, ok := o.Pairs[key]
	switch {
	case !ok:
		return o.At
	case p.Value.Shape == Empty || p.Value.Shape == Mapping && len(p.Value.Pairs) > 0:
		return p.At
	default:
		return p.Value.At
	}
}

// Bad says that a key has another value than it should have.
func (o Object) Bad(key string, v *Value, want string) {
	o.reader.Wrong(v.At, "%s is %s, want %s", o.Join(key), v.Found(), want)
}

// Missing says that a key has to be there.
func (o Object) Missing(key, want string) {
	o.reader.Wrong(o.At, "%s is missing, want %s", o.Join(key), want)
}

// Wrong notes a mistake about something in the object.
func (o Object) Wrong(at Place, format string, args ...any) { o.reader.Wrong(at, format, args...) }

// Text reads a text that valid accepts, or gives otherwise.
func (o Object) Text(key, otherwise, want string, valid func(string) bool) string {
	v, ok := o.Get(key, want)
	if !ok {
		return otherwise
	}
	if v.Shape != Text || !valid(v.Text) {
		o.Bad(key, v, want)
		return otherwise
	}
	return v.Text
}

// Integer reads a whole number from least to most.
func (o Object) Integer(key string, otherwise, least, most int) int {
	want := fmt.Sprintf("a whole number from %d to %d", least, most)
	if least == most {
		want = strconv.Itoa(least)
	}
	v, ok := o.Get(key, want)
	if !ok {
		return otherwise
	}
	i, err := strconv.Atoi(v.Text)
	if v.Shape != Number || err != nil || i < least || i > most {
		o.Bad(key, v, want)
		return otherwise
	}
	return i
}

// Duration reads a time with its unit; such is an example for who wrote none.
func (o Object) Duration(key string, otherwise, least, most, such time.Duration) time.Duration {
	want := fmt.Sprintf("a time from %v to %v with its unit, such as %v", Short(least), Short(most), Short(such))
	v, ok := o.Get(key, want)
	if !ok {
		return otherwise
	}
	d, err := time.ParseDuration(v.Text)
	if v.Shape != Text || err != nil || d < least || d > most {
		o.Bad(key, v, want)
		return otherwise
	}
	return d
}

// Short prints 1h as 1h and not as 1h0m0s.
func Short(d time.Duration) string {
	s := d.String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// Truth reads true or false.
func (o Object) Truth(key string) bool {
	const want = "true or false"
	v, ok := o.Get(key, want)
	if !ok {
		return false
	}
	if v.Shape != Truth || v.Text != "true" && v.Text != "false" {
		o.Bad(key, v, want)
		return false
	}
	return v.Text == "true"
}
