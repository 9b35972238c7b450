package wire

import (
	"crypto/ed25519"
	"encoding/binary"
	"errors"
	"fmt"
	"slices"

	"moonwatch/agent"
	"moonwatch/member"
)

// purpose begins everything that is signed here, so that a signature of the
// same key for another purpose (TLS, a warrant) is none of ours.
const purpose = "moonwatch datagram 1\x00"

var (
	// ErrUnknownSigner is a sender whose key is not known: no member, or one
	// whose certificate has not been seen yet.
	ErrUnknownSigner = errors.New("signer not known")

	// ErrBadSignature is a message that its sender did not sign for this
	// cluster: forged, changed on its way, or of another cluster.
	ErrBadSignature = errors.New("signature does not match")
)

// Signed is a message that carries its sender's signature. The set is closed:
// Statement, RollCall, Renewal, Grant, Hold, DoorReport and DoorFloors.
type Signed interface {
	Message
	signed() []byte
}

func (m Statement) signed() []byte { return m.Raw }
func (m RollCall) signed() []byte  { return m.raw }

// Signer signs this agent's own messages. It is safe for concurrent use.
type Signer struct {
	cluster string
	id      member.ID
	key     ed25519.PrivateKey
}

// NewSigner makes the signer of member id with the key of its certificate.
func NewSigner(cluster string, id member.ID, key ed25519.PrivateKey) (*Signer, error) {
	if cluster == "" {
		return nil, errors.New("signer: cluster id is empty")
	}
	if err := checkName(id); err != nil {
		return nil, fmt.Errorf("signer: %w", err)
	}
	if len(key) != ed25519.PrivateKeySize {
		return nil, fmt.Errorf("signer %s: key has %d bytes, want %d", id, len(key), ed25519.PrivateKeySize)
	}
	return &Signer{cluster: cluster, id: id, key: key}, nil
}

// EncodeStatement gives the signed datagram of this agent's statement. Of the
// evidence it keeps what fits: see maxDetail and its neighbours. It fails with
// [ErrTooLong] for more than agent.MaxVotes votes and names together, and
// refuses another observer's statement: those are passed on as they came.
func (s *Signer) EncodeStatement(st agent.Statement) ([]byte, error) {
	if st.Observer != s.id {
		return nil, fmt.Errorf("statement of %s: %s signs its own statements only", st.Observer, s.id)
	}
	b, err := s.begin(kindStatement)
	if err != nil {
		return nil, err
	}
	b, err = appendStatement(b, st)
	if err != nil {
		return nil, err
	}
	return s.finish(b), nil
}

// EncodeRollCall gives as many signed datagrams as the subjects need, each a
// roll call of the same id, none for no subjects.
func (s *Signer) EncodeRollCall(call agent.RollCall) ([][]byte, error) {
	b, err := s.begin(kindRollCall)
	if err != nil {
		return nil, err
	}
	b = appendRollID(b, call.ID)
	calls, err := split(call.Subjects, MaxBody-len(b))
	if err != nil {
		return nil, fmt.Errorf("roll call: %w", err)
	}
	for i, names := range calls {
		calls[i] = s.finish(append(b[:len(b):len(b)], names...))
	}
	return calls, nil
}

// begin leaves room for the signature in front of the body, so that it covers
// fields that only newer agents know.
func (s *Signer) begin(k kind) ([]byte, error) {
	b, err := head(k, s.id)
	if err != nil {
		return nil, err
	}
	var unsigned [ed25519.SignatureSize]byte
	return append(slices.Grow(b, 2*MaxBody), unsigned[:]...), nil // a statement may be tried too long first
}

func (s *Signer) finish(b []byte) []byte {
	at := 1 + 1 + len(s.id)
	copy(b[at:], ed25519.Sign(s.key, covered(s.cluster, b, at)))
	return b
}

// covered is what a signature covers: the purpose, the cluster, and the whole
// datagram but for the signature itself, which stands at byte at.
func covered(cluster string, b []byte, at int) []byte {
	c := make([]byte, 0, len(purpose)+binary.MaxVarintLen16+len(cluster)+len(b))
	c = append(c, purpose...)
	c = binary.AppendUvarint(c, uint64(len(cluster)))
	c = append(c, cluster...)
	c = append(c, b[:at]...)
	return append(c, b[at+ed25519.SignatureSize:]...)
}

// Verify reports whether m is its sender's word in this cluster. It fails with
// [ErrUnknownSigner] or [ErrBadSignature]. It does not tell an old message
// from a new one: statements carry incarnation and sequence, roll calls their
// term, and who weighs them compares.
func Verify(cluster string, keyOf func(member.ID) (ed25519.PublicKey, bool), m Signed) error {
	from := m.Sender()
	key, ok := keyOf(from)
	if !ok || len(key) != ed25519.PublicKeySize {
		return fmt.Errorf("datagram of %s: %w", from, ErrUnknownSigner)
	}
	b := m.signed()
	at := 1 + 1 + len(from)
	if len(b) < at+ed25519.SignatureSize || member.ID(b[2:at]) != from {
		return fmt.Errorf("datagram of %s: %w: it was not decoded from bytes", from, ErrBadSignature)
	}
	if !ed25519.Verify(key, covered(cluster, b, at), b[at:at+ed25519.SignatureSize]) {
		return fmt.Errorf("datagram of %s: %w", from, ErrBadSignature)
	}
	return nil
}
