package gateway

import (
	"net/http"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"moonwatch/member"
)

// key tells occupants apart. A new slot epoch is a new occupant, even of the
// same member at the same address: what was known of the old one is history.
type key struct {
	pool      string
	slot      member.SlotID
	slotEpoch member.SlotEpoch
	member    member.ID
	addr      string
}

// occupant is what the reflex remembers about an occupant. Whether it is
// drained is not here but in the view: it belongs to the table.
type occupant struct {
	key
	// transport is the occupant's own, so that its idle connections can be
	// closed without touching the others'.
	transport     *http.Transport
	probeInterval time.Duration

	inFlight   atomic.Int64
	strikes    atomic.Int64 // late or broken answers less those in time, never below 0
	ejectedAt  atomic.Int64 // Unix nanoseconds, 0: it is chosen
	probeAt    atomic.Int64 // when the next request may try it
	answeredAt atomic.Int64 // last answer in time
	answers    atomic.Uint64
	failures   atomic.Uint64 // connect errors, late and broken answers
	ejections  atomic.Uint64
	told       [kinds]atomic.Int64 // when evidence was last offered
}

func (g *Gateway) newOccupant(k key) *occupant {
	return &occupant{
		key:           k,
		probeInterval: g.cfg.Reflex.ProbeInterval,
		transport: &http.Transport{
			DialContext:           g.dial,
			DisableCompression:    true, // what client and occupant agreed on passes as it is
			MaxIdleConnsPerHost:   64,   // an occupant's share of a busy gateway between two bursts
			IdleConnTimeout:       30 * time.Second,
			ResponseHeaderTimeout: g.cfg.AnswerTimeout,
		},
	}
}

func (o *occupant) ejected() bool { return o.ejectedAt.Load() != 0 }

// takeProbe lets one request per interval through to an ejected occupant.
func (o *occupant) takeProbe(now time.Time) bool {
	at := o.probeAt.Load()
	return now.UnixNano() >= at && o.probeAt.CompareAndSwap(at, now.Add(o.probeInterval).UnixNano())
}

// inTime notes a good sign: it takes back one strike.
func (o *occupant) inTime(now time.Time) {
	o.answeredAt.Store(now.UnixNano())
	for {
		n := o.strikes.Load()
		if n == 0 || o.strikes.CompareAndSwap(n, n-1) {
			return
		}
	}
}

// refused weighs a connect error: the first one is enough, for nothing listens
// there or nothing answers.
func (g *Gateway) refused(v *view, o *occupant, now time.Time) {
	o.failures.Add(1)
	g.offer(o, Refused, now)
	g.eject(v, o, now, false)
}

// struck weighs an answer that was late or broke off. One is weather. Broken
// answers count no more than late ones: one poisonous request, tried on every
// occupant, must not empty the pool.
func (g *Gateway) struck(v *view, o *occupant, kind Kind, now time.Time) {
	o.failures.Add(1)
	g.offer(o, kind, now)
	if o.strikes.Add(1) >= int64(g.cfg.Reflex.LateCount) {
		g.eject(v, o, now, true)
	}
}

// eject stops the choosing of o, unless its pool cannot do without it.
func (g *Gateway) eject(v *view, o *occupant, now time.Time, late bool) {
	v.pool.ejecting.Lock()
	defer v.pool.ejecting.Unlock()
	if o.ejected() {
		return
	}
	if !g.current(v).mayEject(o, late) {
		if late {
			g.strain.late.Add(1)
		}
		return
	}
	o.probeAt.Store(now.Add(o.probeInterval).UnixNano())
	o.ejectedAt.Store(now.UnixNano())
	o.ejections.Add(1)
	o.transport.CloseIdleConnections() // a probe must show that it can be reached anew
	reason := "refused"
	if late {
		reason = "late"
	}
	g.metrics.ejections.WithLabelValues(reason).Inc()
	g.cfg.Log.Info("occupant ejected", append(o.fields(), zap.String("reason", reason))...)
}

// readmit makes o chosen again after a good answer to a request that was sent
// after its ejection.
func (g *Gateway) readmit(o *occupant, sent time.Time) {
	at := o.ejectedAt.Load()
	if at == 0 || sent.UnixNano() < at {
		return
	}
	o.strikes.Store(0)
	if o.ejectedAt.CompareAndSwap(at, 0) {
		g.metrics.readmissions.Inc()
		g.cfg.Log.Info("occupant readmitted", o.fields()...)
	}
}

func (o *occupant) fields() []zap.Field {
	return []zap.Field{
		zap.String("pool", o.pool), zap.String("slot", string(o.slot)),
		zap.Uint64("slot_epoch", uint64(o.slotEpoch)), zap.String("member", string(o.member)),
	}
}
