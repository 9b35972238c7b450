package main

import (
	"io"
	"os"
	"strings"
	"testing"
)

// feed reports the lines as phase "unit".
func feed(lines ...string) (code int, out string) {
	var b strings.Builder
	code = run(phase{name: "unit", play: func(_ []string, output func(io.Reader) error) error {
		return output(strings.NewReader(strings.Join(lines, "\n")))
	}}, &b)
	return code, b.String()
}

func TestAPassedPackageIsOneLine(t *testing.T) {
	code, out := feed(
		`{"Action":"run","Package":"moonwatch/agent","Test":"TestA"}`,
		`{"Action":"output","Package":"moonwatch/agent","Test":"TestA","Output":"=== RUN   TestA\n"}`,
		`{"Action":"output","Package":"moonwatch/agent","Test":"TestA","Output":"    a_test.go:3: chatter\n"}`,
		`{"Action":"pass","Package":"moonwatch/agent","Test":"TestA"}`,
		`{"Action":"output","Package":"moonwatch/agent","Output":"PASS\n"}`,
		`{"Action":"output","Package":"moonwatch/agent","Output":"ok  \tmoonwatch/agent\t0.01s\n"}`,
		`{"Action":"pass","Package":"moonwatch/agent"}`,
	)
	want := "ok  \tmoonwatch/agent\t0.01s\n\nunit: 1 passed, 0 failed, 0 skipped\n"
	if code != 0 || out != want {
		t.Errorf("exit %d, output %q, want 0 and %q", code, out, want)
	}
}

func TestASkippedTestIsListedWithItsReason(t *testing.T) {
	code, out := feed(
		`{"Action":"pass","Package":"p","Test":"TestA"}`,
		`{"Action":"output","Package":"p","Test":"TestB","Output":"=== RUN   TestB\n"}`,
		`{"Action":"output","Package":"p","Test":"TestB","Output":"    b_test.go:9: no haproxy on this machine\n"}`,
		`{"Action":"output","Package":"p","Test":"TestB","Output":"--- SKIP: TestB (0.00s)\n"}`,
		`{"Action":"skip","Package":"p","Test":"TestB"}`,
		`{"Action":"pass","Package":"p"}`,
	)
	if code != 0 || !strings.Contains(out, "  p TestB: no haproxy on this machine\n") {
		t.Errorf("exit %d, output %q, want 0 and the reason", code, out)
	}
}

func TestAFailedTestIsPrintedWhole(t *testing.T) {
	code, out := feed(
		`{"Action":"output","Package":"p","Test":"TestA","Output":"    a_test.go:3: got 1, want 2\n"}`,
		`{"Action":"fail","Package":"p","Test":"TestA"}`,
		`{"Action":"fail","Package":"p"}`,
	)
	if code != 1 || !strings.Contains(out, "got 1, want 2") || !strings.Contains(out, "unit: 0 passed, 1 failed") {
		t.Errorf("exit %d, output %q, want 1, the cause, one failure", code, out)
	}
}

// A panic, a time-out, a leak found by TestMain and a build error all end a
// package without ending a test.
func TestAPackageThatFailsOutsideItsTestsCounts(t *testing.T) {
	code, out := feed(
		`{"Action":"pass","Package":"p","Test":"TestA"}`,
		`{"Action":"output","Package":"p","Test":"TestB","Output":"panic: deadline\n"}`,
		`{"Action":"fail","Package":"p"}`,
		`{"ImportPath":"q","Action":"build-output","Output":"q.go:1: undefined: x\n"}`,
		`{"ImportPath":"q","Action":"build-fail"}`,
		`{"Action":"fail","Package":"q"}`,
	)
	for _, want := range []string{"panic: deadline", "undefined: x", "unit: 1 passed, 2 failed"} {
		if !strings.Contains(out, want) {
			t.Errorf("output %q lacks %q", out, want)
		}
	}
	if code != 1 {
		t.Errorf("exit %d, want 1", code)
	}
}

func TestNothingRunIsNoSuccess(t *testing.T) {
	code, out := feed(`{"Action":"skip","Package":"p"}`)
	if code != 1 || !strings.Contains(out, "unit: no test ran") {
		t.Errorf("exit %d, output %q, want 1 and a word about it", code, out)
	}
}

func TestAWordOfTheGoCommandIsPassedOn(t *testing.T) {
	_, out := feed(`go: updates to go.mod needed`)
	if !strings.HasPrefix(out, "go: updates to go.mod needed") {
		t.Errorf("output %q lacks it", out)
	}
}

// TestPicturesOfRealTestsAreKept: what a test puts into its ArtifactDir is gone after it,
// unless go test is told where to keep it.
func TestPicturesOfRealTestsAreKept(t *testing.T) {
	makefile, err := os.ReadFile("../../../Makefile")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(makefile)) {
		if strings.Contains(line, "$(gotest) real ") && !strings.Contains(line, " -artifacts -outputdir=$(CURDIR)/bin/artifacts ") {
			t.Errorf("the real phase keeps no pictures: %s", line)
		}
	}
}
