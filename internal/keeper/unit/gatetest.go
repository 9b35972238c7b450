package unit

import (
	"errors"
	"fmt"
	"io"
	"time"

	"go.uber.org/zap"

	"moonwatch/internal/keeper/gate"
	"moonwatch/internal/keeper/group"
	"moonwatch/member"
)

// SitTo names the variable with the address that the sitter sends to.
const SitTo = "MOONWATCH_SIT_TO"

// What the sitter says of each of its sends.
const (
	sent = '+'
	held = '-' // by the kernel: whoever sends a datagram is told
)

const (
	sitEvery = 10 * time.Millisecond
	openFor  = 200 * time.Millisecond
	comes    = 10 * time.Second // what should come, on a machine that is busy
	inARow   = 3                // so often held back means that the gate is shut
)

// errNotOpened is the one thing that makes a gate worse than none.
var errNotOpened = errors.New("it holds back what it should let pass")

// gateTrial hears how the sitter's sends end.
type gateTrial struct {
	words interface {
		io.Reader
		SetReadDeadline(t time.Time) error
	}
}

// hears waits until so many sends in a row have ended like this.
func (t *gateTrial) hears(word byte, row int, within time.Duration) bool {
	_ = t.words.SetReadDeadline(time.Now().Add(within)) // what cannot wait tells at once
	b := make([]byte, 1)
	for n := 0; n < row; {
		if _, err := t.words.Read(b); err != nil {
			return false
		}
		if n++; b[0] != word {
			n = 0
		}
	}
	return true
}

// run lets the sitter become a slot's, opens the gate for a moment and lets it shut
// by itself.
func (t *gateTrial) run(g gate.Gate, locked func(func() error) error, groups group.Group, slot member.SlotID, pid int) error {
	if !t.hears(sent, 1, comes) {
		return errors.New("not tried: a process cannot send over the loopback")
	}
	if err := locked(func() error { return errors.Join(g.Renew(), g.Shut(slot)) }); err != nil {
		return err
	}
	if err := groups.Admit(slot, pid); err != nil {
		return err
	}
	if !t.hears(held, inARow, comes) {
		return errors.New("it lets pass what it should hold back")
	}
	opened := false
	for end := time.Now().Add(comes); !opened && time.Now().Before(end); {
		if err := locked(func() error { return g.Open(slot, openFor) }); err != nil {
			return err
		}
		opened = t.hears(sent, 1, openFor)
	}
	if !opened {
		return errNotOpened
	}
	if !t.hears(held, inARow, comes) {
		return errors.New("it does not shut by itself")
	}
	return nil
}

// try tests the gate with a process that sends, and says what it found; nil if there
// is no gate. One that people only want where it works is done without if it opens
// for nobody.
func (g *gates) try(t *gateTrial, groups group.Group, slot member.SlotID, pid int) error {
	g.work.Lock()
	made := g.gate
	g.work.Unlock()
	if made == nil {
		return nil
	}
	locked := func(do func() error) error {
		g.work.Lock()
		defer g.work.Unlock()
		return do()
	}
	err := t.run(made, locked, groups, slot, pid)
	if err == nil {
		g.say("good")
		return nil
	}
	err = fmt.Errorf("self-test of the gate: %w", err)
	g.say(err.Error())
	if g.must {
		return err
	}
	g.log.Warn("gate is not to be relied on", zap.Error(err))
	if errors.Is(err, errNotOpened) {
		g.drop(err)
	}
	return nil
}

func (g *gates) say(what string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	g.told.Test = what
}
