package main

import (
	"errors"
	"fmt"
)

// The exit codes, the same for all commands.
const (
	exitOK       = 0
	exitError    = 1
	exitUsage    = 2
	exitDegraded = 3 // something is wrong in the cluster, or an expectation was missed
	exitNoQuorum = 4 // the council cannot decide
	exitRefused  = 5 // by the rules of the ledger

	// Of the simulator.
	exitLiveness         = 6 // not all came right again
	exitSafety           = 7 // a promise was broken
	exitVoid             = 8 // the assumptions of the protocol did not hold: nothing was shown
	exitNotDeterministic = 9 // played twice, and not the same
)

// exit is an error that decides the exit code. One without a cause has said
// all that there is to say.
type exit struct {
	code  int
	cause error
}

func (e *exit) Error() string {
	if e.cause == nil {
		return ""
	}
	return e.cause.Error()
}

func (e *exit) Unwrap() error { return e.cause }

// usage is a mistake in how the program was called.
func usage(format string, args ...any) error {
	return &exit{exitUsage, fmt.Errorf(format, args...)}
}

// withCode gives an error its exit code.
func withCode(code int, err error) error { return &exit{code, err} }

// codeOf is the exit code of a command that ended with err.
func codeOf(err error) int {
	var e *exit
	switch {
	case err == nil:
		return exitOK
	case errors.As(err, &e):
		return e.code
	default:
		return exitError
	}
}
