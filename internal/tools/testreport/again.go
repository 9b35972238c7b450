package main

import (
	"fmt"
	"slices"
	"strings"
)

// mostAgain is how many failed tests of a phase may be chance. More are a
// breakdown, of the code or of the machine, and are not talked away.
const mostAgain = 3

// graves are what a package says of itself that is never chance, though it does
// not happen each time.
var graves = map[string]string{
	"WARNING: DATA RACE":          "has a data race",
	"race detected during":        "has a data race",
	"found unexpected goroutines": "leaks goroutines",
	"goleak: Errors":              "leaks goroutines",
}

// graveLine says which grave failure a line of output tells of, if any.
func graveLine(line string) string {
	if strings.HasPrefix(line, "panic: ") || strings.HasPrefix(line, "fatal error: ") {
		return "panicked"
	}
	for words, what := range graves {
		if strings.Contains(line, words) {
			return what
		}
	}
	return ""
}

// again names the tests that may be played once more, or says why none is.
func (r *report) again() (tests []test, why string) {
	for i, t := range r.failed {
		switch what := r.grave[t.pkg]; {
		case slices.Contains(r.failed[:i], t): // by -count
			return nil, t.String() + " failed more than once"
		case t.name == "":
			return nil, t.pkg + " failed outside of its tests"
		case what != "":
			return nil, t.pkg + " " + what
		}
		if !slices.Contains(tests, t.top()) {
			tests = append(tests, t.top())
		}
	}
	if len(tests) > mostAgain {
		return nil, fmt.Sprintf("%d tests failed: from %d on it is no chance", len(tests), mostAgain+1)
	}
	return tests, ""
}

// takeSecond folds how a failed test ended when it was played again.
func (r *report) takeSecond(t test, second *report, err error) {
	ran := second.passed > 0 && !slices.ContainsFunc(second.skips, func(s skip) bool {
		return s.test == t || slices.Contains(r.failed, s.test)
	})
	if err != nil || !ran || len(second.failed) > 0 {
		return
	}
	r.flaky = append(r.flaky, t)
	r.passed++
	r.failed = slices.DeleteFunc(r.failed, func(f test) bool { return f.top() == t })
}
