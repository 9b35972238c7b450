// Package unit is the keeper's process: it drives the decision of package keeper
// with real processes, a real watchdog, a socket and a disk.
//
// One goroutine owns the decision and does what it wants done; what could hang,
// the disk and the visitors, has goroutines of its own. So nothing that an agent
// or a disk does holds up a stop.
package unit

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"go.uber.org/zap"

	"moonwatch/internal/boottime"
	"moonwatch/internal/keeper"
	"moonwatch/internal/keeper/door"
	"moonwatch/internal/keeper/group"
	"moonwatch/internal/keeper/watchdog"
	"moonwatch/member"
)

// Config is what a keeper is run with.
type Config struct {
	Socket   string
	Dir      string          // of its records; on a disk or, as they are of one boot, on tmpfs
	Cgroup   string          // group.Auto, group.None or a path
	Gate     string          // gate.Auto, gate.NFT or gate.Off; empty is gate.Off
	Watchdog watchdog.Device // nil: none
	Log      *zap.Logger

	// Sitter is a program that ends only by force, for the self-test.
	Sitter []string
	// Test is how often the self-test is made; 0: every five minutes.
	Test time.Duration
	// Notify tells the init system: "READY=1", "WATCHDOG=1". nil: nobody asks.
	Notify func(state string)
	// Alive is how often Notify has to hear that the keeper decides; 0: never.
	Alive time.Duration
}

// Unit is a keeper that runs.
type Unit struct {
	cfg     Config
	boot    string
	log     *zap.Logger
	server  *door.Server
	groups  group.Group
	gates   *gates
	timer   *boottime.Timer
	records *records
	started time.Time

	k     *keeper.Keeper // owned by the loop, with all that follows
	asks  map[keeper.Ask]chan keeper.Answer
	last  keeper.Ask
	said  map[string]keeper.State
	todo  chan func()
	ended chan struct{} // the loop has
	tests tests
}

// Open opens everything. Nothing runs and nothing is armed before Run.
func Open(cfg Config) (*Unit, error) {
	if cfg.Log == nil {
		cfg.Log = zap.NewNop()
	}
	if cfg.Test == 0 {
		cfg.Test = door.TestValid / 3
	}
	u := &Unit{
		cfg: cfg, log: cfg.Log, started: time.Now(), asks: map[keeper.Ask]chan keeper.Answer{}, said: map[string]keeper.State{},
		todo: make(chan func()), ended: make(chan struct{}),
	}
	if err := u.open(); err != nil {
		return nil, errors.Join(fmt.Errorf("keeper: %w", err), u.close())
	}
	return u, nil
}

func (u *Unit) open() (err error) {
	if u.boot, err = boottime.ID(); err != nil {
		return err
	}
	// The folder above is the agent's, too, whose socket a group may use (CONTRACTS).
	if err = os.MkdirAll(filepath.Dir(u.cfg.Dir), 0o750); err != nil {
		return err
	}
	if err = os.MkdirAll(u.cfg.Dir, 0o700); err != nil {
		return err
	}
	// The lock of the socket first: two keepers of one folder would end each
	// other's slots.
	if u.server, err = door.Listen(u.cfg.Socket); err != nil {
		return err
	}
	if u.groups, err = group.Open(u.cfg.Dir, u.cfg.Cgroup); err != nil {
		return err
	}
	if u.gates, err = openGates(u.cfg.Gate, u.groups, u.log); err != nil {
		return err
	}
	if u.timer, err = boottime.NewTimer(); err != nil {
		return err
	}
	u.records = newRecords(u.cfg.Dir, u.log)
	return u.load()
}

// load takes over what an earlier life left.
func (u *Unit) load() error {
	whole, unread, err := u.records.load()
	if err != nil {
		return err
	}
	left, err := u.groups.Slots()
	if err != nil {
		return err
	}
	if slices.Contains(left, SelfTestSlot) { // of a test that the keeper's end cut short
		left = slices.DeleteFunc(left, func(s member.SlotID) bool { return s == SelfTestSlot })
		if err := u.groups.Signal(SelfTestSlot, true); err != nil {
			u.log.Warn("an earlier self-test goes on", zap.Error(err))
		}
	}
	for _, slot := range unread {
		u.log.Warn("a slot's record cannot be read: what runs of it is stopped", zap.String("slot", string(slot)))
	}
	u.k = keeper.New(keeper.Config{Boot: u.boot, Watchdog: u.cfg.Watchdog != nil}, whole, append(unread, left...))
	return nil
}

func (u *Unit) close() error {
	var errs []error
	if u.server != nil {
		errs = append(errs, u.server.Close())
	}
	if u.groups != nil {
		u.groups.Close()
	}
	if u.timer != nil {
		errs = append(errs, u.timer.Close())
	}
	if u.cfg.Watchdog != nil {
		// Whatever is armed now goes on counting: that is what it is for.
		errs = append(errs, u.cfg.Watchdog.Close())
	}
	return errors.Join(errs...)
}

// Run keeps until ctx ends. Slots that are held then go on: a keeper that is
// started again within S takes them over.
func (u *Unit) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	var others sync.WaitGroup
	served := make(chan error, 1)
	others.Go(func() { u.records.write(ctx) })
	others.Go(func() { u.gates.run(ctx) })
	// What runs without leave is stopped before anybody is heard.
	u.step(keeper.Woken{})
	others.Go(func() { served <- u.server.Serve(ctx, u) })
	others.Go(func() { u.test(ctx) })
	u.log.Info("keeper keeps", zap.String("socket", u.cfg.Socket), zap.String("owns", u.groups.Name()),
		zap.String("place", u.groups.Place()), zap.String("watchdog", u.watchdogName()), zap.String("gate", u.gates.standing().Name))
	u.notify("READY=1")
	err := u.loop(ctx, served)
	cancel()
	close(u.ended)
	err = errors.Join(err, u.close())
	others.Wait()
	if u.idle() {
		u.gates.remove()
	}
	if err != nil {
		return fmt.Errorf("keeper: %w", err)
	}
	return nil
}

// idle says that nothing of any slot runs, and nobody has leave to.
func (u *Unit) idle() bool {
	return !slices.ContainsFunc(u.k.Standings(boottime.Now()), func(s keeper.Standing) bool { return !u.k.Empty(s.Slot) })
}

// hungry is how often a watchdog is fed that could not be disarmed.
const hungry = time.Second

func (u *Unit) loop(ctx context.Context, served <-chan error) error {
	alive := time.NewTicker(max(time.Millisecond, u.cfg.Alive))
	defer alive.Stop()
	if u.cfg.Alive == 0 {
		alive.Stop()
	}
	spare := time.NewTicker(hungry)
	defer spare.Stop()
	for {
		if err := u.timer.Set(u.k.Wake()); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			u.leave()
			return nil
		case err := <-served:
			return err
		case <-u.timer.C:
			u.step(keeper.Woken{})
		case do := <-u.todo:
			do()
		case <-alive.C:
			u.notify("WATCHDOG=1")
		case <-spare.C:
			u.feedSpare()
		}
	}
}

// leave says what is left alone.
func (u *Unit) leave() {
	for _, s := range u.k.Standings(boottime.Now()) {
		if s.State != keeper.Vacant {
			u.log.Warn("slot is left without a keeper until one is started again",
				zap.String("slot", string(s.Slot)), zap.String("state", string(s.State)), zap.Duration("lease_left", s.Left))
		}
	}
}

// step is one step of the decision, and all that it wants done.
func (u *Unit) step(ev keeper.Event) {
	for _, e := range u.k.Step(boottime.Now(), ev) {
		u.carryOut(e)
	}
	u.tellChanges()
}

func (u *Unit) carryOut(e keeper.Effect) {
	switch e := e.(type) {
	case keeper.Answer:
		if c, ok := u.asks[e.Ask]; ok {
			delete(u.asks, e.Ask)
			c <- e // it has room for one
		}
	case keeper.Admit:
		u.step(keeper.Entered{Ask: e.Ask, Slot: e.Slot, Err: text(u.groups.Admit(e.Slot, e.PID))})
	case keeper.Signal:
		if err := u.groups.Signal(e.Slot, e.Kill); err != nil {
			u.log.Warn("slot not signalled", zap.String("slot", string(e.Slot)), zap.Bool("kill", e.Kill), zap.Error(err))
		}
	case keeper.Look:
		n, err := u.groups.Count(e.Slot)
		u.step(keeper.Looked{Slot: e.Slot, Running: n, Err: text(err)})
	case keeper.Open:
		u.gates.want(e.Slot, e.Until)
	case keeper.Shut:
		u.gates.want(e.Slot, 0)
	case keeper.Save:
		u.records.save(e.Record)
	case keeper.Arm:
		got, err := u.cfg.Watchdog.Arm(e.Timeout)
		u.logDog("watchdog armed", err, zap.Duration("timeout", got))
		u.step(keeper.Armed{Timeout: got, Err: text(err)})
	case keeper.Feed:
		if err := u.cfg.Watchdog.Feed(); err != nil {
			u.logDog("watchdog fed", err)
		}
	case keeper.Disarm:
		u.logDog("watchdog disarmed", u.cfg.Watchdog.Disarm())
	}
}

// feedSpare feeds a device that is open though nothing wants it: one without
// magic close. Else it would reset a machine on which nothing runs.
func (u *Unit) feedSpare() {
	if w := u.cfg.Watchdog; w != nil && w.Armed() && !u.k.Armed() {
		if err := w.Feed(); err != nil {
			u.logDog("watchdog fed", err)
		}
	}
}

func (u *Unit) logDog(what string, err error, fields ...zap.Field) {
	fields = append(fields, zap.String("watchdog", u.watchdogName()))
	if err != nil {
		u.log.Error("not done: "+what, append(fields, zap.Error(err))...)
		return
	}
	u.log.Info(what, fields...)
}

func (u *Unit) watchdogName() string {
	if u.cfg.Watchdog == nil {
		return ""
	}
	return u.cfg.Watchdog.Name()
}

func (u *Unit) notify(state string) {
	if u.cfg.Notify != nil {
		u.cfg.Notify(state)
	}
}

// tellChanges logs each slot's state when it changes, and clears away the groups
// of those that are vacant.
func (u *Unit) tellChanges() {
	for _, s := range u.k.Standings(boottime.Now()) {
		if u.said[string(s.Slot)] == s.State {
			continue
		}
		u.said[string(s.Slot)] = s.State
		log := u.log.Info
		if s.State == keeper.Unknown {
			log = u.log.Error
		}
		log("slot is "+string(s.State), zap.String("slot", string(s.Slot)), zap.Uint64("slot_epoch", uint64(s.Epoch)),
			zap.Int("running", s.Running), zap.Duration("lease_left", s.Left), zap.String("detail", s.Detail))
		if u.k.Empty(s.Slot) {
			if err := u.groups.Forget(s.Slot); err != nil {
				u.log.Debug("group of a vacant slot stays", zap.String("slot", string(s.Slot)), zap.Error(err))
			}
		}
	}
}

// errGone answers whoever asks a keeper that ends.
var errGone = errors.New("the keeper ends: ask the next one")

// do runs something in the loop and waits for it to begin.
func (u *Unit) do(ctx context.Context, f func()) error {
	select {
	case u.todo <- f:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-u.ended:
		return errGone
	}
}

// Ask hands an event to the decision and waits for its answer.
func (u *Unit) Ask(ctx context.Context, ev func(keeper.Ask) keeper.Event) (keeper.Answer, error) {
	if entering, ok := ev(0).(keeper.Entering); ok {
		if err := u.gates.ready(entering); err != nil {
			return keeper.Answer{}, err
		}
	}
	c := make(chan keeper.Answer, 1)
	var id keeper.Ask
	err := u.do(ctx, func() {
		u.last++
		id = u.last
		u.asks[id] = c
		u.step(ev(id))
	})
	if err != nil {
		return keeper.Answer{}, err
	}
	select {
	case a := <-c:
		return a, nil
	case <-ctx.Done():
		err = context.Cause(ctx)
	case <-u.ended:
		return keeper.Answer{}, errGone
	}
	_ = u.do(context.WithoutCancel(ctx), func() { delete(u.asks, id) }) // nobody waits for it any more
	return keeper.Answer{}, err
}

// Status tells how the keeper and its slots are.
func (u *Unit) Status(ctx context.Context) (door.Status, error) {
	got := make(chan door.Status, 1)
	err := u.do(ctx, func() {
		got <- door.Status{
			Started: u.started, Boot: u.boot, Dir: ownDir(u.cfg.Dir), Owns: u.groups.Name(), Watchdog: u.watchdogName(),
			Gate: u.gates.standing(), Test: u.tests.newest(), Disk: u.records.trouble(), Slots: u.k.Standings(boottime.Now()),
		}
	})
	if err != nil {
		return door.Status{}, err
	}
	return <-got, nil
}

func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// SelfTestSlot is the name under which the self-test's process is kept. No slot
// of a fleet can have it.
const SelfTestSlot = "_test"

func ownDir(dir string) string {
	if abs, err := filepath.Abs(dir); err == nil {
		return abs
	}
	return dir
}
