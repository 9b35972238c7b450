package campaign

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"sync"

	"moonwatch/sim/scenario"
)

// ErrWhole is the error of Shrink for a plan that breaks nothing.
var ErrWhole = errors.New("the plan breaks nothing")

// Shrunk is what a failing plan was shrunk to.
type Shrunk struct {
	Plan     *scenario.Plan
	Failure  Failure // of Plan
	From, To int     // faults of the plan before and after
	Runs     int     // that it took
	Least    bool    // nothing simpler that was thought of breaks; false: the time was up
}

// longest is how much longer than the failing run a simpler one may take,
// counted in events: one that goes on for so long has not broken, and would never
// end if it hangs.
const longest = 4

// Shrink looks for the simplest plan that breaks the same promise, until ctx
// ends. It then gives the simplest one that was found, and no error. The plan
// that is given breaks: it was played.
func Shrink(ctx context.Context, crew Crew, p *scenario.Plan, tell func(Shrunk)) (*Shrunk, error) {
	s := &shrinker{tell: tell}
	for range max(1, crew.Workers) {
		s.workers = append(s.workers, &worker{crew: crew})
	}
	defer func() {
		for _, w := range s.workers {
			_ = w.end("")
		}
	}()
	first, err := s.play(ctx, s.workers[0], p, Task{Realise: true})
	if err == nil && !first.Broken() { // unless it is not deterministic
		first, err = s.play(ctx, s.workers[0], p, Task{Twice: true})
	}
	if err != nil {
		return nil, err
	}
	if !first.Broken() {
		return nil, fmt.Errorf("%w: played, it ends %s", ErrWhole, first.Outcome())
	}
	s.want = first
	s.found = Shrunk{Plan: p, Failure: first.Failure(), From: faults(p), To: faults(p), Runs: 1}
	if r := first.Result; r != nil && r.Realised != nil {
		// Concrete members and times can be left out and rounded one by one; a
		// step that waits for something depends on others.
		if _, err := s.try(ctx, []*scenario.Plan{r.Realised}); err != nil {
			return s.end(ctx, err)
		}
	}
	look := search[*scenario.Plan]{smaller: s.simpler, key: key, width: len(s.workers), try: s.try}
	_, err = look.minimise(ctx, s.found.Plan)
	return s.end(ctx, err)
}

// end tells an end of the time from an error.
func (s *shrinker) end(ctx context.Context, err error) (*Shrunk, error) {
	if err != nil && ctx.Err() == nil {
		return nil, err
	}
	s.found.Least = err == nil
	return &s.found, nil
}

// faults is how many faults a plan has.
func faults(p *scenario.Plan) int {
	n := 0
	for _, s := range p.Steps {
		if s.Do != scenario.Mend {
			n++
		}
	}
	return n
}

func key(p *scenario.Plan) string {
	b, err := p.Encode()
	if err != nil {
		return err.Error() // and it will not be played
	}
	return string(b)
}

// simpler proposes what is simpler than the simplest plan that was found. What
// happens after a promise is broken for good need not be played, and neither
// should a proposal be that goes on for long without breaking it.
func (s *shrinker) simpler(p *scenario.Plan) proposals {
	cut := []change{}
	end := (scenario.Duration(s.found.Failure.At)/tenSeconds + 2) * tenSeconds
	if s.want.Outcome() == scenario.SafetyBroken && (p.Settle > 0 || p.Storm > end) {
		cut = append(cut, func(c *scenario.Plan) { c.Storm, c.Settle = min(c.Storm, end), 0 })
	}
	return func(yield func(*scenario.Plan) bool) {
		for _, all := range []proposals{of(p, cut), simpler(p)} {
			for c := range all {
				if !yield(c) {
					return
				}
			}
		}
	}
}

// shrinker plays proposals and compares how they fail.
type shrinker struct {
	workers []*worker
	want    Record // how the plan failed at first
	found   Shrunk
	tell    func(Shrunk)
}

// try plays proposals at once and gives the first that fails as the plan did.
func (s *shrinker) try(ctx context.Context, batch []*scenario.Plan) (int, error) {
	type answer struct {
		i      int
		record Record
		err    error
	}
	stops := make([]context.CancelFunc, len(batch))
	answers := make(chan answer)
	var playing sync.WaitGroup
	defer playing.Wait()
	for i, p := range batch {
		own, stop := context.WithCancel(ctx)
		defer stop()
		stops[i] = stop
		playing.Go(func() {
			r, err := s.play(own, s.workers[i], p, Task{})
			answers <- answer{i, r, err}
		})
	}
	best := len(batch)
	var failed error
	for range batch {
		a := <-answers
		switch {
		case a.i > best: // it was stopped, or came too late
		case a.err != nil:
			failed = errors.Join(failed, a.err)
		case s.same(a.record):
			best = a.i
			s.found.Plan, s.found.Failure, s.found.To = batch[a.i], a.record.Failure(), faults(batch[a.i])
			for _, stop := range stops[a.i+1:] {
				stop()
			}
		}
	}
	s.found.Runs += len(batch)
	if s.tell != nil {
		s.tell(s.found)
	}
	if best < len(batch) {
		return best, nil
	}
	return -1, failed
}

// play has a plan played to a record. What cannot be a plan breaks nothing.
func (s *shrinker) play(ctx context.Context, w *worker, p *scenario.Plan, t Task) (Record, error) {
	text, err := p.Encode()
	if err == nil {
		_, err = scenario.DecodePlan("proposal", text)
	}
	if err != nil {
		return Record{Result: &scenario.Result{Outcome: scenario.Void}}, nil //nolint:nilerr // a plan that is none breaks nothing
	}
	t.Seed, t.Plan = p.Seed, text
	if s.want.Result != nil {
		t.Most = longest * s.want.Result.Events
		t.Twice = s.want.Outcome() == scenario.NotDeterministic
	}
	r := Record{Seed: p.Seed}
	var crash *Crash
	a, err := w.do(ctx, t)
	if r.Result = a.Result; errors.As(err, &crash) {
		r.Crash, err = crash.How, nil
	}
	return r, err
}

var figures = regexp.MustCompile(`0x[0-9a-f]+|[0-9]+`)

// same reports whether a record fails as the plan did: in the same promise, or
// with the same crash but for numbers.
func (s *shrinker) same(r Record) bool {
	switch {
	case r.Outcome() != s.want.Outcome():
		return false
	case r.Result == nil:
		return figures.ReplaceAllString(r.Crash, "#") == figures.ReplaceAllString(s.want.Crash, "#")
	default:
		return r.Result.Promise == s.want.Result.Promise
	}
}
