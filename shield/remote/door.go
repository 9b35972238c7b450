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
	"time"

	"github.com/cespare/xxhash/v2"
	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

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

// Door is one such program. Its methods are those of its front, and Close.
type Door struct {
	count.Front
	cfg     Config
	client  *http.Client
	metrics metrics
	room    *count.Room
	stop    context.CancelFunc
	done    chan struct{}

	// Of the goroutine that asks alone.
	life     string // of this door, so that its sets are no other's
	set      int
	holds    []orders.Hold // of the set
	last     orders.Counts // as last read; Life is empty: there is none
	up, down bool          // neither: it was not asked yet
}

// Open begins to ask. It does not wait for the program, which may be started later.
func Open(cfg Config) (*Door, error) {
	cfg = cfg.withDefaults()
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("open door: %w", err)
	}
	ctx, stop := context.WithCancel(context.Background())
	room, front := count.NewRoom(cfg.Salt)
	d := &Door{
		Front: front, cfg: cfg, metrics: newMetrics(cfg.Registerer), room: room, stop: stop, done: make(chan struct{}),
		client: &http.Client{Transport: &http.Transport{DialContext: dialer(cfg.Address), MaxIdleConns: 1, IdleConnTimeout: time.Minute}},
		life:   lifeNow(), set: 1,
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

// seed chooses the clients that are let in. It is the same in every life of every door
// of the cluster, and tells nobody the salt.
func (d *Door) seed() uint64 {
	return xxhash.Sum64(binary.LittleEndian.AppendUint64([]byte("moonwatch clients 1"), d.cfg.Salt))
}
