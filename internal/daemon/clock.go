package daemon

import (
	"context"
	"slices"
	"sync"
	"time"

	"go.uber.org/zap"

	"moonwatch/member"
	"moonwatch/mind"
	"moonwatch/status"
)

// clockEvery is how often the councillors' clocks are compared, clockFirst how
// soon after the start. A clock that jumps is noticed at once, for the steady one does
// not, and then compared at once; leases depend on neither. Each comparison costs a handshake per councillor: every
// five seconds they were a third of an idle agent's traffic.
const (
	clockEvery = 30 * time.Second
	clockFirst = 3 * time.Second
)

// clockWarn is the difference above which people are told.
const clockWarn = time.Second

// watchClock compares this agent's clock with those of the councillors, whose median is
// taken for right.
func (d *Daemon) watchClock(ctx context.Context) error {
	tick := time.NewTimer(clockFirst)
	defer tick.Stop()
	warned, outlived := false, false
	for turn := 0; ; turn++ {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		case <-d.clockNow:
		}
		tick.Reset(clockEvery)
		d.askAnother(ctx, turn)
		offsets, ahead, ok := d.measureClock(ctx)
		was := outlived
		if outlived = d.outlived(); outlived && !was {
			d.log.Error("this agent's certificate has ended: it leads no more, and who is started from now on does not connect to it; renew it",
				zap.Time("expires", d.keys.Pair().Expires()))
		}
		if !ok { // as with a certificate that has ended: nobody can be asked
			ahead = time.Duration(d.clockAhead.Load())
		}
		d.clockAhead.Store(int64(ahead))
		if bad := ahead.Abs() > clockWarn; bad != warned {
			warned = bad
			if bad {
				d.log.Warn("clock differs from the councillors'", zap.Duration("ahead", ahead))
			} else {
				d.log.Info("clock agrees with the councillors' again", zap.Duration("ahead", ahead))
			}
		}
		select {
		case <-d.ready:
			d.tell(ctx, mind.ClockMeasured{Ahead: ahead, Offsets: offsets, Outlived: outlived, Unknown: !ok})
		default:
		}
	}
}

// outlived reports that this agent's certificate has ended, and that those councillors
// whose has not can go on without it.
func (d *Daemon) outlived() bool {
	var council []member.ID
	if p := d.sitting.Load(); p != nil {
		council = *p
	}
	now := time.Now()
	return now.After(d.keys.Pair().Expires()) && succeeds(now, d.self, council, d.peers.seen())
}

// succeeds reports that a majority of the council is others that live, follow the ledger
// and have certificates that have not ended. Fewer could not lead in self's place: raft's
// connections among followers close when nothing moves on them, none can be made anew to a
// councillor whose certificate has ended, and so only the present leader has one to each.
func succeeds(now time.Time, self member.ID, council []member.ID, seen []status.Seen) bool {
	good := 0
	for _, s := range seen {
		ends := s.Says
		if ends.IsZero() { // an older build: as it was met
			ends = s.Ends
		}
		if s.Name != self && s.Alive && !s.Mute && now.Before(ends) && slices.Contains(council, s.Name) {
			good++
		}
	}
	return good > len(council)/2
}

// measureClock asks the councillors for their time, all at once. Half of the round trip is
// taken off; a slow answer says nothing.
func (d *Daemon) measureClock(ctx context.Context) (offsets []time.Duration, ahead time.Duration, ok bool) {
	// A clock from before this member's own certificate is wrong, by so much at least, and
	// nobody can be asked: their certificates are not valid yet either.
	if early := time.Now().Round(0).Sub(d.keys.Pair().Begins()); early < 0 {
		return nil, early, true
	}
	council := d.seated()
	if slices.Contains(council, d.self) {
		offsets = append(offsets, 0)
	}
	asked := map[member.ID]bool{d.self: true}
	var asking sync.WaitGroup
	var mu sync.Mutex
	for _, id := range d.councillors() {
		addr, known := d.peers.linkAddress(id)
		if asked[id] || !known {
			continue
		}
		asked[id] = true
		asking.Go(func() {
			ahead, ok := d.clockOffset(ctx, addr)
			if mu.Lock(); ok && slices.Contains(council, id) {
				offsets = append(offsets, ahead)
			}
			mu.Unlock()
		})
	}
	asking.Wait()
	ahead, ok = mind.AheadOfCouncil(len(council), offsets)
	return offsets, ahead, ok
}

// clockOffset is by how much this agent's clock is ahead of another one's.
func (d *Daemon) clockOffset(ctx context.Context, addr string) (ahead time.Duration, ok bool) {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	began := time.Now()
	h, _, err := d.link.Ask(ctx, addr)
	took := time.Since(began)
	d.hearRefounding(ctx, h)
	if err != nil || h.Now.IsZero() || took > 500*time.Millisecond {
		return 0, false
	}
	return began.Add(took / 2).Round(0).Sub(h.Now), true
}
