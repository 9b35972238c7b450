package pki

import (
	"crypto/ed25519"
	"encoding/base64"
	"fmt"
)

// The lines of a key file that name its owner and carry the owner's grant.
const (
	operatorHeader = "Moonwatch-Operator"
	grantHeader    = "Moonwatch-Grant"
)

// OperatorKey signs the commands of one operator. The private half stays with
// the operator; what others need to believe it is the public half and the
// grant, which is nothing secret.
type OperatorKey struct {
	Name  string
	Grant []byte // the CA's signature that makes this key an operator's; empty until it is given

	key ed25519.PrivateKey
}

// NewOperatorKey makes a key for an operator.
func NewOperatorKey(name string) (*OperatorKey, error) {
	if err := CheckName(name); err != nil {
		return nil, fmt.Errorf("make operator key: %w", err)
	}
	key, err := newKey()
	if err != nil {
		return nil, fmt.Errorf("make operator key: %w", err)
	}
	return &OperatorKey{Name: name, key: key}, nil
}

// Save writes the key to path, for its owner alone, and the public half beside
// it to path.pub. It refuses where either exists.
func (k *OperatorKey) Save(path string) error {
	headers := map[string]string{operatorHeader: k.Name}
	if len(k.Grant) > 0 {
		headers[grantHeader] = base64.StdEncoding.EncodeToString(k.Grant)
	}
	secret, err := encodeKey(k.key, headers)
	if err != nil {
		return fmt.Errorf("save operator key: %w", err)
	}
	public := fmt.Appendf(nil, "%s %s\n", k.Public(), k.Name)
	if err := writePair(path+".pub", public, path, secret); err != nil {
		return fmt.Errorf("save operator key: %w", err)
	}
	return nil
}

// LoadOperatorKey reads what Save wrote.
func LoadOperatorKey(path string) (*OperatorKey, error) {
	key, headers, err := loadKey("operator key", path)
	if err != nil {
		return nil, err
	}
	name := headers[operatorHeader]
	if err := CheckName(name); err != nil {
		return nil, fmt.Errorf("operator key %s: %s line: %w", path, operatorHeader, err)
	}
	grant, err := base64.StdEncoding.DecodeString(headers[grantHeader])
	if err != nil {
		return nil, fmt.Errorf("operator key %s: %s line: %w", path, grantHeader, err)
	}
	return &OperatorKey{Name: name, Grant: grant, key: key}, nil
}

// PublicKey is the public half, as a warrant carries it.
func (k *OperatorKey) PublicKey() ed25519.PublicKey { return publicHalf(k.key) }

// Public is the public half in standard base64, as the .pub file holds it.
func (k *OperatorKey) Public() string {
	return base64.StdEncoding.EncodeToString(k.PublicKey())
}

// Sign signs the bytes of a command (plain Ed25519, 64 bytes). The bytes have
// to name cluster and command id: the signature says who, not where or when.
func (k *OperatorKey) Sign(command []byte) []byte { return ed25519.Sign(k.key, command) }
