package gateway

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"time"

	"moonwatch/shield/count"
)

// exchange is one request of a client and everything that is sent for it: one
// sending after another while they fail without effect, and at most one second
// sending beside the first. The first answer wins, the other is cancelled.
type exchange struct {
	g    *Gateway
	v    *view
	ref  count.Ref // where it was counted
	body *body

	client *taking
	req    *http.Request // as it goes out, without address and body; never changed

	safe       bool // may be sent twice at the same time
	idempotent bool // may be sent again after it may have had its effect
	result     result
	status     int           // of the answer that the client gets, 0: none
	took       time.Duration // until its head came

	mu       sync.Mutex
	tried    []*occupant
	current  *attempt     // of the caller's goroutine; only its lateness starts a second sending
	winner   *attempt     // whose answer goes to the client
	over     bool         // nothing new may start
	repeated bool         // the one more time that may have an effect is used up
	second   chan outcome // made when a second sending starts; gets its one outcome
	cutOther func()       // ends the second sending
}

type outcome struct {
	res *http.Response
	err error
}

var errNoOccupant = errors.New("no occupant is left to try")

// run sends until there is an answer or nothing more may be tried.
func (x *exchange) run() (*http.Response, error) {
	failure := errNoOccupant
	for o := x.first(); o != nil; o = x.next(failure) {
		a := x.begin(x.req.Context(), o, true)
		res, err := a.send()
		if err == nil && x.claim(a) {
			return res, nil
		}
		if err == nil {
			a.discard(res)
		}
		out, beside := x.await()
		if beside && out.err == nil {
			return out.res, nil
		}
		failure = err
	}
	x.end()
	return nil, failure
}

// first chooses for the first sending. Only a request that can be sent
// elsewhere at will may probe an ejected occupant.
func (x *exchange) first() *occupant {
	x.v.pool.budget.requests.Add(1)
	return x.g.current(x.v).pick(x.g.cfg.Now(), nil, x.safe)
}

// next chooses where to go on after a failure, nil if the client has to be told
// of it.
func (x *exchange) next(failure error) *occupant {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.req.Context().Err() != nil || x.over || x.body.clientFault() != nil {
		return nil
	}
	var unsent *unsentError
	reason := retryUnsent
	switch {
	case errors.As(failure, &unsent) && x.body.unspent():
	case x.idempotent && !x.repeated && !isTimeout(failure):
		x.repeated = true
		reason = retryBroken
	default:
		return nil
	}
	v := x.g.current(x.v)
	o := v.pickSure(x.tried)
	if o == nil {
		o = v.pick(x.g.cfg.Now(), x.tried, false)
	}
	if o != nil {
		x.g.metrics.retries.WithLabelValues(reason).Inc()
	}
	return o
}

// begin prepares a sending to o.
func (x *exchange) begin(parent context.Context, o *occupant, current bool) *attempt {
	a := &attempt{x: x, o: o}
	a.ctx, a.cancel = context.WithCancel(parent)
	x.mu.Lock()
	defer x.mu.Unlock()
	x.tried = append(x.tried, o)
	if current {
		x.current = a
	}
	return a
}

// claim makes a's answer the one that the client gets. False: the other one was
// faster.
func (x *exchange) claim(a *attempt) bool {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.over {
		return false
	}
	x.over, x.winner = true, a
	switch {
	case a != x.current && x.current != nil:
		x.current.cancel()
	case a == x.current && x.cutOther != nil:
		x.cutOther()
	}
	return true
}

// await waits for the outcome of a second sending, if one was started; from now
// on none is, for the sending that could be late has ended. It ends with the
// client's request at the latest, since its context does.
func (x *exchange) await() (outcome, bool) {
	x.mu.Lock()
	second := x.second
	x.second, x.current = nil, nil
	x.mu.Unlock()
	if second == nil {
		return outcome{}, false
	}
	return <-second, true
}

// lateness starts a second sending for the late sending a, if the request may
// be sent twice and the pool's budget has room. It runs in the goroutine of
// a's timer. A probe is sent again without asking the budget: there is one per
// occupant and second, and nobody shall suffer for having been the probe.
func (x *exchange) lateness(a *attempt, now time.Time) {
	x.mu.Lock()
	if a != x.current || x.over || x.repeated || !x.safe {
		x.mu.Unlock()
		return
	}
	o := x.g.current(x.v).pickSure(x.tried)
	if o == nil {
		x.mu.Unlock()
		return
	}
	if !a.o.ejected() && !x.v.pool.budget.spend(now) {
		x.mu.Unlock()
		x.g.metrics.denied.Inc()
		return
	}
	x.repeated = true
	second := make(chan outcome, 1)
	ctx, cancel := context.WithCancel(x.req.Context())
	x.second, x.cutOther = second, cancel
	x.g.seconds.Add(1) // the request is still under way, so Close has not come to wait for it
	x.mu.Unlock()
	defer x.g.seconds.Done()
	x.g.metrics.retries.WithLabelValues(retryLate).Inc()

	failure := errNoOccupant
	for o != nil {
		b := x.begin(ctx, o, false)
		res, err := b.send()
		if err == nil && x.claim(b) {
			second <- outcome{res: res}
			return // ctx lives on with the answer's body, until the request ends
		}
		if err == nil {
			b.discard(res)
			break
		}
		failure = err
		o = x.nextSecond(ctx, err)
	}
	cancel()
	second <- outcome{err: failure}
}

// nextSecond chooses where a second sending goes on that reached nobody.
func (x *exchange) nextSecond(ctx context.Context, failure error) *occupant {
	var unsent *unsentError
	if !errors.As(failure, &unsent) || ctx.Err() != nil {
		return nil
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	return x.g.current(x.v).pickSure(x.tried)
}

// end closes the exchange: nothing new starts, and what the winner holds is
// given back.
func (x *exchange) end() {
	x.mu.Lock()
	x.over = true
	winner, cut := x.winner, x.cutOther
	x.mu.Unlock()
	if cut != nil {
		cut()
	}
	if winner != nil {
		winner.release()
	}
}

// isTimeout reports whether an occupant kept silent for AnswerTimeout. Asking a
// second time would make the client wait for as long again.
func isTimeout(err error) bool {
	var t interface{ Timeout() bool }
	var unsent *unsentError
	return errors.As(err, &t) && t.Timeout() && !errors.As(err, &unsent)
}
