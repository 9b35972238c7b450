package pki

import (
	"crypto/ed25519"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net/url"
	"strings"

	"moonwatch/member"
)

// scheme of the URI in which a certificate says who it is for.
const scheme = "moonwatch"

// maxName bounds a cluster id and a member's name, in bytes: the length of one
// DNS label, so that names fit into hosts, metrics and columns.
const maxName = 63

// Identity is what a certificate says about its holder. The CA's own
// certificate has an empty Name.
type Identity struct {
	ClusterID string
	Name      member.ID
}

func (id Identity) String() string {
	if id.Name == "" {
		return fmt.Sprintf("%s://%s", scheme, id.ClusterID)
	}
	return fmt.Sprintf("%s://%s/%s", scheme, id.ClusterID, id.Name)
}

func (id Identity) uri() *url.URL {
	u := &url.URL{Scheme: scheme, Host: id.ClusterID}
	if id.Name != "" {
		u.Path = "/" + string(id.Name)
	}
	return u
}

// IdentityOf reads the identity in a certificate, without judging whether the
// certificate deserves belief. It fails with [ErrNoIdentity] unless there is
// exactly one, in exactly the form in which we write it: two spellings of one
// name would be two names.
func IdentityOf(cert *x509.Certificate) (Identity, error) {
	var found []*url.URL
	for _, u := range cert.URIs {
		if u.Scheme == scheme {
			found = append(found, u)
		}
	}
	if len(found) != 1 {
		return Identity{}, fmt.Errorf("certificate of %q: %w: %d %s:// addresses in it, want 1",
			cert.Subject.CommonName, ErrNoIdentity, len(found), scheme)
	}
	id := Identity{ClusterID: found[0].Host, Name: member.ID(strings.TrimPrefix(found[0].Path, "/"))}
	if id.String() != found[0].String() || CheckName(id.ClusterID) != nil || (id.Name != "" && CheckName(string(id.Name)) != nil) {
		return Identity{}, fmt.Errorf("certificate of %q: %w: %q is not %s://CLUSTER/MEMBER",
			cert.Subject.CommonName, ErrNoIdentity, found[0], scheme)
	}
	return id, nil
}

// CheckName tells what is wrong with a cluster id or a member's name: 1 to 63
// of a-z, 0-9, - . and _, with a letter or a digit at both ends.
func CheckName(name string) error {
	if name == "" || len(name) > maxName {
		return fmt.Errorf("name %q has %d characters, want 1 to %d", name, len(name), maxName)
	}
	for _, r := range name {
		if !alphanumeric(r) && !strings.ContainsRune("-._", r) {
			return fmt.Errorf("name %q holds %q, want only a-z, 0-9, - . and _", name, r)
		}
	}
	if !alphanumeric(rune(name[0])) || !alphanumeric(rune(name[len(name)-1])) {
		return fmt.Errorf("name %q begins or ends with a mark, want a letter or a digit", name)
	}
	return nil
}

func alphanumeric(r rune) bool { return r >= 'a' && r <= 'z' || r >= '0' && r <= '9' }

// PeerName tells who is at the other end of a connection that was made with
// [Source.Server] or [Source.Client]: the handshake has already checked the
// certificate, this only reads the name.
func PeerName(state tls.ConnectionState) (member.ID, error) {
	if len(state.PeerCertificates) == 0 {
		return "", fmt.Errorf("peer: %w was shown", ErrNoCertificate)
	}
	id, err := IdentityOf(state.PeerCertificates[0])
	if err != nil {
		return "", err
	}
	if id.Name == "" {
		return "", fmt.Errorf("certificate of %q: %w member: it is the CA's own", state.PeerCertificates[0].Subject.CommonName, ErrNoIdentity)
	}
	return id.Name, nil
}

// PublicKey is the key in a certificate, with which its holder's votes are
// checked.
func PublicKey(cert *x509.Certificate) (ed25519.PublicKey, error) {
	key, ok := cert.PublicKey.(ed25519.PublicKey)
	if !ok {
		return nil, fmt.Errorf("certificate of %q holds a key of type %s, want Ed25519", cert.Subject.CommonName, cert.PublicKeyAlgorithm)
	}
	return key, nil
}
