package main

import (
	"context"
	"errors"
	"time"

	"moonwatch/internal/client"
	"moonwatch/status"
)

// followEvery is how often an agent is asked how far something is.
const followEvery = 150 * time.Millisecond

// askUntil asks an agent for a document again and again, until look has seen the end of what
// is waited for. When ctx ends first it fails with goesOn: nobody waits any more, and what
// was begun goes on. An agent that restarts or stands still meanwhile is asked again.
func askUntil(ctx context.Context, agent *client.Client, d client.Document, goesOn error, look func(status.Page) (ended bool, err error)) error {
	tick := time.NewTicker(followEvery)
	defer tick.Stop()
	for {
		question, cancel := context.WithTimeout(ctx, askPatience)
		a, err := agent.Get(question, d)
		cancel()
		switch {
		case ctx.Err() != nil:
			return goesOn
		case errors.Is(err, client.ErrUnreachable), errors.Is(err, client.ErrStarting), errors.Is(err, context.DeadlineExceeded):
		case err != nil:
			return err
		default:
			if ended, err := look(a.Page); ended || err != nil {
				return err
			}
		}
		select {
		case <-ctx.Done():
		case <-tick.C:
		}
	}
}
