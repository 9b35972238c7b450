package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"time"

	"github.com/spf13/cobra"

	"moonwatch/sim/campaign"
)

// simWorkerCommand is the child process that plays. It reads a task per line
// and writes an answer per line, until standard input ends.
func (a *app) simWorkerCommand() *cobra.Command {
	return &cobra.Command{
		Use: "worker", Short: "Play the plans that standard input has", Hidden: true,
		Example: "  moonwatch sim worker < tasks.jsonl",
		Args:    exactly(),
		RunE: func(c *cobra.Command, _ []string) error {
			done := make(chan error, 1)
			go func() { done <- campaign.Serve(a.in, a.out, campaign.Play) }()
			select {
			case err := <-done:
				return err
			case <-orphaned(c.Context()):
				// Nobody wants the answer any more. The world that is being played
				// ends with the process: it cannot be interrupted.
				return errors.New("ended")
			}
		},
	}
}

// orphaned is closed when ctx ends, or the process that started this one has.
func orphaned(ctx context.Context) <-chan struct{} {
	parent, ended := os.Getppid(), make(chan struct{})
	go func() {
		defer close(ended)
		for look := time.NewTicker(200 * time.Millisecond); os.Getppid() == parent; {
			select {
			case <-ctx.Done():
				return
			case <-look.C:
			}
		}
	}()
	return ended
}

// crew is how this program starts its workers: as many as the memory holds, and
// as there are processors if asked is 0. A worker may take memory rather than
// time, within its share of what is free.
func (a *app) crew(members, asked int, virtual time.Duration) (campaign.Crew, error) {
	workers := asked
	if asked == 0 {
		workers = runtime.GOMAXPROCS(0)
	}
	free := a.parts.freeMemory()
	fit, err := campaign.Fit(members, workers, free)
	switch {
	case err != nil:
		return campaign.Crew{}, err
	case asked > 0 && fit < asked:
		return campaign.Crew{}, fmt.Errorf("%d workers with %d members each take about %s of memory, and %s are free: there is room for --workers %d",
			asked, members, campaign.Bytes(uint64(asked)*campaign.Need(members)), campaign.Bytes(free), fit)
	}
	exe, err := os.Executable()
	if err != nil {
		return campaign.Crew{}, fmt.Errorf("start workers of this program: %w", err)
	}
	env := []string{"GOGC=400"}
	if free > 0 {
		env = append(env, fmt.Sprintf("GOMEMLIMIT=%d", free/10*9/uint64(fit)))
	}
	return campaign.Crew{
		Command: []string{exe, "sim", "worker"}, Env: env, Workers: fit,
		Patience: patience(members, virtual),
	}, nil
}

// patience is after how long a worker is thought to hang: ten times what a slow
// machine takes, and a minute for its start.
func patience(members int, virtual time.Duration) time.Duration {
	const memberMinutesPerSecond = 50
	return time.Minute + 10*time.Duration(float64(members)*virtual.Minutes()/memberMinutesPerSecond*float64(time.Second))
}
