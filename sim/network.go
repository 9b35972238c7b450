package sim

import (
	"time"

	"moonwatch/member"
)

// links holds which links are severed, and how lossy single ones are.
type links struct {
	n    int
	cut  []bool
	loss []float64 // added to the weather's
	any  bool
}

func newLinks(n int) links { return links{n: n, cut: make([]bool, n*n), loss: make([]float64, n*n)} }

// Sever cuts or heals the way from a to b; the way back is another link.
func (w *World) Sever(a, b member.ID, cut bool) {
	w.links.cut[w.index[a]*w.links.n+w.index[b]] = cut
	w.links.any = true
}

// Isolate cuts a member off from all others, both ways, or heals it.
func (w *World) Isolate(id member.ID, cut bool) {
	for _, m := range w.machines {
		if m.id != id {
			w.Sever(id, m.id, cut)
			w.Sever(m.id, id, cut)
		}
	}
}

// Partition cuts all links between two groups, or heals them.
func (w *World) Partition(a, b []member.ID, cut bool) {
	for _, x := range a {
		for _, y := range b {
			w.Sever(x, y, cut)
			w.Sever(y, x, cut)
		}
	}
}

// Lose makes all links of a member lossy, in both directions.
func (w *World) Lose(id member.ID, share float64) {
	i := w.index[id]
	for j := range w.machines {
		if j != i {
			w.links.loss[i*w.links.n+j] = share
			w.links.loss[j*w.links.n+i] = share
		}
	}
	w.links.any = true
}

// way is one datagram's fate between two machines: its delay, or lost.
func (w *World) way(a, b int) (time.Duration, bool) {
	loss := w.cfg.Net.Loss
	if w.links.any {
		k := a*w.links.n + b
		if w.links.cut[k] {
			return 0, false
		}
		loss = loss + w.links.loss[k] - loss*w.links.loss[k]
	}
	if loss > 0 && w.chance.unit(streamLoss, a, b) < loss {
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
	if !ok {
		return
	}
	if w.links.any && w.links.cut[from.i*w.links.n+i] {
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
