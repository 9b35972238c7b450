package pki

import (
	"crypto/ed25519"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

// Source holds the pair that connections are made with and follows the files
// it came from: it looks at them in every handshake, so a renewed certificate
// is used without a restart. Files that have become bad change nothing but the
// word of [Source.Trouble]: the pair in use stays, and they are looked at again
// each minute, for what was wrong may have been this machine: its clock, the mode
// of a file, a want of descriptors. It is safe for concurrent use.
type Source struct {
	files Files
	now   func() time.Time
	told  func(*Pair, error)

	refuse atomic.Pointer[func(ed25519.PublicKey) error]

	mu      sync.Mutex
	pair    *Pair
	seen    stamps    // of the files at the last attempt to read them
	tried   time.Time // when that was
	trouble error     // why that attempt failed, nil when it did not
}

// readAgain is how often files are read again that could not be used.
const readAgain = time.Minute

// OpenSource reads the files for the first time; they have to be good. told, if
// it is not nil, hears of each later change once: the new pair, or why it is not
// used. It is called within a handshake and has to return at once.
func OpenSource(files Files, told func(*Pair, error)) (*Source, error) {
	return openSource(files, told, time.Now)
}

func openSource(files Files, told func(*Pair, error), now func() time.Time) (*Source, error) {
	seen := files.stamps()
	pair, err := LoadPair(files, now())
	if err != nil {
		return nil, err
	}
	if told == nil {
		told = func(*Pair, error) {}
	}
	return &Source{files: files, now: now, told: told, pair: pair, seen: seen}, nil
}

// Pair is the pair in use, after a look at the files.
func (s *Source) Pair() *Pair {
	s.mu.Lock()
	defer s.mu.Unlock()
	seen, now := s.files.stamps(), s.now()
	changed := seen != s.seen
	if !changed && (s.trouble == nil || now.Sub(s.tried) < readAgain) {
		return s.pair
	}
	s.seen, s.tried = seen, now
	pair, err := LoadPair(s.files, now)
	if err == nil && pair.Identity != s.pair.Identity {
		err = fmt.Errorf("certificate %s: is now of %s, want %s: restart for that", s.files.Cert, pair.Identity, s.pair.Identity)
	}
	s.trouble = err
	if err != nil && !changed {
		return s.pair // it was told
	}
	if err != nil {
		s.told(nil, fmt.Errorf("renewed certificate not used, the old one is good until %s: %w", day(s.pair.Expires()), err))
		return s.pair
	}
	s.pair = pair
	s.told(pair, nil)
	return pair
}

// Trouble is why the files as they are now are not used, nil when they are.
func (s *Source) Trouble() error {
	s.Pair()
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.trouble
}

// Server is for the side that listens: TLS 1.3, and a client without a good
// certificate of this cluster does not get past the handshake.
func (s *Source) Server() *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS13,
		// Any certificate passes here because VerifyConnection below judges all
		// of them, with errors that name the cluster.
		ClientAuth: tls.RequireAnyClientCert,
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
			return &s.Pair().tls, nil
		},
		VerifyConnection:       s.verifyPeer(x509.ExtKeyUsageClientAuth),
		SessionTicketsDisabled: true, // a resumed session would not show its certificate anew
	}
}

// Client is for the side that dials. Members are known by the name in their
// certificate and not by address, so whoever dials has to compare [PeerName]
// with the member that it wanted.
func (s *Source) Client() *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS13,
		GetClientCertificate: func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			pair := s.Pair()
			if err := pair.CheckDates(s.now()); err != nil {
				return nil, fmt.Errorf("our own %w", err) // else the peer would have to guess it for us
			}
			return &pair.tls, nil
		},
		// The check by host name is replaced, not left out: VerifyConnection
		// runs in every handshake and verifies the chain and the cluster.
		InsecureSkipVerify: true,
		VerifyConnection:   s.verifyPeer(x509.ExtKeyUsageServerAuth),
	}
}

// Refuse has every handshake ask why the holder of a key, whose certificate is good, is
// not to be talked with; nil: there is nothing against it. It is called from many
// goroutines and has to return at once.
func (s *Source) Refuse(ask func(ed25519.PublicKey) error) { s.refuse.Store(&ask) }

func (s *Source) verifyPeer(use x509.ExtKeyUsage) func(tls.ConnectionState) error {
	return func(state tls.ConnectionState) error {
		if len(state.PeerCertificates) == 0 {
			return fmt.Errorf("peer: %w was shown", ErrNoCertificate)
		}
		id, err := s.Pair().trust.verify(state.PeerCertificates[0], use, s.now())
		ask := s.refuse.Load()
		if err != nil || ask == nil {
			return err
		}
		key, err := PublicKey(state.PeerCertificates[0])
		if err == nil {
			err = (*ask)(key)
		}
		if err != nil {
			return fmt.Errorf("certificate of %s: %w", id.Name, err)
		}
		return nil
	}
}

// stamps tell whether one of the files has changed since.
type stamps [3]stamp

type stamp struct {
	inode    uint64 // a file that was put in the place of another within one tick of the clock has another one
	modified int64  // Unix nanoseconds
	size     int64
	absent   bool
}

func (f Files) stamps() stamps {
	var all stamps
	for i, path := range []string{f.Cert, f.Key, f.CA} {
		info, err := os.Stat(path)
		if err != nil {
			all[i] = stamp{absent: true}
			continue
		}
		all[i] = stamp{modified: info.ModTime().UnixNano(), size: info.Size()}
		if s, ok := info.Sys().(*syscall.Stat_t); ok {
			all[i].inode = s.Ino
		}
	}
	return all
}
