package gateway

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"moonwatch/shield/count"
)

// Config of a gateway. The zero value of a field means its default.
type Config struct {
	Listen string // host:port; port 0 takes a free one

	// Dial opens a connection to an occupant; a plain net.Dialer if nil. It must
	// return when its context ends.
	Dial       func(ctx context.Context, network, addr string) (net.Conn, error)
	Now        func() time.Time      // time.Now if nil
	Log        *zap.Logger           // silent if nil
	Registerer prometheus.Registerer // a private one if nil

	// Counter counts the requests of each subdomain, for the shield. Without one
	// nobody is ever held.
	Counter *count.Counter

	// Debug names slot, slot epoch and member in the headers of every answer.
	// Visitors must not learn the inside of the fleet, so it is off by default.
	Debug bool

	// MaxInFlight requests are served at once. The next one is refused with 503, or, if
	// its subdomain has fewer of them than another, takes the place of the oldest one of
	// the subdomain with the most; up to a quarter more may so be about to end. Subdomains
	// are told apart by the Counter alone. 2,048 by default: at about 30 KB each a full
	// gateway stays near 64 MB.
	MaxInFlight int
	// ChallengeKey is what a challenged browser's pass is made with, alike on all doors
	// that accept each other's; a random one of this life if empty.
	ChallengeKey []byte
	// ChallengeBits of zero are what a browser has to find: 16 by default, 65,536
	// hashes on average, about a second on a phone.
	ChallengeBits int

	// MaxConns connections of clients are open at once, MaxConnsEach of them from one
	// address (an IPv6 /64). One more closes the one that has been silent for longest.
	// 8,192 by default: about 10 KB each, and more than requests can be under way; of
	// one address half of them, so that a load balancer has its way and a single client
	// cannot take all.
	MaxConns, MaxConnsEach int
	// HeadTimeout is how long a client may take for the head of a request. 10 s by
	// default: a browser sends it at once.
	HeadTimeout time.Duration
	// MaxBody bytes of a request's body are kept so that it can be sent again;
	// a longer one is streamed and can not. 64 KiB by default: forms fit,
	// uploads do not.
	MaxBody int
	// BodyTimeout is how long a client may take for a body that is kept. 30 s by
	// default: 64 KiB over a very bad mobile line.
	BodyTimeout time.Duration
	// BodyRate is how many bytes a second a client has to send of a longer body, on
	// average and after BodyTimeout: one that trickles it holds up an occupant. 1 KiB by
	// default, slower than any line that an upload ends on.
	BodyRate int
	// TakeRate is how many bytes a second a client has to take of an answer, on average
	// and after TakeTimeout: one that reads slowly holds up an occupant, too. Only the time
	// counts in which the gateway waits for the client. 1 KiB and 30 s by default, as for
	// what clients send.
	TakeRate    int
	TakeTimeout time.Duration
	// AnswerTimeout ends the wait for an answer that cannot be asked for
	// elsewhere. 60 s by default, as in common proxies: shorter ones break slow
	// reports that work today.
	AnswerTimeout time.Duration

	Reflex Reflex
}

// Reflex holds the numbers of the local reflex (PROTOCOL 5). The zero value of
// a field means its default.
type Reflex struct {
	// ConnectTimeout for a connection to an occupant. Longer: a machine without
	// power costs its requests more. 300 ms: one lost SYN (sent again after 1 s)
	// is given up, since another occupant is nearer than the second SYN.
	ConnectTimeout time.Duration
	// LateMin and LateFactor: an answer is late after LateFactor x the pool's
	// p99, at least LateMin. 3 x p99 is rare by construction; 300 ms is what a
	// visitor forgives.
	LateMin    time.Duration
	LateFactor float64
	// LateCount late or broken answers, less those in time since, stop the
	// choosing of an occupant. 3: one is weather, and each costs only a delay.
	LateCount int
	// ProbeInterval between two requests that try an ejected occupant. 1 s: one
	// request in 200 may be delayed by LateMin.
	ProbeInterval time.Duration
	// RetryShare of the traffic may be sent a second time for lateness, so that
	// a slow pool does not get twice its load. 10 %.
	RetryShare float64
	// RetryBurst second sendings may be saved up: a pool with one request a
	// second would otherwise wait 10 s for its first. 10.
	RetryBurst float64
	// FreeFor is how long after the begin of trouble second sendings are free:
	// the share is too small for the first blow. 1 s.
	FreeFor time.Duration
	// CalmAfter without a wish for a second sending the trouble is over and the
	// next one is free again. 10 s, so that a pool which is always slow cannot
	// have a free second out of every few.
	CalmAfter time.Duration
	// SlipMax is how late our own timers may be before lateness is thought to be
	// our own: a stalled gateway accuses nobody (as PROTOCOL 2). 300 ms.
	SlipMax time.Duration
}

// DefaultReflex holds the numbers of PROTOCOL 5.
func DefaultReflex() Reflex {
	return Reflex{
		ConnectTimeout: 300 * time.Millisecond,
		LateMin:        300 * time.Millisecond,
		LateFactor:     3,
		LateCount:      3,
		ProbeInterval:  time.Second,
		RetryShare:     0.10,
		RetryBurst:     10,
		FreeFor:        time.Second,
		CalmAfter:      10 * time.Second,
		SlipMax:        300 * time.Millisecond,
	}
}

func (c Config) withDefaults() Config {
	if c.Dial == nil {
		c.Dial = new(net.Dialer).DialContext
	}
	if c.Now == nil {
		c.Now = time.Now
	}
	if c.Log == nil {
		c.Log = zap.NewNop()
	}
	orDefault(&c.MaxInFlight, 2048)
	orDefault(&c.ChallengeBits, 16)
	orDefault(&c.MaxConns, 8192)
	orDefault(&c.MaxConnsEach, max(c.MaxConns/2, 1))
	orDefault(&c.HeadTimeout, 10*time.Second)
	orDefault(&c.BodyRate, 1<<10)
	orDefault(&c.TakeRate, 1<<10)
	orDefault(&c.TakeTimeout, 30*time.Second)
	orDefault(&c.MaxBody, 64<<10)
	orDefault(&c.BodyTimeout, 30*time.Second)
	orDefault(&c.AnswerTimeout, time.Minute)
	r, d := &c.Reflex, DefaultReflex()
	orDefault(&r.ConnectTimeout, d.ConnectTimeout)
	orDefault(&r.LateMin, d.LateMin)
	orDefault(&r.LateFactor, d.LateFactor)
	orDefault(&r.LateCount, d.LateCount)
	orDefault(&r.ProbeInterval, d.ProbeInterval)
	orDefault(&r.RetryShare, d.RetryShare)
	orDefault(&r.RetryBurst, d.RetryBurst)
	orDefault(&r.FreeFor, d.FreeFor)
	orDefault(&r.CalmAfter, d.CalmAfter)
	orDefault(&r.SlipMax, d.SlipMax)
	return c
}

func orDefault[T comparable](field *T, value T) {
	if *field == *new(T) {
		*field = value
	}
}

// Validate lists every value that cannot work, alone or beside another. Zero
// values pass: they mean the default.
func (c Config) Validate() error {
	c = c.withDefaults()
	var errs []error
	want := func(ok bool, format string, args ...any) {
		if !ok {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	if _, _, err := net.SplitHostPort(c.Listen); err != nil {
		want(false, "listen is %q, want host:port", c.Listen)
	}
	r := c.Reflex
	want(c.MaxInFlight > 0, "max_in_flight is %d, want at least 1", c.MaxInFlight)
	want(c.ChallengeBits > 0 && c.ChallengeBits <= 24, "challenge_bits is %d, want 1 to 24: a phone takes minutes for more", c.ChallengeBits)
	want(c.MaxConns > 0, "max_conns is %d, want at least 1", c.MaxConns)
	want(c.MaxConnsEach > 0 && c.MaxConnsEach <= max(c.MaxConns, 1), "max_conns_each is %d, want 1 to max_conns (%d)", c.MaxConnsEach, c.MaxConns)
	want(c.HeadTimeout > 0, "head_timeout is %v, want more than 0", c.HeadTimeout)
	want(c.BodyRate > 0, "body_rate is %d bytes a second, want at least 1", c.BodyRate)
	want(c.TakeRate > 0, "take_rate is %d bytes a second, want at least 1", c.TakeRate)
	want(c.TakeTimeout > 0, "take_timeout is %v, want more than 0", c.TakeTimeout)
	want(c.MaxBody > 0, "max_body is %d bytes, want at least 1", c.MaxBody)
	want(c.BodyTimeout > 0, "body_timeout is %v, want more than 0", c.BodyTimeout)
	want(r.ConnectTimeout > 0, "connect_timeout is %v, want more than 0", r.ConnectTimeout)
	want(r.LateMin > 0, "late_min is %v, want more than 0", r.LateMin)
	want(c.AnswerTimeout > r.LateMin, "answer_timeout is %v, want more than late_min (%v)", c.AnswerTimeout, r.LateMin)
	want(r.LateFactor >= 1, "late_factor is %v, want at least 1", r.LateFactor)
	want(r.LateCount > 0, "late_count is %d, want at least 1", r.LateCount)
	want(r.ProbeInterval > 0, "probe_interval is %v, want more than 0", r.ProbeInterval)
	want(r.RetryShare > 0 && r.RetryShare <= 1, "retry_share is %v, want more than 0 and at most 1", r.RetryShare)
	want(r.RetryBurst >= 1, "retry_burst is %v, want at least 1", r.RetryBurst)
	want(r.FreeFor > 0, "free_for is %v, want more than 0", r.FreeFor)
	want(r.CalmAfter >= r.FreeFor, "calm_after is %v, want at least free_for (%v)", r.CalmAfter, r.FreeFor)
	want(r.SlipMax > 0, "slip_max is %v, want more than 0", r.SlipMax)
	return errors.Join(errs...)
}
