package gateway

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptrace"
	"strconv"
	"sync/atomic"
	"time"
)

// attempt is one sending of a request to one occupant.
type attempt struct {
	x      *exchange
	o      *occupant
	ctx    context.Context
	cancel context.CancelFunc
	sent   time.Time
	bound  time.Duration // after which the answer is late
	took   time.Duration // until the answer's head came
	done   atomic.Bool   // what it held was given back

	wire    *wire // of a request that needs the proof that it was not sent
	written int64 // bytes on wire before this request
}

// unsentError says that not one byte of the request reached an occupant.
type unsentError struct{ error }

func (e *unsentError) Unwrap() error { return e.error }

// send waits for the head of the answer. After an error the attempt holds
// nothing; after an answer it holds its place at the occupant until release.
//
// The timer runs the second sending in its own goroutine, so that a request in
// good weather costs no goroutine and no channel.
func (a *attempt) send() (*http.Response, error) {
	g := a.x.g
	a.sent = g.cfg.Now()
	a.bound = a.x.v.pool.latency.lateAfter(a.sent)
	a.o.inFlight.Add(1)
	out := a.request()
	inTime := func() bool { return true }
	if a.x.body.whole() { // how long an upload takes is the client's doing
		inTime = time.AfterFunc(a.bound, a.late).Stop
	}
	res, err := a.o.transport.RoundTrip(out)
	timely := inTime()
	now := g.cfg.Now()
	if err != nil {
		cancelled := a.ctx.Err()
		a.release()
		if cancelled != nil {
			return nil, cancelled // by the client or because the other answer won: nobody's fault
		}
		return nil, a.failed(now, err)
	}
	a.answered(now, res, timely)
	return res, nil
}

// request is a copy of the client's with the occupant's address.
func (a *attempt) request() *http.Request {
	ctx := a.ctx
	if !a.x.idempotent {
		ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: a.got})
	}
	out := a.x.req.WithContext(ctx)
	url := *out.URL
	url.Scheme, url.Host = "http", a.o.addr
	out.URL = &url
	a.x.body.attach(out)
	return out
}

// got is called again when the transport changes the connection, which it does
// for such a request only while nothing of it was written.
func (a *attempt) got(info httptrace.GotConnInfo) {
	if w, ok := info.Conn.(*wire); ok {
		a.wire, a.written = w, w.written.Load()
	}
}

// late runs when the answer has not come in time. When the timer itself comes
// late it is this machine that was stalled, and nobody is accused.
func (a *attempt) late() {
	g := a.x.g
	now := g.cfg.Now()
	if now.Sub(a.sent) <= a.bound+g.cfg.Reflex.SlipMax {
		g.struck(a.x.v, a.o, Late, now)
	}
	a.x.lateness(a, now)
}

// answered weighs an answer. One with a server error is an answer in time, but
// no evidence of health.
func (a *attempt) answered(now time.Time, res *http.Response, timely bool) {
	g, took := a.x.g, now.Sub(a.sent)
	a.took = took
	a.o.answers.Add(1)
	g.strain.occupant.Answer(res.StatusCode)
	if a.x.body.whole() {
		a.x.v.pool.latency.add(took)
		g.metrics.seconds.Observe(took.Seconds())
	}
	good := res.StatusCode < http.StatusInternalServerError
	if timely {
		a.o.inTime(now)
		if good {
			g.readmit(a.o, a.sent)
		}
	}
	if good {
		g.offer(a.o, Answered, now)
	}
	if g.cfg.Debug {
		res.Header.Set("X-Moonwatch-Slot", string(a.o.slot))
		res.Header.Set("X-Moonwatch-Slot-Epoch", strconv.FormatUint(uint64(a.o.slotEpoch), 10))
		res.Header.Set("X-Moonwatch-Member", string(a.o.member))
	}
}

// failed weighs a sending without an answer and says whether it reached anyone.
func (a *attempt) failed(now time.Time, err error) error {
	g := a.x.g
	var connect *connectError
	switch {
	case errors.As(err, &connect):
		if !connect.ours {
			g.refused(a.x.v, a.o, now)
		}
		return &unsentError{err}
	case a.x.body.clientFault() != nil || isTimeout(err):
		return err // the client's fault; or late, which was counted when it became so
	}
	g.struck(a.x.v, a.o, Broken, now)
	if a.wire != nil && a.wire.written.Load() == a.written {
		return &unsentError{err}
	}
	return err
}

// discard gives up an answer that came second.
func (a *attempt) discard(res *http.Response) {
	a.release()
	res.Body.Close() // its error is of no more use than the answer
}

// release gives the place at the occupant back and ends what still runs. It may
// be called more than once.
func (a *attempt) release() {
	if a.done.CompareAndSwap(false, true) {
		a.cancel()
		a.o.inFlight.Add(-1)
	}
}

// answerReader is the body of the winner's answer. It notices when the occupant
// breaks off in the middle: the client has the head already, so nothing can be
// done for this request, but the occupant has failed.
type answerReader struct {
	io.ReadCloser
	a *attempt
}

func (r *answerReader) Read(p []byte) (int, error) {
	n, err := r.ReadCloser.Read(p)
	if err != nil && !errors.Is(err, io.EOF) && r.a.ctx.Err() == nil {
		r.a.x.result = resultTruncated
		r.a.x.g.struck(r.a.x.v, r.a.o, Broken, r.a.x.g.cfg.Now())
	}
	return n, err
}
