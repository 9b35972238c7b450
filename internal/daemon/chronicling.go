package daemon

import (
	"context"
	"time"

	"go.uber.org/zap"

	"moonwatch/status"
	"moonwatch/status/archive"
)

// How often the past is kept and shown. What a crash takes of it the ledger still has,
// so that a write every half a minute costs nothing but the work of counting again.
const (
	chronicleKept  = 30 * time.Second
	chronicleShown = 15 * time.Second // when nothing happens: the present day goes on
	chronicleNews  = 3 * time.Second
	// trailRest is how long nothing is written of an observer that sees all as before: a crash
	// takes so much of what it saw.
	trailRest = 5 * time.Minute
)

// pastShown is how many roll-ups of each grain people see.
var pastShown = map[status.Grain]int{status.Day: 90, status.Hour: 48, status.Minute: 60}

// chronicling keeps the chronicle on disk and shows it, and keeps beside it what this agent's
// observer saw. The chronicle itself is the loop's, for the mind tells it of each fact.
type chronicling struct {
	known   *status.Chronicle
	trail   *sightings
	archive *archive.Archive // nil: it could not be opened, and the past ends with this process
	log     *zap.Logger

	shows  chan status.Frozen // to be shown: the loop alone sends
	writes chan toKeep
	wrote  chan error
	busy   bool // the records that were taken last are being written
	failed bool // that stands in the log
	asked  time.Time
	shown  time.Time
	head   uint64 // as shown
}

// toKeep is what is written at once.
type toKeep struct {
	history status.Records
	trail   *status.TrailNews
}

// open opens the file. The past is no reason for an agent not to start: without the file
// it counts from now on.
func (c *chronicling) open(d *Daemon) {
	c.log = d.log.Named("history")
	c.shows = make(chan status.Frozen, 1)
	c.writes, c.wrote = make(chan toKeep, 1), make(chan error, 1)
	c.trail = &d.sightings
	a, known, aside, err := archive.Open(d.cfg.Agent.DataDir, d.cluster)
	if aside != nil {
		c.log.Warn("history cannot be used, was put aside, and begins anew", zap.Error(aside))
	}
	if err != nil {
		c.log.Error("history is not kept", zap.Error(err))
		a, known = nil, status.NewChronicle()
	}
	c.archive, c.known = a, known
	if a == nil {
		return
	}
	trail, err := a.Trail()
	if err != nil {
		c.log.Warn("what the observer saw before cannot be read, and begins anew", zap.Error(err))
	}
	c.trail.recall(trail)
}

// writeAll writes what the loop hands over.
func (c *chronicling) writeAll(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case x := <-c.writes:
			c.wrote <- c.archive.Write(x.history, x.trail.Records())
		}
	}
}

// showAll shows what the loop hands over: to make it takes longer than the loop may wait.
func (c *chronicling) showAll(ctx context.Context, d *Daemon) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case x := <-c.shows:
			d.web.SetSights(x.Sights())
			for _, g := range status.Grains() {
				d.web.SetPast(x.Past(d.cluster, g))
			}
		}
	}
}

// show keeps what has changed and has the past shown, each in its own time. The loop
// calls it, and it never waits.
func (c *chronicling) show(now time.Time, p status.Page) {
	c.keep(now)
	if since := now.Sub(c.shown); since < chronicleNews || since < chronicleShown && c.head == p.Knowledge.Head {
		return
	}
	if len(c.shows) == cap(c.shows) {
		return // the one before is still being made
	}
	c.shown, c.head = now, p.Knowledge.Head
	c.shows <- c.known.Freeze(now, p.Knowledge.AsOf, pastShown)
}

func (c *chronicling) keep(now time.Time) {
	if c.archive == nil {
		return
	}
	select {
	case err := <-c.wrote:
		c.busy = false
		c.kept(err == nil)
		if err != nil && !c.failed {
			c.log.Warn("history not written, trying again", zap.Error(err))
		}
		c.failed = err != nil
	default:
	}
	if c.busy || now.Sub(c.asked) < chronicleKept {
		return
	}
	c.asked = now
	if x := c.take(trailRest); x.history != nil || x.trail != nil {
		c.busy = true
		c.writes <- x // there is room: only one is under way
	}
}

// take is what has changed since the last time.
func (c *chronicling) take(rest time.Duration) toKeep {
	return toKeep{history: c.known.Take(), trail: c.trail.take(rest)}
}

func (c *chronicling) kept(ok bool) {
	c.known.Kept(ok)
	c.trail.kept(ok)
}

// close writes what is left. Loop and writer have ended.
func (c *chronicling) close() error {
	if c.archive == nil {
		return nil
	}
	if c.busy {
		c.kept(false) // it may be written already, and then is once more
	}
	if x := c.take(0); x.history != nil || x.trail != nil {
		if err := c.archive.Write(x.history, x.trail.Records()); err != nil {
			c.log.Warn("history not written at the end", zap.Error(err))
		}
	}
	return c.archive.Close()
}
