// Command moonwatch is all of Moonwatch in one program: the agent that runs on
// every member, the commands that ask an agent what it knows, the making of a
// cluster, and a demo of seven members on one machine.
//
// What a command answers stands on standard output, notes and errors on
// standard error. It ends with one of the codes of exit.go.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

func main() {
	os.Exit(signalled())
}

// signalled runs the program until it ends or a signal asks it to. The first
// one is an ordered stop; then signals are no longer caught, so the second one
// ends the process at once.
func signalled() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	context.AfterFunc(ctx, stop)
	return run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr)
}
