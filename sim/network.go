package sim

import (
	"time"

	"moonwatch/member"
)

// way is one datagram's fate between two machines: its delay, or lost.
func (w *World) way(a, b int) (time.Duration, bool) {
	if w.severed(a, b) {
		return 0, false
	}
	if loss := w.lossOf(a, b); loss > 0 && w.chance.unit(streamLoss, a, b) < loss {
		return 0, false
	}
	return w.delay(a, b), true
}

func (w *World) delay(a, b int) time.Duration {
	d := w.cfg.Net.Delay
	if j := w.cfg.Net.Jitter; j > 0 {
		d += time.Duration(w.chance.next(streamDelay, a, b) % uint64(j))
	}
	if !w.links.calm(a, b) {
		d += w.late(a, b)
	}
	return d
}

// datagram delivers do at the other machine, if its address is known, the
// network lets it through, and the machine's agent is there; nil: it would change
// nothing there.
func (w *World) datagram(from *machine, to member.ID, bytes int, do func(*machine)) {
	i, ok := w.index[to]
	if !ok || !from.knows(w.machines[i]) {
		return
	}
	m := w.machines[i]
	from.count(bytes)
	if d, ok := w.way(from.i, i); ok && do != nil {
		w.after(d, func() { m.deliver(do) })
		if w.twice(from.i, i) {
			w.after(d+w.delay(from.i, i), func() { m.deliver(do) })
		}
	}
}

// stream delivers do over a connection: loss costs time and nothing else, a
// severed link loses it. What is sent twice or out of order on the way comes
// once and in order out of a connection: what was lost holds up what was sent after it.
func (w *World) stream(from *machine, to member.ID, bytes int, do func(*machine)) {
	i, ok := w.index[to]
	if !ok || !from.knows(w.machines[i]) {
		return
	}
	from.count(bytes)
	if w.severed(from.i, i) {
		return
	}
	m := w.machines[i]
	d := w.delay(from.i, i)
	for range 8 {
		if _, ok := w.way(from.i, i); ok {
			c := connection{from.i, i}
			at := max(w.now+d, w.streamed[c])
			w.streamed[c] = at
			w.after(at-w.now, func() { m.deliver(do) })
			return
		}
		d += 200 * time.Millisecond // a retransmission
	}
}

// connection is one direction of one between two machines.
type connection struct{ from, to int }

// connect is the fate of one half of a connection's handshake: a lost packet
// is repeated after a second, which is longer than any check waits.
func (w *World) connect(a, b int) (time.Duration, bool) { return w.way(a, b) }
