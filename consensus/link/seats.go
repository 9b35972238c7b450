package link

import (
	"context"
	"maps"
	"slices"
	"sync"

	"moonwatch/member"
)

// seats are the places at which members may have one stream each. A member
// that comes again takes its own place over: its older stream is dead, it only
// has not been noticed yet.
type seats struct {
	mu    sync.Mutex
	limit int
	taken map[member.ID]*seat
}

type seat struct{ leave context.CancelCauseFunc }

func newSeats(limit int) *seats {
	return &seats{limit: limit, taken: map[member.ID]*seat{}}
}

// list is who has a place.
func (s *seats) list() []member.ID {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Sorted(maps.Keys(s.taken))
}

// take gives a place to a member, or reports false when others have them all.
// The context ends when the member comes again; the caller has to call rise.
func (s *seats) take(ctx context.Context, id member.ID) (_ context.Context, rise func(), ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	before, again := s.taken[id]
	if !again && len(s.taken) >= s.limit {
		return nil, nil, false
	}
	if again {
		before.leave(ErrDisplaced)
	}
	ctx, cancel := context.WithCancelCause(ctx)
	mine := &seat{leave: cancel}
	s.taken[id] = mine
	return ctx, func() {
		cancel(nil)
		s.mu.Lock()
		defer s.mu.Unlock()
		if s.taken[id] == mine {
			delete(s.taken, id)
		}
	}, true
}
