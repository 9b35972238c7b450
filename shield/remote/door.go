// Package remote is a door of the shield in another program of this machine, which is
// told and asked over a socket in the words of shield/orders: an nginx with
// configs/nginx, or a server with shield/middleware.
//
// That program counts and holds by itself; the door asks it a few times a second. It has
// a lease of two seconds, so a door that died holds nobody. A program that was started
// anew has lost what it was told: it says so in its next answer, and is told again. One
// that does not answer, or answers what cannot be understood, is let alone and asked
// again: its traffic passes, and Problem says so.
package remote

import (
	"context"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/cespare/xxhash/v2"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"moonwatch/shield"
	"moonwatch/shield/count"
	"moonwatch/shield/orders"
)

// Config says which program is the door.
type Config struct {
	// Address is where it is asked: the path of a unix socket, or host:port of this
	// machine.
	Address string
	// Key is what it wants to hear from whoever tells it what to do; without one none is
	// sent.
	Key string
	// Salt of the keys, see shield.KeyOf.
	Salt uint64

	// Every is how often it is asked. Longer: a flood is felt later. 100 ms.
	Every time.Duration
	// AnswerWithin bounds one question. An answer takes about a millisecond.
	AnswerWithin time.Duration

	Log        *zap.Logger           // silent if nil
	Registerer prometheus.Registerer // a private one if nil
}

// lease is how long an order is obeyed: a few missed ones are weather.
const lease = 2 * time.Second

func (c Config) withDefaults() Config {
	if c.Every == 0 {
		c.Every = 100 * time.Millisecond
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
	if !strings.HasPrefix(c.Address, "/") {
		_, _, err := net.SplitHostPort(c.Address)
		want(err == nil, "address is %q, want the path of a unix socket or host:port", c.Address)
	}
	want(c.Every > 0 && c.Every < lease/2, "every is %v, want more than 0 and less than %v: the lease has to be renewed in time", c.Every, lease/2)
	want(c.AnswerWithin > 0, "answer_within is %v, want more than 0", c.AnswerWithin)
	return errors.Join(errs...)
}

// Door is one such program. All methods may be called from any goroutine; Rotate and
// Trouble have one caller.
type Door struct {
	cfg     Config
	client  *http.Client
	metrics metrics
	learned chan string
	ticks   chan count.Tick
	changed chan struct{} // there are new measures
	stop    context.CancelFunc
	done    chan struct{}

	mu       sync.Mutex // all below
	told     *count.Told
	sum      count.Total
	known    int
	full     bool
	learn    int
	wanted   []shield.Key
	measures *shield.Measures
	trouble  bool
	problem  string

	// Of the goroutine that asks alone.
	life     string // of this door, so that its sets are no other's
	set      int
	holds    []orders.Hold // of the set
	last     orders.Counts // as last read; Life is empty: there is none
	up, down bool          // neither: it was not asked yet
}

// learnedRoom is how many hosts may wait to be taken notice of.
const learnedRoom = 256

// Open begins to ask. It does not wait for the program, which may be started later.
func Open(cfg Config) (*Door, error) {
	cfg = cfg.withDefaults()
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("open door: %w", err)
	}
	ctx, stop := context.WithCancel(context.Background())
	d := &Door{
		cfg: cfg, metrics: newMetrics(cfg.Registerer), stop: stop, done: make(chan struct{}),
		client:  &http.Client{Transport: &http.Transport{DialContext: dialer(cfg.Address), MaxIdleConns: 1, IdleConnTimeout: time.Minute}},
		learned: make(chan string, learnedRoom), ticks: make(chan count.Tick, 1), changed: make(chan struct{}, 1),
		told: count.NewTold(cfg.Salt), learn: 1 << 20, life: lifeNow(), set: 1,
	}
	go func() {
		defer close(d.done)
		d.run(ctx)
	}()
	return d, nil
}

func dialer(address string) func(context.Context, string, string) (net.Conn, error) {
	network := "tcp"
	if strings.HasPrefix(address, "/") {
		network = "unix"
	}
	return func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, address)
	}
}

// lifeNow differs from every other door's before.
func lifeNow() string {
	return hex.EncodeToString(binary.BigEndian.AppendUint64(nil, uint64(time.Now().UnixNano()))) //nolint:gosec // it is but a name
}

// Close lets everybody in, as far as the program answers, and ends.
func (d *Door) Close() {
	d.stop()
	<-d.done
	d.client.CloseIdleConnections()
}

// Ticks is the stream of moments up to which was counted, one for each question,
// answered or not. One that nobody takes is replaced by the next.
func (d *Door) Ticks() <-chan count.Tick { return d.ticks }

// Learned is the stream of hosts that were first seen. It is never closed.
func (d *Door) Learned() <-chan string { return d.learned }

// Rotate says what was counted since it was last called: the totals, the subdomains
// that are asked for much, and those that are wanted, which are asked for from the next
// question on. Until the next order at most learn hosts become known.
func (d *Door) Rotate(learn int, wanted []shield.Key) (count.Total, []shield.Count) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.learn = learn
	d.wanted = append(d.wanted[:0], wanted...)
	return d.sum, d.told.Rotate(wanted)
}

// Trouble reports, since it was last called, whether answers said that whoever gives
// them is overloaded.
func (d *Door) Trouble() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	was := d.trouble
	d.trouble = false
	return was
}

// Known is how many hosts and buckets the program counts alone.
func (d *Door) Known() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.known
}

// Full reports that a host could not become known for want of room.
func (d *Door) Full() bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.full
}

// Counts reports whether a request was ever counted under a key.
func (d *Door) Counts(k shield.Key) bool {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.told.Counts(k)
}

// Problem says why the program does not do what it should; empty: it does.
func (d *Door) Problem() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.problem
}

// Enforce replaces what is done about subdomains; nil lets everybody in. The program is
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

// Measures are those that the program should be doing.
func (d *Door) Measures() *shield.Measures {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.measures
}

// seed chooses the clients that are let in. It is the same in every life of every door
// of the cluster, and tells nobody the salt.
func (d *Door) seed() uint64 {
	return xxhash.Sum64(binary.LittleEndian.AppendUint64([]byte("moonwatch clients 1"), d.cfg.Salt))
}
