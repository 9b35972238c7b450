package main

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
)

var errExit = errors.New("exit status 1")

// script is go test as the runs of a phase find it: what each one prints, and
// whether it fails. It keeps the arguments of all.
type script struct {
	t     *testing.T
	says  [][]string
	fails []bool
	asked [][]string
}

func (s *script) play(args []string, output func(io.Reader) error) error {
	s.t.Helper()
	n := len(s.asked)
	s.asked = append(s.asked, args)
	if n >= len(s.says) {
		s.t.Fatalf("run %d of go test: %q, want %d runs", n+1, args, len(s.says))
	}
	if err := output(strings.NewReader(strings.Join(s.says[n], "\n"))); err != nil {
		return err
	}
	if s.fails[n] {
		return errExit
	}
	return nil
}

// then adds a run that fails or passes and says something.
func (s *script) then(fails bool, lines ...[]string) {
	s.says, s.fails = append(s.says, slices.Concat(lines...)), append(s.fails, fails)
}

func (s *script) run() (code int, out string) {
	s.t.Helper()
	var b strings.Builder
	code = run(phase{name: "real", flags: []string{"-tags", "real"}, packages: []string{"./..."}, play: s.play}, &b)
	if len(s.asked) != len(s.says) {
		s.t.Errorf("go test ran %d times (%q), want %d", len(s.asked), s.asked, len(s.says))
	}
	return code, b.String()
}

func ends(action, test string) []string {
	return []string{
		fmt.Sprintf(`{"Action":"output","Package":"p","Test":%q,"Output":"    a_test.go:3: %s says %s\n"}`, test, test, action),
		fmt.Sprintf(`{"Action":%q,"Package":"p","Test":%q}`, action, test),
	}
}

func packageEnds(action string) []string {
	return []string{fmt.Sprintf(`{"Action":%q,"Package":"p"}`, action)}
}

func wantsAll(t *testing.T, out string, wants ...string) {
	t.Helper()
	for _, want := range wants {
		if !strings.Contains(out, want) {
			t.Errorf("output lacks %q:\n%s", want, out)
		}
	}
}

func TestAFailedTestThatPassesTheSecondTimeIsFlaky(t *testing.T) {
	s := &script{t: t}
	s.then(true, ends("pass", "TestA"), ends("fail", "TestB/one"), ends("pass", "TestB/two"), ends("fail", "TestB"), packageEnds("fail"))
	s.then(false, ends("pass", "TestB/one"), ends("pass", "TestB/two"), ends("pass", "TestB"), packageEnds("pass"))
	code, out := s.run()
	if code != 0 {
		t.Errorf("exit %d, want 0", code)
	}
	wantsAll(t, out, "TestB/one says fail", "p TestB failed and is played once more", "FLAKY in real", "\n  p TestB\n",
		"real: 3 passed, 0 failed, 0 skipped, 1 flaky: passed the second time\n")
	if want := []string{"-tags", "real", "-count=1", "-run", "^TestB$", "p"}; !slices.Equal(s.asked[1], want) {
		t.Errorf("played again with %q, want %q", s.asked[1], want)
	}
}

func TestWhatFailsTwiceHasFailed(t *testing.T) {
	for name, second := range map[string]struct {
		fails bool
		lines []string
	}{
		"it fails again":               {true, slices.Concat(ends("fail", "TestB"), packageEnds("fail"))},
		"it is skipped now":            {false, slices.Concat(ends("skip", "TestB"), packageEnds("pass"))},
		"nothing runs":                 {false, packageEnds("pass")},
		"its package fails around it":  {true, slices.Concat(ends("pass", "TestB"), packageEnds("fail"))},
		"go test fails without a word": {true, ends("pass", "TestB")},
	} {
		t.Run(name, func(t *testing.T) {
			s := &script{t: t}
			s.then(true, ends("pass", "TestA"), ends("fail", "TestB"), packageEnds("fail"))
			s.then(second.fails, second.lines)
			code, out := s.run()
			if code != 1 || strings.Contains(out, "FLAKY") {
				t.Errorf("exit %d, want 1 and nothing flaky:\n%s", code, out)
			}
			wantsAll(t, out, "real: 1 passed, 1 failed")
		})
	}
}

func TestOneOfTwoThatFailsTwiceFailsThePhase(t *testing.T) {
	s := &script{t: t}
	s.then(true, ends("fail", "TestA"), ends("fail", "TestB"), packageEnds("fail"))
	s.then(false, ends("pass", "TestA"), packageEnds("pass"))
	s.then(true, ends("fail", "TestB"), packageEnds("fail"))
	code, out := s.run()
	if code != 1 {
		t.Errorf("exit %d, want 1", code)
	}
	wantsAll(t, out, "real: 1 passed, 1 failed, 0 skipped, 1 flaky")
}

func TestMoreThanThreeFailuresAreNoChance(t *testing.T) {
	s := &script{t: t}
	s.then(true, ends("fail", "TestA"), ends("fail", "TestB"), ends("fail", "TestC/one"), ends("fail", "TestC"), ends("fail", "TestD"), packageEnds("fail"))
	code, out := s.run()
	if code != 1 {
		t.Errorf("exit %d, want 1", code)
	}
	wantsAll(t, out, "nothing is played again: 4 tests failed")
}

func TestWhatIsNeverChanceIsNotPlayedAgain(t *testing.T) {
	said := func(line string) []string {
		return []string{fmt.Sprintf(`{"Action":"output","Package":"p","Test":"TestB","Output":%q}`, line+"\n")}
	}
	for line, why := range map[string]string{
		"WARNING: DATA RACE": "p has a data race",
		"    testing.go:1: race detected during execution of test":      "p has a data race",
		"panic: runtime error: index out of range":                      "p panicked",
		"panic: test timed out after 40m0s":                             "p panicked",
		"fatal error: all goroutines are asleep - deadlock!":            "p panicked",
		"    leaks.go:78: found unexpected goroutines:":                 "p leaks goroutines",
		"goleak: Errors on successful test run: found unexpected gorou": "p leaks goroutines",
	} {
		s := &script{t: t}
		s.then(true, ends("pass", "TestA"), said(line), ends("fail", "TestB"), packageEnds("fail"))
		code, out := s.run()
		if code != 1 {
			t.Errorf("%q: exit %d, want 1", line, code)
		}
		wantsAll(t, out, "nothing is played again: "+why)
	}
}

func TestAPackageThatDoesNotBuildIsNotPlayedAgain(t *testing.T) {
	s := &script{t: t}
	s.then(true, ends("pass", "TestA"), ends("fail", "TestB"), packageEnds("fail"),
		[]string{`{"ImportPath":"q","Action":"build-output","Output":"q.go:1: undefined: x\n"}`, `{"Action":"fail","Package":"q"}`})
	code, out := s.run()
	if code != 1 {
		t.Errorf("exit %d, want 1", code)
	}
	wantsAll(t, out, "nothing is played again: q failed outside of its tests")
}

func TestGoTestThatFailsWithoutAReasonFailsThePhase(t *testing.T) {
	s := &script{t: t}
	s.then(true, ends("pass", "TestA"), packageEnds("pass"))
	code, out := s.run()
	if code != 1 {
		t.Errorf("exit %d, want 1", code)
	}
	wantsAll(t, out, "real: go test: exit status 1", "real: 1 passed, 1 failed")
}

// As one that was killed when memory was short: no event tells of the tests that
// would have come.
func TestAPackageThatEndedInTheMiddleIsNotPlayedAgain(t *testing.T) {
	s := &script{t: t}
	s.then(true, ends("fail", "TestA"),
		[]string{`{"Action":"output","Package":"p","Test":"TestB","Output":"=== RUN   TestB\n"}`}, packageEnds("fail"))
	code, out := s.run()
	if code != 1 {
		t.Errorf("exit %d, want 1", code)
	}
	wantsAll(t, out, "nothing is played again: p ended in the middle of TestB")
}

func TestWhatFailedMoreThanOnceIsNoChance(t *testing.T) {
	s := &script{t: t}
	s.then(true, ends("fail", "TestA"), ends("pass", "TestA"), ends("fail", "TestA"), packageEnds("fail"))
	code, out := s.run()
	if code != 1 {
		t.Errorf("exit %d, want 1", code)
	}
	wantsAll(t, out, "nothing is played again: p TestA failed more than once")
}

func TestASubtestThatIsSkippedTheSecondTimeHasNotPassed(t *testing.T) {
	s := &script{t: t}
	s.then(true, ends("fail", "TestA/one"), ends("fail", "TestA"), packageEnds("fail"))
	s.then(false, ends("skip", "TestA/one"), ends("pass", "TestA"), packageEnds("pass"))
	if code, out := s.run(); code != 1 {
		t.Errorf("exit %d, want 1:\n%s", code, out)
	}
}
