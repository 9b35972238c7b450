package unit

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"time"

	"go.uber.org/zap"

	"moonwatch/internal/boottime"
	"moonwatch/internal/keeper"
	"moonwatch/internal/keeper/door"
	"moonwatch/internal/keeper/gate"
	"moonwatch/internal/keeper/group"
	"moonwatch/member"
)

// gates tells the kernel's gate what the decision wants of it, the newest word for
// each slot alone. It has a goroutine of its own: the kernel takes one change of its
// rules at a time, whoever makes it, and no stop waits for that.
type gates struct {
	must bool // people want a gate, or no service
	log  *zap.Logger
	new  chan struct{}

	mu    sync.Mutex // never held while the kernel works
	until map[member.SlotID]time.Duration
	dirty map[member.SlotID]bool
	told  door.Gate

	work sync.Mutex // whoever uses the gate
	gate gate.Gate  // nil: none
}

// openGates makes the gate that people want, if it can be had.
func openGates(want string, groups group.Group, log *zap.Logger) (*gates, error) {
	g := &gates{
		must: want == gate.NFT, log: log, new: make(chan struct{}, 1),
		until: map[member.SlotID]time.Duration{}, dirty: map[member.SlotID]bool{},
	}
	switch want {
	case gate.Off, "":
		g.told.None = "it was not wanted"
		if place := groups.Place(); filepath.IsAbs(place) {
			if err := gate.Clear(place); err != nil { // of a life that had one
				log.Debug("no gate cleared away", zap.Error(err))
			}
		}
		return g, nil
	case gate.Auto, gate.NFT:
	default:
		return nil, fmt.Errorf("gate is %q, want %s, %s or %s", want, gate.Auto, gate.NFT, gate.Off)
	}
	made, err := gate.New(groups.Place())
	switch {
	case err != nil && g.must:
		return nil, err
	case err != nil:
		g.told.None = err.Error()
		log.Warn("no gate: what a slot sends is not held back by the kernel", zap.Error(err))
	default:
		g.gate, g.told.Name = made, made.Name()
	}
	return g, nil
}

// want notes until when a slot may send; 0: not at all.
func (g *gates) want(slot member.SlotID, until time.Duration) {
	g.mu.Lock()
	g.until[slot], g.dirty[slot] = until, true
	g.mu.Unlock()
	select {
	case g.new <- struct{}{}:
	default:
	}
}

// run tells the gate until ctx ends, and what is left then.
func (g *gates) run(ctx context.Context) {
	for {
		g.flush()
		select {
		case <-ctx.Done():
			g.flush()
			return
		case <-g.new:
		}
	}
}

func (g *gates) flush() {
	g.mu.Lock()
	var slots []member.SlotID
	for s := range g.dirty {
		slots = append(slots, s)
	}
	clear(g.dirty)
	g.mu.Unlock()
	for _, s := range slots {
		g.note(s, g.tell(s)) // what fails is told anew with the next lease, and shuts by itself
	}
}

// tell tells the gate the newest word about a slot.
func (g *gates) tell(slot member.SlotID) error {
	g.work.Lock()
	defer g.work.Unlock()
	if g.gate == nil {
		return nil
	}
	g.mu.Lock()
	until := g.until[slot]
	g.mu.Unlock()
	left := until - boottime.Now()
	if left <= 0 {
		return g.gate.Shut(slot)
	}
	err := g.gate.Open(slot, left)
	if until <= boottime.Now() { // the machine stood still between the clock and the kernel
		err = errors.Join(err, g.gate.Shut(slot))
	}
	return err
}

func (g *gates) note(slot member.SlotID, err error) {
	g.mu.Lock()
	was := g.told.Trouble
	g.told.Trouble = text(err)
	g.mu.Unlock()
	switch {
	case err != nil:
		g.log.Error("gate not told: what the slot sends is held back when its time is up", zap.String("slot", string(slot)), zap.Error(err))
	case was != "":
		g.log.Info("gate is told again", zap.String("slot", string(slot)))
	}
}

// ready opens the gate of a slot that a process is about to enter, if the slot may
// send: the first thing that it sends is not to be lost.
func (g *gates) ready(ev keeper.Entering) error {
	g.mu.Lock()
	name, may := g.told.Name, g.until[ev.Slot] > 0
	g.mu.Unlock()
	if name == "" || !may {
		return nil
	}
	err := g.tell(ev.Slot)
	g.note(ev.Slot, err)
	if err != nil {
		return fmt.Errorf("the gate is not open: %w", err)
	}
	own, err := gate.Namespace(0)
	if err != nil {
		return err
	}
	if its, err := gate.Namespace(ev.PID); err == nil && its != own {
		if g.must {
			return errors.New("it is in another network namespace than the keeper: no gate holds back what it sends")
		}
		g.log.Warn("no gate holds back what a process sends: it is in another network namespace than the keeper",
			zap.String("slot", string(ev.Slot)), zap.Int("pid", ev.PID))
	}
	return nil
}

// remove takes the gate away: nothing is left for it to hold back.
func (g *gates) remove() {
	g.work.Lock()
	defer g.work.Unlock()
	if g.gate == nil {
		return
	}
	if err := g.gate.Remove(); err != nil {
		g.log.Warn("gate stays without a keeper", zap.Error(err))
	}
}

// drop does without a gate that opens for nobody, so that slots are served as they
// are where there is none.
func (g *gates) drop(why error) {
	g.remove()
	g.work.Lock()
	g.gate = nil
	g.work.Unlock()
	g.mu.Lock()
	g.told.Name, g.told.None = "", why.Error()
	g.mu.Unlock()
}

func (g *gates) standing() door.Gate {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.told
}
