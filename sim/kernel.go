package sim

import "time"

// kernel is the discrete-event loop: events in order of time, and of arrival
// where the time is equal. Nothing here depends on the machine that runs it.
type kernel struct {
	now    time.Duration // since the beginning of the world
	seq    uint64
	heap   []event
	events uint64 // that were carried out
	digest uint64 // of the order in which they were
}

// event is a deed at a time, or the wake of a machine: wakes are so many that
// a closure for each would be felt.
type event struct {
	at   time.Duration
	seq  uint64
	do   func()
	wake *machine
}

func (a event) before(b event) bool { return a.at < b.at || a.at == b.at && a.seq < b.seq }

// at arranges for do to be carried out then, at the earliest now.
func (k *kernel) at(t time.Duration, do func()) { k.push(event{at: t, do: do}) }

func (k *kernel) after(d time.Duration, do func()) { k.at(k.now+d, do) }

// wakeAt arranges for a machine to be woken then.
func (k *kernel) wakeAt(t time.Duration, m *machine) { k.push(event{at: t, wake: m}) }

func (k *kernel) push(e event) {
	k.seq++
	e.seq, e.at = k.seq, max(e.at, k.now)
	k.heap = append(k.heap, e)
	k.up(len(k.heap) - 1)
}

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
	k.digest = mix(k.digest^uint64(e.at)) + e.seq
	if e.wake != nil {
		e.wake.woken()
		return true
	}
	e.do()
	return true
}

// A heap of four children is flatter and kinder to the cache than one of two.
const fanout = 4

func (k *kernel) up(i int) {
	e := k.heap[i]
	for i > 0 {
		p := (i - 1) / fanout
		if !e.before(k.heap[p]) {
			break
		}
		k.heap[i] = k.heap[p]
		i = p
	}
	k.heap[i] = e
}

func (k *kernel) down(i int) {
	n := len(k.heap)
	if n == 0 {
		return
	}
	e := k.heap[i]
	for {
		first := i*fanout + 1
		if first >= n {
			break
		}
		best := first
		for c := first + 1; c < min(first+fanout, n); c++ {
			if k.heap[c].before(k.heap[best]) {
				best = c
			}
		}
		if !k.heap[best].before(e) {
			break
		}
		k.heap[i] = k.heap[best]
		i = best
	}
	k.heap[i] = e
}
