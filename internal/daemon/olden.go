package daemon

import (
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"moonwatch/status"
	"moonwatch/status/web"
)

// olden answers what has to be read from the disk, for as many as ask, with a bounded share
// of one processor: the agent's decisions need the others. One answer is made at a time.
// A person asks a few times in a row and waits for nothing; where more is read than that,
// nobody reads for some time after each answer. Who waits too long is told to come back.
// Answers are kept while the ledger stands still: in an incident many people ask for the same.
type olden struct {
	turn    chan struct{} // held by who reads, and in the rest after it
	owed    time.Duration // how much more was read than oldShare of the time until then; of who has the turn
	then    time.Time
	waiting atomic.Int32

	mu   sync.Mutex
	head uint64 // of the ledger that kept is of
	kept map[string]oldAnswer
}

type oldAnswer struct {
	e   status.Explanation
	err error
}

const (
	// oldShare of the time may be spent reading, one part in four, and oldBurst may be
	// owed: half a dozen answers of the longest kind.
	oldShare = 4
	oldBurst = 500 * time.Millisecond
	// oldPatience is how long one waits for its turn: four answers of the longest kind.
	oldPatience = 2 * time.Second
	// oldWaiting is how many may wait: more would come to nothing.
	oldWaiting = 32
	// oldKept is how many answers are kept, of at most a verdict about 200 members each.
	oldKept = 16
)

func newOlden() *olden {
	return &olden{turn: make(chan struct{}, 1), kept: map[string]oldAnswer{}}
}

// answer is what read says of id at this head of the ledger. It fails with web.ErrBusy when
// too many ask.
func (o *olden) answer(head uint64, id string, read func() (status.Explanation, error)) (status.Explanation, error) {
	if a, ok := o.made(head, id); ok {
		return a.e, a.err
	}
	defer o.waiting.Add(-1)
	late := time.NewTimer(oldPatience)
	defer late.Stop()
	if o.waiting.Add(1) > oldWaiting {
		return status.Explanation{}, fmt.Errorf("explain %q: %w", id, web.ErrBusy)
	}
	select {
	case o.turn <- struct{}{}:
	case <-late.C:
		return status.Explanation{}, fmt.Errorf("explain %q: %w", id, web.ErrBusy)
	}
	if a, ok := o.made(head, id); ok { // by who had the turn before
		<-o.turn
		return a.e, a.err
	}
	began := time.Now()
	defer func() { o.rest(began) }()
	e, err := read()
	o.keep(head, id, oldAnswer{e, err})
	return e, err
}

// rest ends the turn of who began to read then, at once or when enough of what is owed has
// been made up for.
func (o *olden) rest(began time.Time) {
	now := time.Now()
	o.owed = max(0, o.owed-now.Sub(o.then)/oldShare) + now.Sub(began)
	o.then = now
	if much := o.owed - oldBurst; much > 0 {
		time.AfterFunc(oldShare*much, func() { <-o.turn })
		return
	}
	<-o.turn
}

func (o *olden) made(head uint64, id string) (oldAnswer, bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	a, ok := o.kept[id]
	return a, ok && o.head == head
}

func (o *olden) keep(head uint64, id string, a oldAnswer) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.head != head || len(o.kept) >= oldKept {
		o.head = head
		clear(o.kept)
	}
	o.kept[id] = a
}
