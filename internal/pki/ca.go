package pki

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"net/url"
	"time"

	"moonwatch/member"
)

// CA issues the certificates of one cluster. Who holds its key can make
// members: it belongs off the fleet.
type CA struct {
	ClusterID string
	Cert      *x509.Certificate
	key       ed25519.PrivateKey
}

// NewCA makes the CA of a new cluster.
func NewCA(clusterID string, now time.Time) (*CA, error) {
	if err := CheckName(clusterID); err != nil {
		return nil, fmt.Errorf("make CA: cluster id: %w", err)
	}
	key, err := newKey()
	if err != nil {
		return nil, fmt.Errorf("make CA: %w", err)
	}
	template, err := certificate(Identity{ClusterID: clusterID}, now, CAValidity)
	if err != nil {
		return nil, fmt.Errorf("make CA: %w", err)
	}
	template.Subject.CommonName = "Moonwatch CA of " + clusterID
	template.IsCA, template.BasicConstraintsValid, template.MaxPathLenZero = true, true, true
	template.KeyUsage = x509.KeyUsageCertSign
	cert, err := sign(template, template, publicHalf(key), key)
	if err != nil {
		return nil, fmt.Errorf("make CA: %w", err)
	}
	return &CA{ClusterID: clusterID, Cert: cert, key: key}, nil
}

// Save writes the CA into two new files, the key for the owner's eyes alone. It
// refuses where either exists: a cluster whose CA is overwritten is lost.
func (ca *CA) Save(certPath, keyPath string) error {
	key, err := encodeKey(ca.key, nil)
	if err != nil {
		return fmt.Errorf("save CA: %w", err)
	}
	if err := writePair(certPath, encodeCert(ca.Cert), keyPath, key); err != nil {
		return fmt.Errorf("save CA: %w", err)
	}
	return nil
}

// LoadCA reads what Save wrote. An expired CA is refused: nothing that it
// issues would be accepted.
func LoadCA(certPath, keyPath string, now time.Time) (*CA, error) {
	certs, err := loadCerts("CA certificate", certPath)
	if err != nil {
		return nil, err
	}
	if len(certs) != 1 {
		return nil, fmt.Errorf("CA certificate %s: holds %d certificates, want 1", certPath, len(certs))
	}
	id, err := checkCA(certPath, certs[0])
	if err != nil {
		return nil, err
	}
	if err := checkDates("CA certificate "+certPath, certs[0], now); err != nil {
		return nil, err
	}
	key, _, err := loadKey("CA key", keyPath)
	if err != nil {
		return nil, err
	}
	if !publicHalf(key).Equal(certs[0].PublicKey) {
		return nil, fmt.Errorf("CA key %s: %w %s", keyPath, ErrKeyMismatch, certPath)
	}
	return &CA{ClusterID: id.ClusterID, Cert: certs[0], key: key}, nil
}

// PublicKey is the cluster's root: what all trust in it goes back to.
func (ca *CA) PublicKey() ed25519.PublicKey { return publicHalf(ca.key) }

// Sign signs a text in the cluster's name (plain Ed25519, 64 bytes), such as
// the grant that makes a key an operator's. The text has to say what it is and
// must not be mistakable for a certificate; one that begins in words is not.
func (ca *CA) Sign(text []byte) []byte { return ed25519.Sign(ca.key, text) }

// Issued is a fresh certificate and its key, both in PEM.
type Issued struct {
	CertPEM []byte
	KeyPEM  []byte
}

// Save writes certificate and key into two new files; it refuses where either
// exists.
func (i Issued) Save(certPath, keyPath string) error {
	if err := writePair(certPath, i.CertPEM, keyPath, i.KeyPEM); err != nil {
		return fmt.Errorf("save certificate: %w", err)
	}
	return nil
}

// Issue makes a member's certificate with a key of its own. hosts are the
// addresses and DNS names it is reached at; they are for people and for tools,
// for members know each other by name.
func (ca *CA) Issue(name member.ID, hosts []string, now time.Time) (Issued, error) {
	key, err := newKey()
	if err != nil {
		return Issued{}, fmt.Errorf("issue %s: %w", name, err)
	}
	cert, err := ca.certify(name, hosts, publicHalf(key), now)
	if err != nil {
		return Issued{}, fmt.Errorf("issue %s: %w", name, err)
	}
	keyPEM, err := encodeKey(key, nil)
	if err != nil {
		return Issued{}, fmt.Errorf("issue %s: %w", name, err)
	}
	return Issued{CertPEM: encodeCert(cert), KeyPEM: keyPEM}, nil
}

// Renewed says what became of a certificate.
type Renewed struct {
	Identity
	Was, Until time.Time // the end of its validity, before and now
}

// Renew replaces a certificate, expired or not, by one for the same member,
// hosts and key that is valid from now on. The key stays, so the file changes
// at one stroke, and peers that know the key go on checking votes.
func (ca *CA) Renew(certPath string, now time.Time) (Renewed, error) {
	old, id, err := loadLeaf(certPath)
	if err != nil {
		return Renewed{}, fmt.Errorf("renew: %w", err)
	}
	if id.ClusterID != ca.ClusterID {
		return Renewed{}, fmt.Errorf("renew %s: %w: %s, the CA is of %s", certPath, ErrOtherCluster, id.ClusterID, ca.ClusterID)
	}
	if err := old.CheckSignatureFrom(ca.Cert); err != nil {
		return Renewed{}, fmt.Errorf("renew %s: %w", certPath, ErrOtherCA)
	}
	key, err := PublicKey(old)
	if err != nil {
		return Renewed{}, fmt.Errorf("renew %s: %w", certPath, err)
	}
	hosts := old.DNSNames
	for _, ip := range old.IPAddresses {
		hosts = append(hosts, ip.String())
	}
	cert, err := ca.certify(id.Name, hosts, key, now)
	if err != nil {
		return Renewed{}, fmt.Errorf("renew %s: %w", certPath, err)
	}
	if err := replace(certPath, encodeCert(cert), publicMode); err != nil {
		return Renewed{}, fmt.Errorf("renew: %w", err)
	}
	return Renewed{Identity: id, Was: old.NotAfter, Until: cert.NotAfter}, nil
}

func (ca *CA) certify(name member.ID, hosts []string, key ed25519.PublicKey, now time.Time) (*x509.Certificate, error) {
	if err := CheckName(string(name)); err != nil {
		return nil, err
	}
	template, err := certificate(Identity{ClusterID: ca.ClusterID, Name: name}, now, MemberValidity)
	if err != nil {
		return nil, err
	}
	if template.NotAfter.After(ca.Cert.NotAfter) { // nobody outlives the CA
		template.NotAfter = ca.Cert.NotAfter
	}
	if !now.Before(template.NotAfter) {
		return nil, fmt.Errorf("CA: %w on %s", ErrExpired, day(ca.Cert.NotAfter))
	}
	template.KeyUsage = x509.KeyUsageDigitalSignature
	template.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth}
	for _, host := range hosts {
		if ip := net.ParseIP(host); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else {
			template.DNSNames = append(template.DNSNames, host)
		}
	}
	return sign(template, ca.Cert, key, ca.key)
}

// certificate is what all of ours have in common.
func certificate(id Identity, now time.Time, validity time.Duration) (*x509.Certificate, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 127))
	if err != nil {
		return nil, fmt.Errorf("draw serial number: %w", err)
	}
	return &x509.Certificate{
		SerialNumber: serial,
		Subject:      pkix.Name{Organization: []string{"Moonwatch cluster " + id.ClusterID}, CommonName: string(id.Name)},
		URIs:         []*url.URL{id.uri()},
		NotBefore:    now.Add(-backdate),
		NotAfter:     now.Add(validity),
	}, nil
}

func sign(template, parent *x509.Certificate, key ed25519.PublicKey, signer ed25519.PrivateKey) (*x509.Certificate, error) {
	der, err := x509.CreateCertificate(rand.Reader, template, parent, key, signer)
	if err != nil {
		return nil, fmt.Errorf("sign certificate: %w", err)
	}
	return x509.ParseCertificate(der)
}

func encodeCert(cert *x509.Certificate) []byte {
	return pem.EncodeToMemory(&pem.Block{Type: pemCert, Bytes: cert.Raw})
}
