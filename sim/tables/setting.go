package tables

import (
	"fmt"
	"strings"
	"time"
)

// Setting is one row of a table: a fleet, what is wrong with it, and what is
// promised about that.
type Setting struct {
	ID   string // experiment, a slash, and what is particular: crash/7
	What string // the same for people
	Runs int    // worlds of a full measurement
	Play func(seed uint64) Row
	Bars func(Row) []string // which promises a row of this setting misses, in words
}

// Experiment is the table to which a setting belongs.
func (s Setting) Experiment() string {
	name, _, _ := strings.Cut(s.ID, "/")
	return name
}

// Settings lists all rows of all tables.
func Settings() []Setting {
	var all []Setting
	all = append(all, crashes()...)
	all = append(all, losses()...)
	all = append(all, stalls()...)
	all = append(all, rapids()...)
	for i, s := range all {
		all[i].Play = func(seed uint64) Row {
			r := s.Play(seed)
			r.Setting = s.ID
			return r
		}
	}
	return all
}

// Select lists the settings of the given IDs and experiments; no name selects
// all. A name that selects nothing is a mistake.
func Select(names ...string) ([]Setting, error) {
	if len(names) == 0 {
		return Settings(), nil
	}
	var out []Setting
	for _, name := range names {
		n := len(out)
		for _, s := range Settings() {
			if s.ID == name || strings.HasPrefix(s.ID, name+"/") {
				out = append(out, s)
			}
		}
		if len(out) == n {
			return nil, fmt.Errorf("no setting is called %q: want crash, loss, stalls, rapid, or one of their rows", name)
		}
	}
	return out, nil
}

// missed words the bars that a row does not reach.
func missed(r Row, bars ...string) []string {
	var out []string
	for _, b := range bars {
		if b != "" {
			out = append(out, b)
		}
	}
	if r.Ours.Healthy > 0 {
		out = append(out, fmt.Sprintf("%d healthy members condemned, want none", r.Ours.Healthy))
	}
	for _, b := range r.Broken {
		out = append(out, "broken: "+b)
	}
	return out
}

// atMost words a duration that is too long.
func atMost(what string, got, limit time.Duration) string {
	if got <= limit {
		return ""
	}
	return fmt.Sprintf("%s %v, want at most %v", what, got, limit)
}

// none words a count that should be nothing.
func none(what string, n int) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprintf("%d %s, want none", n, what)
}
