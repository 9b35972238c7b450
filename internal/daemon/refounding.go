package daemon

import (
	"context"
	"encoding/json"
	"slices"
	"time"

	"go.uber.org/zap"

	"moonwatch/agent/gossip"
	"moonwatch/consensus"
	"moonwatch/consensus/link"
	"moonwatch/mind"
)

// provesRefounding is what this agent tells those of an older council: nil if its own
// was never founded anew.
func (d *Daemon) provesRefounding() json.RawMessage {
	r := d.refounding.Load()
	if r == nil {
		return nil
	}
	b, err := json.Marshal(r)
	if err != nil {
		d.log.Error("refounding not encoded", zap.Error(err))
		return nil
	}
	return b
}

// hearRefounding hands on what somebody says of a refounding that this agent's ledger
// does not have. Whether it is one, the mind finds out by its signatures; where the new
// council might be found is worth a look in any case. False: it could not be handed on
// now, and whoever says it should be asked again.
func (d *Daemon) hearRefounding(ctx context.Context, h link.Hello) bool {
	if len(h.Refounding) == 0 {
		return true
	}
	var r consensus.Refounding
	if err := json.Unmarshal(h.Refounding, &r); err != nil {
		d.log.Warn("refounding not understood", zap.String("member", string(h.Name)), zap.Error(err))
		return true
	}
	p, err := r.Read()
	if err != nil || p.Number <= d.feed.Status().Refounded {
		return true
	}
	select {
	case <-d.ready:
	default:
		return false
	}
	if old := d.anew.Swap(&p); old == nil || old.Number != p.Number {
		d.log.Info("somebody says that the council was founded anew", zap.String("member", string(h.Name)), zap.Uint64("number", p.Number))
	}
	d.tell(ctx, mind.RefoundingHeard{Refounding: r})
	return ctx.Err() == nil
}

// askAnother asks one living peer after the other. Whoever sits in an old council that
// still has its quorum would otherwise speak with that council only, and never hear
// that a new one was founded without it.
func (d *Daemon) askAnother(ctx context.Context, turn int) {
	if seated := d.sitting.Load(); seated == nil || !slices.Contains(*seated, d.self) {
		return
	}
	peers := slices.DeleteFunc(d.peers.list(), func(x gossip.Peer) bool { return x.Name == d.self || !x.Alive })
	if len(peers) == 0 {
		return
	}
	addr, ok := linkOf(peers[turn%len(peers)])
	if !ok {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	if h, _, err := d.link.Ask(ctx, addr); err == nil {
		d.hearRefounding(ctx, h)
	}
}
