package dns

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"strconv"
	"time"

	"github.com/miekg/dns"

	"moonwatch/failover/driver"
)

var (
	// errSetup marks what only people can mend.
	errSetup = errors.New("the server is not set up for this")
	// errUnsent marks what the server never heard of.
	errUnsent = errors.New("not sent")
	// errClocks marks a signature whose time the server does not believe: it has
	// done nothing, and clocks are set right again.
	errClocks = errors.New("the clocks differ")
)

// fudge is how far clocks may differ; RFC 8945 recommends it.
const fudge = 300

// session opens a connection that ends with ctx.
func (d *Driver) session(ctx context.Context) (conn net.Conn, end func(), err error) {
	conn, err = (&net.Dialer{}).DialContext(ctx, "tcp", d.config.Server)
	if err != nil {
		return nil, nil, fmt.Errorf("%w: %w", errUnsent, err)
	}
	stop := context.AfterFunc(ctx, func() { conn.Close() })
	return conn, func() { stop(); conn.Close() }, nil
}

// exchange sends a message and hears its answer, both signed.
func (d *Driver) exchange(ctx context.Context, conn net.Conn, m *dns.Msg) (*dns.Msg, error) {
	key := d.config.Key
	m.SetTsig(key.Name, dns.Fqdn(key.Algorithm), fudge, d.now().Unix())
	// A dns.Conn takes the next message for a continuation of the one before, so
	// each exchange has its own.
	wire := &dns.Conn{Conn: conn, TsigSecret: map[string]string{key.Name: key.Secret}}
	if err := wire.WriteMsg(m); err != nil {
		return nil, cause(ctx, err)
	}
	answer, err := wire.ReadMsg()
	if answer != nil && answer.Id == m.Id {
		if bad := badSignature(answer); bad != nil {
			return nil, bad
		}
	}
	switch {
	case err != nil:
		return nil, cause(ctx, err)
	case answer.Id != m.Id || !answer.Response || answer.Opcode != m.Opcode:
		return nil, errors.New("the answer belongs to another question")
	case answer.IsTsig() == nil:
		return nil, fmt.Errorf("the answer (%s) is not signed", dns.RcodeToString[answer.Rcode])
	}
	return answer, nil
}

// badSignature is the server's reason for which it does not take ours.
func badSignature(answer *dns.Msg) error {
	t := answer.IsTsig()
	if t == nil || t.Error == dns.RcodeSuccess {
		return nil
	}
	why := dns.RcodeToString[int(t.Error)]
	if int(t.Error) != dns.RcodeBadTime {
		return fmt.Errorf("%w: it does not take key %s (%s): give both sides the same name, algorithm and secret", errSetup, t.Hdr.Name, why)
	}
	theirs := "?"
	if raw, err := hex.DecodeString(t.OtherData); err == nil && len(raw) == 6 {
		if s, err := strconv.ParseInt(t.OtherData, 16, 64); err == nil {
			theirs = time.Unix(s, 0).UTC().Format(time.RFC3339)
		}
	}
	return fmt.Errorf("%w by more than %d s: the server's shows %s (%s)", errClocks, fudge, theirs, why)
}

// cause prefers the reason for which a connection was closed by us.
func cause(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return fmt.Errorf("no answer: %w", ctx.Err())
	}
	return err
}

// unread is the result if the records could not be read: people, or otherwise.
func unread(a aim, err error, otherwise driver.Outcome) driver.Result {
	if errors.Is(err, errSetup) {
		otherwise = driver.Permanent
	}
	return otherwise.Because("%s: read %s: %v", a.req, a.name, err)
}
