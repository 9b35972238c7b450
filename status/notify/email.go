package notify

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"errors"
	"fmt"
	"net"
	"net/smtp"
	"os"
	"strings"
	"time"

	"moonwatch/status"
)

// How a connection to a mail server is secured.
const (
	StartTLS = "starttls" // in plain text first, and not a word of the message before TLS
	Implicit = "implicit" // TLS from the first byte, as at port 465
	NoTLS    = "none"     // for a server on this machine
)

// EmailConfig says who gets messages as mail, and which server takes them.
type EmailConfig struct {
	Server   string // host:port
	Security string // StartTLS, Implicit or NoTLS
	From     string // bare addresses, as somebody@example.com
	To       []string
	User     string // empty: the server asks for none
	Password []byte
	TLS      *tls.Config // whom to trust, if not whom the system trusts
}

// Email hands messages to a mail server. All messages of a matter are one thread, and
// one that is sent again has the same Message-ID.
type Email struct {
	config EmailConfig
	host   string
}

// mailFor bounds a delivery that nobody else bounds.
const mailFor = 10 * time.Second

// NewEmail makes the receiver of a config.
func NewEmail(c EmailConfig) (*Email, error) {
	host, _, err := net.SplitHostPort(c.Server)
	switch {
	case err != nil:
		return nil, fmt.Errorf("email: server %q: want host:port", c.Server)
	case c.From == "" || len(c.To) == 0:
		return nil, errors.New("email: want from and to")
	case c.Security == NoTLS && !isOwn("http", host):
		return nil, fmt.Errorf("email: %s is not this machine, want %s or %s", host, StartTLS, Implicit)
	}
	return &Email{c, host}, nil
}

// Send delivers a message. Where the server refuses some of the addresses, the others
// get it.
func (e *Email) Send(ctx context.Context, m status.Message) error {
	fail := func(what string, err error) error {
		return fmt.Errorf("mail server %s: %s: %w", e.config.Server, what, err)
	}
	c, err := e.open(ctx)
	if err != nil {
		return fail("connect", err)
	}
	defer c.Close() //nolint:errcheck // after Quit, or after an error that says more
	if err := e.prove(c); err != nil {
		return fail("log in as "+e.config.User, err)
	}
	if err := c.Mail(e.config.From); err != nil {
		return fail("from "+e.config.From, err)
	}
	var refused []error
	for _, to := range e.config.To {
		if err := c.Rcpt(to); err != nil {
			refused = append(refused, fail("to "+to, err))
		}
	}
	if len(refused) == len(e.config.To) {
		return joined(refused)
	}
	w, err := c.Data()
	if err != nil {
		return fail("message", err)
	}
	if _, err := w.Write(mail(e.config, m, time.Now())); err != nil {
		return fail("message", err)
	}
	if err := w.Close(); err != nil { // the server's word that it has it
		return fail("message", err)
	}
	_ = c.Quit() // it has the message, whatever it says now
	return told(len(e.config.To), refused)
}

// open connects, says hello, and secures the connection.
func (e *Email) open(ctx context.Context) (*smtp.Client, error) {
	deadline, bounded := ctx.Deadline()
	if !bounded {
		deadline = time.Now().Add(mailFor)
	}
	conn, err := (&net.Dialer{Deadline: deadline}).DialContext(ctx, "tcp", e.config.Server)
	if err != nil {
		return nil, err
	}
	if err := conn.SetDeadline(deadline); err != nil {
		conn.Close()
		return nil, err
	}
	trust := &tls.Config{MinVersion: tls.VersionTLS12}
	if e.config.TLS != nil {
		trust = e.config.TLS.Clone()
	}
	trust.ServerName = e.host
	if e.config.Security == Implicit {
		conn = tls.Client(conn, trust)
	}
	// A server that hangs is left when ctx ends, not at the deadline alone.
	left := context.AfterFunc(ctx, func() { conn.Close() })
	c, err := smtp.NewClient(conn, e.host)
	if err != nil {
		left()
		conn.Close()
		return nil, err
	}
	if err := e.greet(c, trust); err != nil {
		left()
		_ = c.Close()
		return nil, err
	}
	return c, nil
}

func (e *Email) greet(c *smtp.Client, trust *tls.Config) error {
	if name, err := os.Hostname(); err == nil && !strings.ContainsAny(name, " \r\n") {
		if err := c.Hello(name); err != nil {
			return err
		}
	}
	if e.config.Security != StartTLS {
		return nil
	}
	// Without this a server, or somebody before it, could have us talk in plain text.
	if has, _ := c.Extension("STARTTLS"); !has {
		return errors.New("it offers no STARTTLS")
	}
	return c.StartTLS(trust)
}

func (e *Email) prove(c *smtp.Client) error {
	if e.config.User == "" {
		return nil
	}
	if has, ways := c.Extension("AUTH"); !has || !strings.Contains(" "+ways+" ", " PLAIN ") {
		return fmt.Errorf("it offers %q, want AUTH PLAIN", strings.TrimSpace("AUTH "+ways))
	}
	return c.Auth(plain{e.config.User, string(e.config.Password)})
}

// plain is AUTH PLAIN. smtp.PlainAuth knows no TLS that began with the first byte of a
// connection; that nobody reads along has been seen to before.
type plain struct{ user, password string }

func (p plain) Start(*smtp.ServerInfo) (string, []byte, error) {
	return "PLAIN", []byte("\x00" + p.user + "\x00" + p.password), nil
}

func (p plain) Next(_ []byte, more bool) ([]byte, error) {
	if more {
		return nil, errors.New("the server asks for more than AUTH PLAIN has")
	}
	return nil, nil
}

// isOwn says whether a host is this machine, for which plain text is good enough.
func isOwn(scheme, host string) bool {
	ip := net.ParseIP(host)
	return scheme == "http" && (host == "localhost" || ip != nil && ip.IsLoopback())
}

// reference is a Message-ID of something that has a name of its own.
func reference(of, from string) string {
	_, domain, _ := strings.Cut(from, "@")
	sum := sha256.Sum256([]byte(of))
	return "<" + hex.EncodeToString(sum[:16]) + ".moonwatch@" + domain + ">"
}
