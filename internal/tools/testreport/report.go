package main

import (
	"encoding/json"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
)

// event is one line of `go test -json`; see `go doc test2json`.
type event struct {
	Action     string
	Package    string
	ImportPath string // of a build that prints or fails, in place of Package
	Test       string
	Output     string
}

// test names one test or subtest. The empty name is the package itself.
type test struct{ pkg, name string }

// skip is a test that did not run, and why.
type skip struct {
	test
	reason string
}

// top is the test of a subtest, and any other test itself.
func (t test) top() test {
	name, _, _ := strings.Cut(t.name, "/")
	return test{t.pkg, name}
}

func (t test) String() string { return strings.TrimSpace(t.pkg + " " + t.name) }

// report folds events. What a test printed is kept until it is known how the
// test ended: passed, and nobody needs it; failed, and it is printed whole.
type report struct {
	out    io.Writer
	kept   map[test][]string
	order  []test // of kept, oldest first
	skips  []skip
	passed int
	failed []test            // packages too, that failed outside of their tests
	flaky  []test            // failed, and passed when they were played again
	grave  map[string]string // per package a failure that is never chance
}

func newReport(out io.Writer) *report {
	return &report{out: out, kept: map[test][]string{}, grave: map[string]string{}}
}

// take folds one line. A line that is no event is printed as it stands: it is
// a word of the go command.
func (r *report) take(line []byte) {
	var ev event
	if err := json.Unmarshal(line, &ev); err != nil {
		fmt.Fprintf(r.out, "%s", line)
		return
	}
	t := test{ev.Package, ev.Test}
	if what := graveLine(ev.Output); what != "" {
		r.grave[ev.Package] = what
	}
	switch {
	case ev.Action == "build-output":
		fmt.Fprint(r.out, ev.Output)
	case ev.Action == "output" && ev.Test == "":
		r.takePackageLine(ev.Output)
	case ev.Action == "output":
		r.keep(t, ev.Output)
	case ev.Test == "":
		r.endPackage(ev.Package, ev.Action)
	default:
		r.endTest(t, ev.Action)
	}
}

// takePackageLine prints what a package says outside of its tests: "ok",
// "FAIL", the reports of the race detector and of leaked goroutines. The bare
// PASS says nothing that "ok" does not.
func (r *report) takePackageLine(line string) {
	if line != "PASS\n" {
		fmt.Fprint(r.out, line)
	}
}

func (r *report) keep(t test, line string) {
	if _, known := r.kept[t]; !known {
		r.order = append(r.order, t)
	}
	r.kept[t] = append(r.kept[t], line)
}

func (r *report) endTest(t test, action string) {
	switch action {
	case "pass":
		r.passed++
	case "skip":
		r.skips = append(r.skips, skip{t, reason(r.kept[t])})
	case "fail":
		r.failed = append(r.failed, t)
		r.print(t)
	default: // run, pause, cont, start, bench: not the end
		return
	}
	r.forget(t)
}

// endPackage closes a package. One that fails without a failed test did so
// outside of its tests (it did not build, it panicked, its TestMain objected):
// that counts as one failure, and whatever was running is printed.
func (r *report) endPackage(pkg, action string) {
	if action != "fail" {
		return
	}
	for _, t := range slices.Clone(r.order) {
		if t.pkg == pkg {
			// What came after it was never played.
			r.grave[pkg] = "ended in the middle of " + t.name
			r.print(t)
			r.forget(t)
		}
	}
	if !slices.ContainsFunc(r.failed, func(t test) bool { return t.pkg == pkg }) {
		r.failed = append(r.failed, test{pkg: pkg})
	}
}

func (r *report) print(t test) {
	for _, line := range r.kept[t] {
		fmt.Fprint(r.out, line)
	}
}

func (r *report) forget(t test) {
	delete(r.kept, t)
	r.order = slices.DeleteFunc(r.order, func(o test) bool { return o == t })
}

// close prints the skipped and the flaky tests and the counts, and returns the
// exit code.
func (r *report) close(phase string) int {
	if len(r.skips) > 0 {
		fmt.Fprintf(r.out, "\nskipped in %s:\n", phase)
		for _, s := range r.skips {
			fmt.Fprintf(r.out, "  %s: %s\n", s.test, s.reason)
		}
	}
	if len(r.flaky) > 0 {
		fmt.Fprintf(r.out, "\nFLAKY in %s, passed the second time (the first output stands above):\n", phase)
		for _, t := range r.flaky {
			fmt.Fprintf(r.out, "  %s\n", t)
		}
	}
	if r.passed+len(r.failed) == 0 {
		fmt.Fprintf(r.out, "%s: no test ran\n", phase)
	}
	counts := fmt.Sprintf("%d passed, %d failed, %d skipped", r.passed, len(r.failed), len(r.skips))
	if len(r.flaky) > 0 {
		counts += fmt.Sprintf(", %d flaky: passed the second time", len(r.flaky))
	}
	fmt.Fprintf(r.out, "\n%s: %s\n", phase, counts)
	if len(r.failed) > 0 || r.passed == 0 {
		return 1
	}
	return 0
}

var position = regexp.MustCompile(`^\S+\.go:\d+: `)

// reason is what a skipped test gave as its reason: its own lines without the
// framing of go test and without the place in the code.
func reason(lines []string) string {
	var said []string
	for _, line := range lines {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "=== ") || strings.HasPrefix(line, "--- ") {
			continue
		}
		said = append(said, position.ReplaceAllString(line, ""))
	}
	if len(said) == 0 {
		return "no reason given"
	}
	return strings.Join(said, "; ")
}
