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
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"moonwatch/shield"
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

// Door is one HAProxy. All methods may be called from any goroutine; Rotate and
// Trouble have one caller.
type Door struct {
	cfg     Config
	metrics metrics
	learned chan string
	ticks   chan count.Tick
	changed chan struct{} // there are new measures
	stop    context.CancelFunc
	done    chan struct{}

	mu       sync.Mutex // all below
	hosts    *count.Told
	used     int // of the table of hosts
	size     int
	totals   totals
	wanted   []shield.Key
	measures *shield.Measures
	trouble  bool
	problem  string

	// Of the goroutine that asks alone.
	told     map[string]string // what the map holds, as far as is known
	mended   time.Time
	pid      string
	version  string
	up, down bool // neither: it was not asked yet
}

// learnedRoom is how many hosts may wait to be taken notice of.
const learnedRoom = 256

// Open begins to ask. It does not wait for HAProxy, which may be started later.
func Open(cfg Config) (*Door, error) {
	cfg = cfg.withDefaults()
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("open door haproxy: %w", err)
	}
	ctx, stop := context.WithCancel(context.Background())
	d := &Door{
		cfg: cfg, metrics: newMetrics(cfg.Registerer), stop: stop, done: make(chan struct{}),
		learned: make(chan string, learnedRoom), ticks: make(chan count.Tick, 1), changed: make(chan struct{}, 1),
		hosts: count.NewTold(cfg.Salt),
	}
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

// Ticks is the stream of moments up to which was counted, one for each poll,
// answered or not. One that nobody takes is replaced by the next.
func (d *Door) Ticks() <-chan count.Tick { return d.ticks }

// Learned is the stream of hosts that were first seen. It is never closed.
func (d *Door) Learned() <-chan string { return d.learned }

// Rotate says what was counted since it was last called: the totals, the subdomains
// above a rate, and those that are wanted, which are asked for from the next poll on.
// How many become known is HAProxy's own decision, and learn is not heard.
func (d *Door) Rotate(_ int, wanted []shield.Key) (count.Total, []shield.Count) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.wanted = append(d.wanted[:0], wanted...)
	return d.totals.sum, d.hosts.Rotate(wanted)
}

// Trouble reports, since it was last called, whether requests waited for an occupant,
// or occupants answered that they are overloaded.
func (d *Door) Trouble() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	was := d.trouble
	d.trouble = false
	return was
}

// Known is how many hosts and buckets HAProxy counts alone.
func (d *Door) Known() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.used
}

// Full reports that a host could not become known for want of room.
func (d *Door) Full() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.size > 0 && d.used >= d.size
}

// Counts reports whether a request was ever counted under a key.
func (d *Door) Counts(k shield.Key) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.hosts.Counts(k)
}

// Problem says why HAProxy does not do what it should; empty: it does.
func (d *Door) Problem() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.problem
}

// Enforce replaces what is done about subdomains; nil lets everybody in. HAProxy is
// told at once, by another goroutine.
func (d *Door) Enforce(m *shield.Measures) {
	d.mu.Lock()
	d.measures = m
	d.mu.Unlock()
	select {
	case d.changed <- struct{}{}:
	default:
	}
}

// Measures are those that HAProxy should be doing.
func (d *Door) Measures() *shield.Measures {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.measures
}
