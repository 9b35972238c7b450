package pki

import (
	"crypto/ed25519"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"time"
)

// day is how dates are told to people: to the minute, in UTC.
func day(t time.Time) string { return t.UTC().Format("2006-01-02 15:04 UTC") }

// checkDates holds a certificate against a clock.
func checkDates(what string, cert *x509.Certificate, now time.Time) error {
	if now.After(cert.NotAfter) {
		return fmt.Errorf("%s: %w on %s, now is %s", what, ErrExpired, day(cert.NotAfter), day(now))
	}
	if now.Before(cert.NotBefore) {
		return fmt.Errorf("%s: %w: begins %s, now is %s: is this clock right?", what, ErrNotYetValid, day(cert.NotBefore), day(now))
	}
	return nil
}

// trust is what a certificate is held against: the CAs of one cluster.
type trust struct {
	clusterID string
	roots     *x509.CertPool
	root      ed25519.PublicKey // of the first CA
}

// verify decides whether leaf is a good certificate of a member of the cluster,
// for the given use. The checks run from the most telling to the most formal:
// x509 alone would only say "unknown authority" to all of them.
func (t trust) verify(leaf *x509.Certificate, use x509.ExtKeyUsage, now time.Time) (Identity, error) {
	id, err := IdentityOf(leaf)
	if err != nil {
		return Identity{}, err
	}
	what := "certificate of " + string(id.Name)
	if id.ClusterID != t.clusterID {
		return id, fmt.Errorf("%s: %w: %s, this is %s", what, ErrOtherCluster, id.ClusterID, t.clusterID)
	}
	if id.Name == "" || leaf.IsCA {
		return id, fmt.Errorf("certificate of the CA itself: %w member", ErrNoIdentity)
	}
	if err := checkDates(what, leaf, now); err != nil {
		return id, err
	}
	if _, err := PublicKey(leaf); err != nil {
		return id, err
	}
	_, err = leaf.Verify(x509.VerifyOptions{Roots: t.roots, CurrentTime: now, KeyUsages: []x509.ExtKeyUsage{use}})
	var stranger x509.UnknownAuthorityError
	switch {
	case errors.As(err, &stranger):
		return id, fmt.Errorf("%s: %w that also calls itself cluster %s: was the cluster initialised twice?", what, ErrOtherCA, t.clusterID)
	case err != nil:
		return id, fmt.Errorf("%s: %w", what, err)
	}
	return id, nil
}

// checkCA reads the cluster out of a CA certificate.
func checkCA(path string, cert *x509.Certificate) (Identity, error) {
	id, err := IdentityOf(cert)
	if err != nil {
		return Identity{}, fmt.Errorf("CA certificate %s: %w", path, err)
	}
	if !cert.IsCA || id.Name != "" {
		return Identity{}, fmt.Errorf("CA certificate %s: is the certificate of member %s, want the CA's", path, id.Name)
	}
	if err := cert.CheckSignatureFrom(cert); err != nil {
		return Identity{}, fmt.Errorf("CA certificate %s: damaged: %w", path, err)
	}
	return id, nil
}

// CAKeys reads the keys of the CAs in a file: one, or two while a CA is being replaced.
// It says nothing about whether they are good.
func CAKeys(path string) ([]ed25519.PublicKey, error) {
	certs, err := loadCerts("CA certificate", path)
	if err != nil {
		return nil, err
	}
	var keys []ed25519.PublicKey
	for _, cert := range certs {
		key, err := PublicKey(cert)
		if err != nil {
			return nil, fmt.Errorf("CA certificate %s: %w", path, err)
		}
		keys = append(keys, key)
	}
	return keys, nil
}

// loadCerts reads all certificates of a file, at least one.
func loadCerts(what, path string) ([]*x509.Certificate, error) {
	data, err := read(what, path)
	if err != nil {
		return nil, err
	}
	var certs []*x509.Certificate
	for block, rest := pem.Decode(data); block != nil; block, rest = pem.Decode(rest) {
		if block.Type != pemCert {
			return nil, fmt.Errorf("%s %s: holds a %q, want a %q", what, path, block.Type, pemCert)
		}
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("%s %s: damaged: %w", what, path, err)
		}
		certs = append(certs, cert)
	}
	if len(certs) == 0 {
		return nil, fmt.Errorf("%s %s: no PEM block in it", what, path)
	}
	return certs, nil
}

// loadLeaf reads the certificate of one member.
func loadLeaf(path string) (*x509.Certificate, Identity, error) {
	certs, err := loadCerts("certificate", path)
	if err != nil {
		return nil, Identity{}, err
	}
	if len(certs) != 1 {
		return nil, Identity{}, fmt.Errorf("certificate %s: holds %d certificates, want 1", path, len(certs))
	}
	id, err := IdentityOf(certs[0])
	if err != nil {
		return nil, Identity{}, fmt.Errorf("certificate %s: %w", path, err)
	}
	if id.Name == "" {
		return nil, Identity{}, fmt.Errorf("certificate %s: is the CA's, want a member's", path)
	}
	return certs[0], id, nil
}

// CertificateKey reads whose a member's certificate is, and its key. It says nothing
// about whether it is good.
func CertificateKey(path string) (Identity, ed25519.PublicKey, error) {
	leaf, id, err := loadLeaf(path)
	if err != nil {
		return Identity{}, nil, err
	}
	key, err := PublicKey(leaf)
	return id, key, err
}
