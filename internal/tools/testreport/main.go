// Command testreport runs go test and prints what a person wants to see of it:
// a line per package as go test prints it, the output of what failed, and at the
// end every skipped test with its reason and one line of counts.
//
//	testreport PHASE [flags of go test] -- PACKAGES
//
// A failed test is played once more, alone, after the phase: tests that wait for
// real processes share the machine with whatever else runs on it. One that passes
// then is listed as flaky, its first output stands, and the phase passes. That is
// for chance only: not if more than three tests failed, and not after a build
// error, a panic, a data race or a leaked goroutine. What fails twice has failed.
//
// It exits 1 if anything failed and also if nothing ran at all: a phase whose
// packages were all left out must not look like one that passed.
package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"slices"
)

func main() {
	if len(os.Args) < 4 || !slices.Contains(os.Args, "--") {
		fmt.Fprintln(os.Stderr, "usage: testreport PHASE [flags of go test] -- PACKAGES")
		os.Exit(2)
	}
	end := slices.Index(os.Args, "--")
	os.Exit(run(phase{name: os.Args[1], flags: os.Args[2:end], packages: os.Args[end+1:], play: goTest}, os.Stdout))
}

// phase is a set of packages whose tests are run in one way.
type phase struct {
	name            string
	flags, packages []string
	// play runs go test with arguments and hands on its output; its error is that
	// of the command.
	play func(args []string, output func(io.Reader) error) error
}

func goTest(args []string, output func(io.Reader) error) error {
	cmd := exec.CommandContext(context.Background(), "go", append([]string{"test", "-json"}, args...)...)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	if err := output(out); err != nil {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		return err
	}
	return cmd.Wait()
}

// run plays one phase, and what may have been chance in it a second time, and
// returns the exit code.
func run(p phase, out io.Writer) int {
	first := newReport(out)
	err := p.play(slices.Concat(p.flags, p.packages), first.read)
	if err != nil && len(first.failed) == 0 { // go test has a reason that no event tells
		fmt.Fprintf(out, "%s: go test: %v\n", p.name, err)
		first.failed = append(first.failed, test{pkg: "go test"})
	}
	tests, why := first.again()
	if why != "" {
		fmt.Fprintf(out, "\n%s: nothing is played again: %s\n", p.name, why)
	}
	for _, t := range tests {
		fmt.Fprintf(out, "\n%s: %s failed and is played once more, alone\n", p.name, t)
		second := newReport(out)
		only := []string{"-count=1", "-run", "^" + regexp.QuoteMeta(t.name) + "$", t.pkg}
		err := p.play(slices.Concat(p.flags, only), second.read)
		first.takeSecond(t, second, err)
	}
	return first.close(p.name)
}

// read folds all lines of an output.
func (r *report) read(in io.Reader) error {
	lines := bufio.NewReader(in)
	for {
		line, err := lines.ReadBytes('\n')
		if len(line) > 0 {
			r.take(line)
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return fmt.Errorf("read what go test says: %w", err)
		}
	}
}
