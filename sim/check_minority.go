package sim

import (
	"time"

	"moonwatch/member"
)

// knowsWithin is how long after the last word of the council an agent may
// believe in it: a leader that lost the others steps down within two election
// time-outs, a follower hears so from it, or notices the silence, after 4 s each. In
// wan all of that takes three times as long.
func (c *checker) knowsWithin() time.Duration {
	if c.w.cfg.Fleet.Profile == member.ProfileWAN {
		return 45 * time.Second
	}
	return 15 * time.Second
}

// abandoned checks S7 in every sweep: an agent that nothing of the council reaches
// knows it.
func (c *checker) abandoned() {
	c.look(ruleMinority)
	for _, m := range c.w.machines {
		if !m.up() || c.w.hearsCouncil(m) {
			delete(c.unheard, m.id)
			continue
		}
		since, known := c.unheard[m.id]
		since = max(since, m.heard) // what slipped through between two sweeps counts
		if !known {
			c.unheard[m.id] = c.w.now
		} else if c.w.now-since > c.knowsWithin() && m.mind.Leading().Quorum {
			c.fail(ruleMinority, "%s has heard no councillor for %v and believes in a council quorum", m.id, c.w.now-since)
		}
	}
}

// hearsCouncil reports that something of a councillor can come to a machine. A
// council of one is its own quorum and needs nobody's word.
func (w *World) hearsCouncil(m *machine) bool {
	if ids := w.councillors(); len(ids) == 1 && ids[0] == m.id {
		return true
	}
	for _, id := range w.councillors() {
		if x := w.machine(id); x != m && x.up() && !w.severed(x.i, m.i) {
			return true
		}
	}
	return false
}
