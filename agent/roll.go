package agent

import "time"

// rollLife is how long a roll call is worked on. An answer that takes longer
// would be void at the leader anyway.
const rollLife = 2 * time.Second

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
	if now.Sub(r.since) >= rollLife {
		*r = roll{}
		return
	}
	if !r.open() {
		return
	}
	switch {
	case e.fresh(now, &o.cfg):
		return
	case e.loss || e.flapping || r.downs >= o.cfg.RollDowns && r.downs >= o.rollDowns():
		r.agent = Down
	case r.ups >= o.cfg.RollUps:
		r.agent = Up
	default:
		return
	}
	o.post.due(now)
}

// rollDowns is how many fresh losses in a row answer a roll call with down: so
// many that chance alone makes fewer than one observer in a hundred say so at
// the present median loss, which makes a quorum of them rare enough; at most
// RollDownsMax, or the next call would come before the answer.
func (o *Observer) rollDowns() int {
	const chance = 0.01
	weather := median(o.edges, func(e *edge) bool { return !e.silence }) // who is silent tells of itself
	n := runOf(weather, chance)
	return min(max(n, o.cfg.RollDowns), o.cfg.RollDownsMax)
}
