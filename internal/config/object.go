package config

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"moonwatch/internal/strict"
)

// reader reads one of the two files.
type reader struct {
	strict.Reader
	warnings []strict.Mistake
}

// newReader says nothing of an unknown key that promises a secret: both files
// have more to say about it than that it is unknown.
func newReader(file string) reader {
	return reader{Reader: strict.Reader{File: file, Leave: secretKey}}
}

func (r *reader) warn(at strict.Place, format string, args ...any) {
	r.warnings = append(r.warnings, strict.Mistake{File: r.File, Line: at.Line, Column: at.Column, Text: fmt.Sprintf(format, args...)})
}

func (r *reader) object(path string, v *strict.Value, known ...string) object {
	return object{r.Object(path, v, known...)}
}

// object is a mapping whose keys are known, with what is read in these files
// alone.
type object struct{ strict.Object }

// share reads 5% as 0.05.
func (o object) share(key string, otherwise float64) float64 {
	const want = "a share from 0% to 100%, such as 5%"
	v, ok := o.Get(key, want)
	if !ok {
		return otherwise
	}
	digits, isShare := strings.CutSuffix(v.Text, "%")
	percent, err := strconv.ParseFloat(digits, 64)
	if v.Shape != strict.Text || !isShare || err != nil || strings.ContainsAny(digits, "xXpPiInN_") || percent < 0 || percent > 100 {
		o.Bad(key, v, want)
		return otherwise
	}
	return percent / 100
}

// texts reads a list of texts that valid accepts, each at most once.
func (o object) texts(key, want string, valid func(string) bool) []string {
	v, ok := o.Get(key, "a list of "+want)
	if !ok {
		return nil
	}
	if v.Shape != strict.List {
		o.Bad(key, v, "a list of "+want)
		return nil
	}
	var found []string
	for i, e := range v.Items {
		path := fmt.Sprintf("%s[%d]", o.Join(key), i)
		switch {
		case e.Shape != strict.Text || !valid(e.Text):
			o.Wrong(e.At, "%s is %s, want %s", path, e.Found(), want)
		case slices.Contains(found, e.Text):
			o.Wrong(e.At, "%s is %s, which stands in the list already", path, e.Found())
		default:
			found = append(found, e.Text)
		}
	}
	return found
}

// oneOf accepts the words given.
func oneOf(list ...string) func(string) bool {
	return func(s string) bool { return slices.Contains(list, s) }
}
