package unit

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"os/signal"
	"sync"
	"syscall"
	"time"

	"go.uber.org/zap"

	"moonwatch/internal/boottime"
	"moonwatch/internal/keeper"
	"moonwatch/internal/keeper/door"
	"moonwatch/internal/keeper/group"
)

// The self-test's lease: half a second, and two for a stop of which one is the
// sitter's own. It is a lease like any other, with a keeper of its own, so that
// nothing of it can touch a slot.
var testTiming = keeper.Timing{Stop: 500 * time.Millisecond, Within: 2 * time.Second, Watchdog: 3 * time.Second, RoundTrip: 400 * time.Millisecond}

// testAgain is how soon a self-test that failed is repeated.
const testAgain = 10 * time.Second

// tests keeps the newest self-test.
type tests struct {
	mu   sync.Mutex
	last door.Test
}

func (t *tests) newest() door.Test {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.last
}

// test makes self-tests until ctx ends.
func (u *Unit) test(ctx context.Context) {
	if len(u.cfg.Sitter) == 0 {
		return
	}
	for {
		took, err := u.endSitter(ctx)
		if ctx.Err() != nil {
			return
		}
		t := door.Test{At: boottime.Now(), Good: err == nil, Took: took, Note: text(err)}
		u.tests.mu.Lock()
		was := u.tests.last
		u.tests.last = t
		u.tests.mu.Unlock()
		wait := u.cfg.Test
		switch {
		case err != nil:
			u.log.Error("self-test failed: no lease proves anything on this member", zap.Error(err))
			wait = min(wait, testAgain)
		case !was.Good:
			u.log.Info("self-test is good", zap.Duration("took", took))
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(wait):
		}
	}
}

// endSitter lets a process that shows no goodwill enter, hands over one lease, and
// watches it end.
func (u *Unit) endSitter(ctx context.Context) (took time.Duration, err error) {
	cmd := exec.CommandContext(ctx, u.cfg.Sitter[0], u.cfg.Sitter[1:]...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	cmd.Env = append(os.Environ(), group.Mark+"="+group.MarkOf(ownDir(u.cfg.Dir), SelfTestSlot))
	if u.gates.standing().Name != "" {
		ear, err := (&net.ListenConfig{}).ListenPacket(ctx, "udp4", "127.0.0.1:0") // nobody listens: it is for the sender to be sent away, or not
		if err != nil {
			return 0, fmt.Errorf("find the sitter somebody to send to: %w", err)
		}
		defer ear.Close()
		cmd.Env = append(cmd.Env, SitTo+"="+ear.LocalAddr().String())
	}
	sits, in, err := os.Pipe()
	if err != nil {
		return 0, err
	}
	defer sits.Close() //nolint:errcheck // it was only read
	cmd.Stdout = in
	err = cmd.Start()
	_ = in.Close() // it is the sitter's alone, whose end is heard by that
	if err != nil {
		return 0, fmt.Errorf("start a process to end: %w", err)
	}
	defer func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait() // it was killed, by whomever
		if e := u.groups.Forget(SelfTestSlot); err == nil && e != nil {
			err = e
		}
	}()
	// It says a byte when it shows no goodwill any more.
	if _, err := sits.Read(make([]byte, 1)); err != nil {
		return 0, fmt.Errorf("start a process to end: it ended by itself: %w", err)
	}
	if err := u.gates.try(&gateTrial{words: sits}, u.groups, SelfTestSlot, cmd.Process.Pid); err != nil {
		return 0, err
	}
	t := &trial{u: u, k: keeper.New(keeper.Config{Boot: u.boot}, nil, nil)}
	lease := keeper.Lease{Slot: SelfTestSlot, Epoch: 1, Boot: u.boot, Sent: boottime.Now(), Timing: testTiming}
	t.step(keeper.Handed{Ask: 1, Lease: lease})
	t.step(keeper.Entering{Ask: 2, Slot: SelfTestSlot, Epoch: 1, PID: cmd.Process.Pid})
	if t.err != nil {
		return 0, t.err
	}
	return t.run(ctx, lease.Until())
}

// trial drives a keeper of one slot with the real groups.
type trial struct {
	u       *Unit
	k       *keeper.Keeper
	err     error
	entered bool
}

func (t *trial) step(ev keeper.Event) {
	for _, e := range t.k.Step(boottime.Now(), ev) {
		switch e := e.(type) {
		case keeper.Answer:
			if e.Refused != "" {
				t.err = errors.Join(t.err, errors.New(e.Refused))
			}
			t.entered = t.entered || e.Ask == 2
		case keeper.Admit:
			t.step(keeper.Entered{Ask: e.Ask, Slot: e.Slot, Err: text(t.u.groups.Admit(e.Slot, e.PID))})
		case keeper.Signal:
			t.err = errors.Join(t.err, t.u.groups.Signal(e.Slot, e.Kill))
		case keeper.Look:
			n, err := t.u.groups.Count(e.Slot)
			t.err = errors.Join(t.err, err)
			t.step(keeper.Looked{Slot: e.Slot, Running: n, Err: text(err)})
		case keeper.Save, keeper.Arm, keeper.Feed, keeper.Disarm: // a trial has no disk and no watchdog
		case keeper.Open, keeper.Shut: // the gate was tried before
		}
	}
}

// run waits for the end of the lease and of the process.
func (t *trial) run(ctx context.Context, until time.Duration) (time.Duration, error) {
	for sat := false; ; {
		s := t.k.Standings(boottime.Now())[0]
		switch {
		case t.err != nil:
			return 0, t.err
		case s.State == keeper.Unknown:
			return 0, fmt.Errorf("a process was not ended within %v", testTiming.Within)
		case s.State == keeper.Vacant && !sat:
			return 0, errors.New("a process that had entered was not counted")
		case s.State == keeper.Vacant:
			return boottime.Now() - until, nil
		}
		sat = sat || s.Running > 0
		select {
		case <-ctx.Done():
			return 0, context.Cause(ctx)
		case <-time.After(min(100*time.Millisecond, max(time.Millisecond, t.k.Wake()-boottime.Now()))):
			t.step(keeper.Woken{})
		}
	}
}

// Sit is the sitter: it shows no goodwill to SIGTERM, says so with a byte, and
// waits to be ended by force, at most a minute. Meanwhile it sends to whom the
// environment names, each time with a new socket: the kernel looks at the cgroup in
// which a socket was made.
func Sit(out io.Writer) {
	signal.Ignore(syscall.SIGTERM)
	_, _ = io.WriteString(out, ".") // without a reader nobody tests
	to := os.Getenv(SitTo)
	if to == "" {
		time.Sleep(time.Minute)
		return
	}
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(sitEvery) {
		word := string(sent)
		c, err := (&net.Dialer{}).DialContext(context.Background(), "udp", to)
		if err == nil {
			_, err = c.Write([]byte("."))
			_ = c.Close()
		}
		if err != nil {
			word = string(held)
		}
		_, _ = io.WriteString(out, word)
	}
}
