package daemon

import (
	"context"
	"errors"
	"time"

	"go.uber.org/zap"

	"moonwatch/consensus/disk"
	"moonwatch/mind"
	"moonwatch/status"
)

// write is one thing to be written, in the order in which the mind asked:
// mind.Persist, mind.Keep or mind.KeepSnapshot.
type write struct {
	do   func(*disk.Store) error
	then mind.Event // when it is done; nil: nobody waits
}

// write hands something to the disk. The queue is long; if the disk stalls for
// so long that it is full, the loop waits here, stops answering probes, and the
// others judge this agent lost: which is what it is.
func (d *Daemon) write(ctx context.Context, do func(*disk.Store) error, then mind.Event) {
	select {
	case d.writes <- write{do, then}:
	case <-ctx.Done():
	}
}

// writeAgain is how long a failed write waits. A full disk is full for a
// while; raft waits for the answer, so nothing is acknowledged meanwhile.
const writeAgain = 500 * time.Millisecond

// writeAll does the writes, one after the other. On stop it finishes what was
// asked for: the loop has ended by then.
func (d *Daemon) writeAll(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			d.flush()
			return nil
		case w := <-d.writes:
			for failed := false; ; failed = true {
				err := d.doWrite(w)
				if err == nil {
					if failed {
						d.diskFull.Store(nil)
						d.log.Info("disk writes again")
					}
					break
				}
				d.m.diskErrors.Inc()
				if !errors.Is(err, disk.ErrFull) {
					// What the disk holds now is unknown: only a new start
					// can find out.
					return err
				}
				if !failed {
					since := time.Now()
					d.diskFull.Store(&since)
					d.log.Error("disk is full; trying again", zap.Error(err))
				}
				select {
				case <-ctx.Done():
					return nil
				case <-time.After(writeAgain):
				}
			}
			if w.then != nil {
				d.tell(ctx, w.then)
			}
		}
	}
}

// knowledge corrects what the page says of this agent's copy of the ledger. A
// councillor applies a fact when its disk has it: while the disk is full it
// hears the council and falls behind all the same. A follower goes on in memory.
func (d *Daemon) knowledge(k status.Knowledge, councillor bool) status.Knowledge {
	since := d.diskFull.Load()
	if since == nil || !councillor {
		return k
	}
	k.Current, k.AsOf = false, since.UTC()
	if k.Blocked == "" {
		k.Blocked = "its disk is full since " + since.UTC().Format("15:04:05 UTC") + ", free some space"
	}
	return k
}

func (d *Daemon) flush() {
	for {
		select {
		case w := <-d.writes:
			if err := d.doWrite(w); err != nil {
				d.log.Warn("not written at the end", zap.Error(err))
				return
			}
		default:
			return
		}
	}
}

func (d *Daemon) doWrite(w write) error {
	began := time.Now()
	defer func() { d.m.write.Observe(time.Since(began).Seconds()) }()
	return w.do(d.store)
}
