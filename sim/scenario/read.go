package scenario

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"moonwatch/internal/strict"
)

// newReader reads the scenario of a file. Who writes @victim without quotes is
// told so, and not that YAML keeps the character for itself.
func newReader(file string) *reader {
	r := &reader{named: map[string]int{}}
	r.File = file
	r.Hint = func(text string) string {
		if !strings.HasPrefix(text, string(byStep)) {
			return ""
		}
		return `a name stands in quotes here: "@victim"`
	}
	return r
}

func (r *reader) object(path string, v *strict.Value, known ...string) object {
	return object{r.Object(path, v, known...)}
}

// object is a mapping whose keys are known, with what is read in scenarios
// alone.
type object struct{ strict.Object }

// word reads one of a few words, and names the near miss; empty if there is none.
func (o object) word(key string, known ...string) string {
	v, ok := o.Get(key, strict.Words(known, "or"))
	if !ok {
		return ""
	}
	if v.Shape != strict.Text || !slices.Contains(known, v.Text) {
		o.Wrong(v.At, "%s is %s, %s", o.Join(key), v.Found(), strict.Meant(v.Text, known))
		return ""
	}
	return v.Text
}

// duration reads a time with its unit.
func (o object) duration(key string, otherwise, least, most time.Duration) time.Duration {
	return o.Duration(key, otherwise, least, most, 30*time.Second)
}

// ratio reads 5% or 0.05 as 0.05, within least and most.
func (o object) ratio(key string, otherwise, least, most float64) float64 {
	want := fmt.Sprintf("a number from %v to %v", least, most)
	if most == 1 {
		want = fmt.Sprintf("a share from %v%% to 100%%, such as 30%% or 0.3", 100*least)
	}
	v, ok := o.Get(key, want)
	if !ok {
		return otherwise
	}
	f, good := number64(v)
	if !good || f < least || f > most {
		o.Bad(key, v, want)
		return otherwise
	}
	return f
}

// number64 reads a number, or a percentage as a hundredth of it.
func number64(v *strict.Value) (float64, bool) {
	digits, percent := strings.CutSuffix(v.Text, "%")
	if v.Shape != strict.Number && !(v.Shape == strict.Text && percent) || strings.ContainsAny(digits, "xXpPiInN_") {
		return 0, false
	}
	f, err := strconv.ParseFloat(digits, 64)
	if percent {
		f /= 100
	}
	return f, err == nil
}

// texts reads one text or a list of them, each with its place.
func (o object) texts(key, want string) []*strict.Value {
	v, ok := o.Get(key, want)
	if !ok {
		return nil
	}
	switch v.Shape {
	case strict.Text:
		return []*strict.Value{v}
	case strict.List:
	default:
		o.Bad(key, v, want)
		return nil
	}
	if len(v.Items) == 0 {
		o.Bad(key, v, want)
	}
	var found []*strict.Value
	for i, e := range v.Items {
		if e.Shape != strict.Text {
			o.Wrong(e.At, "%s[%d] is %s, want %s", o.Join(key), i, e.Found(), want)
			continue
		}
		found = append(found, e)
	}
	return found
}

// list reads the entries of a list.
func (o object) list(key, want string) []*strict.Value {
	v, ok := o.Get(key, want)
	if !ok {
		return nil
	}
	if v.Shape != strict.List {
		o.Bad(key, v, want)
		return nil
	}
	return v.Items
}

// pairs reads a mapping whose keys say something themselves.
func (o object) pairs(key, want string) []strict.Pair {
	v, ok := o.Get(key, want)
	if !ok {
		return nil
	}
	if v.Shape != strict.Mapping {
		o.Bad(key, v, want)
		return nil
	}
	return v.Pairs
}

// anything accepts every text.
func anything(string) bool { return true }
