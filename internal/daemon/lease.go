package daemon

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"moonwatch/agent"
	"moonwatch/failover"
	"moonwatch/internal/boottime"
	"moonwatch/internal/keeper"
	"moonwatch/internal/keeper/door"
	"moonwatch/member"
	"moonwatch/mind"
)

// keeping is this agent's side of the keeper: it hands over leases, lets actions
// enter, and hears how the slots are.
type keeping struct {
	client door.Client
	boot   string
	enter  []string // runs a program as part of a slot
	lapses *lapses
	ask    chan struct{} // ask it now
	works  atomic.Bool   // it was seen to work in this life of the agent, or to hold a slot already

	mu      sync.Mutex
	pending *keeper.Lease // the newest that was not handed over yet
	handing chan struct{} // closed when nothing is; nil: nothing is
	failed  string        // why the last one was not taken
}

// openKeeping prepares to talk with the keeper. That it is away is no mistake: it
// may start later, and until then no exclusive slot is started here.
func (d *Daemon) openKeeping() error {
	socket := d.cfg.Agent.KeeperSocket
	if socket == "" {
		return nil
	}
	boot, err := boottime.ID()
	if err != nil {
		return err
	}
	enter := d.cfg.Enter
	if len(enter) == 0 {
		exe, err := os.Executable()
		if err != nil {
			return err
		}
		enter = []string{exe, "keeper", "enter"}
	}
	x, err := openLapses(filepath.Join(d.cfg.Agent.DataDir, "lapses"))
	if err != nil {
		return err
	}
	d.keeper = &keeping{client: door.Client{Socket: socket}, boot: boot, enter: enter, lapses: x, ask: make(chan struct{}, 1)}
	return nil
}

// sendRenewal stamps a renewal with the machine's own clock at the last moment
// before it leaves, signs and sends it. Without a keeper that was seen to work no
// first lease is asked for: nobody would end it. Who has one keeps it: a self-test
// that fails later makes the lease no proof, and is no reason to stop what serves.
func (d *Daemon) sendRenewal(e mind.SendRenewal) {
	if d.keeper == nil || !d.keeper.works.Load() {
		d.log.Debug("no keeper that works on this member: no lease is asked for", zap.String("slot", string(e.Renewal.Slot)))
		return
	}
	r := e.Renewal
	r.Sent = boottime.Now()
	b, err := d.signer.EncodeRenewal(r)
	if err != nil {
		d.log.Error("renewal not encoded", zap.Error(err))
		return
	}
	for _, id := range e.To {
		if id == d.self {
			d.offer(mind.RenewalCame{Renewal: r, Raw: b})
			continue
		}
		d.send(id, b)
	}
}

// handLease hands a lease to the keeper, beside the loop: a keeper that hangs must
// not make the agent hang. Of leases that wait the newest counts.
func (d *Daemon) handLease(ctx context.Context, e mind.HandLease) {
	k := d.keeper
	if k == nil {
		return
	}
	l := k.lease(e.Lease)
	k.mu.Lock()
	defer k.mu.Unlock()
	k.pending = &l
	if k.handing == nil {
		k.handing = make(chan struct{})
		d.deeds.Go(func() { d.handAll(ctx) })
	}
}

// lease is an agent's lease in the words of its keeper.
func (k *keeping) lease(l agent.Lease) keeper.Lease {
	return keeper.Lease{
		Slot: l.Slot, Epoch: l.Epoch, Boot: k.boot, Sent: l.Sent,
		Timing: keeper.Timing{Stop: l.Terms.Stop, Within: l.Terms.Within, Watchdog: l.Terms.Watchdog, RoundTrip: l.Terms.RoundTrip},
	}
}

// handAll hands over what waits, and ends when nothing does.
func (d *Daemon) handAll(ctx context.Context) {
	k := d.keeper
	for {
		k.mu.Lock()
		l := k.pending
		k.pending = nil
		if l == nil {
			close(k.handing)
			k.handing = nil
			k.mu.Unlock()
			return
		}
		k.mu.Unlock()
		hand, cancel := context.WithTimeout(ctx, l.Timing.Stop/3)
		s, err := k.client.Hand(hand, *l)
		cancel()
		d.handed(*l, s, err)
	}
}

// handed tells people when leases are taken no more, and again.
func (d *Daemon) handed(l keeper.Lease, s keeper.Standing, err error) {
	k := d.keeper
	k.mu.Lock()
	was := k.failed
	k.failed = ""
	if err != nil {
		k.failed = err.Error()
	}
	k.mu.Unlock()
	fields := []zap.Field{zap.String("slot", string(l.Slot)), zap.Uint64("slot_epoch", uint64(l.Epoch))}
	switch {
	case err != nil && was == "":
		d.log.Warn("keeper did not take the lease", append(fields, zap.Error(err))...)
	case err == nil && was != "":
		d.log.Info("keeper takes leases again", append(fields, zap.String("state", string(s.State)))...)
	}
	if err != nil || s.State != keeper.Held {
		k.askSoon()
	}
}

// settled waits until every lease that was to be handed over has been.
func (k *keeping) settled(ctx context.Context) {
	k.mu.Lock()
	handing := k.handing
	k.mu.Unlock()
	if handing == nil {
		return
	}
	select {
	case <-handing:
	case <-ctx.Done():
	}
}

// entering is the program that lets an action of a slot enter, nil where there is
// nothing to enter.
func (d *Daemon) entering(pool member.Pool, k failover.StepKey) []string {
	if d.keeper == nil || !pool.Exclusive || k.Step == failover.StepStop || k.Step == failover.StepPrepare {
		return nil
	}
	return append(append([]string{}, d.keeper.enter...),
		"--socket", d.keeper.client.Socket, "--slot", string(k.Slot), "--slot-epoch", strconv.FormatUint(uint64(k.Epoch), 10), "--")
}

// emptied proves a stop of an exclusive slot: the keeper ends what is left of it,
// and has seen that nothing runs.
func (d *Daemon) emptied(k failover.StepKey) func(context.Context) bool {
	return func(ctx context.Context) bool {
		_, err := d.keeper.client.Release(ctx, k.Slot, k.Epoch)
		if err != nil {
			d.log.Warn("slot not seen to end", zap.String("slot", string(k.Slot)), zap.Error(err))
		}
		return err == nil
	}
}

// How often the keeper is asked how it is. Its silence becomes a fact when it has
// lasted longer than its own restart takes.
const (
	keeperEvery    = time.Second
	keeperPatience = 3 * time.Second
)

func (k *keeping) askSoon() {
	select {
	case k.ask <- struct{}{}:
	default:
	}
}

// watchKeeper tells the mind how this member's enforcer is, and which slots it had
// to stop.
func (d *Daemon) watchKeeper(ctx context.Context) {
	k := d.keeper
	tick := time.NewTicker(keeperEvery)
	defer tick.Stop()
	heard := time.Now()
	for {
		st, err := k.status(ctx)
		if ctx.Err() != nil {
			return
		}
		switch {
		case err == nil:
			heard = time.Now()
			k.seen(st)
			d.tell(ctx, enforcerOf(st))
			d.tellLapses(ctx, st)
		case time.Since(heard) >= keeperPatience:
			d.tell(ctx, mind.EnforcerTold{Detail: "its keeper does not answer"})
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		case <-k.ask:
		}
	}
}

// seen notes that the keeper works, or holds what an earlier life of the agent had.
func (k *keeping) seen(st door.Status) {
	holds := slices.ContainsFunc(st.Slots, func(s keeper.Standing) bool { return s.State == keeper.Held })
	if holds || st.Enforces(boottime.Now()) == nil {
		k.works.Store(true)
	}
}

func (k *keeping) status(ctx context.Context) (door.Status, error) {
	ctx, cancel := context.WithTimeout(ctx, keeperEvery)
	defer cancel()
	st, err := k.client.Status(ctx)
	if err == nil && st.Boot != k.boot {
		err = errors.New("keeper of another boot: it runs in another machine")
	}
	return st, err
}

// enforcerOf is a keeper's status in the words of the ledger.
func enforcerOf(st door.Status) mind.EnforcerTold {
	now := boottime.Now()
	if err := st.Enforces(now); err != nil {
		return mind.EnforcerTold{Detail: err.Error()}
	}
	return mind.EnforcerTold{Kind: "keeper", Watchdog: st.Watchdog != "", Age: now - st.Test.At}
}

// tellLapses compares what the journal says was started with what the keeper sees.
func (d *Daemon) tellLapses(ctx context.Context, st door.Status) {
	for slot, epoch := range d.journal.Holding() {
		if !d.exclusiveSlot(slot) {
			continue
		}
		l, err := d.keeper.lapses.note(slot, epoch, st)
		if err != nil {
			d.log.Warn("lapse of a slot not noted", zap.String("slot", string(slot)), zap.Error(err))
			continue
		}
		if l.Nth > 0 {
			d.tell(ctx, mind.SlotLapsed(l))
		}
	}
}

// exclusiveSlot asks the fleet in force, beside the loop.
func (d *Daemon) exclusiveSlot(slot member.SlotID) bool {
	fl := d.fleet.Load()
	if fl == nil {
		return false
	}
	pool, ok := fl.Fleet.PoolOfSlot(slot)
	return ok && pool.Exclusive
}
