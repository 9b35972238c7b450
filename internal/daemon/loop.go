package daemon

import (
	"context"
	"time"

	"moonwatch/mind"
	"moonwatch/status"
)

// pageEvery bounds how often a page is built; a browser needs no more.
const pageEvery = 100 * time.Millisecond

// pageBeat is how often it is built when nothing happens, so that ages move.
const pageBeat = time.Second

// loop owns the mind: it waits for events and for the mind's own time, and
// carries out what the mind wants done.
func (d *Daemon) loop(ctx context.Context) error {
	timer := time.NewTimer(0)
	defer timer.Stop()
	var paged time.Time
	dirty := true
	for {
		var ev mind.Event
		select {
		case <-ctx.Done():
			return nil
		case <-timer.C:
			ev = mind.Woken{}
		case ev = <-d.events:
		}
		began := time.Now()
		for _, e := range d.mind.Step(began, ev) {
			if d.carryOut(ctx, e) {
				dirty = true
			}
		}
		d.listens.Store(d.mind.Listens())
		d.feed.current(d.mind.Current())
		now := time.Now()
		d.progress.Store(int64(now.Sub(d.started)))
		d.m.step.Observe(now.Sub(began).Seconds())
		if dirty && now.Sub(paged) >= pageEvery || now.Sub(paged) >= pageBeat {
			d.show(now)
			dirty, paged = false, now
		}
		wake := d.mind.Wake()
		if dirty {
			wake = earliest(wake, paged.Add(pageEvery))
		}
		timer.Reset(time.Until(wake))
	}
}

// show builds the page and the gateway's table.
func (d *Daemon) show(now time.Time) {
	d.route()
	d.leaveAddresses(now)
	d.noteWarmth()
	d.noteRevoked() // a whole ledger may have come in place of facts
	mode, since := d.mind.Mode()
	led := d.mind.Leading()
	p := status.Build(status.Input{
		Now: now, Self: d.self, Console: d.cfg.Console, Version: Version, Ledger: d.mind.Ledger(), State: d.mind.State(), History: d.history,
		Mode: mode, ModeSince: since, Leader: led.Leader, Term: led.Term, Quorum: led.Quorum,
		CouncilWaits: d.mind.CouncilWaits(), Accused: d.mind.Accused(), Unconfirmed: d.mind.Unconfirmed(), View: d.seen(), Stats: d.stats(),
	})
	p.Knowledge = d.knowledge(p.Knowledge, d.mind.Councillor())
	if t := d.telling.Load(); t != nil {
		p.Telling = *t
	}
	d.page.Store(&p)
	d.chronicling.show(now, p)
	d.noteMeasured(now)
	d.sightings.note(now)
	d.look(p)
	d.web.SetPage(p)
	d.m.observe(d, mode, p)
	if d.cfg.Pages != nil {
		d.cfg.Pages(p)
	}
}

// seen is the view for the page, with this agent's own certificate.
func (d *Daemon) seen() []status.Seen {
	view := d.peers.seen()
	own := d.keys.Pair()
	for i, s := range view {
		if s.Name == d.self {
			view[i].Key, view[i].Ends, view[i].Says = own.PublicKey(), own.Expires(), own.Expires()
		}
	}
	return view
}

// look hands the page to who tells people, with whom fleet.yaml names for that.
func (d *Daemon) look(p status.Page) {
	x := status.Looked{Page: p}
	if fl := d.mind.Ledger().Fleet(); fl != nil {
		x.Policy = fl.Notify
	}
	d.looked.Store(&x)
}

// alive reports whether the loop makes progress. An agent whose loop is stuck
// must not look well to its observers.
func (d *Daemon) alive(now time.Time) bool {
	return now.Sub(d.started)-time.Duration(d.progress.Load()) < 2*time.Second
}

func earliest(a, b time.Time) time.Time {
	if b.Before(a) {
		return b
	}
	return a
}
