package unit

import (
	"bytes"
	"io"
)

// pending bounds the lines that wait to be written.
const pending = 256

// Unhurried is a writer that never waits: a log whose reader stands still must
// not keep a keeper from a stop. Lines that find no room are lost.
type Unhurried struct{ lines chan []byte }

// NewUnhurried writes to w for as long as the process lives.
func NewUnhurried(w io.Writer) *Unhurried {
	u := &Unhurried{lines: make(chan []byte, pending)}
	go func() {
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

// Close writes nothing more than what was taken.
func (u *Unhurried) Close() error { close(u.lines); return nil }
