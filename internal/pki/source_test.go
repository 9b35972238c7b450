package pki

import (
	"crypto/ed25519"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"sync"
	"testing"
	"time"
)

// clock is a time of day that a test moves.
type clock struct {
	mu  sync.Mutex
	now time.Time
}

func (c *clock) Now() time.Time { c.mu.Lock(); defer c.mu.Unlock(); return c.now }

func (c *clock) set(now time.Time) { c.mu.Lock(); defer c.mu.Unlock(); c.now = now }

func source(t *testing.T, files Files, told func(*Pair, error)) (*Source, *clock) {
	t.Helper()
	c := &clock{now: today}
	s, err := openSource(files, told, c.Now)
	if err != nil {
		t.Fatal(err)
	}
	return s, c
}

// shake runs one handshake and what follows it, so that in TLS 1.3 the client
// too hears what the server thinks of its certificate.
func shake(t *testing.T, server, client *tls.Config) (state tls.ConnectionState, serverErr, clientErr error) {
	t.Helper()
	a, b := net.Pipe()
	deadline := time.Now().Add(5 * time.Second)
	for _, c := range []net.Conn{a, b} {
		if err := c.SetDeadline(deadline); err != nil {
			t.Fatal(err)
		}
	}
	sc, cc := tls.Server(a, server), tls.Client(b, client)
	var wg sync.WaitGroup
	wg.Go(func() {
		defer a.Close()
		if serverErr = sc.Handshake(); serverErr == nil {
			state = sc.ConnectionState()
			_, serverErr = sc.Write([]byte("x"))
		}
	})
	if clientErr = cc.Handshake(); clientErr == nil {
		_, clientErr = cc.Read(make([]byte, 1))
	}
	b.Close()
	wg.Wait()
	return state, serverErr, clientErr
}

func TestMembersOfOneClusterMeet(t *testing.T) {
	ca := newCA(t, "moon")
	a, _ := source(t, enrol(t, ca, "web-1"), nil)
	b, _ := source(t, enrol(t, ca, "web-2"), nil)
	state, serverErr, clientErr := shake(t, a.Server(), b.Client())
	if serverErr != nil || clientErr != nil {
		t.Fatalf("server: %v, client: %v", serverErr, clientErr)
	}
	if name, err := PeerName(state); name != "web-2" || err != nil {
		t.Errorf("peer is %q, %v", name, err)
	}
	if state.Version != tls.VersionTLS13 {
		t.Errorf("TLS version %x", state.Version)
	}
}

func TestStrangersAreRefusedByBothSides(t *testing.T) {
	ca := newCA(t, "moon")
	ours, _ := source(t, enrol(t, ca, "web-1"), nil)
	mars, _ := source(t, enrol(t, newCA(t, "mars"), "web-2"), nil)
	twin, _ := source(t, enrol(t, newCA(t, "moon"), "web-2"), nil)
	aged, agedClock := source(t, enrol(t, ca, "web-3"), nil)
	agedClock.set(today.Add(-MemberValidity)) // so that it offers what we find too new

	// credulous is a client that checks nothing, to see the server decide alone.
	credulous := func(s *Source) *tls.Config {
		c := s.Client()
		c.VerifyConnection = nil
		return c
	}
	t.Run("another cluster as server", func(t *testing.T) {
		_, serverErr, clientErr := shake(t, mars.Server(), ours.Client())
		wantError(t, clientErr, ErrOtherCluster, "web-2", "mars, this is moon")
		wantError(t, serverErr, nil, "bad certificate")
	})
	t.Run("another cluster as client", func(t *testing.T) {
		_, serverErr, clientErr := shake(t, ours.Server(), credulous(mars))
		wantError(t, serverErr, ErrOtherCluster, "web-2", "mars, this is moon")
		wantError(t, clientErr, nil, "bad certificate")
	})
	t.Run("another CA of the same cluster id", func(t *testing.T) {
		_, serverErr, _ := shake(t, ours.Server(), credulous(twin))
		wantError(t, serverErr, ErrOtherCA, "web-2")
	})
	t.Run("no certificate", func(t *testing.T) {
		_, serverErr, clientErr := shake(t, ours.Server(), &tls.Config{InsecureSkipVerify: true}) // the stranger checks nobody
		wantError(t, serverErr, nil, "didn't provide a certificate")
		wantError(t, clientErr, nil, "certificate required")
	})
	t.Run("old TLS", func(t *testing.T) {
		_, serverErr, _ := shake(t, ours.Server(), &tls.Config{InsecureSkipVerify: true, MaxVersion: tls.VersionTLS12}) // the stranger checks nobody
		wantError(t, serverErr, nil, "unsupported versions")
	})
	t.Run("the server's clock is past the certificate", func(t *testing.T) {
		late, lateClock := source(t, enrol(t, ca, "web-4"), nil)
		lateClock.set(today.Add(MemberValidity + time.Hour))
		_, serverErr, clientErr := shake(t, late.Server(), credulous(ours))
		wantError(t, serverErr, ErrExpired, "web-1")
		wantError(t, clientErr, nil, "bad certificate")
	})
	t.Run("our own is not good by our clock", func(t *testing.T) {
		_, _, clientErr := shake(t, ours.Server(), credulous(aged))
		wantError(t, clientErr, ErrNotYetValid, "our own", "web-3")
	})
}

func TestARenewedCertificateIsUsedWithoutRestart(t *testing.T) {
	ca := newCA(t, "moon")
	files := enrol(t, ca, "web-1")
	var told []error
	s, c := source(t, files, func(_ *Pair, err error) { told = append(told, err) })
	peer, peerClock := source(t, enrol(t, ca, "web-2"), nil)

	later := today.Add(MemberValidity - time.Hour)
	if _, err := ca.Renew(files.Cert, later); err != nil {
		t.Fatal(err)
	}
	c.set(later)
	peerClock.set(later)
	_, _, clientErr := shake(t, s.Server(), peer.Client())
	if clientErr != nil {
		t.Fatal(clientErr)
	}
	if got := s.Pair().Expires(); !got.Equal(later.Add(MemberValidity)) {
		t.Errorf("still the certificate that ends %v", got)
	}
	if len(told) != 1 || told[0] != nil {
		t.Errorf("told %v, want one success", told)
	}
}

func TestABadRenewalKeepsTheOldPair(t *testing.T) {
	ca := newCA(t, "moon")
	files := enrol(t, ca, "web-1")
	good := get(t, files.Cert)
	var told []error
	s, _ := source(t, files, func(_ *Pair, err error) { told = append(told, err) })
	old := s.Pair()

	put(t, files.Cert, []byte("no certificate"), publicMode)
	for range 3 {
		if s.Pair() != old {
			t.Fatal("the old pair is gone")
		}
	}
	wantError(t, s.Trouble(), nil, files.Cert, "no PEM block")
	if len(told) != 1 {
		t.Errorf("told %d times, want once per change: %v", len(told), told)
	}

	put(t, files.Cert, get(t, enrol(t, ca, "web-2").Cert), publicMode)
	put(t, files.Key, get(t, files.Key), secretMode)
	wantError(t, s.Trouble(), ErrKeyMismatch)

	put(t, files.Cert, good, publicMode)
	if err := s.Trouble(); err != nil {
		t.Errorf("trouble does not end: %v", err)
	}
}

// What kept a renewal from being used may have been this machine, and end without a change
// of the files: then the old certificate would be used to its end.
func TestARenewalThatCouldNotBeUsedIsLookedAtAgain(t *testing.T) {
	later := today.Add(2 * time.Hour)
	for name, each := range map[string]struct {
		spoil, mend func(ca *CA, files Files) error
		want        error
	}{
		"the clock was behind": {
			func(ca *CA, files Files) error { _, err := ca.Renew(files.Cert, later); return err },
			func(*CA, Files) error { return nil },
			ErrNotYetValid,
		},
		"others could read the key": {
			func(ca *CA, files Files) error {
				_, err := ca.Renew(files.Cert, today)
				return errors.Join(err, os.Chmod(files.Key, 0o644))
			},
			func(_ *CA, files Files) error { return os.Chmod(files.Key, secretMode) },
			ErrUnsafeMode,
		},
	} {
		t.Run(name, func(t *testing.T) {
			ca := newCA(t, "moon")
			files := enrol(t, ca, "web-1")
			var told []error
			s, c := source(t, files, func(_ *Pair, err error) { told = append(told, err) })
			old := s.Pair()
			if err := each.spoil(ca, files); err != nil {
				t.Fatal(err)
			}
			for i := range 5 { // minutes
				c.set(today.Add(time.Duration(i) * time.Minute))
				if s.Pair() != old {
					t.Fatal("the old pair is gone")
				}
			}
			wantError(t, s.Trouble(), each.want)
			if len(told) != 1 {
				t.Errorf("told %d times, want once: %v", len(told), told)
			}
			if err := each.mend(ca, files); err != nil {
				t.Fatal(err)
			}
			c.set(later)
			if s.Pair() == old || s.Trouble() != nil {
				t.Errorf("the renewed pair is not used: %v", s.Trouble())
			}
			if len(told) != 2 || told[1] != nil {
				t.Errorf("told %v, want one failure and then success", told)
			}
		})
	}
}

func TestACertificateOfSomebodyElseIsNoRenewal(t *testing.T) {
	ca := newCA(t, "moon")
	files, other := enrol(t, ca, "web-1"), enrol(t, ca, "web-2")
	s, _ := source(t, files, nil)
	put(t, files.Key, get(t, other.Key), secretMode)
	put(t, files.Cert, get(t, other.Cert), publicMode)
	wantError(t, s.Trouble(), nil, "moonwatch://moon/web-2", "want moonwatch://moon/web-1")
	if s.Pair().Name != "web-1" {
		t.Errorf("we are now %s", s.Pair().Name)
	}
}

func TestAnExpiredSourceIsRefusedAtStart(t *testing.T) {
	files := enrol(t, newCA(t, "moon"), "web-1")
	_, err := openSource(files, nil, (&clock{now: today.Add(MemberValidity + time.Hour)}).Now)
	wantError(t, err, ErrExpired, files.Cert)
}

func TestTwoNamesInOneCertificateAreNone(t *testing.T) {
	a, b := (Identity{"moon", "web-1"}).uri(), (Identity{"moon", "web-2"}).uri()
	odd := (Identity{"moon", "web-1"}).uri()
	odd.RawQuery = "x=1"
	for _, cert := range []*x509.Certificate{{}, {URIs: []*url.URL{a, b}}, {URIs: []*url.URL{odd}}} {
		_, err := IdentityOf(cert)
		wantError(t, err, ErrNoIdentity)
	}
}

// TestARefusedKeyGetsThroughNoHandshake from either side, until somebody has another key.
func TestARefusedKeyGetsThroughNoHandshake(t *testing.T) {
	ca := newCA(t, "moon")
	ours, _ := source(t, enrol(t, ca, "web-1"), nil)
	stolen, _ := source(t, enrol(t, ca, "web-2"), nil)
	fresh, _ := source(t, enrol(t, ca, "web-2"), nil)
	ours.Refuse(func(key ed25519.PublicKey) error {
		if key.Equal(stolen.Pair().PublicKey()) {
			return fmt.Errorf("%w in fact 7", ErrRevoked)
		}
		return nil
	})
	_, _, clientErr := shake(t, stolen.Server(), ours.Client())
	wantError(t, clientErr, ErrRevoked, "certificate of web-2", "in fact 7")
	_, serverErr, clientErr := shake(t, ours.Server(), stolen.Client())
	wantError(t, serverErr, ErrRevoked, "certificate of web-2")
	wantError(t, clientErr, nil, "bad certificate")
	if _, serverErr, clientErr := shake(t, ours.Server(), fresh.Client()); serverErr != nil || clientErr != nil {
		t.Errorf("the same member with another key: %v, %v", serverErr, clientErr)
	}
}
