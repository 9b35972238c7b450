package gossip

import (
	"crypto/aes"
	"crypto/cipher"
	"errors"
	"fmt"
	"sync/atomic"

	"github.com/hashicorp/memberlist"
)

// A datagram on the wire is
//
//	0x4d | 12 random bytes | AES-256-GCM(first key, body, additional data = 0x4d + cluster id) | 16 bytes of tag
//
// The first byte tells it from the engine's own packets, which begin with a
// message type from 0 to 13 or with 244 where a label precedes it, and ours
// always have one.
const (
	datagramMark = 0x4d // 'M'
	sealSize     = 1 + 12 + 16

	// MaxDatagram is the longest sealed datagram in bytes: with IPv6 and UDP
	// headers it fits a path of 1,448 bytes, so tunnels do not fragment it.
	MaxDatagram = 1400

	// MaxBody is the longest body that Send takes, in bytes.
	MaxBody = MaxDatagram - sealSize
)

// ErrTooLong is returned for a body longer than MaxBody.
var ErrTooLong = errors.New("datagram too long")

// sealer seals and opens datagrams under the engine's key ring, so that one
// rotation serves both. It is safe for concurrent use.
//
// The random nonce allows 2^32 datagrams per key before a repeated one gets as
// likely as 2^-33: at 1,000 datagrams a second in the whole cluster that is
// seven weeks, and a year brings it to 2^-27.
type sealer struct {
	keys      *memberlist.Keyring
	authentic []byte // additional data: what is not sent, but must agree
	ring      atomic.Pointer[ring]
	rotated   chan struct{} // one slot: the ring is not what it was
}

// ring is the key ring as it was found last, ready for use.
type ring struct {
	first *[]byte // identity of the engine's list, which is made anew by every change
	keys  [][]byte
	aeads []cipher.AEAD
}

func newSealer(clusterID string, keys *memberlist.Keyring) (*sealer, error) {
	s := &sealer{
		keys:      keys,
		authentic: append([]byte{datagramMark}, clusterID...),
		rotated:   make(chan struct{}, 1),
	}
	if len(s.current().aeads) == 0 {
		return nil, errors.New("no usable key")
	}
	<-s.rotated // the first ring is no rotation
	return s, nil
}

// current is the ring of this moment. To look whether it changed costs one
// comparison, so the caller asks for every packet and no rotation is missed.
func (s *sealer) current() *ring {
	keys := s.keys.GetKeys()
	r := s.ring.Load()
	if len(keys) == 0 || r != nil && r.first == &keys[0] {
		return r
	}
	r = &ring{first: &keys[0]}
	for _, key := range keys {
		aead, err := newAEAD(key)
		if err != nil {
			continue // a key of another size, installed by hand: it seals nothing of ours
		}
		r.keys, r.aeads = append(r.keys, key), append(r.aeads, aead)
	}
	s.ring.Store(r)
	select {
	case s.rotated <- struct{}{}:
	default:
	}
	return r
}

func newAEAD(key []byte) (cipher.AEAD, error) {
	if len(key) != KeySize {
		return nil, fmt.Errorf("key has %d bytes, want %d", len(key), KeySize)
	}
	block, err := aes.NewCipher(key)
	if err != nil {
		return nil, err
	}
	return cipher.NewGCMWithRandomNonce(block) // puts the nonce in front itself
}

// seal makes the packet for body under the first key of the ring.
func (s *sealer) seal(body []byte) ([]byte, error) {
	if len(body) > MaxBody {
		return nil, fmt.Errorf("%w: %d bytes, want at most %d", ErrTooLong, len(body), MaxBody)
	}
	packet := make([]byte, 1, sealSize+len(body))
	packet[0] = datagramMark
	return s.current().aeads[0].Seal(packet, nil, body, s.authentic), nil
}

// open returns the body of a packet that an agent of this cluster sealed with
// any key of the ring. The body does not share memory with the packet.
func (s *sealer) open(packet []byte) ([]byte, bool) {
	if len(packet) < sealSize || len(packet) > MaxDatagram || packet[0] != datagramMark {
		return nil, false
	}
	for _, aead := range s.current().aeads {
		if body, err := aead.Open(nil, nil, packet[1:], s.authentic); err == nil {
			return body, true
		}
	}
	return nil, false
}
