package campaign

import (
	"context"
	"errors"
	"time"
)

// One has a single plan played by a worker of its own. A worker that crashes is
// no error, but a record without a result.
func One(ctx context.Context, crew Crew, t Task) (Record, error) {
	w := worker{crew: crew}
	defer func() { _ = w.end("") }()
	began := time.Now()
	a, err := w.do(ctx, t)
	took := time.Since(began).Milliseconds()
	r := Record{Seed: t.Seed, WallMS: took, TookMS: took, Peak: a.Peak, Result: a.Result}
	var crash *Crash
	if errors.As(err, &crash) {
		r.Crash, r.Said, err = crash.How, crash.Said, nil
	}
	return r, err
}

// Sum is the summary of a single record.
func Sum(r Record) *Summary {
	t := newTally()
	t.add(r)
	t.wall = time.Duration(r.WallMS) * time.Millisecond
	return t.summary(nil)
}
