package sim

import (
	"time"

	"moonwatch/failover"
)

// What a member's agent may send (S10), as bytes and messages a second over
// sentOver. In calm that is the promise of DESIGN 1, a councillor's like everybody's
// and in a fleet of any size; only a leader that grants leases to more than calmSlots
// exclusive slots a second sends more, 145 bytes for each grant. In storms it is twice
// the most that a story of thirty members was seen to need (207 KB, campaign seed
// 90634; 40 others 183 KB), and grows with the fleet: most of that is votes that
// councillors pass on. Sixty members need 290 KB of votes, and 580 KB of raft at a
// leader whose followers are slow (gate, seed 6).
//
// Facts are counted apart in storms, each once for each follower that had not had it.
// They are what has happened, 3 KB for each verdict with its votes: their number grows
// with the fleet and so does that of the followers, 612 KB a second in the same story.
// What a follower is fed that it has is counted with the rest.
//
// Messages are bounded by what agents allow themselves: statements lie 20 ms apart, so
// a member makes at most 50 a second, and a councillor acknowledges each and passes it
// on to the leader. Thirty members in which a fifth of all datagrams came 850 ms late
// made a councillor send 2,100 (campaign seed 700040).
const (
	sentOver          = 10 * time.Second
	calmBytes         = 10_000
	calmSlots         = 12
	calmBytesEach     = 150 // of the leader, for each exclusive slot beyond them
	stormBytes        = 150_000
	stormBytesEach    = 10_000 // for each member
	stormBytesLease   = 2_000  // for each exclusive slot: who is not granted asks all councillors four times a second
	stormMessages     = 500
	stormMessagesEach = 2 * 50
)

// calmAfter is how long after the last change the weather counts as calm.
const calmAfter = time.Minute

// traffic is what was sent when it was last looked at.
type traffic struct {
	at       time.Duration
	bytes    []uint64
	news     []uint64
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
		t.bytes, t.news, t.messages = make([]uint64, len(w.machines)), make([]uint64, len(w.machines)), make([]uint64, len(w.machines))
	}
	bytes, messages := stormBytes+stormBytesEach*len(w.machines)+stormBytesLease*c.soleSlots(), stormMessages+stormMessagesEach*len(w.machines)
	if c.calmWeather() {
		bytes = calmBytes
	}
	for i, m := range w.machines {
		b, news, n := m.sentBytes-t.bytes[i], m.sentNews-t.news[i], m.sentMessages-t.messages[i]
		t.bytes[i], t.news[i], t.messages[i] = m.sentBytes, m.sentNews, m.sentMessages
		if bytes != calmBytes {
			b -= min(b, news)
		}
		if !first && m.mind != nil {
			most := bytes
			if bytes == calmBytes && m.id == w.Leader() {
				most += calmBytesEach * max(0, c.soleSlots()-calmSlots)
			}
			most += c.w.shieldBytes(m, bytes == calmBytes)
			c.sends(m, perSecond(b, over), most, perSecond(n, over), messages)
		}
	}
	t.at, t.facts = w.now, len(w.facts)
}

// soleSlots counts the slots that are held by lease.
func (c *checker) soleSlots() int {
	n := 0
	for _, s := range c.books.slots {
		if s.sole {
			n++
		}
	}
	return n
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
