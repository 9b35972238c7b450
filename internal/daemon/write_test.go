package daemon

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"moonwatch/consensus/disk"
	"moonwatch/mind"
	"moonwatch/status"
)

func TestACouncillorWithAFullDiskSaysThatItFallsBehind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &Daemon{log: zap.NewNop(), writes: make(chan write, 1), events: make(chan mind.Event, 1)}
		d.m = newMetrics(prometheus.NewRegistry(), d)
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan error, 1)
		go func() { ended <- d.writeAll(ctx) }()

		began := time.Now()
		var full atomic.Bool
		full.Store(true)
		d.write(ctx, func(*disk.Store) error {
			if full.Load() {
				return fmt.Errorf("write: %w", disk.ErrFull)
			}
			return nil
		}, mind.DiskDone{Seq: 1})
		synctest.Wait()
		heard := status.Knowledge{Head: 7, Current: true, AsOf: time.Now()}
		got := d.knowledge(heard, true)
		if got.Current || !got.AsOf.Equal(began) || got.Blocked == "" {
			t.Errorf("a councillor says %+v, want that it is behind since %v", got, began)
		}
		if got := d.knowledge(heard, false); got != heard {
			t.Errorf("a follower says %+v, want %+v: it goes on in memory", got, heard)
		}

		full.Store(false)
		time.Sleep(writeAgain)
		if ev := <-d.events; ev != (mind.DiskDone{Seq: 1}) {
			t.Errorf("got %v, want the answer to the write", ev)
		}
		synctest.Wait()
		if got := d.knowledge(heard, true); got != heard {
			t.Errorf("with space again it says %+v, want %+v", got, heard)
		}
		stop()
		if err := <-ended; err != nil && !errors.Is(err, context.Canceled) {
			t.Error(err)
		}
	})
}
