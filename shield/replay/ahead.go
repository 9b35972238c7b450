package replay

import (
	"slices"
	"time"
)

// believed is how many requests in a row have to be far ahead of all before them until
// the log is believed to go on there. A line with a wrong date has fewer beside it; were
// it believed, all after it would come at once.
const believed = 32

// hold keeps a request that is far ahead of all before it, or is among the first, until
// those after it show whether the log goes on from there.
func (r *Replay) hold(q Request) {
	r.ahead = append(r.ahead, q)
	if len(r.ahead) >= believed {
		r.goOn()
	}
}

// strayed drops those that are held back: the log goes on without them.
func (r *Replay) strayed() {
	r.result.Ahead += len(r.ahead)
	r.ahead = r.ahead[:0]
}

// goOn goes on from the earliest of those that are held back. Who is far ahead of that
// one, too, is held back again.
func (r *Replay) goOn() {
	held := r.ahead
	r.ahead = nil
	r.reach(slices.MinFunc(held, func(a, b Request) int { return a.At.Compare(b.At) }).At)
	for _, q := range held {
		r.Add(q)
	}
}

// reach comes to a moment, which is the first one if there was none.
func (r *Replay) reach(at time.Time) {
	if r.now.IsZero() {
		r.begin(at)
	}
	r.until(at)
}
