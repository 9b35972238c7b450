package link

import (
	"context"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"

	"moonwatch/member"
)

// transport makes HTTP/2 connections to members, one per member, and asks one
// that is silent whether it still lives.
func (l *Link) transport(ping, pingTimeout time.Duration) *http.Transport {
	var only http.Protocols
	only.SetHTTP2(true)
	return &http.Transport{
		DialTLSContext:  l.dialMember,
		Protocols:       &only,
		IdleConnTimeout: l.timing.Idle,
		HTTP2:           &http.HTTP2Config{SendPingTimeout: ping, PingTimeout: pingTimeout, WriteByteTimeout: ping + pingTimeout},
	}
}

// memberURL addresses a member by name. Names go through hexadecimal: what is a
// name to us need not be a host to net/http.
func memberURL(to member.ID, path string) *url.URL {
	return &url.URL{Scheme: "https", Host: hex.EncodeToString([]byte(to)), Path: path}
}

func memberOf(host string) (member.ID, error) {
	host, _, _ = strings.Cut(host, ":") // net/http adds :443
	name, err := hex.DecodeString(host)
	if err != nil {
		return "", fmt.Errorf("host %q is no member: %w", host, err)
	}
	return member.ID(name), nil
}

// dialMember is the transports' way to a connection: it ends with the handshake
// done and with nobody but that member at the other end.
func (l *Link) dialMember(ctx context.Context, _, host string) (net.Conn, error) {
	to, err := memberOf(host)
	if err != nil {
		return nil, err
	}
	addr, ok := l.cfg.Resolve(to)
	if !ok {
		return nil, fmt.Errorf("dial: %w", ErrUnknownMember)
	}
	tlsConn, err := l.dial(ctx, addr)
	if err != nil {
		return nil, err
	}
	name, err := l.cfg.PeerOf(tlsConn.ConnectionState())
	if err == nil && name != to {
		err = fmt.Errorf("%w: %s", ErrOtherMember, name)
	}
	if err != nil {
		tlsConn.Close()
		return nil, fmt.Errorf("dial %s: %w", addr, err)
	}
	return tlsConn, nil
}

// dial connects and shakes hands with whoever is at addr.
func (l *Link) dial(ctx context.Context, addr string) (*tls.Conn, error) {
	ctx, cancel := l.bind(ctx) // net/http lets a dial outlive the request it is for
	defer cancel()
	dialer := net.Dialer{Timeout: l.timing.Dial, LocalAddr: l.localFor(addr), Control: l.conns.beforeDial}
	raw, err := dialer.DialContext(ctx, "tcp", addr)
	if err != nil {
		return nil, err
	}
	c, err := l.conns.add(raw, 0)
	if err != nil {
		return nil, fmt.Errorf("dial: %w", err)
	}
	cfg := l.cfg.Client.Clone()
	cfg.NextProtos = []string{"h2"}
	tlsConn := tls.Client(c, cfg)
	if err := l.shake(ctx, c, tlsConn); err != nil {
		c.cut()
		return nil, fmt.Errorf("dial %s: %w", addr, err)
	}
	state := tlsConn.ConnectionState()
	c.peer.Store(&state)
	return tlsConn, nil
}

// shake does the handshake and waits for the server's first word. All of it is
// bounded by Dial, so that a stopped process, whose system still accepts
// connections for it, is noticed.
func (l *Link) shake(ctx context.Context, c *conn, tlsConn *tls.Conn) error {
	ctx, cancel := context.WithTimeout(ctx, l.timing.Dial)
	defer cancel()
	if err := tlsConn.HandshakeContext(ctx); err != nil {
		if errors.Is(err, context.DeadlineExceeded) {
			return fmt.Errorf("handshake: %w for %v", ErrSilent, l.timing.Dial)
		}
		return fmt.Errorf("handshake: %w", explain(err))
	}
	deadline, _ := ctx.Deadline()
	if err := c.SetReadDeadline(deadline); err != nil {
		return fmt.Errorf("handshake: %w", err)
	}
	alert, err := c.settle()
	if alert { // net/http would swallow it; read here, it is an error with a number
		_, err = tlsConn.Read(make([]byte, 1))
	}
	if err != nil {
		return fmt.Errorf("handshake: %w", explain(err))
	}
	return c.SetReadDeadline(time.Time{})
}

// localFor is the address that we dial from: the one we listen at, where that
// is a certain one, so that others see us come from where they look for us. A
// loopback address cannot reach anything else, so it is left to the system.
func (l *Link) localFor(addr string) net.Addr {
	own, ok := l.Addr().(*net.TCPAddr)
	if !ok || own.IP.IsUnspecified() {
		return nil
	}
	host, _, err := net.SplitHostPort(addr)
	if err != nil {
		return nil
	}
	to := net.ParseIP(host)
	if to == nil || to.IsLoopback() != own.IP.IsLoopback() || (to.To4() == nil) != (own.IP.To4() == nil) {
		return nil
	}
	return &net.TCPAddr{IP: own.IP, Zone: own.Zone}
}

// explain puts words to what arrives as a number: a TLS alert, which is all
// that a peer says when it refuses our certificate.
func explain(err error) error {
	var op *net.OpError
	if errors.As(err, &op) && op.Op == "remote error" {
		return fmt.Errorf("%w (%w)", ErrRefusedUs, err)
	}
	var late net.Error
	if errors.As(err, &late) && late.Timeout() {
		return fmt.Errorf("%w: %w", ErrSilent, err)
	}
	return err
}

// Refusal is a peer's own no: it was reached, it understood, and it declined.
type Refusal struct {
	By     member.ID
	Reason string
	Feeds  []member.ID // whom it feeds, of [ErrFollowersFull]: they may have a place; a build of before says nothing
	code   int
}

func (r *Refusal) Error() string { return "refused: " + r.Reason }

// Is lets callers ask for the refusals that they decide by.
func (r *Refusal) Is(target error) bool {
	switch r.code {
	case http.StatusTooManyRequests:
		return target == ErrFollowersFull
	case http.StatusRequestEntityTooLarge:
		return target == ErrTooLarge
	default:
		return false
	}
}

// maxReason bounds what a peer may write into our errors, in bytes.
const maxReason = 4096

// noSuchPath is what net/http says of a path that nobody serves: a build of before is asked
// for what came later.
const noSuchPath = "404 page not found"

// accepted turns an answer other than OK into a Refusal.
func accepted(by member.ID, resp *http.Response) error {
	if resp.StatusCode == http.StatusOK {
		return nil
	}
	text, err := io.ReadAll(io.LimitReader(resp.Body, maxReason))
	if err != nil {
		return fmt.Errorf("refused: %s: %w", resp.Status, err)
	}
	reason := strings.TrimSpace(string(text))
	if resp.StatusCode == http.StatusNotFound && reason == noSuchPath {
		reason = "its build knows no such request"
	}
	if resp.StatusCode == http.StatusGatewayTimeout {
		return fmt.Errorf("outcome unknown: %s", reason)
	}
	r := &Refusal{By: by, Reason: reason, code: resp.StatusCode}
	for _, id := range resp.Header.Values(headerFeeds) {
		if len(r.Feeds) < MaxFollowers {
			r.Feeds = append(r.Feeds, member.ID(id))
		}
	}
	return r
}

// request begins one piece of work that asks another member: Close waits for it, and its
// context ends with the link and after limit. done ends it. ErrClosed: Close has begun.
func (l *Link) request(ctx context.Context, limit time.Duration) (_ context.Context, done func(), err error) {
	if !l.begin() {
		return nil, nil, ErrClosed
	}
	ctx, unbind := l.bind(ctx)
	ctx, giveUp := context.WithTimeout(ctx, limit)
	return ctx, func() {
		giveUp()
		unbind()
		l.work.Done()
	}, nil
}

// bind makes a context that also ends with the link.
func (l *Link) bind(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	stop := context.AfterFunc(l.life, func() { cancel(ErrClosed) })
	return ctx, func() { stop(); cancel(nil) }
}
