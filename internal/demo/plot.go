package demo

import (
	"context"
	"time"

	"moonwatch/member"
)

// plot is what a story consists of after its first blow: machines that come back,
// or a second blow in the middle of what the first has begun. It runs beside watch,
// which ends it with the story.
type plot func(ctx context.Context) error

// missed is the error of a plot that cannot go on because the story took another
// turn than the one that was to be told: an expectation that was missed, and no
// fault of the launcher.
type missed struct{ what string }

func (m missed) Error() string { return m.what }

// plot is how a story goes on, nil if the first blow is all of it.
func (l *launcher) plot(fault string, s *story) plot {
	switch fault {
	case FaultHalf:
		return l.powerComesBack(s, 4*time.Second)
	case FaultRack:
		return l.powerComesBack(s, 8*time.Second)
	case FaultFlap:
		return l.comesAndGoes(s)
	case FaultSpareDies:
		return l.spareDies(s)
	case FaultLeaderInCase:
		return l.leaderDies(s)
	case FaultStall:
		return l.allStall(s)
	default:
		return nil
	}
}

// play runs a plot to its end and notes when that was. A story without a plot is
// told as soon as its blow has fallen.
func (l *launcher) play(ctx context.Context, p plot, s *story) error {
	if p != nil {
		if err := p(ctx); err != nil {
			return err
		}
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	s.played = s.after(time.Now())
	return nil
}

// cue waits until the story has come to where the plot goes on. Held is evaluated
// under the launcher's lock.
func (l *launcher) cue(ctx context.Context, what string, held func() bool) error {
	for {
		l.mu.Lock()
		done := held()
		l.mu.Unlock()
		if done {
			return nil
		}
		select {
		case <-ctx.Done():
			return missed{what + ": it never came"}
		case <-l.changed:
		}
	}
}

// wait lets some time of the story pass.
func wait(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-timer.C:
		return nil
	}
}

// strikeAlso ends one more member like a machine that loses power, in the middle of
// the story: from now on it is one of the victims, with what it holds.
func (l *launcher) strikeAlso(id member.ID) error {
	also, err := l.holdings([]member.ID{id})
	if err != nil {
		return err
	}
	c, err := l.child(id)
	if err != nil {
		return err
	}
	l.mu.Lock()
	l.story.victims = append(l.story.victims, also...)
	l.mu.Unlock()
	return l.powerOff(c)
}
