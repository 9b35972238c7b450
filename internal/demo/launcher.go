package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"sync"
	"time"

	"moonwatch/consensus"
	"moonwatch/failover"
	"moonwatch/member"
	"moonwatch/shield/gateway"
	"moonwatch/status"
)

// launcher is one running cluster: agents, console and load.
type launcher struct {
	kit      *kit
	err      io.Writer // progress, for people
	verbose  bool
	fault    string          // of the story to be told, empty if it stays up
	timing   failover.Timing // what the fleet's profile says about windows
	begun    time.Time
	children []*child
	console  *console
	load     *load
	crashes  chan error // agents that ended although nobody wanted it

	background sync.WaitGroup
	quit       context.CancelFunc

	mu      sync.Mutex
	page    status.Page
	table   gateway.Table
	story   *story // nil before the fault
	flood   *flood // nil: none is told
	onFact  func(consensus.Fact)
	answers map[member.SlotID]answer // the last good one of each slot
	changed chan struct{}            // has room for one: something above is new
}

// newLauncher makes a launcher with its folder and files; nothing runs yet.
func newLauncher(o Options) (*launcher, error) {
	begun := time.Now()
	ended, err := sweep()
	if err != nil {
		fmt.Fprintln(o.Err, "moonwatch demo: leftovers of an earlier demo:", err) // not in our way: every demo has addresses of its own
	} else if ended > 0 {
		fmt.Fprintf(o.Err, "swept %d processes that a killed launcher had left\n", ended)
	}
	f, err := newFolder(o.Dir, o.Exe)
	if err != nil {
		return nil, err
	}
	l := &launcher{
		err: o.Err, verbose: o.Verbose, fault: o.Fault, timing: failover.TimingOf(o.Profile), begun: begun,
		changed: make(chan struct{}, 1), answers: map[member.SlotID]answer{},
	}
	where, err := drawLayout()
	if o.Fault == FaultFlood {
		where.doors = floodDoors
	}
	if err == nil {
		l.kit, err = furnish(f, where, o.Profile, o.level(), time.Now())
	}
	if err != nil {
		return nil, errors.Join(err, f.remove())
	}
	l.crashes = make(chan error, 16*len(where.places)) // ends are rare; nobody waits for room
	if o.Fault == FaultFlood {
		l.kit.shield = floodShield(where)
	}
	for _, p := range where.places {
		l.children = append(l.children, newChild(f, p, l.crashes))
	}
	l.say("%d certificates, keys, agent.yaml and actions in %s", len(where.everybody()), f.path)
	return l, nil
}

// say tells people about a phase, with the time since the start.
func (l *launcher) say(format string, args ...any) {
	fmt.Fprintf(l.err, "%5.1f s  %s\n", time.Since(l.begun).Seconds(), fmt.Sprintf(format, args...))
}

// start starts everything and returns when the cluster is up and steady. What
// it started is ended by close, also if it fails.
func (l *launcher) start(ctx context.Context) error {
	if err := becomeSubreaper(); err != nil {
		return err
	}
	// What runs beside the phases ends with close, not with the start.
	background, quit := context.WithCancel(context.WithoutCancel(ctx))
	l.quit = quit
	l.background.Go(func() { l.reap(background) })
	for _, c := range l.children {
		if err := c.start(); err != nil {
			return err
		}
	}
	var err error
	l.console, err = openConsole(ctx, l.kit, ears{fact: l.heardFact, page: l.heardPage, table: l.heardTable})
	if err != nil {
		return err
	}
	first, last := l.children[0], l.children[len(l.children)-1]
	l.say("%d agents start on %s to %s", len(l.children), first.Addr, last.Addr)
	for _, phase := range []func(context.Context) error{l.lead, l.apply, l.serve, l.see, l.steady} {
		if err := phase(ctx); err != nil {
			return err
		}
	}
	return nil
}

// lead waits for a council with a leader.
func (l *launcher) lead(ctx context.Context) error {
	err := l.until(ctx, "no council leads", func(p status.Page) bool {
		return p.Cluster == cluster && p.Council.Quorum && p.Council.Leader != ""
	})
	if err == nil {
		c := l.present().Council
		l.say("council of %d, %s leads in term %d", len(c.Councillors), c.Leader, c.Term)
	}
	if err == nil && l.fault == FaultRack && l.kit.layout.inLargest(l.present().Council.Leader) {
		// Seen as soon as it can be: another cluster costs two seconds.
		err = fmt.Errorf("pick the victims of %s: %w: the leader is in the failure domain of three", l.fault, errNoVictim)
	}
	return err
}

// apply hands in fleet.yaml with the operator's signature.
func (l *launcher) apply(ctx context.Context) error {
	fleet, err := l.kit.fleet(l.present().Council.Leader)
	if err != nil {
		return fmt.Errorf("apply fleet.yaml: %w", err)
	}
	command, err := l.kit.signed(fleet, time.Now())
	if err == nil {
		err = l.console.submit(ctx, command)
	}
	if err != nil {
		return fmt.Errorf("apply fleet.yaml: %w", err)
	}
	err = l.until(ctx, "fleet.yaml is not in the ledger", func(p status.Page) bool { return len(p.Slots) == slots })
	if err == nil {
		l.say("fleet.yaml applied: %d members, %d slots, %d spares, armed", len(fleet.Members), slots, spares)
	}
	return err
}

// serve starts the load and waits until every slot answers through the
// gateway. The requests before that are not part of the story's count.
func (l *launcher) serve(ctx context.Context) error {
	_, door := l.console.addresses()
	url := "http://" + door.String() + "/"
	warm := startLoad(ctx, url, loadRate/4, loadTimeout, l.heardAnswer)
	err := l.until(ctx, "not every slot answers through the gateway", func(p status.Page) bool {
		return len(l.answers) == slots && !slices.ContainsFunc(p.Slots, func(s status.Slot) bool { return s.State != status.SlotServing })
	})
	warm.end()
	if err != nil {
		return err
	}
	l.say("%d slots serve through the gateway", slots)
	rate := loadRate
	if l.fault == FaultFlood {
		rate = tenantRate // the visitors of the tenants come by name, and later
	}
	l.load = startLoad(ctx, url, rate, loadTimeout, l.heardAnswer)
	return nil
}

// steadyFor is how long the cluster runs untouched before the fault.
const steadyFor = 2 * time.Second

// steady lets the cluster run and insists that nothing happens: a fault on
// top of another one would be another story.
func (l *launcher) steady(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case err := <-l.crashes:
		return err
	case <-time.After(steadyFor):
	}
	p := l.present()
	for _, m := range p.Members {
		if m.Trouble() {
			return fmt.Errorf("steady state: %s is in trouble: verdict %q, in view %t", m.ID, m.Verdict, m.InView)
		}
	}
	l.say("steady: %d requests, %d failed", l.load.tally().Requests, len(l.load.tally().Failed))
	return nil
}

// until waits until the page shows what is wanted. Held is evaluated under the
// launcher's lock.
func (l *launcher) until(ctx context.Context, what string, held func(status.Page) bool) error {
	for {
		l.mu.Lock()
		done := held(l.page)
		l.mu.Unlock()
		if done {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("%s: %w", what, context.Cause(ctx))
		case err := <-l.crashes:
			return err
		case err := <-l.console.ended:
			l.console.ended <- err // close reads it again
			return fmt.Errorf("the launcher's agent ended: %w", err)
		case <-l.changed:
		}
	}
}

// close ends the load, every process and the console, and removes the folder
// unless its logs are to be kept. It may be called after a start that failed.
func (l *launcher) close(keep bool) error {
	if l.load != nil {
		l.load.end()
	}
	for _, c := range l.children {
		c.expectEnd()
	}
	err := l.kit.folder.end()
	if l.console != nil {
		err = errors.Join(err, l.console.close())
	}
	if err == nil { // else a child may still be there, and waiting for it could last
		for _, c := range l.children {
			c.close()
		}
	}
	if l.quit != nil {
		l.quit()
		l.background.Wait()
	}
	if keep {
		return errors.Join(err, l.kit.folder.keep())
	}
	return errors.Join(err, l.kit.folder.remove())
}

// child finds a member's agent.
func (l *launcher) child(id member.ID) (*child, error) {
	for _, c := range l.children {
		if c.Name == id {
			return c, nil
		}
	}
	names := make([]member.ID, len(l.children))
	for i, c := range l.children {
		names[i] = c.Name
	}
	return nil, fmt.Errorf("no member %q in the demo, there are %s", id, list(names))
}
