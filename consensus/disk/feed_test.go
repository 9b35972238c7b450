package disk

import (
	"sync"
	"testing"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"moonwatch/consensus"
)

func TestTheFeedServesWhatWaitsAndWhatIsOnDisk(t *testing.T) {
	s := open(t, config(t.TempDir()))
	c := newChronicle(t, 10)
	no(t, s.Keep(c.facts[:6]))
	no(t, s.Persist(consensus.Persist{Hard: hardState(1, 1, 1), Sync: true}))
	no(t, s.Keep(c.facts[6:]))
	for from := range uint64(11) {
		from++
		list, ok := s.Facts(from, 1<<20)
		if !ok || len(list) != int(11-from) {
			t.Fatalf("from %d: %d facts, %v", from, len(list), ok)
		}
		for i, b := range list {
			f, err := consensus.DecodeFact(b)
			if err != nil || f.Hash != c.facts[int(from)-1+i].Hash {
				t.Errorf("from %d: fact %d is not the one kept: %v", from, i, err)
			}
		}
	}
	if list, ok := s.Facts(1, 1); !ok || len(list) != 1 {
		t.Errorf("one is the least: %d, %v", len(list), ok)
	}
	size := len(c.facts[4].Encode()) + len(c.facts[5].Encode()) + len(c.facts[6].Encode())
	for less := range 2 {
		if list, ok := s.Facts(5, size-less); !ok || len(list) != 3-less {
			t.Errorf("with %d bytes: %d facts, %v", size-less, len(list), ok)
		}
	}
}

func TestTheFeedReadsWhileOthersWrite(t *testing.T) {
	cfg := config(t.TempDir())
	cfg.KeepBytes = 20_000
	s := open(t, cfg)
	c := newChronicle(t, 1)
	no(t, s.Keep(c.facts))
	var readers sync.WaitGroup
	done := make(chan struct{})
	for range 2 {
		readers.Go(func() {
			for next := uint64(1); ; {
				list, ok := s.Facts(next, 3000)
				if !ok {
					whole, err := consensus.SnapshotHead(s.LatestSnapshot())
					if err != nil || whole < next {
						t.Errorf("fact %d is gone and the whole ledger ends with %d, %v", next, whole, err)
						return
					}
					next = whole + 1
				}
				for _, b := range list {
					if f, err := consensus.DecodeFact(b); err != nil || f.Index != next {
						t.Errorf("want fact %d, got %d, %v", next, f.Index, err)
						return
					}
					next++
				}
				select {
				case <-done:
					if next > 1000 {
						return
					}
				default:
				}
			}
		})
	}
	for len(c.facts) < 1000 {
		no(t, s.Keep(c.grow(3)))
		switch n := len(c.facts); {
		case n%50 == 1:
			no(t, s.KeepSnapshot(uint64(n), c.snapshot(), nil, 0, false))
		case n%7 == 0:
			no(t, s.Persist(consensus.Persist{Hard: hardState(1, 1, uint64(n)), Sync: true}))
		}
	}
	close(done)
	readers.Wait()
}

func TestMetricsAreWellNamed(t *testing.T) {
	reg := prometheus.NewRegistry()
	cfg := config(t.TempDir())
	cfg.Registerer = reg
	open(t, cfg)
	problems, err := testutil.GatherAndLint(reg)
	if err != nil || len(problems) > 0 {
		t.Error(problems, err)
	}
}
