package sim

import "time"

// kernel is the discrete-event loop: events in order of time, and of arrival
// where the time is equal. Nothing here depends on the machine that runs it.
type kernel struct {
	now    time.Duration // since the beginning of the world
	seq    uint64
	heap   []event
	events uint64 // that were carried out
}

type event struct {
	at  time.Duration
	seq uint64
	do  func()
}

func (a event) before(b event) bool { return a.at < b.at || a.at == b.at && a.seq < b.seq }

// at arranges for do to be carried out then, at the earliest now.
func (k *kernel) at(t time.Duration, do func()) {
	k.seq++
	k.heap = append(k.heap, event{at: max(t, k.now), seq: k.seq, do: do})
	k.up(len(k.heap) - 1)
}

func (k *kernel) after(d time.Duration, do func()) { k.at(k.now+d, do) }

// next carries out the next event up to limit; false if there is none.
func (k *kernel) next(limit time.Duration) bool {
	if len(k.heap) == 0 || k.heap[0].at > limit {
		k.now = limit
		return false
	}
	e := k.heap[0]
	last := len(k.heap) - 1
	k.heap[0] = k.heap[last]
	k.heap[last] = event{}
	k.heap = k.heap[:last]
	k.down(0)
	k.now = e.at
	k.events++
	e.do()
	return true
}

// A heap of four children is flatter and kinder to the cache than one of two.
const fanout = 4

func (k *kernel) up(i int) {
	for i > 0 {
		p := (i - 1) / fanout
		if !k.heap[i].before(k.heap[p]) {
			return
		}
		k.heap[i], k.heap[p] = k.heap[p], k.heap[i]
		i = p
	}
}

func (k *kernel) down(i int) {
	for {
		best := i
		for c := i*fanout + 1; c <= i*fanout+fanout && c < len(k.heap); c++ {
			if k.heap[c].before(k.heap[best]) {
				best = c
			}
		}
		if best == i {
			return
		}
		k.heap[i], k.heap[best] = k.heap[best], k.heap[i]
		i = best
	}
}
