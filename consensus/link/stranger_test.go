package link_test

import (
	"context"
	"crypto/tls"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"moonwatch/consensus/link"
	"moonwatch/internal/pki"
	"moonwatch/member"
)

// credulous makes a client that believes any server, so that the server has to
// refuse by itself.
func credulous(cfg *tls.Config) *tls.Config {
	cfg = cfg.Clone()
	cfg.VerifyConnection = nil
	return cfg
}

func TestACertificateOfAnotherClusterIsRefusedByBothSides(t *testing.T) {
	c := newCluster(t)
	b := c.start("web-2", nil)
	mars := identity(t, newCA(t, "mars", time.Now()), "web-1")

	t.Run("the dialler refuses the server", func(t *testing.T) {
		a := c.start("web-3", func(cfg *link.Config) { cfg.Server, cfg.Client = mars.Server(), mars.Client() })
		_, _, err := a.Ask(t.Context(), b.Addr().String())
		wantError(t, err, pki.ErrOtherCluster, "ask "+b.Addr().String(), "web-2", "moon, this is mars")
		b.awaitLog(t, "link connection refused", "bad certificate", "does not accept our certificate")
	})
	t.Run("the server refuses the dialler", func(t *testing.T) {
		a := c.start("web-4", func(cfg *link.Config) { cfg.Client = credulous(mars.Client()) })
		_, _, err := a.Ask(t.Context(), b.Addr().String())
		wantError(t, err, link.ErrRefusedUs, "ask "+b.Addr().String())
		b.awaitLog(t, "link connection refused", pki.ErrOtherCluster.Error(), "web-1", "mars, this is moon")
	})
	t.Run("and so for the other streams", func(t *testing.T) {
		a := c.start("web-5", func(cfg *link.Config) { cfg.Client = credulous(mars.Client()) })
		wantError(t, a.Submit(t.Context(), "web-2", []byte("x")), link.ErrRefusedUs, "submit to web-2")
		wantError(t, a.Follow(t.Context(), "web-2", 1, func(link.Batch) error { return nil }), link.ErrRefusedUs, "follow web-2")
		a.SendRaft("web-2", []byte("x"))
		a.awaitLog(t, "raft stream lost", "refused our certificate")
	})
}

func TestAnotherCAOfTheSameClusterIdIsRefused(t *testing.T) {
	c := newCluster(t)
	b := c.start("web-2", nil)
	twin := identity(t, newCA(t, "moon", time.Now()), "web-1")
	a := c.start("web-3", func(cfg *link.Config) { cfg.Server, cfg.Client = twin.Server(), twin.Client() })
	_, _, err := a.Ask(t.Context(), b.Addr().String())
	wantError(t, err, pki.ErrOtherCA, "initialised twice?")

	blind := c.start("web-4", func(cfg *link.Config) { cfg.Client = credulous(twin.Client()) })
	_, _, err = blind.Ask(t.Context(), b.Addr().String())
	wantError(t, err, link.ErrRefusedUs)
	b.awaitLog(t, "link connection refused", pki.ErrOtherCA.Error())
}

func TestAnExpiredCertificateIsRefusedByBothSides(t *testing.T) {
	c := newCluster(t)
	c.ca = newCA(t, "moon", time.Now().Add(-pki.CAValidity/2))
	b := c.start("web-2", nil)
	old := expired(t, c.ca, "web-1")

	// It is offered as it is: pki itself would not even open it.
	client := identity(t, c.ca, "web-1").Client()
	client.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &old, nil }
	a := c.start("web-1", func(cfg *link.Config) { cfg.Client = client })
	_, _, err := a.Ask(t.Context(), b.Addr().String())
	wantError(t, err, link.ErrRefusedUs, "expired by its clock")
	b.awaitLog(t, "link connection refused", pki.ErrExpired.Error(), "web-1")

	server := identity(t, c.ca, "web-3").Server()
	server.GetCertificate = func(*tls.ClientHelloInfo) (*tls.Certificate, error) { return &old, nil }
	d := c.start("web-3", func(cfg *link.Config) { cfg.Server = server })
	_, _, err = b.Ask(t.Context(), d.Addr().String())
	wantError(t, err, pki.ErrExpired, "certificate of web-1")
	d.awaitLog(t, "link connection refused", "does not accept our certificate")
}

func expired(t *testing.T, ca *pki.CA, name member.ID) tls.Certificate {
	t.Helper()
	issued, err := ca.Issue(name, nil, time.Now().Add(-pki.MemberValidity-time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	cert, err := tls.X509KeyPair(issued.CertPEM, issued.KeyPEM)
	if err != nil {
		t.Fatal(err)
	}
	return cert
}

func TestWhoHasNoCertificateIsRefused(t *testing.T) {
	c := newCluster(t)
	b := c.start("web-2", nil)
	client := rawClient(t, &tls.Config{InsecureSkipVerify: true}) // it checks nobody
	resp, err := client.Get("https://" + b.Addr().String() + "/link/1/hello")
	if err == nil {
		resp.Body.Close()
		t.Fatal("it was let in")
	}
	b.awaitLog(t, "link connection refused", "didn't provide a certificate", "no agent")

	a := c.start("web-1", func(cfg *link.Config) {
		cfg.Client.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return &tls.Certificate{}, nil }
	})
	_, _, err = a.Ask(t.Context(), b.Addr().String())
	wantError(t, err, link.ErrRefusedUs, "certificate required")
}

func TestGarbageAtThePortDoesNoHarm(t *testing.T) {
	c := newCluster(t)
	a, b := c.start("web-1", nil), c.start("web-2", nil)
	junk := make([]byte, 4096)
	for i := range junk {
		junk[i] = byte(i * 7)
	}
	for _, text := range []string{"", "GET / HTTP/1.1\r\nHost: x\r\n\r\n", string(junk), "\x16\x03\x01\xff\xff" + string(junk)} {
		conn, err := net.Dial("tcp", b.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		_, _ = conn.Write([]byte(text)) // it may be cut off in the middle
		conn.Close()
	}
	b.awaitLog(t, "link connection refused", "does not look like a TLS handshake", "no agent")

	// Within TLS, with a good certificate, and still garbage.
	cfg := identity(t, c.ca, "web-3").Client()
	cfg.NextProtos = []string{"h2"}
	conn, err := tls.Dial("tcp", b.Addr().String(), cfg)
	if err != nil {
		t.Fatal(err)
	}
	_, _ = conn.Write(junk)
	_, _ = io.Copy(io.Discard, conn) // until we are cut off
	conn.Close()

	raw := rawClient(t, identity(t, c.ca, "web-3").Client())
	for path, body := range map[string]string{"raft": "\xff\xff\xff\xff garbage", "raft/bulk": "", "feed": "", "nowhere": ""} {
		resp, err := raw.Post("https://"+b.Addr().String()+"/link/1/"+path, "", newReader(body))
		if err != nil {
			continue // cut off is an answer too
		}
		_, _ = io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
	}
	b.awaitLog(t, "raft stream refused", "web-3", "frame of 4294967295 bytes: too large")

	a.SendRaft("web-2", []byte("still there?"))
	for {
		if got := b.next(t); got.from == "web-1" {
			break
		}
	}
}

func newReader(s string) io.Reader { return io.MultiReader(io.LimitReader(&repeat{s}, int64(len(s)))) }

// repeat reads the same text again and again.
type repeat struct{ s string }

func (r *repeat) Read(p []byte) (int, error) { return copy(p, r.s), nil }

func TestDiallingSomethingElseThanAnAgentIsClear(t *testing.T) {
	c := newCluster(t)
	a := c.start("web-1", nil)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = conn.Write([]byte("220 mail.example.com ESMTP\r\n"))
			conn.Close()
		}
	}()
	_, _, err = a.Ask(t.Context(), l.Addr().String())
	wantError(t, err, nil, "ask "+l.Addr().String(), "handshake")
}

func TestAServerThatNeverAnswersIsGivenUp(t *testing.T) {
	c := newCluster(t)
	a := c.start("web-1", nil)
	l, err := net.Listen("tcp", "127.0.0.1:0") // connections wait in the backlog, as for a stopped process
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, _, err = a.Ask(t.Context(), l.Addr().String())
	wantError(t, err, link.ErrSilent, "handshake")
	if errors.Is(err, context.Canceled) {
		t.Errorf("%v speaks of our own doings", err)
	}
}

func TestAPortInUseIsAnErrorAtStart(t *testing.T) {
	c := newCluster(t)
	b := c.start("web-2", nil)
	source := identity(t, c.ca, "web-1")
	_, err := link.Open(link.Config{
		Self: "web-1", ClusterID: "moon", Listen: b.Addr().String(), Server: source.Server(), Client: source.Client(),
		PeerOf: pki.PeerName, Resolve: c.resolve, Handler: newHandler(),
	})
	wantError(t, err, syscall.EADDRINUSE, "open link", b.Addr().String())
}

func TestARenewedCertificateIsShownToPeers(t *testing.T) {
	c := newCluster(t)
	dir := t.TempDir()
	files := pki.Files{Cert: filepath.Join(dir, "cert.pem"), Key: filepath.Join(dir, "key.pem"), CA: filepath.Join(dir, "ca.pem")}
	save := func(at time.Time) {
		issued, err := c.ca.Issue("web-2", nil, at)
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(os.WriteFile(files.Key, issued.KeyPEM, 0o600), os.WriteFile(files.Cert, issued.CertPEM, 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	save(time.Now().Add(-time.Hour))
	if err := c.ca.Save(files.CA, filepath.Join(dir, "ca.key")); err != nil {
		t.Fatal(err)
	}
	source, err := pki.OpenSource(files, nil)
	if err != nil {
		t.Fatal(err)
	}
	a := c.start("web-1", nil)
	b := c.start("web-2", func(cfg *link.Config) { cfg.Server, cfg.Client = source.Server(), source.Client() })
	_, before, err := a.Ask(t.Context(), b.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	save(time.Now())
	_, after, err := a.Ask(t.Context(), b.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	if before.Equal(after) {
		t.Error("the old key is still shown")
	}
}
