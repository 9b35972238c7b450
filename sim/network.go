package sim

import (
	"time"

	"moonwatch/member"
)

// links holds how many faults sever each link, and how lossy single ones are.
type links struct {
	n    int
	cut  []int8
	loss []float64 // added to the weather's
	any  bool      // else no link differs from the weather
}

func newLinks(n int) links { return links{n: n, cut: make([]int8, n*n), loss: make([]float64, n*n)} }

// cut counts one fault more or less that severs the way from a to b; the way
// back is another link.
func (w *World) cut(a, b *machine, by int8) {
	k := a.i*w.links.n + b.i
	w.links.cut[k] = max(0, w.links.cut[k]+by)
	w.links.any = true
}

// severed reports whether nothing gets from a to b.
func (w *World) severed(a, b int) bool { return w.links.any && w.links.cut[a*w.links.n+b] > 0 }

// lose makes all links of a member lossy, each way.
func (w *World) lose(m *machine, share float64) {
	for j := range w.machines {
		if j != m.i {
			w.links.loss[m.i*w.links.n+j] = share
			w.links.loss[j*w.links.n+m.i] = share
		}
	}
	w.links.any = true
	m.lossyAt = w.now
}

// lossOf is the share of datagrams that the way from a to b loses.
func (w *World) lossOf(a, b int) float64 {
	loss := w.cfg.Net.Loss + w.squall
	if w.links.any {
		own := w.links.loss[a*w.links.n+b]
		loss += own - loss*own
	}
	return loss
}

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
	return d
}

// datagram delivers do at the other machine, if the network lets it through
// and the machine's agent is there.
func (w *World) datagram(from *machine, to member.ID, do func(*machine)) {
	i, ok := w.index[to]
	if !ok {
		return
	}
	m := w.machines[i]
	if d, ok := w.way(from.i, i); ok {
		w.after(d, func() { m.deliver(do) })
	}
}

// stream delivers do over a connection: loss costs time and nothing else, a
// severed link loses it.
func (w *World) stream(from *machine, to member.ID, do func(*machine)) {
	i, ok := w.index[to]
	if !ok || w.severed(from.i, i) {
		return
	}
	m := w.machines[i]
	d := w.delay(from.i, i)
	for range 8 {
		if _, ok := w.way(from.i, i); ok {
			w.after(d, func() { m.deliver(do) })
			return
		}
		d += 200 * time.Millisecond // a retransmission
	}
}

// connect is the fate of one half of a connection's handshake: a lost packet
// is repeated after a second, which is longer than any check waits.
func (w *World) connect(a, b int) (time.Duration, bool) { return w.way(a, b) }
