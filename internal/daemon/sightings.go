package daemon

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"moonwatch/member"
	"moonwatch/status"
)

// What observers see is asked for while somebody looks, and costs nothing else. An answer
// is some 500 bytes, and a connection that is kept open for the next one is asked every two
// seconds whether it lives: some 150 bytes a second and member, each way.
const (
	sightingsFor    = 10 * time.Second // after the last look
	sightingsEvery  = 5 * time.Second  // each observer is asked
	sightingsAtOnce = 8                // are asked beside each other
	sightingsWait   = 2 * time.Second  // for one of them
	// sightingsKept is how long an answer is shown: two more attempts.
	sightingsKept = 15 * time.Second
	// sightingsFresh is how often what is shown is put together anew, however many look.
	sightingsFresh = time.Second
	// sightingsPatience is how long the first look waits for the others' answers.
	sightingsPatience = 300 * time.Millisecond
)

// sightings collects what observers see, for who looks at their matrix.
type sightings struct {
	d    *Daemon
	own  atomic.Pointer[status.LiveFrom] // the loop's
	look chan struct{}                   // somebody does, for the first time in a while

	trailing sync.Mutex // held for microseconds: the loop waits for it
	trail    status.Trail

	mu     sync.Mutex
	looked time.Time
	heard  map[member.ID]status.LiveFrom
	asked  map[member.ID]time.Time
	shown  *status.Live
	round  chan struct{} // ends when all that were asked at the first look have answered
	over   func()        // ends it
}

func (s *sightings) open(d *Daemon) {
	s.d, s.look = d, make(chan struct{}, 1)
	s.heard, s.asked = map[member.ID]status.LiveFrom{}, map[member.ID]time.Time{}
}

// note takes what this agent's own observer sees. The loop calls it.
func (s *sightings) note(now time.Time) {
	x := status.LiveOf(s.d.self, now, s.d.mind.Sightings(now))
	s.own.Store(&x)
	s.trailing.Lock()
	defer s.trailing.Unlock()
	s.trail.Note(x)
}

// recall takes what this agent's observer saw in its lives before.
func (s *sightings) recall(trail *status.Trail) {
	s.trailing.Lock()
	defer s.trailing.Unlock()
	s.trail = *trail
}

// take is what has changed of the trail since it was kept last, see status.Trail.Take.
func (s *sightings) take(rest time.Duration) *status.TrailNews {
	s.trailing.Lock()
	defer s.trailing.Unlock()
	return s.trail.Take(rest)
}

// kept tells the trail how that ended.
func (s *sightings) kept(ok bool) {
	s.trailing.Lock()
	defer s.trailing.Unlock()
	s.trail.Kept(ok)
}

// then is what this agent's own observer saw at a moment that has passed, by its trail; with
// no time at which it was heard: it does not know.
func (s *sightings) then(moment time.Time) status.LiveFrom {
	s.trailing.Lock()
	defer s.trailing.Unlock()
	x, ok := s.trail.At(moment)
	x.Observer, x.Moment, x.Since = s.d.self, moment, s.trail.Since()
	if ok {
		x.At = time.Now().UTC()
	}
	return x
}

// Live is what observers see now. Who looks has the others asked for a while; the first
// ones wait a moment for them.
func (s *sightings) Live() status.Live { return s.within(sightingsPatience) }

// within is Live for who waits so long at most.
func (s *sightings) within(patience time.Duration) status.Live {
	now := time.Now()
	s.mu.Lock()
	first := now.Sub(s.looked) > sightingsFor
	s.looked = now
	if first {
		s.shown, s.round = nil, make(chan struct{})
		round := s.round
		s.over = sync.OnceFunc(func() { close(round) })
		select {
		case s.look <- struct{}{}:
		default:
		}
	}
	round := s.round
	s.mu.Unlock()
	wait := time.NewTimer(patience)
	defer wait.Stop()
	waited := false
	select {
	case <-round: // as a rule: only at the first look somebody has to be waited for
	default:
		waited = true
		select {
		case <-round:
		case <-wait.C:
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if waited { // what was put together meanwhile is without those that have answered
		s.shown = nil
	}
	if now = time.Now(); s.shown == nil || now.Sub(s.shown.AsOf) >= sightingsFresh {
		s.shown = s.compose(now)
	}
	return *s.shown
}

// compose lists the observers by name. Called with mu held.
func (s *sightings) compose(now time.Time) *status.Live {
	out := &status.Live{AsOf: now.UTC(), Self: s.d.self, By: []status.LiveFrom{}}
	p := s.d.page.Load()
	if p == nil {
		return out
	}
	for _, m := range p.Members {
		x, heard := s.heard[m.ID]
		switch {
		case m.ID == s.d.self:
			x, heard = s.mine(now)
		case heard && now.Sub(x.At) > sightingsKept:
			x = status.LiveFrom{Observer: m.ID, Trouble: x.Trouble}
		}
		if !heard {
			x = status.LiveFrom{Observer: m.ID}
		}
		out.By = append(out.By, x)
	}
	slices.SortFunc(out.By, func(a, b status.LiveFrom) int { return cmp.Compare(a.Observer, b.Observer) })
	return out
}

// mine is what this agent's own observer sees; none: its loop has told nothing lately, and
// what it saw before is nothing that it sees.
func (s *sightings) mine(now time.Time) (x status.LiveFrom, ok bool) {
	own := s.own.Load()
	if own == nil || now.Sub(own.At) > sightingsKept {
		return status.LiveFrom{Observer: s.d.self}, false
	}
	return *own, true
}

// askAll asks the observers while somebody looks, until ctx ends.
func (s *sightings) askAll(ctx context.Context) error {
	var asking sync.WaitGroup
	defer asking.Wait()
	free := make(chan struct{}, sightingsAtOnce)
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-s.look:
		}
		tick := time.NewTicker(sightingsFresh)
		for first := true; s.wanted(); {
			var round sync.WaitGroup
			for _, id := range s.due() {
				select {
				case <-ctx.Done():
				case free <- struct{}{}:
					round.Add(1)
					asking.Go(func() {
						defer func() { <-free; round.Done() }()
						s.ask(ctx, id)
					})
				}
			}
			if first {
				s.mu.Lock()
				over := s.over
				s.mu.Unlock()
				asking.Go(func() { round.Wait(); over() })
			}
			first = false
			select {
			case <-ctx.Done():
				tick.Stop()
				return nil
			case <-s.look: // after a while in which nobody did, of which nothing was noticed here
				first = true
			case <-tick.C:
			}
		}
		tick.Stop()
	}
}

// wanted reports that somebody looks, and forgets what was heard when nobody does.
func (s *sightings) wanted() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if time.Since(s.looked) <= sightingsFor {
		return true
	}
	clear(s.heard)
	clear(s.asked)
	s.shown = nil
	return false
}

// due lists who is to be asked now: members in view, in the order of the page.
func (s *sightings) due() []member.ID {
	p := s.d.page.Load()
	if p == nil {
		return nil
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	listed := map[member.ID]bool{}
	var out []member.ID
	for _, m := range p.Members {
		listed[m.ID] = true
		switch {
		case m.ID == s.d.self:
		case !m.InView:
			x := s.heard[m.ID]
			x.Observer, x.Trouble = m.ID, "not in view"
			s.heard[m.ID] = x
		case now.Sub(s.asked[m.ID]) >= sightingsEvery:
			s.asked[m.ID] = now
			out = append(out, m.ID)
		}
	}
	maps.DeleteFunc(s.heard, func(id member.ID, _ status.LiveFrom) bool { return !listed[id] })
	return out
}

// ask asks one observer.
func (s *sightings) ask(ctx context.Context, id member.ID) {
	ctx, cancel := context.WithTimeout(ctx, sightingsWait)
	defer cancel()
	var x status.LiveFrom
	b, err := s.d.link.Sightings(ctx, id, time.Time{})
	if err == nil {
		if err = json.Unmarshal(b, &x); err != nil {
			err = fmt.Errorf("what %s sees is garbled: %w", id, err)
		} else if x.At.IsZero() {
			err = fmt.Errorf("%s sees nothing: its loop has told nothing lately", id)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil {
		x = s.heard[id]
		x.Observer, x.Trouble = id, err.Error()
	} else {
		x.Observer, x.At, x.Trouble = id, time.Now().UTC(), ""
	}
	s.heard[id] = x
}

// Sightings is what this agent's observer sees, or saw at a moment, for another agent that
// somebody looks at.
func (h handler) Sightings(moment time.Time) []byte {
	own, _ := h.d.sightings.mine(time.Now())
	if !moment.IsZero() {
		own = h.d.sightings.then(moment)
	}
	b, err := json.Marshal(own)
	if err != nil {
		panic(fmt.Sprintf("daemon: encode sightings: %v", err)) // plain values of ours
	}
	return b
}
