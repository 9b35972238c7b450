package notify

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"io"
	"mime"
	"mime/quotedprintable"
	"net"
	netmail "net/mail"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/emersion/go-sasl"
	"github.com/emersion/go-smtp"

	"moonwatch/status"
)

// mailServer is an SMTP server with one account. It refuses mail to nobody@.
type mailServer struct {
	t    *testing.T
	addr string

	mu    sync.Mutex
	mails []delivered
}

type delivered struct {
	user, from string
	to         []string
	tls        bool
	text       []byte
}

// newMailServer listens on loopback until the test ends.
func newMailServer(t *testing.T, security string, theirs *tls.Config) *mailServer {
	t.Helper()
	s := &mailServer{t: t}
	server := smtp.NewServer(s)
	server.Domain, server.AllowInsecureAuth = "mail.test", security == NoTLS
	server.ErrorLog = silent{}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.addr = l.Addr().String()
	switch security {
	case StartTLS:
		server.TLSConfig = theirs
	case Implicit:
		l = tls.NewListener(l, theirs)
	}
	go server.Serve(l) //nolint:errcheck // ends with Close
	t.Cleanup(func() { server.Close() })
	return s
}

type silent struct{}

func (silent) Printf(string, ...any) {}
func (silent) Println(...any)        {}

func (s *mailServer) NewSession(c *smtp.Conn) (smtp.Session, error) {
	return &mailSession{server: s, conn: c}, nil
}

func (s *mailServer) got() []delivered {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]delivered(nil), s.mails...)
}

type mailSession struct {
	server *mailServer
	conn   *smtp.Conn
	now    delivered
}

func (x *mailSession) AuthMechanisms() []string { return []string{sasl.Plain} }
func (x *mailSession) Auth(string) (sasl.Server, error) {
	return sasl.NewPlainServer(func(_, user, password string) error {
		if user != "moonwatch" || password != "of the mail server" {
			return smtp.ErrAuthFailed
		}
		x.now.user = user
		return nil
	}), nil
}

func (x *mailSession) Mail(from string, _ *smtp.MailOptions) error {
	if x.now.user == "" {
		return smtp.ErrAuthRequired
	}
	x.now.from = from
	return nil
}

func (x *mailSession) Rcpt(to string, _ *smtp.RcptOptions) error {
	if strings.HasPrefix(to, "nobody@") {
		return &smtp.SMTPError{Code: 550, EnhancedCode: smtp.EnhancedCode{5, 1, 1}, Message: "no such user"}
	}
	x.now.to = append(x.now.to, to)
	return nil
}

func (x *mailSession) Data(r io.Reader) (err error) {
	_, x.now.tls = x.conn.TLSConnectionState()
	if x.now.text, err = io.ReadAll(r); err != nil {
		return err
	}
	x.server.mu.Lock()
	defer x.server.mu.Unlock()
	x.server.mails = append(x.server.mails, x.now)
	return nil
}

func (x *mailSession) Reset()        { x.now = delivered{user: x.now.user} }
func (x *mailSession) Logout() error { return nil }

func newEmail(t *testing.T, c EmailConfig) *Email {
	t.Helper()
	if c.From == "" {
		c.From = "moonwatch@example.com"
	}
	if c.To == nil {
		c.To = []string{"ops@example.com", "lead@example.com"}
	}
	if c.User == "" {
		c.User, c.Password = "moonwatch", []byte("of the mail server")
	}
	e, err := NewEmail(c)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func TestAMessageComesAsMailThatIsOneThreadWithItsEnd(t *testing.T) {
	ours, theirs := certified(t)
	for _, security := range []string{StartTLS, Implicit} {
		s := newMailServer(t, security, theirs)
		e := newEmail(t, EmailConfig{Server: s.addr, Security: security, TLS: ours})
		for _, m := range []status.Message{fall(status.SaysBegun), fall(status.SaysEnded), fall(status.SaysEnded)} {
			if err := e.Send(t.Context(), m); err != nil {
				t.Fatal(security, err)
			}
		}
		got := s.got()
		if len(got) != 3 {
			t.Fatalf("%s: %d mails, want 3", security, len(got))
		}
		var ids, threads []string
		for i, d := range got {
			if d.user != "moonwatch" || !d.tls || d.from != "moonwatch@example.com" || strings.Join(d.to, " ") != "ops@example.com lead@example.com" {
				t.Errorf("%s: %d came as %+v", security, i, d)
			}
			m, err := netmail.ReadMessage(bytes.NewReader(d.text))
			if err != nil {
				t.Fatalf("%s: %d is no mail: %v\n%s", security, i, err, d.text)
			}
			ids, threads = append(ids, m.Header.Get("Message-ID")), append(threads, m.Header.Get("References"))
			title, err := (&mime.WordDecoder{}).DecodeHeader(m.Header.Get("Subject"))
			want := fall([]status.HeraldSays{status.SaysBegun, status.SaysEnded, status.SaysEnded}[i])
			if err != nil || title != want.Title() {
				t.Errorf("%s: subject %q (%v), want %q", security, title, err, want.Title())
			}
			text, err := io.ReadAll(quotedprintable.NewReader(m.Body))
			if got := strings.ReplaceAll(string(text), "\r\n", "\n"); err != nil || got != want.Text() {
				t.Errorf("%s: it says (%v)\n%s\nwant\n%s", security, err, got, want.Text())
			}
			if to, err := m.Header.AddressList("To"); err != nil || len(to) != 2 {
				t.Errorf("%s: to %v, %v", security, to, err)
			}
		}
		if ids[0] == ids[1] || ids[1] != ids[2] || threads[0] != threads[1] || threads[0] == "" {
			t.Errorf("%s: ids %v, want the same for the same message; threads %v, want one", security, ids, threads)
		}
	}
}

// TestNothingThatSomebodyNamedBecomesAHeader would add recipients, or end the header.
func TestNothingThatSomebodyNamedBecomesAHeader(t *testing.T) {
	m := fall(status.SaysBegun)
	m.Notice.What = "web-3\r\nBcc: everybody@example.com\r\n\r\nis down.\r\n.\r\nQUIT"
	text := mail(EmailConfig{From: "a@example.com", To: []string{"b@example.com"}}, m, time.Now())
	got, err := netmail.ReadMessage(bytes.NewReader(text))
	if err != nil || got.Header.Get("Bcc") != "" || got.Header.Get("Content-Type") == "" {
		t.Errorf("%v: %v", err, got)
	}
	m.Notice.What = strings.Repeat("grün ", 200)
	for line := range bytes.Lines(mail(EmailConfig{From: "a@example.com", To: []string{"b@example.com"}}, m, time.Now())) {
		if len(line) > 78 {
			t.Errorf("a line of %d bytes: %s", len(line), line)
		}
	}
}

func TestWhatAMailServerRefusesIsSaid(t *testing.T) {
	ours, theirs := certified(t)
	s := newMailServer(t, StartTLS, theirs)
	plain := newMailServer(t, NoTLS, nil)
	for want, c := range map[string]EmailConfig{
		"log in as moonwatch: 535":   {Server: s.addr, Security: StartTLS, TLS: ours, User: "moonwatch", Password: []byte("wrong")},
		"to nobody@example.com: 550": {Server: s.addr, Security: StartTLS, TLS: ours, To: []string{"nobody@example.com"}},
		"certificate":                {Server: s.addr, Security: StartTLS},
		"it offers no STARTTLS":      {Server: plain.addr, Security: StartTLS, TLS: ours},
		"connect":                    {Server: "127.0.0.1:1", Security: StartTLS, TLS: ours},
		"first record does not look": {Server: plain.addr, Security: Implicit, TLS: ours},
	} {
		err := newEmail(t, c).Send(t.Context(), fall(status.SaysBegun))
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), c.Server) {
			t.Errorf("%v, want %q of %s", err, want, c.Server)
		}
		if partly := (*Partly)(nil); errors.As(err, &partly) {
			t.Errorf("%v counts as told", err)
		}
	}
	if n := len(s.got()) + len(plain.got()); n != 0 {
		t.Errorf("%d mails came all the same", n)
	}
	// Here alone plain text is good enough, and one bad address keeps nobody from knowing.
	err := newEmail(t, EmailConfig{Server: plain.addr, Security: NoTLS, To: []string{"nobody@example.com", "ops@example.com"}}).Send(t.Context(), fall(status.SaysBegun))
	if partly := (*Partly)(nil); !errors.As(err, &partly) || !strings.Contains(err.Error(), "nobody@example.com") || len(plain.got()) != 1 {
		t.Errorf("%v and %d mails, want one and who was refused", err, len(plain.got()))
	}
	if _, err := NewEmail(EmailConfig{Server: "mail.example.com:25", Security: NoTLS, From: "a@b.c", To: []string{"a@b.c"}}); err == nil {
		t.Error("mail would go through the network in plain text")
	}
}

// TestAMailServerThatHangsIsLeft says nothing, as a port that something else holds.
func TestAMailServerThatHangsIsLeft(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	e := newEmail(t, EmailConfig{Server: l.Addr().String(), Security: StartTLS})
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- e.Send(ctx, fall(status.SaysBegun)) }()
	conn, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	cancel()
	select {
	case err := <-ended:
		if err == nil {
			t.Error("a server that never spoke has taken a message")
		}
	case <-time.After(30 * time.Second):
		t.Fatal("it waits for a server that hangs")
	}
}
