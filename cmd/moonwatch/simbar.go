package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"golang.org/x/sys/unix"
)

// bar tells people how far a long run has come: on a terminal in one line that
// changes, elsewhere in a plain line now and then.
type bar struct {
	w     io.Writer
	width int // columns of the terminal; 0: no terminal
	shown bool
	said  time.Time // the last plain line
}

// quietTime is between two plain lines.
const quietTime = 10 * time.Second

func newBar(w io.Writer) *bar {
	b := &bar{w: w, said: time.Now()}
	if f, ok := w.(*os.File); ok && isTerminal(f) {
		b.width = 80
		if size, err := unix.IoctlGetWinsize(int(f.Fd()), unix.TIOCGWINSZ); err == nil && size.Col > 0 {
			b.width = int(size.Col)
		}
	}
	return b
}

// step is how far it is: done of all, which is 0 if nobody knows, and more about
// it.
type step struct {
	done, all int
	text      string
	left      time.Duration // below 0: nobody knows
}

func (s step) String() string {
	text := s.text
	if s.left >= 0 {
		text += ", about " + span(s.left.Round(time.Second)) + " left"
	}
	return text
}

// show shows the present step.
func (b *bar) show(s step) {
	switch {
	case b.width == 0 && time.Since(b.said) < quietTime:
	case b.width == 0:
		b.said = time.Now()
		fmt.Fprintln(b.w, clean(s.String()))
	default:
		fmt.Fprint(b.w, "\r\x1b[K", fitted(s.drawing()+s.String(), b.width-1))
		b.shown = true
	}
}

// drawing is the bar itself, nothing if there is no end to draw.
func (s step) drawing() string {
	const length = 24
	if s.all == 0 {
		return ""
	}
	n := min(length, length*s.done/s.all)
	return "[" + strings.Repeat("#", n) + strings.Repeat("-", length-n) + "] "
}

func fitted(s string, width int) string {
	s = clean(s)
	if utf8.RuneCountInString(s) <= width {
		return s
	}
	return string([]rune(s)[:max(0, width)])
}

// say prints a line that stays.
func (b *bar) say(format string, args ...any) {
	b.clear()
	fmt.Fprintln(b.w, clean(fmt.Sprintf(format, args...)))
}

// clear takes the line that changes away.
func (b *bar) clear() {
	if b.shown {
		fmt.Fprint(b.w, "\r\x1b[K")
		b.shown = false
	}
}

// while shows that something goes on as long as do takes.
func while[T any](b *bar, what string, do func() (T, error)) (T, error) {
	done := make(chan struct{})
	var showing sync.WaitGroup
	began := time.Now()
	showing.Go(func() {
		look := time.NewTicker(time.Second)
		defer look.Stop()
		for {
			select {
			case <-done:
				return
			case <-look.C:
				b.show(step{text: fmt.Sprintf("%s: %s so far", what, span(time.Since(began).Round(time.Second))), left: -1})
			}
		}
	})
	defer b.clear()
	defer showing.Wait()
	defer close(done)
	return do()
}
