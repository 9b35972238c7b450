package daemon

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"moonwatch/member"
	"moonwatch/status"
)

// What observers saw is asked for a moment at a time, for whoever looks back: visitors who
// try moment after moment make the fleet work no more than one round of requests does.
const (
	hindsightGrid  = 5 * time.Second  // moments between are one
	hindsightPause = time.Second      // between two rounds
	hindsightRound = 10 * time.Second // for all of one
	hindsightKept  = 8                // moments
	// hindsightFor is how long an answer is shown. The past does not change, but whom it
	// is told of does: members come.
	hindsightFor = 3 * time.Minute
	// hindsightAgain is how long one is shown in which somebody did not answer.
	hindsightAgain = 15 * time.Second
)

// hindsight collects what observers saw at moments that have passed, each by its own trail.
type hindsight struct {
	d    *Daemon
	want chan *lookBack // taken when no round is under way

	mu   sync.Mutex
	kept map[time.Time]*lookBack // by moment
}

// lookBack is one moment that was asked for.
type lookBack struct {
	moment time.Time
	begun  time.Time
	ask    []member.ID
	done   chan struct{} // ends when all that were asked have answered, or will not

	// Of hindsight, under its mu.
	heard  map[member.ID]status.LiveFrom
	failed bool // somebody that was asked did not answer
	shown  *status.Live
}

func (h *hindsight) open(d *Daemon) {
	h.d, h.want, h.kept = d, make(chan *lookBack), map[time.Time]*lookBack{}
}

// Then is what observers saw at a moment that has passed. It is not ok while others are asked
// of another moment, and a second after that: come again.
func (h *hindsight) Then(at time.Time) (status.Live, bool) {
	now := time.Now()
	l := h.find(now, gridOf(at, now))
	if l == nil {
		return status.Live{}, false
	}
	patience := time.NewTimer(sightingsPatience)
	defer patience.Stop()
	select {
	case <-l.done:
	case <-patience.C:
	}
	return h.show(l, time.Now()), true
}

// gridOf is the moment that is asked for instead of at: the next one of the grid, for those
// who were counted for a verdict accused before it and went on; or the one before, if the
// next has not come.
func gridOf(at, now time.Time) time.Time {
	m := at.UTC().Truncate(hindsightGrid)
	if next := m.Add(hindsightGrid); m.Before(at) && !next.After(now) {
		return next
	}
	return m
}

// find has a moment asked for, unless it was lately; nil: not now.
func (h *hindsight) find(now, moment time.Time) *lookBack {
	h.mu.Lock()
	defer h.mu.Unlock()
	l := h.kept[moment]
	if l != nil && !l.over(now) {
		return l
	}
	page := h.d.page.Load()
	if page == nil {
		return l
	}
	fresh := &lookBack{moment: moment, begun: now, done: make(chan struct{}), heard: map[member.ID]status.LiveFrom{}}
	for _, m := range page.Members {
		switch {
		case m.ID == h.d.self:
			fresh.heard[m.ID] = judged(h.d.sightings.then(moment))
		case !m.InView:
			fresh.heard[m.ID] = status.LiveFrom{Observer: m.ID, Trouble: "not in view"}
		default:
			fresh.heard[m.ID] = status.LiveFrom{Observer: m.ID}
			fresh.ask = append(fresh.ask, m.ID)
		}
	}
	select {
	case h.want <- fresh:
	default:
		return l // somebody did not answer then: better than nothing
	}
	h.kept[moment] = fresh
	if len(h.kept) > hindsightKept {
		delete(h.kept, slices.MinFunc(slices.Collect(maps.Keys(h.kept)), func(a, b time.Time) int {
			return h.kept[a].begun.Compare(h.kept[b].begun)
		}))
	}
	return fresh
}

// answered reports that nobody is asked any more.
func (l *lookBack) answered() bool {
	select {
	case <-l.done:
		return true
	default:
		return false
	}
}

// over reports that the moment is to be asked for anew.
func (l *lookBack) over(now time.Time) bool {
	if !l.answered() {
		return false
	}
	if l.failed {
		return now.Sub(l.begun) > hindsightAgain
	}
	return now.Sub(l.begun) > hindsightFor
}

// show is what was heard of a moment: as long as some are asked, put together once a second.
func (h *hindsight) show(l *lookBack, now time.Time) status.Live {
	h.mu.Lock()
	defer h.mu.Unlock()
	partial := !l.answered()
	if l.shown != nil && l.shown.Partial == partial && (!partial || now.Sub(l.shown.AsOf) < sightingsFresh) {
		return *l.shown
	}
	l.shown = &status.Live{AsOf: now.UTC(), Moment: l.moment, Partial: partial, Self: h.d.self, By: slices.SortedFunc(maps.Values(l.heard),
		func(a, b status.LiveFrom) int { return cmp.Compare(a.Observer, b.Observer) })}
	return *l.shown
}

// askAll asks for one moment after the other, until ctx ends.
func (h *hindsight) askAll(ctx context.Context) error {
	sweep := time.NewTicker(hindsightFor)
	defer sweep.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-sweep.C:
			h.forget(time.Now())
			continue
		case l := <-h.want:
			h.round(ctx, l)
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(hindsightPause):
		}
	}
}

// forget drops what is not shown any more.
func (h *hindsight) forget(now time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	maps.DeleteFunc(h.kept, func(_ time.Time, l *lookBack) bool { return l.over(now) })
}

// round asks all of one moment.
func (h *hindsight) round(ctx context.Context, l *lookBack) {
	defer close(l.done)
	ctx, cancel := context.WithTimeout(ctx, hindsightRound)
	defer cancel()
	var asking sync.WaitGroup
	defer asking.Wait()
	free := make(chan struct{}, sightingsAtOnce)
	for _, id := range l.ask {
		select {
		case <-ctx.Done():
			h.hear(l, id, nil, errors.New("it was not asked in time"))
		case free <- struct{}{}:
			asking.Go(func() {
				defer func() { <-free }()
				ctx, cancel := context.WithTimeout(ctx, sightingsWait)
				defer cancel()
				b, err := h.d.link.Sightings(ctx, id, l.moment)
				h.hear(l, id, b, err)
			})
		}
	}
}

// hear takes what one observer answered.
func (h *hindsight) hear(l *lookBack, id member.ID, b []byte, err error) {
	var x status.LiveFrom
	if err == nil {
		if err = json.Unmarshal(b, &x); err != nil {
			err = fmt.Errorf("what %s saw is garbled: %w", id, err)
		} else if !x.Moment.IsZero() && !x.Moment.Equal(l.moment) {
			err = fmt.Errorf("%s was asked for %v and answered of %v", id, l.moment, x.Moment)
		}
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	if err != nil {
		l.failed = true
		l.heard[id] = status.LiveFrom{Observer: id, Trouble: err.Error()}
		return
	}
	x.Observer = id
	l.heard[id] = judged(x)
}

// judged is an answer with what is wrong with it: a build of before answers of now, and a
// trail does not reach back to each moment.
func judged(x status.LiveFrom) status.LiveFrom {
	switch {
	case x.Moment.IsZero():
		return status.LiveFrom{Observer: x.Observer, Trouble: "its build tells of now alone"}
	case !x.At.IsZero():
		x.At = time.Now().UTC()
		return x
	case x.Since.IsZero():
		x.Trouble = "it has seen nothing yet"
	case x.Since.After(x.Moment):
		x.Trouble = "it knows nothing of before " + x.Since.UTC().Format("2006-01-02 15:04:05 UTC")
	default:
		x.Trouble = "its agent stood still, or was not running, then"
	}
	x.Sees, x.Abstains = nil, ""
	return x
}
