// Package haproxy is a door of the shield: a HAProxy that people run already. It is
// told and asked over the Runtime API of its admin socket; what it has to be told in
// its own file stands in configs/haproxy/moonwatch.cfg.
//
// HAProxy counts each subdomain in a stick table and looks each request's up in a
// small map, which holds only those that are held. The door asks for the subdomains
// above a rate, for those that it was told to watch, and for nobody else, so a poll is
// short however many there are; a table that takes long to search is asked less often.
//
// HAProxy forgets the map when it is reloaded, and other people have a hand in it: once
// a second the door reads it back and puts it right. What it says in the map is obeyed
// for two seconds after the door's last word, which HAProxy itself watches (the lease),
// so a door that died holds nobody. A HAProxy that does not answer, or answers what
// cannot be understood, is let alone and asked again: its traffic passes, and Problem
// says so.
//
// What it does not do: a challenge is a shaping here. In shadow nothing is written, so
// nothing is counted of what would be refused. Whom HAProxy gets to know is its own
// decision, under pressure too.
package haproxy

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"moonwatch/shield/count"
)

// Config says which HAProxy is the door.
type Config struct {
	// Socket is the path of its admin socket.
	Socket string
	// Frontend is what the requests come in by; its counters are the totals.
	Frontend string
	// Backends are those behind it. Requests that wait in one are a sign of trouble;
	// without any, answers of 503 are the only one.
	Backends []string
	// Map is the file of the map as HAProxy's configuration names it.
	Map string
	// Salt of the keys, see shield.KeyOf.
	Salt uint64

	// Every is how often HAProxy is asked. Longer: a flood is felt later. 100 ms.
	Every time.Duration
	// Work is the part of the time that HAProxy may spend on being asked: a poll
	// that took long is followed by a pause. A thirtieth.
	Work float64
	// MendEvery is how often the map is read back. 1 s.
	MendEvery time.Duration
	// AnswerWithin bounds one question. An answer takes about a millisecond.
	AnswerWithin time.Duration

	Log        *zap.Logger           // silent if nil
	Registerer prometheus.Registerer // a private one if nil
}

// word is what may stand in a command: a space or a semicolon would begin something
// else.
var word = regexp.MustCompile(`^[A-Za-z0-9_.:/*-]+$`)

// The tables of configs/haproxy/moonwatch.cfg.
const (
	hostsTable = "moonwatch_hosts"
	totalTable = "moonwatch_totals"
	doorTable  = "moonwatch_door" // the lease
)

func (c Config) withDefaults() Config {
	if c.Every == 0 {
		c.Every = 100 * time.Millisecond
	}
	if c.Work == 0 {
		c.Work = 1.0 / 30
	}
	if c.MendEvery == 0 {
		c.MendEvery = time.Second
	}
	if c.AnswerWithin == 0 {
		c.AnswerWithin = time.Second
	}
	if c.Log == nil {
		c.Log = zap.NewNop()
	}
	if c.Registerer == nil {
		c.Registerer = prometheus.NewRegistry()
	}
	return c
}

// Validate lists every mistake. Zero durations mean their defaults.
func (c Config) Validate() error {
	c = c.withDefaults()
	var errs []error
	want := func(ok bool, format string, args ...any) {
		if !ok {
			errs = append(errs, fmt.Errorf(format, args...))
		}
	}
	want(c.Socket != "", "socket is empty, want the path of an admin socket")
	want(word.MatchString(c.Frontend), "frontend is %q, want the name of a frontend", c.Frontend)
	for _, b := range c.Backends {
		want(word.MatchString(b), "backend is %q, want the name of a backend", b)
	}
	want(word.MatchString(c.Map), "map is %q, want its path, of letters, digits and _.:/-", c.Map)
	want(c.Every > 0, "every is %v, want more than 0", c.Every)
	want(c.Work > 0 && c.Work <= 1, "work is %v, want more than 0 and at most 1", c.Work)
	want(c.MendEvery > 0, "mend_every is %v, want more than 0", c.MendEvery)
	want(c.AnswerWithin > 0, "answer_within is %v, want more than 0", c.AnswerWithin)
	return errors.Join(errs...)
}

// Door is one HAProxy. Its methods are those of its front, and Close.
type Door struct {
	count.Front
	cfg     Config
	metrics metrics
	room    *count.Room
	stop    context.CancelFunc
	done    chan struct{}

	// Of the goroutine that asks alone.
	totals   totals
	told     map[string]string // what the map holds, as far as is known
	mended   time.Time
	pid      string
	version  string
	up, down bool // neither: it was not asked yet
}

// Open begins to ask. It does not wait for HAProxy, which may be started later.
func Open(cfg Config) (*Door, error) {
	cfg = cfg.withDefaults()
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("open door haproxy: %w", err)
	}
	ctx, stop := context.WithCancel(context.Background())
	room, front := count.NewRoom(cfg.Salt)
	d := &Door{Front: front, cfg: cfg, metrics: newMetrics(cfg.Registerer), room: room, stop: stop, done: make(chan struct{})}
	go func() {
		defer close(d.done)
		d.run(ctx)
	}()
	return d, nil
}

// Close lets everybody in, as far as HAProxy answers, and ends.
func (d *Door) Close() {
	d.stop()
	<-d.done
}
