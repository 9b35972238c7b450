package daemon

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"moonwatch/status"
	"moonwatch/status/web"
)

// reader takes a tenth of a second for each answer, and sums up how long it read.
type reader struct {
	reads atomic.Int64
	now   atomic.Int64
	most  atomic.Int64
}

const aRead = 100 * time.Millisecond

func (r *reader) of(id string) func() (status.Explanation, error) {
	return func() (status.Explanation, error) {
		r.most.Store(max(r.most.Load(), r.now.Add(1)))
		time.Sleep(aRead) // of the bubble
		r.now.Add(-1)
		r.reads.Add(1)
		return status.Explanation{ID: id}, nil
	}
}

// TestWhoAsksForOldFactsCostsABoundedShare: of a thousand who ask for other facts all the
// time one is answered at a time, a quarter of the time, and the others are told to come back.
func TestWhoAsksForOldFactsCostsABoundedShare(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o, r := newOlden(), &reader{}
		var refused atomic.Int64
		const long = time.Minute
		began := time.Now()
		var asking sync.WaitGroup
		for who := range 1000 {
			asking.Go(func() {
				for n := 0; time.Since(began) < long; n++ {
					id := fmt.Sprintf("%d-%d", who, n)
					e, err := o.answer(9, id, r.of(id))
					switch {
					case errors.Is(err, web.ErrBusy):
						refused.Add(1)
						time.Sleep(time.Second)
					case err != nil || e.ID != id:
						t.Errorf("%s: %+v, %v", id, e, err)
					}
				}
			})
		}
		asking.Wait()
		time.Sleep(oldShare * aRead)
		busy := time.Duration(r.reads.Load()) * aRead
		if most := (time.Since(began)+aRead)/oldShare + oldBurst + aRead; r.most.Load() != 1 || busy > most || busy < most/2 {
			t.Errorf("%d at once, %v of %v spent reading, want one at a time and about a quarter", r.most.Load(), busy, time.Since(began))
		}
		if refused.Load() == 0 {
			t.Error("nobody was told to come back")
		}
	})
}

// TestAPersonWhoAsksAFewTimesWaitsForNothing: five answers in a row take as long as they
// are read for, and after a while five more.
func TestAPersonWhoAsksAFewTimesWaitsForNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o, r := newOlden(), &reader{}
		for range 3 {
			began := time.Now()
			for range 5 {
				id := fmt.Sprint(r.reads.Load())
				if _, err := o.answer(9, id, r.of(id)); err != nil {
					t.Error(err)
				}
			}
			if took := time.Since(began); took != 5*aRead {
				t.Errorf("five answers took %v, want %v", took, 5*aRead)
			}
			time.Sleep(10 * time.Second)
		}
	})
}

// TestManyWhoAskForTheSameReadOnce, until the ledger goes on.
func TestManyWhoAskForTheSameReadOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		o, r := newOlden(), &reader{}
		for head := range uint64(3) {
			var asking sync.WaitGroup
			for range oldWaiting {
				asking.Go(func() {
					if _, err := o.answer(head, "V-12", r.of("V-12")); err != nil {
						t.Error(err)
					}
				})
			}
			asking.Wait()
			time.Sleep(oldShare * aRead)
			if got := r.reads.Load(); got != int64(head)+1 {
				t.Errorf("after %d heads: read %d times", head+1, got)
			}
		}
		for i := range 10 * oldKept {
			if _, err := o.answer(3, fmt.Sprint(i), r.of(fmt.Sprint(i))); err != nil {
				t.Error(err)
			}
			if len(o.kept) > oldKept {
				t.Fatalf("%d answers are kept, want at most %d", len(o.kept), oldKept)
			}
		}
		time.Sleep(oldShare * aRead)
	})
}
