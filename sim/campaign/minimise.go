package campaign

import (
	"context"
	"errors"
	"iter"
)

// search looks for a smaller case of the same failure.
type search[P any] struct {
	smaller func(P) iter.Seq[P] // what is simpler than P, the boldest first; must come to an end when repeated
	key     func(P) string      // equal for equal cases
	width   int                 // how many are tried at once

	// try tries candidates and gives the first of them that still breaks, -1 if
	// none does.
	try func(context.Context, []P) (int, error)
}

// minimise takes the first simpler case that still breaks, and again from
// there, until nothing simpler breaks or ctx ends. It gives the simplest that
// was found, with ctx's error if there may be a simpler one.
//
// Cases are tried in their order whatever the width: more at once only try more
// than was needed.
func (s search[P]) minimise(ctx context.Context, start P) (P, error) {
	tried := map[string]bool{s.key(start): true}
	for best := start; ; {
		next, found, err := s.round(ctx, best, tried)
		switch {
		case err != nil:
			return best, err
		case !found:
			return best, nil
		}
		best = next
	}
}

// round finds the first simpler case that breaks.
func (s search[P]) round(ctx context.Context, best P, tried map[string]bool) (next P, found bool, err error) {
	pull, stop := iter.Pull(s.smaller(best))
	defer stop()
	for more := true; more; {
		var batch []P
		for len(batch) < max(1, s.width) {
			var p P
			if p, more = pull(); !more {
				break
			}
			if k := s.key(p); !tried[k] {
				tried[k] = true
				batch = append(batch, p)
			}
		}
		if len(batch) == 0 {
			break
		}
		i, err := s.try(ctx, batch)
		if err := errors.Join(err, ctx.Err()); err != nil {
			return best, false, err
		}
		if i >= 0 {
			for _, p := range batch[i+1:] {
				delete(tried, s.key(p)) // whether it breaks is not known
			}
			return batch[i], true, nil
		}
	}
	return best, false, nil
}

// chunk is a run of a list.
type chunk struct{ from, to int }

// chunks are the runs of a list of n to leave out: all of it, each half, each
// quarter and so on, down to single items.
func chunks(n int) []chunk {
	var all []chunk
	for parts := 1; n > 0; parts *= 2 {
		parts = min(parts, n)
		for i := range parts {
			all = append(all, chunk{i * n / parts, (i + 1) * n / parts})
		}
		if parts == n {
			break
		}
	}
	return all
}
