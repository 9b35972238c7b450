package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"

	"moonwatch/consensus"
	"moonwatch/failover"
	"moonwatch/status"
)

// The exit statuses that Run gives (CONTRACTS).
const (
	exitOK     = 0
	exitError  = 1
	exitUsage  = 2
	exitMissed = 3 // the story did not end as expected
)

// Options of one demo.
type Options struct {
	Once  bool   // tell one story and end; else stay up until ctrl-C
	Fault string // of the story, kill if empty
	// Flood is how many times the capacity is asked for in story flood, 1.25 if 0. More is seen
	// sooner, and costs this machine more.
	Flood   float64
	JSON    bool   // print the story as one JSON object
	Full    bool   // production windows: profile lan
	Verbose bool   // each fact as it comes, and agents that log what they think
	Dir     string // the demo's folder, new or empty; empty: a temporary one
	Profile string // of the fleet, one of Profiles; empty: what Full says
	Out     io.Writer
	Err     io.Writer // progress, for people
	Exe     string    // the moonwatch binary; empty: this one
}

// Profiles lists the timing profiles that a demo runs with.
func Profiles() []string { return []string{"demo", "lan", "fast", "cloud"} }

// complete fills in what was left open and lists what is wrong.
func (o *Options) complete() error {
	var mistakes []error
	if o.Fault == "" {
		o.Fault = FaultKill
	} else if !o.Once {
		mistakes = append(mistakes, errors.New("--fault wants --once: without it, faults come from `moonwatch demo kill MEMBER` and the like"))
	}
	if !slices.Contains(Faults(), o.Fault) {
		mistakes = append(mistakes, fmt.Errorf("--fault is %q, want %s", o.Fault, strings.Join(Faults(), ", ")))
	}
	switch {
	case o.Flood == 0: // the default
	case o.Fault != FaultFlood:
		mistakes = append(mistakes, errors.New("--flood wants --fault flood"))
	case !(o.Flood >= floodLeast && o.Flood <= floodMost): // not a number is neither
		mistakes = append(mistakes, fmt.Errorf("--flood is %v times the capacity, want %v to %v: all visitors are of this machine", o.Flood, floodLeast, floodMost))
	}
	if o.JSON && !o.Once {
		mistakes = append(mistakes, errors.New("--json wants --once: a demo that stays up has no result"))
	}
	if o.Profile == "" {
		o.Profile = "demo"
		if o.Full {
			o.Profile = "lan"
		}
	}
	if !slices.Contains(Profiles(), o.Profile) {
		mistakes = append(mistakes, fmt.Errorf("--profile is %q, want %s", o.Profile, strings.Join(Profiles(), ", ")))
	}
	if o.Full && o.Profile != "lan" {
		mistakes = append(mistakes, errors.New("--full is --profile lan: want one of them"))
	}
	if o.Exe == "" {
		exe, err := os.Executable()
		if err != nil {
			mistakes = append(mistakes, fmt.Errorf("find the moonwatch binary: %w", err))
		}
		o.Exe = exe
	}
	if o.Out == nil {
		o.Out = io.Discard
	}
	if o.Err == nil {
		o.Err = io.Discard
	}
	return errors.Join(mistakes...)
}

func (o *Options) level() string {
	if o.Verbose {
		return "debug"
	}
	return "info"
}

// A story may take storyTime from its fault on, whatever the start took before it: on
// a busy machine that is a matter of twenty seconds, and then the time of a story of
// thirty would be up before its end. The start may take startTime, and begins anew within
// the half of it where nobody fits the story. Where it takes its usual five seconds, a story with start and clean-up ends within 45 s; flood has times
// of its own. One that is told once more, for this machine was too busy for it, has
// them again.
const (
	startTime = 40 * time.Second
	storyTime = 37 * time.Second
)

// Run starts the cluster, tells the story or stays up, and ends everything
// again, also when ctx ends or a signal tells this process to. It gives the
// exit status: 0 for the expected end, 1 for an error, 2 for wrong options, 3
// for a story that ended otherwise.
func Run(ctx context.Context, o Options) (exit int) {
	if err := o.complete(); err != nil {
		if o.Err != nil {
			fmt.Fprintln(o.Err, "moonwatch demo:", err)
		}
		return exitUsage
	}
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	o.announce()
	if !o.Once {
		return o.stay(ctx)
	}
	if o.Fault == FaultFlood {
		exit, err := o.flood(ctx)
		if err != nil {
			fmt.Fprintln(o.Err, "moonwatch demo:", err)
		}
		return exit
	}
	begun, first := time.Now(), true
	exit, err := o.once(ctx, first)
	for ctx.Err() == nil {
		switch {
		case errors.Is(err, errHeldTooLong):
			// It is told once more, from the beginning, and then counts as it ends.
			begun, first = time.Now(), false
		case errors.Is(err, errNoVictim) && time.Since(begun) < startTime/2:
			// The leader sits where the story does not want it, or an election came
			// between fleet.yaml and the fault. Another cluster is sooner there than
			// another leader.
		default:
			if err != nil {
				fmt.Fprintln(o.Err, "moonwatch demo:", err)
			}
			return exit
		}
		fmt.Fprintln(o.Err, "moonwatch demo:", err, "- starting anew")
		exit, err = o.once(ctx, first)
	}
	if err != nil {
		fmt.Fprintln(o.Err, "moonwatch demo:", err)
	}
	return exit
}

// announce says which windows are not those of production.
func (o *Options) announce() {
	if o.Profile != "demo" {
		fmt.Fprintf(o.Err, "profile %s: all windows as in production\n", o.Profile)
		return
	}
	short, long := failover.TimingOf("demo"), failover.TimingOf("lan")
	fmt.Fprintf(o.Err, "profile demo shortens windows (production in brackets; --full runs with these): "+
		"brake counts members for %v (%v), guarded ends after %v (%v), cascade after %v (%v), burn-in %v (%v), hold-down %v (%v), settling %v (%v)\n",
		short.OpenMemory, long.OpenMemory, short.GuardedClear, long.GuardedClear, short.CascadeClear, long.CascadeClear,
		short.BurnIn, long.BurnIn, short.HoldDown, long.HoldDown, short.Settle, long.Settle)
}

// once starts a cluster, tells one story and ends the cluster. The error of one that
// is to be told again says why; only the first may be.
func (o *Options) once(ctx context.Context, first bool) (exit int, err error) {
	l, err := newLauncher(*o)
	if err != nil {
		return exitError, err
	}
	if o.Verbose {
		l.onFact = func(f consensus.Fact) { l.say("#%d %s", f.Index, status.Line(f)) }
	}
	s, lack, err := l.onceUp(ctx, o.Fault)
	if s != nil && lack != "" && s.longest > l.pause()+pauseMargin {
		held := fmt.Errorf("%w: a machine that was to stand still for %v did for %.1f s, and then the story was: %s",
			errHeldTooLong, l.pause(), s.longest.Seconds(), lack)
		if first && err == nil {
			if err := l.close(false); err != nil {
				return exitError, err
			}
			return exitError, held
		}
		l.say("%v", held)
	}
	keep := l.explain(ctx, lack, err)
	var t tally
	if l.load != nil {
		t = l.load.end()
	}
	err = errors.Join(err, l.close(keep))
	if err != nil {
		return exitError, err
	}
	for _, f := range t.reasons() {
		l.say("%d requests failed, sent between %.1f and %.1f s after the fault: %s",
			f.n, f.first.Sub(s.hit).Seconds(), f.last.Sub(s.hit).Seconds(), f.what)
	}
	if t.Unsent > 0 {
		l.say("%d requests were not sent: this machine is so busy that it stood still when it was their time", t.Unsent)
	}
	l.say("%d requests, %d failed; every process is ended", t.Requests, len(t.Failed))
	r := s.result(lack == "", t)
	if o.JSON {
		if err := r.writeJSON(o.Out); err != nil {
			return exitError, err
		}
	} else {
		r.writeText(o.Out)
	}
	if lack != "" {
		return exitMissed, nil
	}
	return exitOK, nil
}

func (l *launcher) onceUp(ctx context.Context, fault string) (*story, string, error) {
	up, cancel := context.WithTimeoutCause(ctx, startTime, fmt.Errorf("the cluster is not up after %v", startTime))
	defer cancel()
	if err := l.start(up); err != nil {
		return nil, "", err
	}
	return l.tell(ctx, fault)
}

// explain shows the last words of the agents when something went wrong, and
// reports whether the logs are worth keeping. Somebody who pressed ctrl-C knows
// why, and a cluster in which nobody fits the story is none the worse for it.
func (l *launcher) explain(ctx context.Context, lack string, err error) (keep bool) {
	if ctx.Err() != nil || errors.Is(err, errNoVictim) || lack == "" && err == nil {
		return false
	}
	if lack != "" {
		l.say("not as expected: %s", lack)
	}
	for _, c := range l.children {
		for _, line := range c.lastLines(5) {
			fmt.Fprintf(l.err, "%s: %s\n", c.Name, line)
		}
	}
	fmt.Fprintf(l.err, "logs are kept in %s\n", l.kit.folder.path)
	return true
}
