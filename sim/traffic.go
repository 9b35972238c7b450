package sim

import (
	"time"

	"moonwatch/failover"
)

// What a member's agent may send (S10), as bytes and messages a second over
// sentOver. In calm that is the promise of DESIGN 1, and for a councillor 100
// bytes more for each member: it acknowledges their signs of life twice a second.
// In storms it is 2 % of a link of 1 Gbit/s and what a loaded machine takes in
// without losing it: most of that is votes passed on and raft's log sent again.
const (
	sentOver      = 10 * time.Second
	calmBytes     = 10_000
	calmEach      = 100
	stormBytes    = 2_500_000
	stormEach     = 2_000
	stormMessages = 10_000
	stormCalls    = 20 // messages for each member
)

// calmAfter is how long after the last change the weather counts as calm.
const calmAfter = time.Minute

// traffic is what was sent when it was last looked at.
type traffic struct {
	at       time.Duration
	bytes    []uint64
	messages []uint64
	faults   int           // that last
	changed  time.Duration // when one last began or ended
	facts    int
}

// weather follows the faults, for the question whether it is calm.
func (t *traffic) weather(h Happening) {
	switch h.What {
	case FaultBegan:
		if r, _ := RuleOf(h.Fault.Do); r.Ends {
			t.faults++
		}
	case FaultEnded:
		t.faults--
	default:
		return
	}
	t.changed = h.At
}

// sent checks S10 once per sentOver.
func (c *checker) sent() {
	w, t := c.w, &c.traffic
	over := w.now - t.at
	if over < sentOver {
		return
	}
	first := t.bytes == nil
	if first {
		t.bytes, t.messages = make([]uint64, len(w.machines)), make([]uint64, len(w.machines))
	}
	bytes, messages, each := stormBytes, stormMessages+stormCalls*len(w.machines), stormEach*len(w.machines)
	if c.calmWeather() {
		bytes, each = calmBytes, calmEach*len(w.machines)
	}
	for i, m := range w.machines {
		b, n := m.sentBytes-t.bytes[i], m.sentMessages-t.messages[i]
		t.bytes[i], t.messages[i] = m.sentBytes, m.sentMessages
		if !first && m.mind != nil {
			most := bytes
			if m.mind.Councillor() || bytes == stormBytes {
				most += each
			}
			c.sends(m, perSecond(b, over), most, perSecond(n, over), messages)
		}
	}
	t.at, t.facts = w.now, len(w.facts)
}

func (c *checker) sends(m *machine, bytes, mostBytes, messages, mostMessages int) {
	c.look(ruleBounds)
	if bytes > mostBytes || messages > mostMessages {
		c.fail(ruleBounds, "%s sends %d bytes in %d messages a second, at most %d in %d", m.id, bytes, messages, mostBytes, mostMessages)
	}
}

func perSecond(n uint64, over time.Duration) int { return int(float64(n) / over.Seconds()) }

// calmWeather reports that nothing is wrong and nothing has happened for a while.
func (c *checker) calmWeather() bool {
	w, t := c.w, &c.traffic
	if w.cfg.Net.Loss > 0 || t.faults > 0 || w.now-t.changed < calmAfter || t.facts != len(w.facts) || w.now < calmAfter {
		return false
	}
	leader := w.Leader()
	return leader != "" && len(w.machine(leader).mind.Accused()) == 0 &&
		len(c.state.OpenCases()) == 0 && len(c.fold.Condemned()) == 0 && c.state.Brake().Mode() == failover.Normal
}
