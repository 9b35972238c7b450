package agent

import "time"

// rollCalled begins an answer: probes and checks that are sent from now on
// count, older ones never.
func (o *Observer) rollCalled(now time.Time, call RollCall, out []Effect) []Effect {
	for _, id := range call.Subjects {
		e := o.edge(id)
		if e == nil || e.roll.id == call.ID {
			continue
		}
		e.roll = roll{id: call.ID, since: now}
		e.nextReprobe = now
		if e.Service {
			out = o.startCheck(now, e, out)
		}
	}
	// An abstention is an answer too, and a new leader hears what else stands.
	o.post.due(now)
	return out
}

// weighRoll decides an edge's answer as soon as its fresh probes allow.
func (o *Observer) weighRoll(now time.Time, e *edge) {
	r := &e.roll
	if r.id.IsZero() {
		return
	}
	if now.Sub(r.since) >= o.cfg.RollLife {
		*r = roll{}
		return
	}
	if !r.open() {
		return
	}
	switch {
	case e.fresh(now, &o.cfg):
		return
	case e.lossy() || r.downs >= o.cfg.RollDowns && r.downs >= o.rollDowns():
		r.agent = Down
	case r.ups >= o.cfg.RollUps:
		r.agent = Up
	default:
		return
	}
	o.post.due(now)
}

// rollDowns is how many fresh losses in a row answer a roll call with down: so many
// that chance alone makes them rarer than RollChance at the present median loss. Two
// such answers beside an accusation, which chance makes as well, are a quorum of a
// fleet of five, and its roll is called thousands of times on a day on which half of
// all round trips are lost. At most RollDownsMax, or the next call would come before
// the answer.
func (o *Observer) rollDowns() int {
	weather := median(o.edges, func(e *edge) bool { return !e.silence }) // who is silent tells of itself
	n := runOf(weather, o.cfg.RollChance)
	return min(max(n, o.cfg.RollDowns), o.cfg.RollDownsMax)
}

// pace is the time between two quick probes over an edge. In weather that asks for
// more losses in a roll call they follow each other faster, so that the answer takes
// no longer, and is taken back in time if chance made it.
func (o *Observer) pace(e *edge) time.Duration {
	if !e.roll.id.IsZero() && o.rollDowns() > o.cfg.RollDowns {
		return o.cfg.RollPace
	}
	return o.cfg.ReprobeInterval
}
