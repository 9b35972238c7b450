package daemon

import (
	"context"
	"time"

	"go.uber.org/zap"
	"google.golang.org/protobuf/proto"

	"moonwatch/agent"
	"moonwatch/agent/probe"
	"moonwatch/consensus"
	"moonwatch/consensus/disk"
	"moonwatch/internal/wire"
	"moonwatch/member"
	"moonwatch/mind"
	"moonwatch/status"
)

// carryOut does what the mind wants done, or hands it to whoever does. It
// reports whether the page may have changed.
func (d *Daemon) carryOut(ctx context.Context, e mind.Effect) (news bool) {
	switch e := e.(type) {
	case mind.SendProbes:
		d.sendProbes(e.Probes)
	case mind.RunCheck:
		d.runCheck(ctx, e)
	case mind.SendStatement:
		b, err := d.signer.EncodeStatement(e.Statement)
		d.sendAll(e.To, "statement", b, err)
	case mind.PassOn:
		b, err := wire.EncodeForwarded(d.self, e.Raw)
		d.sendAll([]member.ID{e.To}, "forwarded statement", b, err)
	case mind.Acknowledge:
		b, err := wire.EncodeAck(wire.Ack{From: d.self, Seq: e.Seq})
		d.sendAll([]member.ID{e.To}, "acknowledgement", b, err)
	case mind.TellPresence:
		parts, err := wire.EncodePresence(wire.Presence{From: d.self, Members: e.Members})
		for _, b := range parts {
			d.sendAll([]member.ID{e.To}, "presence", b, err)
		}
	case mind.SendRollCall:
		parts, err := d.signer.EncodeRollCall(e.Call)
		if err != nil {
			d.log.Warn("roll call not sent", zap.Error(err))
		}
		for _, b := range parts {
			d.sendAll(e.To, "roll call", b, nil)
		}
	case mind.SendHold:
		d.sendHold(e)
		return true
	case mind.SendRenewal:
		d.sendRenewal(e)
	case mind.SendGrant:
		b, err := d.signer.EncodeGrant(e.Grant)
		d.sendAll(e.To, "grant", b, err)
	case mind.PassLease:
		d.send(e.To, e.Raw)
	case mind.HandLease:
		d.handLease(ctx, e)
	case mind.SendRaft:
		frame, err := proto.Marshal(e.Message)
		if err != nil {
			d.log.Error("raft message not encoded", zap.Error(err))
			return false
		}
		d.link.SendRaft(e.To, frame) //nolint:contextcheck // streams outlive the step that opens them
	case mind.Persist:
		d.write(ctx, func(s *disk.Store) error { return s.Persist(e.Persist) }, mind.DiskDone{Seq: e.Seq})
	case mind.Keep:
		d.write(ctx, func(s *disk.Store) error { return s.Keep(e.Facts) }, nil)
	case mind.KeepSnapshot:
		d.write(ctx, func(s *disk.Store) error { return s.KeepSnapshot(e.Head, e.Ledger, e.Raft, e.Keep, e.Whole) }, nil)
	case mind.DoStep:
		d.doStep(ctx, e)
		return true
	case mind.AbortStep:
		d.aborts.end(e.Key)
	case mind.TellDoor:
		d.tellDoor(ctx, e)
	case mind.Submit:
		d.submitTo(ctx, e)
	case mind.Applied:
		d.applied(e)
		return true
	case mind.Led:
		d.log.Info("council leads", zap.String("leader", string(e.Leader)), zap.Uint64("term", e.Term), zap.Bool("quorum", e.Quorum), zap.Bool("stuck", e.Stuck))
		d.feed.led(e)
		return true
	case mind.FeedAnew:
		d.feedAnew.Store(true)
	case mind.MeasureClock:
		select {
		case d.clockNow <- struct{}{}:
		default: // it is being measured
		}
	case mind.Noted:
		d.log.Warn("council notes", zap.String("note", e.Text))
	case mind.Broken:
		d.fail(e.Err)
	}
	return false
}

// applied tells everybody who follows this agent's ledger.
func (d *Daemon) applied(e mind.Applied) {
	d.remember(e)
	for _, f := range e.Facts {
		d.history.Apply(f)
		d.feed.append(f)
		d.commands.settled(f)
		d.noteFleet(f)
		d.log.Info("fact", zap.Uint64("index", f.Index), zap.String("kind", string(f.Command.Kind)),
			zap.Bool("accepted", f.Accepted), zap.String("line", status.Line(f)))
		d.m.fact(f)
		if d.cfg.Facts != nil {
			d.cfg.Facts(f)
		}
	}
	d.noteDuty()
	d.noteSeats()
	d.noteRevoked()
	d.route()
}

// sendAll sends one datagram to some members. A member whose address is not
// known yet gets none: it is repeated anyway.
func (d *Daemon) sendAll(to []member.ID, what string, b []byte, err error) {
	if err != nil {
		d.log.Warn("datagram not sent", zap.String("what", what), zap.Error(err))
		return
	}
	for _, id := range to {
		d.send(id, b)
	}
}

func (d *Daemon) send(to member.ID, b []byte) {
	addr, ok := d.peers.address(to)
	if !ok {
		d.m.unaddressed.Inc()
		return
	}
	if err := d.gossip.Send(addr, b); err != nil {
		d.m.unsent.Inc()
	}
}

func (d *Daemon) sendProbes(probes []agent.Probe) {
	now := time.Now()
	for _, p := range probes {
		b, err := wire.EncodeProbe(wire.Probe{From: d.self, Seq: p.Seq})
		if err != nil {
			d.log.Error("probe not encoded", zap.Error(err))
			return
		}
		d.flights.sent(p.Seq, now, d.outOfReach(p.Subject))
		d.send(p.Subject, b)
	}
}

// outOfReach reports that a verdict stands by which a member's agent does not answer.
func (d *Daemon) outOfReach(id member.ID) bool {
	switch s, _ := d.mind.Ledger().Standing(id); s.Kind {
	case consensus.VerdictDown, consensus.VerdictAgentLost, consensus.VerdictDomainCut:
		return true
	default:
		return false
	}
}

// runCheck asks a member's service. When too many deeds are under way the
// check counts as not asked: our shortage is no evidence.
func (d *Daemon) runCheck(ctx context.Context, e mind.RunCheck) {
	end := func(c agent.Checked) {
		c.Subject, c.Seq = e.Subject, e.Seq
		d.tell(ctx, mind.Observed{Event: c})
	}
	addr, known := d.peers.address(e.Subject)
	if d.expelled(e.Subject) {
		// What runs on a machine in bad hands is no service, whatever it answers.
		d.deed(func() { end(agent.Checked{Silent: true, Detail: "certificate withdrawn"}) }, func() { end(agent.Checked{Unasked: true}) })
		return
	}
	d.deed(func() {
		if !known {
			end(agent.Checked{Silent: true, Detail: "address not known"})
			return
		}
		r := d.checker.Run(ctx, probe.Target{Addr: addr.Addr(), Slot: e.Slot, SlotEpoch: e.Epoch}, e.Checks, e.Timeout)
		end(agent.Checked{
			Good: r.Outcome == probe.Answers, Silent: r.Outcome == probe.Silent,
			Unasked: r.Outcome == probe.Unasked, Detail: r.Detail,
		})
	}, func() { end(agent.Checked{Unasked: true, Detail: "too many checks under way"}) })
}

// deed runs do beside the loop. When too many are under way it runs instead,
// also beside the loop.
func (d *Daemon) deed(do, instead func()) {
	select {
	case d.slots <- struct{}{}:
		d.deeds.Go(func() {
			defer func() { <-d.slots }()
			do()
		})
	default:
		d.m.crowded.Inc()
		d.deeds.Go(instead)
	}
}

// submitTimeout bounds one attempt to hand a command to a councillor; the mind
// repeats it.
const submitTimeout = 2 * time.Second

func (d *Daemon) submitTo(ctx context.Context, e mind.Submit) {
	d.deed(func() {
		ctx, cancel := context.WithTimeout(ctx, submitTimeout)
		defer cancel()
		if err := d.link.Submit(ctx, e.To, e.Command); err != nil {
			d.log.Debug("command not handed in", zap.String("to", string(e.To)), zap.Error(err))
		}
	}, func() {})
}
