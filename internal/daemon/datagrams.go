package daemon

import (
	"context"
	"errors"
	"sync"
	"time"

	"go.uber.org/zap"

	"moonwatch/agent"
	"moonwatch/agent/gossip"
	"moonwatch/internal/wire"
	"moonwatch/mind"
)

// receive takes the datagrams: it answers probes itself, so that an answer
// costs a round trip and no turn of the loop, verifies what is signed, and
// hands the rest to the loop.
func (d *Daemon) receive(ctx context.Context) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case p := <-d.gossip.Packets():
			d.packet(p)
		}
	}
}

func (d *Daemon) packet(p gossip.Packet) {
	msg, err := wire.Decode(p.Body)
	if err != nil {
		if !errors.Is(err, wire.ErrUnknownKind) {
			d.log.Debug("datagram not understood", zap.Stringer("from", p.From), zap.Error(err))
		}
		d.m.bad.Inc()
		return
	}
	if d.expelled(msg.Sender()) {
		d.m.unverified.Inc()
		return
	}
	switch msg := msg.(type) {
	case wire.Probe:
		d.answerProbe(p, msg)
	case wire.ProbeAnswer:
		d.probeAnswered(p, msg)
	case wire.Statement:
		d.statement(msg, false)
	case wire.Forwarded:
		d.statement(msg.Statement, true)
	case wire.Ack:
		d.offer(mind.Observed{Event: agent.Acknowledged{By: msg.From, Seq: msg.Seq}})
	case wire.RollCall:
		if d.verified(msg) {
			d.offer(mind.RollCame{From: msg.From, Call: msg.Call})
		}
	case wire.Renewal:
		if d.verified(msg) {
			d.offer(mind.RenewalCame{Renewal: msg.Renewal, Raw: msg.Raw})
		}
	case wire.Grant:
		if d.verified(msg) {
			d.offer(mind.GrantCame{From: msg.From, Grant: msg.Grant, Raw: msg.Raw})
		}
	case wire.Hold:
		if d.verified(msg) {
			d.offer(mind.HoldCame{From: msg.From, Command: msg.Command, Raw: msg.Raw})
		}
	case wire.DoorReport:
		if d.door != nil && d.verified(msg) {
			d.shielding.doorWord(msg)
		}
	case wire.DoorFloors:
		if d.door != nil && d.verified(msg) {
			d.shielding.doorWord(msg)
		}
	case wire.Presence:
		d.offer(mind.PresenceTold{Members: msg.Members})
	}
}

// answerProbe says that this agent is well. It keeps silent while the loop is
// stuck: an agent that cannot decide is lost, whatever its sockets say.
func (d *Daemon) answerProbe(p gossip.Packet, msg wire.Probe) {
	select {
	case <-d.ready:
	default:
		return
	}
	if !d.alive(time.Now()) {
		return
	}
	b, err := wire.EncodeProbeAnswer(wire.ProbeAnswer{From: d.self, Seq: msg.Seq, Incarnation: d.life, Report: d.report()})
	if err != nil {
		d.log.Error("probe answer not encoded", zap.Error(err))
		return
	}
	if err := d.gossip.Send(p.From, b); err != nil {
		d.m.unsent.Inc()
	}
	d.peers.heard(msg.From)
}

func (d *Daemon) probeAnswered(p gossip.Packet, msg wire.ProbeAnswer) {
	d.peers.heard(msg.From)
	sent, ok := d.flights.landed(msg.Seq)
	if !ok {
		return
	}
	d.offer(mind.Observed{Event: agent.ProbesAnswered{Answers: []agent.Answer{{
		Subject: msg.From, Seq: msg.Seq, RTT: p.At.Sub(sent), Incarnation: msg.Incarnation, Report: msg.Report,
	}}}})
}

func (d *Daemon) statement(s wire.Statement, forwarded bool) {
	if !d.verified(s) {
		return
	}
	if !forwarded {
		d.peers.heard(s.Sender())
	}
	d.offer(mind.StatementCame{Statement: s.Statement, Raw: s.Raw, Forwarded: forwarded})
}

// verified checks a signature. Who is not known yet is met soon and repeats.
func (d *Daemon) verified(m wire.Signed) bool {
	err := wire.Verify(d.cluster, d.keyOf, m)
	if err != nil {
		d.m.unverified.Inc()
		d.log.Debug("datagram not verified", zap.String("from", string(m.Sender())), zap.Error(err))
	}
	return err == nil
}

// flights remembers when probes were sent. What is older than a few seconds is
// no longer waited for.
type flights struct {
	mu   sync.Mutex
	at   map[uint64]flight
	last time.Time
	vain uint64 // probes in vain that had no answer
}

// flight is one probe. It is in vain where a verdict calls its subject out of reach: that no
// answer comes says nothing about the way.
type flight struct {
	sent time.Time
	vain bool
}

const flightMax = 5 * time.Second

func (f *flights) sent(seq uint64, now time.Time, vain bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.at == nil {
		f.at = map[uint64]flight{}
	}
	f.at[seq] = flight{now, vain}
	if vain {
		f.vain++
	}
	if now.Sub(f.last) < flightMax {
		return
	}
	f.last = now
	for s, x := range f.at {
		if now.Sub(x.sent) > flightMax {
			delete(f.at, s)
		}
	}
}

func (f *flights) landed(seq uint64) (time.Time, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	x, ok := f.at[seq]
	delete(f.at, seq)
	if x.vain {
		f.vain--
	}
	return x.sent, ok
}

// inVain is how many probes to members that a verdict calls out of reach had no answer.
func (f *flights) inVain() uint64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.vain
}

// presence tells the loop every half second from whom anything was heard.
func (d *Daemon) presence(ctx context.Context) {
	t := time.NewTicker(250 * time.Millisecond)
	defer t.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.C:
			if ids := d.peers.takeHeard(); len(ids) > 0 {
				d.offer(mind.PresenceCame{Members: ids})
			}
		}
	}
}
