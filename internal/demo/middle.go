package demo

import (
	"context"
	"fmt"
	"time"

	"moonwatch/member"
)

// slowStart is how long the service takes to start in a story whose second blow
// falls while a spare is being activated: the demo's own is there in 30 ms, which
// nobody could hit. Many real services take longer.
const slowStart = 1500 * time.Millisecond

// intoIt is how long after the claim the second blow falls.
const intoIt = 400 * time.Millisecond

// slows reports whether a story needs a service that takes its time.
func slows(fault string) bool { return fault == FaultSpareDies || fault == FaultLeaderInCase }

// spareDies ends the spare that is being activated, before it serves.
func (l *launcher) spareDies(s *story) plot {
	return func(ctx context.Context) error {
		spare, err := l.claimed(ctx, s)
		if err != nil {
			return err
		}
		l.say("%s is being activated, and dies", spare)
		return l.strikeAlso(spare)
	}
}

// leaderDies ends the member that leads the council while a spare is being activated.
func (l *launcher) leaderDies(s *story) plot {
	return func(ctx context.Context) error {
		spare, err := l.claimed(ctx, s)
		if err != nil {
			return err
		}
		leader := l.present().Council.Leader
		if leader == "" {
			return missed{"nobody leads the council while " + string(spare) + " is being activated"}
		}
		l.say("%s leads while %s is being activated, and dies", leader, spare)
		return l.strikeAlso(leader)
	}
}

// claimed waits until a spare is well into its activation.
func (l *launcher) claimed(ctx context.Context, s *story) (spare member.ID, err error) {
	err = l.cue(ctx, "the claim of a spare", func() bool {
		if len(s.claims) > 0 {
			spare = s.claims[0]
		}
		return spare != ""
	})
	if err == nil {
		err = wait(ctx, intoIt)
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if err == nil && len(s.promoted) > 0 {
		err = missed{fmt.Sprintf("%s served before the second blow could fall", spare)}
	}
	return spare, err
}
