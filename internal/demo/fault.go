package demo

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"syscall"
	"time"

	"moonwatch/agent"
	"moonwatch/member"
)

// pauseFor is how long a paused agent stalls: shorter than replace_after, so
// it must never be replaced.
const pauseFor = 2 * time.Second

// tell tells one story: it picks the victims, makes the fault, and follows what
// comes of it until the end that is expected, or until its time is up. lack says
// what was missing, empty for the expected end. The error is for what keeps a
// story from being told at all.
func (l *launcher) tell(ctx context.Context, fault string) (s *story, lack string, err error) {
	chance := rand.New(rand.NewPCG(rand.Uint64(), rand.Uint64()))
	ids, err := pick(fault, l.present(), chance)
	if err != nil {
		return nil, "", err
	}
	victims, err := l.holdings(ids)
	if err != nil {
		return nil, "", err
	}
	l.say("fault %s hits %s", fault, list(ids))
	if slows(fault) {
		l.say("the service takes %v to start from now on", slowStart)
		if err := l.kit.slowDown(slowStart); err != nil {
			return nil, "", err
		}
	}
	undo, err := l.strike(fault, victims)
	if err != nil {
		return nil, "", err
	}
	s, lack, err = l.watch(ctx, l.plot(fault, l.story))
	return s, lack, errors.Join(err, undo())
}

// holdings notes what the victims hold now, so that what comes after can be
// told from it.
func (l *launcher) holdings(ids []member.ID) ([]victim, error) {
	p := l.present()
	var victims []victim
	for _, id := range ids {
		c, err := l.child(id)
		if err != nil {
			return nil, err
		}
		v := victim{Member: id}
		for _, s := range p.Slots {
			if s.Occupant != id {
				continue
			}
			service, err := c.service()
			if err != nil {
				return nil, err
			}
			v.Slot, v.Epoch, v.PID = s.ID, s.Epoch, service.PID
		}
		victims = append(victims, v)
	}
	return victims, nil
}

// strike makes the fault. The story begins right before the first signal, so
// that nothing of it is missed. undo takes back what must not stay, or waits
// for it.
func (l *launcher) strike(fault string, victims []victim) (undo func() error, err error) {
	undo = func() error { return nil }
	first, err := l.child(victims[0].Member)
	if err != nil {
		return undo, err
	}
	b, err := l.aimed(fault, victims)
	if err != nil {
		return undo, err
	}
	l.mu.Lock()
	l.story = newStory(fault, agent.ForProfile(l.kit.profile).Patience, time.Now(), victims)
	l.mu.Unlock()
	if err := b.fall(); err != nil {
		return undo, err
	}
	switch fault {
	case FaultRack, FaultHalf:
		return undo, l.each(victims, l.sweep)
	case FaultPauseAgent:
		return after(pauseFor, func() error { return first.signal(syscall.SIGCONT) }), nil
	case FaultRestartAgent:
		return undo, first.restart()
	default:
		return undo, nil
	}
}

// aimed is the blow of a fault at its victims.
func (l *launcher) aimed(fault string, victims []victim) (*blow, error) {
	b, find := aim(syscall.SIGKILL), (*blow).machine
	switch fault {
	case FaultStop:
		b = aim(syscall.SIGSTOP)
	case FaultStall, FaultFlap: // the plot goes on from here
		b, victims = aim(syscall.SIGSTOP), victims[:1]
	case FaultPauseAgent:
		b, find = aim(syscall.SIGSTOP), (*blow).agent
	case FaultAgent, FaultRestartAgent:
		find = (*blow).agent
	case FaultService:
		find = (*blow).service
	case FaultRack, FaultHalf:
		find = func(b *blow, c *child) error { return b.everything(l.kit.folder, c) }
	}
	err := l.each(victims, func(c *child) error { return find(b, c) })
	if err != nil {
		b.release()
	}
	return b, err
}

// after does something in a while. What it returns waits for that.
func after(d time.Duration, do func() error) func() error {
	done := make(chan error, 1)
	time.AfterFunc(d, func() { done <- do() })
	return func() error { return <-done }
}

// each does one thing to all victims, one after the other.
func (l *launcher) each(victims []victim, do func(*child) error) error {
	for _, v := range victims {
		c, err := l.child(v.Member)
		if err == nil {
			err = do(c)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// kill ends agent and service like a machine that loses power, except that the
// system closes their sockets.
func (c *child) kill() error { return c.hit(syscall.SIGKILL) }

// hit signals the agent, and the service if there is one: a spare has none.
func (c *child) hit(s syscall.Signal) error {
	b := aim(s)
	if err := b.machine(c); err != nil {
		b.release()
		return err
	}
	return b.fall()
}

// signalService signals the service on this member and no other.
func (c *child) signalService(s syscall.Signal) error {
	p, err := c.service()
	if err == nil {
		err = send(p, s)
	}
	if err != nil {
		return fmt.Errorf("signal service on %s: %w", c.Name, err)
	}
	return nil
}

// watch follows the story to its end, while its plot is played. The plot ends with
// the story.
func (l *launcher) watch(ctx context.Context, p plot) (s *story, lack string, err error) {
	ctx, cancel := context.WithCancel(ctx)
	played := make(chan error, 1)
	s = l.story
	go func() { played <- l.play(ctx, p, s) }()
	over := false
	defer func() {
		cancel()
		if !over {
			<-played //nolint:errcheck // it was told to end
		}
	}()
	tick := time.NewTicker(50 * time.Millisecond)
	defer tick.Stop()
	for {
		l.mu.Lock()
		lack, broken := s.missing(s.after(time.Now()))
		up := s.up(s.after(time.Now()))
		l.mu.Unlock()
		if lack == "" || broken {
			return s, lack, nil
		}
		if up {
			return s, lack + ", and the time is up", nil
		}
		select {
		case <-ctx.Done():
			return s, lack, context.Cause(ctx)
		case err := <-l.crashes:
			return s, lack, err
		case err := <-played:
			over = true
			if m, ok := errors.AsType[missed](err); ok {
				return s, m.what, nil
			}
			if err != nil {
				return s, lack, err
			}
		case <-tick.C:
		}
	}
}

// heal undoes what commands did to a member: its gate opens, what is stopped
// goes on, an agent that was killed starts again. The service of a killed
// member is for the cluster to bring back, or not.
func (l *launcher) heal(c *child) error {
	err := l.isolate(c, false)
	if !c.alive() {
		return errors.Join(err, c.restart())
	}
	err = errors.Join(err, c.signal(syscall.SIGCONT))
	if bad := c.signalService(syscall.SIGCONT); bad != nil && !errors.Is(bad, os.ErrProcessDone) && !errors.Is(bad, os.ErrNotExist) {
		err = errors.Join(err, bad)
	}
	return err
}

// isolate shuts or opens the gates between one member and all others, the
// launcher's agent and its gateway among them. Both ends are told: an incoming
// connection is known by its address alone. Between two members the gates open
// when neither is isolated any more.
func (l *launcher) isolate(c *child, block bool) error {
	var failed error
	c.isolated = block
	for _, other := range l.children {
		if other != c {
			shut := block || other.isolated
			failed = errors.Join(failed, other.shut(shut, c.place), c.shut(shut, other.place))
		}
	}
	failed = errors.Join(failed, c.shut(block, l.kit.layout.launcher))
	l.mu.Lock()
	defer l.mu.Unlock()
	var line lineWriter = l.console.gate.obey
	return errors.Join(failed, order(line, block, c.Addr))
}

// lineWriter hands the one line of an order to a gate of this process.
type lineWriter func(line string)

func (w lineWriter) Write(p []byte) (int, error) {
	w(string(p[:len(p)-1]))
	return len(p), nil
}
