package daemon

import (
	"errors"
	"time"
)

// keepPatience is for how long the disk is waited for before people are told.
const keepPatience = time.Second

// errKeepsSlowly is of a disk that has not answered yet.
var errKeepsSlowly = errors.New("the disk does not answer: told all the same")

// notebook writes a state that changes, the newest alone, in a goroutine of its own: a
// disk that hangs must not keep people from being told. One goroutine owns it.
type notebook struct {
	todo  chan page
	ended chan struct{}
	next  []byte // handed over when the disk has answered; nil: nothing
}

type page struct {
	what []byte
	done chan error
}

func newNotebook(write func([]byte) error) *notebook {
	n := &notebook{todo: make(chan page), ended: make(chan struct{})}
	go func() {
		defer close(n.ended)
		for p := range n.todo {
			p.done <- write(p.what)
		}
	}()
	return n
}

// keep writes, and waits for that as long as there is hope: not at all while the disk
// is still at an older state.
func (n *notebook) keep(what []byte) error {
	p := page{what, make(chan error, 1)}
	late := time.NewTimer(keepPatience)
	defer late.Stop()
	if n.next == nil {
		select {
		case n.todo <- p:
			select {
			case err := <-p.done:
				return err
			case <-late.C:
				n.next = what // the one under way may fail
				return errKeepsSlowly
			}
		case <-late.C: // the last one failed to answer, or just has
		}
	}
	n.next = what
	n.again()
	return nil // it was said
}

// again hands over what waits, if the disk has answered.
func (n *notebook) again() {
	if n.next == nil {
		return
	}
	select {
	case n.todo <- page{n.next, make(chan error, 1)}:
		n.next = nil
	default:
	}
}

// stop waits a moment for what is under way, and for what is to follow it.
func (n *notebook) stop() {
	late := time.NewTimer(keepPatience)
	defer late.Stop()
	if n.next != nil {
		select {
		case n.todo <- page{n.next, make(chan error, 1)}:
		case <-late.C:
			close(n.todo)
			return
		}
	}
	close(n.todo)
	select {
	case <-n.ended:
	case <-late.C:
	}
}
