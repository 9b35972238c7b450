package agent

import (
	"time"

	"moonwatch/member"
)

// arrangeCheck keeps a subject's check going, starts it or ends it when the
// watch changes.
func (o *Observer) arrangeCheck(now time.Time, e *edge, s Subject) {
	switch {
	case !s.Service:
		e.check = check{}
	case s.Calm && e.check.next.IsZero():
		e.check.next = now.Add(member.Phase(string(o.self)+string(s.ID), o.cfg.CheckInterval))
		e.check.lastGood = true
	case !s.Calm && e.Calm && e.check.fails == 0:
		e.check.next = time.Time{}
	}
}

// checkDue starts the checks whose time has come.
func (o *Observer) checkDue(now time.Time, out []Effect) []Effect {
	for _, e := range o.edges {
		if e.check.flying == 0 && !e.check.next.IsZero() && !now.Before(e.check.next) {
			out = o.startCheck(now, e, out)
		}
	}
	return out
}

// startCheck asks for one check. A check that is still running is forgotten:
// only the newest one answers a roll call.
func (o *Observer) startCheck(now time.Time, e *edge, out []Effect) []Effect {
	o.seq++
	e.check.flying, e.check.sent = o.seq, now
	return append(out, RunCheck{Subject: e.ID, Seq: o.seq, Timeout: o.cfg.CheckTimeout})
}

// checked weighs a check that ended. A failed one is repeated soon, by whoever
// saw it, until it is clear which it is. A service that says nothing is not accused
// sooner than a machine that says nothing: it may be one that stands still.
func (o *Observer) checked(now time.Time, c Checked) {
	e := o.edge(c.Subject)
	if e == nil || c.Seq != e.check.flying {
		return
	}
	k := &e.check
	if c.Unasked {
		k.flying, k.next = 0, now.Add(o.cfg.CheckRetry)
		return
	}
	k.flying, k.last, k.lastGood = 0, c, c.Good
	if c.Good {
		k.fails = 0
	} else {
		if k.fails == 0 {
			k.since = k.sent
		}
		k.fails++
	}
	weather := o.wayTo(e)
	was, sure := k.accused, k.fails >= o.failsNeeded(c, weather) && (!c.Silent || now.Sub(k.since) >= o.cfg.Patience)
	k.accused = !c.Good && sure
	r := &e.roll
	asked := !r.id.IsZero() && r.service == Abstain
	if asked && !k.sent.Before(r.since) {
		switch {
		case c.Good:
			r.service = Up
		case sure || !c.Silent || weather < clearWeather:
			r.service = Down
		}
		asked = r.service == Abstain
		o.post.due(now)
	}
	switch {
	case !c.Good && (!sure || asked):
		k.next = now.Add(o.cfg.CheckRetry)
	case !c.Good || e.Calm:
		k.next = now.Add(o.cfg.CheckInterval)
	default:
		k.next = time.Time{}
	}
	if was != k.accused {
		o.post.due(now)
	}
}

// voidCheck forgets what a check said of a machine that was silent as a whole, once it
// is back: it asked nobody, and neither has one that is still under way. Else the service of a machine that stood still for a moment
// would stay accused alone, and be restarted.
func (e *edge) voidCheck(now time.Time) {
	if k := &e.check; k.flying != 0 || k.fails > 0 && k.last.Silent {
		k.accused, k.fails, k.flying, k.next = false, 0, 0, now
	}
}

// clearWeather is the loss below which a single silent check says something: a
// quorum of them lost by chance is rarer than one in 10,000.
const clearWeather = 0.05

// wayTo is the loss that a silent check may be a part of: the median of this
// observer's edges, or that of the very edge, if it is worse, for a machine behind a
// bad cable is silent now and then to everybody, and well. Where that loss is an
// accusation itself, it excuses nothing.
func (o *Observer) wayTo(e *edge) float64 {
	if e.loss {
		return o.medianLoss()
	}
	return max(o.medianLoss(), e.lossBefore(&o.cfg))
}

// failsNeeded is how many checks in a row must fail to accuse a service. A
// refusal is an answer, so few are enough; silence may be the network's, which
// loses connections as it loses probes.
func (o *Observer) failsNeeded(c Checked, weather float64) int {
	if !c.Silent {
		return o.cfg.CheckFails
	}
	return chanceRun(weather, o.cfg.CheckFails, &o.cfg)
}
