package gateway

import (
	"context"
	"errors"
	"fmt"
	"log"
	"math/rand/v2"
	"net/http"
	"net/http/httputil"
	"strconv"
	"strings"
	"sync"

	"go.uber.org/zap"

	"moonwatch/shield/admit"
)

// newProxy puts the reflex under httputil.ReverseProxy: what it does well
// (hop-by-hop headers, upgrades, trailers, early hints, flushing of streams) is
// no business of ours, and the reflex is a question of how one request becomes
// one answer, which is what a RoundTripper is.
func (g *Gateway) newProxy() *httputil.ReverseProxy {
	return &httputil.ReverseProxy{
		Rewrite:      rewrite,
		Transport:    roundTripper{},
		ErrorHandler: g.tellFailure,
		BufferPool:   new(buffers),
		ErrorLog:     quietLog(g.cfg.Log),
	}
}

// exchangeKey finds the exchange in the context of its request.
type exchangeKey struct{}

type roundTripper struct{}

func (roundTripper) RoundTrip(out *http.Request) (*http.Response, error) {
	x := out.Context().Value(exchangeKey{}).(*exchange)
	x.req = out
	res, err := x.run() //nolint:contextcheck // each sending has a context of its own below that of out, kept in its attempt
	if err != nil {
		return nil, err
	}
	x.result, x.status, x.took = resultServed, res.StatusCode, x.winner.took
	if res.StatusCode != http.StatusSwitchingProtocols {
		res.Body = &answerReader{ReadCloser: res.Body, a: x.winner}
	}
	return res, nil
}

// serve takes one request from a client.
func (g *Gateway) serve(writer http.ResponseWriter, r *http.Request) {
	defer g.leave()
	w := g.take(writer, r)
	defer w.end()
	if !g.enter() {
		g.refuse(w, resultFull, http.StatusServiceUnavailable, "this door is closing")
		return
	}
	if r.Method == http.MethodConnect {
		g.refuse(w, resultBad, http.StatusMethodNotAllowed, "this is no forward proxy")
		return
	}
	v := g.table.Load().names.find(r.Host)
	if v == nil {
		g.refuse(w, resultNoPool, http.StatusNotFound, "nothing is served under this name")
		return
	}
	ref := g.gate.Count(r.Host)
	if why, held := g.gate.Judge(ref, r); why != admit.LetIn {
		g.metrics.shed.WithLabelValues(string(why)).Inc()
		if why != admit.Would {
			ref.Refuse()
			g.metrics.requests.WithLabelValues(string(resultShed)).Inc()
			g.gate.Refuse(w, r, why, held)
			return
		}
	}
	ctx, end := context.WithCancel(r.Context())
	defer end()
	mine, none := g.places.take(ref.Key(), func() {
		end()
		w.lose()
	})
	if mine == nil {
		ref.Refuse()
		if none {
			g.strain.full.Add(1)
		}
		g.refuse(w, resultFull, http.StatusServiceUnavailable, tooMany)
		return
	}
	defer g.places.release(mine)
	body, err := g.takeBody(w, r)
	if err != nil && w.lost.Load() {
		g.refuse(w, resultDisplaced, http.StatusServiceUnavailable, tooMany)
		return
	}
	if err != nil {
		g.refuse(w, resultBad, http.StatusBadRequest, "the request body did not arrive")
		return
	}
	x := &exchange{g: g, v: v, ref: ref, body: body, client: w, result: resultFailed}
	x.classify(r)
	defer func() { // also when ReverseProxy aborts the connection by a panic
		x.end()
		body.end()
		switch {
		case w.lost.Load():
			x.result = resultDisplaced
		case w.slow:
			x.result = resultSlow
		}
		g.gate.Answered(x.ref, r.Host, x.status, x.took)
		g.metrics.requests.WithLabelValues(string(x.result)).Inc()
	}()
	r = r.WithContext(context.WithValue(ctx, exchangeKey{}, x))
	r.Body, r.ContentLength = http.NoBody, 0 // the exchange has it
	g.proxy.ServeHTTP(w, r)
}

// tooMany is the title of what those are told who find no place, or lose theirs.
const tooMany = "too many requests at once"

// classify says what may be done with a request that is in trouble.
//
// PUT and DELETE are idempotent (RFC 9110 9.2.2) and are sent again when their
// connection breaks, but never to a second occupant while the first one still
// holds them: a stalled PUT that comes alive after the client's next PUT would
// undo it. An upgrade is a GET that leaves a connection behind: one of them is
// enough. A request with Idempotency-Key says itself that it may be repeated.
func (x *exchange) classify(r *http.Request) {
	switch r.Method {
	case http.MethodGet, http.MethodHead, http.MethodOptions, http.MethodTrace:
		x.safe, x.idempotent = true, true
	case http.MethodPut, http.MethodDelete:
		x.idempotent = true
	default:
		x.idempotent = r.Header.Get("Idempotency-Key") != ""
	}
	x.safe = x.safe && r.Header.Get("Upgrade") == "" && x.body.whole()
	x.idempotent = x.idempotent && x.body.whole()
}

// rewrite says who asks. What a client says about itself in these headers is
// not believed: this is the front door, there is no proxy before it that could
// be trusted. ReverseProxy has dropped Forwarded, X-Forwarded-For, -Host and
// -Proto already.
func rewrite(p *httputil.ProxyRequest) {
	for name := range p.Out.Header {
		if strings.HasPrefix(name, "X-Forwarded-") || name == "X-Real-Ip" {
			delete(p.Out.Header, name)
		}
	}
	p.SetXForwarded()
	p.Out.URL.RawQuery = p.In.URL.RawQuery // nothing here reads it, so nothing needs to clean it
	delete(p.Out.Header, "Expect")         // the body is read here, and the first read answers it
}

// tellFailure answers a request for which no occupant had an answer.
func (g *Gateway) tellFailure(w http.ResponseWriter, r *http.Request, err error) {
	x := r.Context().Value(exchangeKey{}).(*exchange)
	switch {
	case x.client.lost.Load():
		w.Header().Set("Connection", "close") // what is left of its request is not waited for
		problem(w, http.StatusServiceUnavailable, tooMany)
	case r.Context().Err() != nil || x.body.clientFault() != nil:
		x.result = resultGone
		w.WriteHeader(http.StatusBadGateway) // nobody reads it
	case errors.Is(err, errNoOccupant):
		x.result = resultNoOccupant
		problem(w, http.StatusServiceUnavailable, "nobody serves this name at the moment")
	case isTimeout(err):
		x.result = resultTimeout
		problem(w, http.StatusGatewayTimeout, "no answer in time")
	default:
		x.result = resultFailed
		problem(w, http.StatusBadGateway, "no answer")
	}
	g.cfg.Log.Debug("request failed", zap.String("pool", x.v.pool.name), zap.String("result", string(x.result)), zap.Error(err))
}

func (g *Gateway) refuse(w http.ResponseWriter, why result, status int, title string) {
	g.metrics.requests.WithLabelValues(string(why)).Inc()
	problem(w, status, title)
}

// problem is an answer of the gateway's own (RFC 9457). It names nothing of the
// fleet's inside. Retry-After differs from client to client, so that they do not
// come back all at once.
func problem(w http.ResponseWriter, status int, title string) {
	h := w.Header()
	h.Set("Content-Type", "application/problem+json")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Content-Type-Options", "nosniff")
	if status == http.StatusServiceUnavailable {
		h.Set("Retry-After", strconv.Itoa(1+rand.IntN(3)))
	}
	w.WriteHeader(status)
	fmt.Fprintf(w, `{"type":"about:blank","title":%q,"status":%d}`+"\n", title, status)
}

// buffers are what ReverseProxy copies bodies through.
type buffers struct{ pool sync.Pool }

const bufferSize = 32 << 10

func (b *buffers) Get() []byte {
	if p, ok := b.pool.Get().(*[bufferSize]byte); ok {
		return p[:]
	}
	return new([bufferSize]byte)[:]
}

func (b *buffers) Put(p []byte) { b.pool.Put((*[bufferSize]byte)(p)) }

// quietLog takes what net/http has to say about single requests and
// connections: a client that goes away is not news.
func quietLog(to *zap.Logger) *log.Logger {
	l, err := zap.NewStdLogAt(to, zap.DebugLevel)
	if err != nil {
		panic(err) // only for an unknown level
	}
	return l
}
