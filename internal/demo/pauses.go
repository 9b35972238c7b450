package demo

import (
	"context"
	"fmt"
	"syscall"
	"time"

	"moonwatch/member"
)

// pause is how long a machine stands still in a story about a stall that must be
// forgiven: five sixths of the silence after which it would be replaced, which is
// 2.5 s in production. What is left covers that its last sign of life was up to a
// probe interval earlier, and that its observers have to hear from it again.
// Profile fast keeps such a margin in its replace_after itself: its promise is about
// stalls below a second.
func (l *launcher) pause() time.Duration {
	if l.kit.profile == member.ProfileFast {
		return 950 * time.Millisecond
	}
	return l.timing.ReplaceAfter * 5 / 6
}

// between is how long a machine goes on before the next one, or itself, stands still
// again.
const between = 1500 * time.Millisecond

// allStall pauses every member once, one after the other: agent and service, as a
// hypervisor does that moves its machines. The first one was stopped by the blow.
func (l *launcher) allStall(s *story) plot {
	return func(ctx context.Context) error {
		for i, v := range s.victims {
			c, err := l.child(v.Member)
			if err == nil && i > 0 {
				err = c.hit(syscall.SIGSTOP)
			}
			if err = l.endFall(ctx, c, err); err != nil {
				return fmt.Errorf("pause %s: %w", v.Member, err)
			}
			l.say("%s stood still for %v and goes on", v.Member, l.pause())
		}
		return nil
	}
}

// falls is how often a member that comes and goes falls before it stays away. Each
// fall costs it a few probes, and one that loses two in five of twenty seconds would
// be condemned for that.
const falls = 3

// comesAndGoes lets one member fall again and again: shortly, which is forgiven; then
// until a spare has its slot; and again shortly when it is back, which moves nobody.
func (l *launcher) comesAndGoes(s *story) plot {
	return func(ctx context.Context) error {
		v := s.victims[0]
		c, err := l.child(v.Member)
		if err != nil {
			return err
		}
		for i := range falls {
			if i > 0 {
				err = c.hit(syscall.SIGSTOP)
			}
			if err = l.endFall(ctx, c, err); err != nil {
				return err
			}
		}
		if n := l.replaced(s); n > 0 {
			return missed{fmt.Sprintf("%s was replaced after falls of %v", v.Member, l.pause())}
		}
		l.say("%s fell %d times for %v, and now stays away", v.Member, falls, l.pause())
		if err := c.hit(syscall.SIGSTOP); err != nil {
			return err
		}
		if err := l.cue(ctx, "a spare in the slot of "+string(v.Member), func() bool { return len(s.promoted) > 0 }); err != nil {
			return err
		}
		if err := c.hit(syscall.SIGCONT); err != nil {
			return err
		}
		l.say("%s is back, and has lost its slot", v.Member)
		if err := l.cue(ctx, "the end of the old service on "+string(v.Member), func() bool { return !c.stands() }); err != nil {
			return err
		}
		for range 2 {
			if err := l.endFall(ctx, c, c.hit(syscall.SIGSTOP)); err != nil {
				return err
			}
		}
		return nil
	}
}

// endFall lets a member that has been stopped go on after a pause.
func (l *launcher) endFall(ctx context.Context, c *child, err error) error {
	if err == nil {
		err = wait(ctx, l.pause())
	}
	if err == nil {
		err = c.hit(syscall.SIGCONT)
	}
	if err == nil {
		err = wait(ctx, between)
	}
	return err
}

func (l *launcher) replaced(s *story) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return s.failovers
}
