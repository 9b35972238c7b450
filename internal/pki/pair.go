package pki

import (
	"crypto/ed25519"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"time"

	"moonwatch/member"
)

// Files are the three files of agent.yaml's tls section.
type Files struct {
	Cert string // this member's certificate
	Key  string // its key, mode 0600 or 0640
	CA   string // the cluster's CA; two of them while a CA is being replaced
}

// Pair is a member's certificate with its key and the CAs it is held against.
// It is a value that is never changed: a renewed file becomes a new Pair.
type Pair struct {
	Identity
	Leaf *x509.Certificate

	key   ed25519.PrivateKey
	tls   tls.Certificate
	trust trust
}

// LoadPair reads and checks a member's files. A pair that it returns is good at
// now; the errors say which file, what was found and what was wanted.
func LoadPair(files Files, now time.Time) (*Pair, error) {
	t, err := loadTrust(files.CA)
	if err != nil {
		return nil, err
	}
	leaf, id, err := loadLeaf(files.Cert)
	if err != nil {
		return nil, err
	}
	key, _, err := loadKey("key", files.Key)
	if err != nil {
		return nil, err
	}
	for _, use := range []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth} {
		if _, err := t.verify(leaf, use, now); err != nil {
			return nil, fmt.Errorf("%s against %s: %w", files.Cert, files.CA, err)
		}
	}
	if !publicHalf(key).Equal(leaf.PublicKey) {
		return nil, fmt.Errorf("key %s: %w %s", files.Key, ErrKeyMismatch, files.Cert)
	}
	return &Pair{
		Identity: id,
		Leaf:     leaf,
		key:      key,
		tls:      tls.Certificate{Certificate: [][]byte{leaf.Raw}, PrivateKey: key, Leaf: leaf},
		trust:    t,
	}, nil
}

// loadTrust reads the CA file. All CAs in it are of one cluster.
func loadTrust(path string) (trust, error) {
	certs, err := loadCerts("CA certificate", path)
	if err != nil {
		return trust{}, err
	}
	t := trust{roots: x509.NewCertPool()}
	for _, cert := range certs {
		id, err := checkCA(path, cert)
		if err != nil {
			return trust{}, err
		}
		if t.clusterID != "" && id.ClusterID != t.clusterID {
			return trust{}, fmt.Errorf("CA certificate %s: %w: %s beside %s", path, ErrOtherCluster, id.ClusterID, t.clusterID)
		}
		t.clusterID = id.ClusterID
		t.roots.AddCert(cert)
		if t.root == nil {
			if t.root, err = PublicKey(cert); err != nil {
				return trust{}, fmt.Errorf("CA %w", err)
			}
		}
	}
	return t, nil
}

// PublicKey is the public half of the key.
func (p *Pair) PublicKey() ed25519.PublicKey { return publicHalf(p.key) }

// SigningKey signs what this member says in its own name, its votes above all.
func (p *Pair) SigningKey() ed25519.PrivateKey { return p.key }

// Root is the cluster's root key: that of the CA, of the first one in the file
// while there are two.
func (p *Pair) Root() ed25519.PublicKey { return p.trust.root }

// Begins is when the certificate's validity began, some minutes before it was made.
func (p *Pair) Begins() time.Time { return p.Leaf.NotBefore }

// Expires is the end of the certificate's validity.
func (p *Pair) Expires() time.Time { return p.Leaf.NotAfter }

// CheckDates fails with [ErrExpired] or [ErrNotYetValid] when the pair is not
// good at now.
func (p *Pair) CheckDates(now time.Time) error {
	return checkDates("certificate of "+string(p.Name), p.Leaf, now)
}

// Verify decides whether cert is good for a member of the same cluster at now,
// and which member's it is.
func (p *Pair) Verify(cert *x509.Certificate, now time.Time) (member.ID, error) {
	id, err := p.trust.verify(cert, x509.ExtKeyUsageClientAuth, now)
	return id.Name, err
}
