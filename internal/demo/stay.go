package demo

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"moonwatch/consensus"
	"moonwatch/status"
)

// factQueue is how many facts may wait to be printed: a terminal that is
// stopped must not stop the agent.
const factQueue = 1024

// stay starts a cluster and keeps it up until ctx ends: it prints addresses, a
// line per fact, and what visitors would have noticed.
func (o *Options) stay(ctx context.Context) (exit int) {
	l, err := newLauncher(*o)
	if err != nil {
		fmt.Fprintln(o.Err, "moonwatch demo:", err)
		return exitError
	}
	facts := make(chan arrival, factQueue)
	l.onFact = func(f consensus.Fact) {
		select {
		case facts <- arrival{time.Now(), f}:
		default: // the page has it
		}
	}
	up, cancel := context.WithTimeoutCause(ctx, startTime, fmt.Errorf("the cluster is not up after %v", startTime))
	err = l.start(up)
	cancel()
	var door *control
	if err == nil {
		door, err = l.openControl(ctx)
	}
	if err == nil {
		o.greet(l)
		err = o.report(ctx, l, facts)
	}
	keep := l.explain(ctx, "", err)
	if door != nil {
		door.close()
	}
	if ctx.Err() != nil {
		err = nil // that is how it ends
	}
	if err = errors.Join(err, l.close(keep)); err != nil {
		fmt.Fprintln(o.Err, "moonwatch demo:", err)
		return exitError
	}
	l.say("every process is ended, and the folder removed")
	return exitOK
}

// greet prints where to look and what to try.
func (o *Options) greet(l *launcher) {
	page, door := l.console.addresses()
	fmt.Fprintf(o.Out, "page     http://%s/\ngateway  http://%s/\nfolder   %s\n", page, door, l.kit.folder.path)
	p := l.present()
	for _, m := range p.Members {
		c, err := l.child(m.ID)
		if err != nil {
			continue // not one of ours
		}
		duty := string(m.Duty)
		if m.Slot != "" {
			duty = "slot " + string(m.Slot)
		}
		if m.Leader {
			duty += ", leads the council"
		}
		fmt.Fprintf(o.Out, "%-8s http://%s:%d/  failure domain %s, %s\n", m.ID, c.Addr, portHTTP, m.Domain, duty)
	}
	where := ""
	if o.Dir != "" {
		where = " --dir " + l.kit.folder.path
	}
	fmt.Fprintf(o.Out, "try      %s demo kill %s%s    (or stop, isolate, heal; from a second terminal)\nend      ctrl-C\n",
		calledAs(o.Exe), p.Members[0].ID, where)
}

// calledAs is how people call this program again. What `go run` built is gone
// when it ends, and on nobody's path.
func calledAs(exe string) string {
	if strings.Contains(exe, "/go-build") {
		return "go run ./cmd/moonwatch"
	}
	return "moonwatch"
}

// arrival is a fact with the moment at which the launcher got it.
type arrival struct {
	at   time.Time
	fact consensus.Fact
}

// report prints facts and failed requests as they come.
func (o *Options) report(ctx context.Context, l *launcher, facts <-chan arrival) error {
	second := time.NewTicker(time.Second)
	defer second.Stop()
	before := l.load.tally()
	for {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case err := <-l.console.ended:
			l.console.ended <- err // close reads it again
			return fmt.Errorf("the launcher's agent ended: %w", err)
		case err := <-l.crashes:
			fmt.Fprintf(o.Out, "%s  %v\n", time.Now().Format("15:04:05.0"), err)
		case a := <-facts:
			fmt.Fprintf(o.Out, "%s  #%d %s\n", a.clock(), a.fact.Index, status.Line(a.fact))
		case now := <-second.C:
			t := l.load.tally()
			if n := len(t.Failed) - len(before.Failed); n > 0 {
				fmt.Fprintf(o.Out, "%s  load: %d of %d requests failed in the last second, the last one: %v\n",
					now.Format("15:04:05.0"), n, t.Requests-before.Requests, t.Failed[len(t.Failed)-1].err)
			}
			before = t
		}
	}
}

// clock is a fact's time of day. The founding has no time of its own, so that
// all founders write the same fact; it is as old as its arrival here.
func (a arrival) clock() string {
	at := a.fact.Time
	if at.Unix() == 0 {
		at = a.at
	}
	return at.Local().Format("15:04:05.0")
}
