package demo

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/netip"
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

// pauseMargin is by how much a pause may last longer than meant and still be one that
// must be forgiven.
const pauseMargin = 200 * time.Millisecond

// errHeldTooLong says that a story about short stalls went wrong in which a machine
// stood still for longer than was meant: who is to end a pause waits for a processor
// as everybody does.
var errHeldTooLong = errors.New("this machine is too busy for the story")

// between is how long a machine goes on before the next one, or itself, stands still
// again.
const between = 1500 * time.Millisecond

// allStall pauses every member once, one after the other: agent and service, as a
// hypervisor does that moves its machines. The first one was stopped by the blow.
func (l *launcher) allStall(s *story) plot {
	return func(ctx context.Context) error {
		for i, v := range s.victims {
			stopped := s.hit
			c, err := l.child(v.Member)
			if err == nil && i > 0 {
				stopped, err = time.Now(), c.hit(syscall.SIGSTOP)
			}
			if err == nil {
				err = l.endFall(ctx, s, c, stopped)
			}
			if err != nil {
				return fmt.Errorf("pause %s: %w", v.Member, err)
			}
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
			stopped := s.hit
			if i > 0 {
				stopped, err = time.Now(), c.hit(syscall.SIGSTOP)
			}
			if err == nil {
				err = l.endFall(ctx, s, c, stopped)
			}
			if err != nil {
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
			stopped := time.Now()
			if err := c.hit(syscall.SIGSTOP); err != nil {
				return err
			}
			if err := l.endFall(ctx, s, c, stopped); err != nil {
				return err
			}
		}
		return nil
	}
}

// endFall lets a member that was stopped go on after a pause, and notes how long it
// has really stood still: until its agent answers. On a busy machine that is longer
// than what was meant.
func (l *launcher) endFall(ctx context.Context, s *story, c *child, stopped time.Time) error {
	if err := wait(ctx, l.pause()-time.Since(stopped)); err != nil {
		return err
	}
	if err := c.hit(syscall.SIGCONT); err != nil {
		return err
	}
	client := &http.Client{Timeout: between, Transport: &http.Transport{DisableKeepAlives: true}}
	_, answer := askPage(ctx, client, netip.AddrPortFrom(c.Addr, portHTTP))
	held := time.Since(stopped)
	l.mu.Lock()
	s.longest = max(s.longest, held)
	l.mu.Unlock()
	if answer != nil {
		l.say("%s was to stand still for %v, and does not answer after %.1f s: %v", c.Name, l.pause(), held.Seconds(), answer)
	} else {
		l.say("%s stood still for %.1f s and goes on", c.Name, held.Seconds())
	}
	return wait(ctx, between)
}

func (l *launcher) replaced(s *story) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return s.failovers
}
