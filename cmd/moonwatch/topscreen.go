package main

import (
	"context"
	"fmt"
	"runtime/debug"
	"sync"
	"time"

	"github.com/gdamore/tcell/v2"
)

// screen is the terminal of 'moonwatch top'.
type screen struct {
	tcell.Screen
	styles map[tone]tcell.Style
}

// openScreen takes the terminal over. What follows has to give it back with Fini.
func openScreen(coloured bool) (*screen, error) {
	s, err := tcell.NewScreen()
	if err == nil {
		err = s.Init()
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errScreen, err)
	}
	return &screen{s, topStyles(coloured)}, nil
}

// topStyles are the tones of the tables. Without colours what is wrong stands out by its
// weight.
func topStyles(coloured bool) map[tone]tcell.Style {
	p := tcell.StyleDefault
	if !coloured {
		return map[tone]tcell.Style{plain: p, good: p, warn: p.Bold(true), bad: p.Bold(true), head: p.Bold(true)}
	}
	return map[tone]tcell.Style{
		plain: p, head: p.Bold(true), good: p.Foreground(tcell.ColorGreen),
		warn: p.Foreground(tcell.ColorYellow), bad: p.Foreground(tcell.ColorRed).Bold(true),
	}
}

// run shows the fleet until a key or ctx ends it. However it ends, by a panic of its own
// too, the terminal is given back as it was; a question to the agent that panics is one
// that failed.
func (s *screen) run(ctx context.Context, r *reading, first topHeard, every time.Duration) (err error) {
	ctx, cancel := context.WithCancel(ctx)
	var asking sync.WaitGroup
	keys, done := make(chan tcell.Event), make(chan struct{})
	go func() { s.ChannelEvents(keys, ctx.Done()); close(done) }()
	defer func() {
		broken := recover()
		cancel()
		s.Fini() // ends ChannelEvents too
		<-done
		asking.Wait()
		if broken != nil {
			err = fmt.Errorf("the view broke, and the terminal is yours again: %v\n%s", broken, debug.Stack())
		}
	}()

	heard, told := make(chan topHeard, 1), make(chan topExplained, 1)
	var m topModel
	m.width, m.height = s.Size()
	m.now = time.Now()
	m, _ = m.step(first)
	tick := time.NewTicker(every)
	defer tick.Stop()
	busy, wanted := false, ""
	for {
		s.draw(m.frame())
		var event any
		select {
		case <-ctx.Done():
			return nil
		case now := <-tick.C:
			event = topTick{now}
		case x := <-heard:
			busy, event = false, x
		case x := <-told:
			if x.id != wanted {
				continue // people have asked for another one since
			}
			event = x
		case k, open := <-keys:
			if !open {
				return nil
			}
			switch k := k.(type) {
			case *tcell.EventResize:
				s.Sync()
				w, h := k.Size()
				event = topResized{w, h}
			case *tcell.EventKey:
				event = keyOf(k)
			}
		}
		var do topDo
		m, do = m.step(event)
		switch {
		case do.quit:
			return nil
		case do.ask && !busy:
			busy = true
			asking.Go(func() { heard <- r.topPageSafely(ctx) })
		case do.explain != "":
			wanted = do.explain
			asking.Go(func() {
				x := r.topExplainSafely(ctx, do.explain)
				select {
				case told <- x:
				case <-ctx.Done():
				}
			})
		}
	}
}

// draw shows the lines; tcell sends what has changed.
func (s *screen) draw(lines []topLine) {
	s.Clear()
	width, height := s.Size()
	for y, l := range lines[:min(len(lines), height)] {
		x := 0
		for _, c := range l.cells {
			style := s.styles[c.tone].Reverse(l.cursor)
			for text := c.text; text != "" && x < width; {
				var n int
				if text, n = s.Put(x, y, text, style); n == 0 {
					break
				}
				x += n
			}
		}
	}
	s.Show()
}

// keyOf is the name of a key, as the model knows it.
func keyOf(k *tcell.EventKey) topKey {
	switch k.Key() {
	case tcell.KeyRune:
		return topKey(k.Rune())
	case tcell.KeyCtrlC:
		return "ctrl-c"
	case tcell.KeyUp:
		return "up"
	case tcell.KeyDown:
		return "down"
	case tcell.KeyPgUp:
		return "pgup"
	case tcell.KeyPgDn:
		return "pgdn"
	case tcell.KeyHome:
		return "home"
	case tcell.KeyEnd:
		return "end"
	case tcell.KeyEnter:
		return "enter"
	case tcell.KeyEscape:
		return "esc"
	case tcell.KeyBackspace, tcell.KeyBackspace2:
		return "backspace"
	default:
		return ""
	}
}
