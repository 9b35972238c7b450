package daemon

import (
	"context"
	"errors"
	"slices"
	"time"

	"go.uber.org/zap"

	"moonwatch/consensus"
	"moonwatch/consensus/link"
	"moonwatch/member"
	"moonwatch/mind"
	"moonwatch/status"
)

// staleQuorum is how old a peer's word about the council may be to count.
const staleQuorum = 2 * time.Second

// follow keeps an agent that wants to be fed on the feed: one peer after the other,
// councillors first, and below one that has no place left, those that it feeds. Who sits in the council has its facts from raft, and listens here
// only while it hears nothing there.
func (d *Daemon) follow(ctx context.Context) {
	up := mind.Upstream{Spread: uint64(d.life)}
	var listening mind.Listening
	for ctx.Err() == nil {
		peers := d.feeders()
		if len(peers) == 0 || !d.listens.Load() {
			sleep(ctx, 200*time.Millisecond)
			continue
		}
		peer := up.Next(peers)
		began := time.Now()
		listening.Begin(began)
		d.feedAnew.Store(false)
		err := d.link.Follow(ctx, peer, d.feed.head()+1, func(b link.Batch) error { return d.fed(ctx, peer, b, &listening) })
		var no *link.Refusal
		if errors.As(err, &no) && errors.Is(err, link.ErrFollowersFull) {
			up.Full(d.self, no.Feeds)
		}
		d.log.Debug("feed ended", zap.String("peer", string(peer)), zap.Error(err))
		if time.Since(began) < time.Second {
			sleep(ctx, 50*time.Millisecond)
		}
	}
}

// feeders are the peers that may feed us: living councillors, and if there are none,
// everybody else.
func (d *Daemon) feeders() []member.ID {
	expected := d.councillors()
	var first, others []member.ID
	for _, s := range d.peers.list() {
		if s.Name == d.self || !s.Alive || s.Tags[tagConsole] != "" {
			continue
		}
		if slices.Contains(expected, s.Name) {
			first = append(first, s.Name)
		} else {
			others = append(others, s.Name)
		}
	}
	if len(first) > 0 {
		return first
	}
	return others
}

// councillors are those of the ledger, those of a new council of which this agent has
// heard, and those of its file: a ledger that is far behind may name none that is left.
func (d *Daemon) councillors() []member.ID {
	var all []member.ID
	if p := d.sitting.Load(); p != nil {
		all = append(all, *p...)
	}
	if p := d.anew.Load(); p != nil {
		for _, s := range p.Council {
			all = append(all, s.Member)
		}
	}
	return append(all, d.cfg.Agent.ExpectCouncillors...)
}

// seated are the councillors as the ledger has them or, before it has any, as agent.yaml expects.
func (d *Daemon) seated() []member.ID {
	if p := d.sitting.Load(); p != nil && len(*p) > 0 {
		return *p
	}
	return d.cfg.Agent.ExpectCouncillors
}

// noteSeats tells the other goroutines who sits in the council, and whether this agent
// wants to be fed.
func (d *Daemon) noteSeats() {
	ids := d.mind.Ledger().Councillors()
	d.sitting.Store(&ids)
	d.refounding.Store(d.mind.Ledger().Refounding())
	d.feed.refounded(d.mind.Ledger().Refounded())
	seats := status.SeatsOf(d.mind.Ledger())
	d.seating.Store(&seats)
	d.listens.Store(d.mind.Listens())
}

var (
	errGap  = errors.New("the feed has a gap")
	errSeat = errors.New("this agent sits in the council and hears it there")
	errOld  = errors.New("its ledger is of before the council was founded anew")
	errMute = errors.New("the feed does not speak of a quorum, the next one may")
)

// fed hands one batch to the loop. An error ends this feed.
func (d *Daemon) fed(ctx context.Context, peer member.ID, b link.Batch, l *mind.Listening) error {
	if b.Status.Refounded < d.feed.Status().Refounded {
		return errOld
	}
	if len(b.Snapshot) > 0 {
		d.tell(ctx, mind.LedgerFed{Snapshot: b.Snapshot})
	}
	if len(b.Facts) > 0 {
		facts := make([]consensus.Fact, 0, len(b.Facts))
		for _, raw := range b.Facts {
			f, err := consensus.DecodeFact(raw)
			if err != nil {
				return err
			}
			facts = append(facts, f)
		}
		d.tell(ctx, mind.FactsFed{Facts: facts})
	}
	d.compare(peer, b.Status)
	if b.Status.Quorum && b.Status.Age < staleQuorum {
		d.feed.quorum(time.Now().Add(-b.Status.Age))
		d.tell(ctx, mind.QuorumHeard{Leader: b.Status.Leader, Term: b.Status.Term, Head: b.Status.Head, Behind: b.Status.Behind})
		l.Quorum(time.Now())
	}
	if !d.listens.Load() {
		return errSeat
	}
	if d.feedAnew.Load() {
		return errGap
	}
	if l.Over(time.Now()) {
		return errMute
	}
	return nil
}

func sleep(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}
