package unit

import (
	"bytes"
	"io"
	"time"
)

// pending bounds the lines that wait to be written.
const pending = 256

// lastWords is how long the end of a log waits for its reader. The keeper's slots run on
// without it meanwhile, and what it says last is that they do.
const lastWords = time.Second

// Unhurried is a writer that never waits: a log whose reader stands still must
// not keep a keeper from a stop. Lines that find no room are lost.
type Unhurried struct {
	lines chan []byte
	wrote chan struct{} // closed when all that was taken is written
}

// NewUnhurried writes to w until it is closed.
func NewUnhurried(w io.Writer) *Unhurried {
	u := &Unhurried{lines: make(chan []byte, pending), wrote: make(chan struct{})}
	go func() {
		defer close(u.wrote)
		for line := range u.lines {
			_, _ = w.Write(line) // a log has nobody to report to
		}
	}()
	return u
}

// Write takes a line, or loses it.
func (u *Unhurried) Write(line []byte) (int, error) {
	select {
	case u.lines <- bytes.Clone(line):
	default:
	}
	return len(line), nil
}

// Close waits until what was taken is written, for a moment at most. Nothing may be
// written after it.
func (u *Unhurried) Close() error {
	close(u.lines)
	late := time.NewTimer(lastWords)
	defer late.Stop()
	select {
	case <-u.wrote:
	case <-late.C:
	}
	return nil
}
