// Command testreport reads `go test -json` on standard input and prints what a
// person wants to see of it: a line per package as go test prints it, the
// output of what failed, and at the end every skipped test with its reason and
// one line of counts.
//
// It exits 1 if anything failed and also if nothing ran at all: a phase whose
// packages were all left out must not look like one that passed.
package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
)

func main() {
	phase := "test"
	if len(os.Args) > 1 {
		phase = os.Args[1]
	}
	os.Exit(run(phase, os.Stdin, os.Stdout))
}

// run reports one phase and returns the exit code.
func run(phase string, in io.Reader, out io.Writer) int {
	r := newReport(out)
	lines := bufio.NewReader(in)
	for {
		line, err := lines.ReadBytes('\n')
		if len(line) > 0 {
			r.take(line)
		}
		if err == io.EOF {
			return r.close(phase)
		}
		if err != nil {
			fmt.Fprintf(out, "%s: read standard input: %v\n", phase, err)
			return 1
		}
	}
}
