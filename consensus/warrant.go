package consensus

import (
	"crypto/ed25519"
	"errors"
	"fmt"
)

// Warrant shows that an operator stands behind a command: root on one member
// is not root on the fleet. The cluster's CA key granted the operator's key,
// the operator's key signed the command.
type Warrant struct {
	Operator  string `json:"operator"`
	Key       []byte `json:"key"`       // the operator's Ed25519 public key
	Grant     []byte `json:"grant"`     // the CA's signature over GrantText
	Signature []byte `json:"signature"` // the operator's, over SignedText
}

// GrantText is what the CA signs to make key an operator of a cluster.
func GrantText(cluster, operator string, key []byte) []byte {
	return fmt.Appendf(nil, "moonwatch operator grant\n%s\n%s\n%x\n", cluster, operator, key)
}

// SignedText is what an operator signs of a command: all of it but the
// warrant.
func SignedText(cluster string, c Command) []byte {
	return fmt.Appendf(nil, "moonwatch command\n%s\n%s\n%s\n%s\n%d\n%s", cluster, c.ID, c.Kind, c.Proposer, c.Time.UnixNano(), c.Payload)
}

// ErrNoWarrant is the refusal of a command that only an operator may give.
var ErrNoWarrant = errors.New("not signed by an operator of this cluster")

// checkWarrant verifies the chain CA -> operator -> command.
func checkWarrant(cluster string, root []byte, c Command) error {
	w := c.Warrant
	switch {
	case w == nil:
		return fmt.Errorf("%s %s: %w", c.Kind, c.ID, ErrNoWarrant)
	case len(root) != ed25519.PublicKeySize || len(w.Key) != ed25519.PublicKeySize:
		return fmt.Errorf("%s %s: %w: key of %d bytes", c.Kind, c.ID, ErrNoWarrant, len(w.Key))
	case !ed25519.Verify(root, GrantText(cluster, w.Operator, w.Key), w.Grant):
		return fmt.Errorf("%s %s: %w: %q has no grant of this cluster's CA", c.Kind, c.ID, ErrNoWarrant, w.Operator)
	case !ed25519.Verify(w.Key, SignedText(cluster, c), w.Signature):
		return fmt.Errorf("%s %s: %w: the signature of %q does not fit the command", c.Kind, c.ID, ErrNoWarrant, w.Operator)
	}
	return nil
}
