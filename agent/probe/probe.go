// Package probe asks a member's service how it does: over HTTP, TCP or gRPC
// from outside, at the member's own address and never at the slot's, or by an
// installed program on the member itself.
//
// It judges one answer and decides nothing: what a run of answers means is the
// observer's business. It owns the distinction that verdicts rest on: refused,
// silent, or never asked at all. Our own shortage is never evidence against
// another member.
package probe

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"moonwatch/internal/program"
	"moonwatch/member"
)

// Outcome is what a check found.
type Outcome uint8

const (
	// Unasked: the question did not go out, for a reason of our own (no check is
	// set, we are stopping, we are short of sockets, the program is not
	// installed). It is evidence of nothing, and therefore the zero value.
	Unasked Outcome = iota
	Answers         // the service says that it is well
	Refuses         // it refuses, fails or answers wrongly: somebody is there
	Silent          // nothing came in time
)

var outcomes = [...]string{"unasked", "answers", "refuses", "silent"}

// String is the outcome's name in logs and metrics.
func (o Outcome) String() string {
	if int(o) >= len(outcomes) {
		return fmt.Sprintf("outcome %d", uint8(o))
	}
	return outcomes[o]
}

// Result answers one check.
type Result struct {
	Outcome Outcome
	Detail  string // one line for `explain`: "GET :8080/healthz: 503 Service Unavailable"
	Took    time.Duration
}

// Target is the place that is asked. Slot and SlotEpoch go along where the
// protocol can carry them, so that a service may see which occupant is meant;
// without a Slot neither is sent.
type Target struct {
	Addr      netip.Addr // the member's own address
	Slot      member.SlotID
	SlotEpoch member.SlotEpoch
}

// Config says how a Checker reaches the world.
type Config struct {
	Dial       Dialer                // opens every connection; nil means the network
	Programs   program.Folder        // checks_dir, for exec checks
	Registerer prometheus.Registerer // nil is a private one
}

// Dialer opens a connection or fails, at the latest when ctx is done. An error
// that is no refusal counts as silence, so a gate that is shut may hang or fail.
type Dialer func(ctx context.Context, network, address string) (net.Conn, error)

// Checker runs checks. It may be used by many goroutines at once, whose number
// is the caller's to bound, and holds nothing open between two Runs. It does not
// log: a Result says all, and the caller knows what is new.
type Checker struct {
	programs program.Folder
	dial     Dialer
	metrics  *metrics
}

// defaultTimeout holds where neither the caller nor the check names one: the
// time-out of the sample fleet, five times the slowest sound answer in one LAN.
const defaultTimeout = 500 * time.Millisecond

// New makes a Checker.
func New(cfg Config) *Checker {
	if cfg.Dial == nil {
		cfg.Dial = (&net.Dialer{}).DialContext
	}
	return &Checker{programs: cfg.Programs, dial: cfg.Dial, metrics: newMetrics(cfg.Registerer)}
}

// Run asks the one check that is set and waits for the answer, at most timeout
// and at most the check's own time-out; a timeout of 0 leaves the latter alone.
// An exec check that has to be killed takes up to half a second more.
func (c *Checker) Run(ctx context.Context, target Target, checks member.Checks, timeout time.Duration) Result {
	timeout = shorter(timeout, checks.Timeout())
	asked, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	started := time.Now()
	kind, result := c.ask(asked, target, checks)
	result.Took = time.Since(started)
	if result.Outcome == Silent && errors.Is(ctx.Err(), context.Canceled) {
		result.Outcome = Unasked // we did not wait for the answer
	}
	c.metrics.count(kind, result)
	return result
}

// ask puts the question of the kind that is set.
func (c *Checker) ask(ctx context.Context, target Target, checks member.Checks) (kind string, _ Result) {
	target.Addr = target.Addr.Unmap()
	if checks.Outside() && !target.Addr.IsValid() {
		return "none", Result{Detail: "the member has no address"}
	}
	switch {
	case checks.HTTP != nil:
		return "http", c.askHTTP(ctx, target, *checks.HTTP)
	case checks.TCP != nil:
		return "tcp", c.askTCP(ctx, target, *checks.TCP)
	case checks.GRPC != nil:
		return "grpc", c.askGRPC(ctx, target, *checks.GRPC)
	case checks.Exec != nil:
		return "exec", c.askExec(ctx, target, *checks.Exec)
	default:
		return "none", Result{Detail: "no check is set"}
	}
}

// shorter takes the smaller time-out of those that are set.
func shorter(a, b time.Duration) time.Duration {
	switch {
	case a <= 0 && b <= 0:
		return defaultTimeout
	case a <= 0:
		return b
	case b <= 0:
		return a
	default:
		return min(a, b)
	}
}
