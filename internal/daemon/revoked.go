package daemon

import (
	"crypto/ed25519"
	"crypto/tls"
	"fmt"

	"go.uber.org/zap"

	"moonwatch/consensus"
	"moonwatch/internal/pki"
	"moonwatch/member"
)

// revoked is what the ledger says of withdrawn keys, for the goroutines beside the loop.
type revoked struct {
	keys    map[string]consensus.Revoked
	members map[member.ID]bool // that had one of them
}

// refused is why nothing is taken from the holder of a key; nil: its key is as good as
// any.
func (r *revoked) refused(key ed25519.PublicKey) error {
	if r == nil {
		return nil
	}
	x, is := r.keys[string(key)]
	if !is {
		return nil
	}
	return fmt.Errorf("%w in fact %d by %s: %s", pki.ErrRevoked, x.Fact, x.By, x.Reason)
}

// noteRevoked tells the other goroutines which keys are withdrawn, and cuts the
// connections that were made with one that has just been. Handshakes ask by themselves.
func (d *Daemon) noteRevoked() {
	list := d.mind.Ledger().Revocations()
	if old := d.revoked.Load(); len(list) == 0 || old != nil && len(old.keys) == len(list) {
		return
	}
	now := &revoked{keys: map[string]consensus.Revoked{}, members: map[member.ID]bool{}}
	for _, x := range list {
		now.keys[string(x.Key)] = x
		if x.Member != "" {
			now.members[x.Member] = true
		}
	}
	d.revoked.Store(now) // before the cut: who asks in between is refused already
	if n := d.link.Recheck(); n > 0 {
		d.log.Info("connections of withdrawn certificates cut", zap.Int("connections", n))
	}
	if err := now.refused(d.keys.Pair().PublicKey()); err != nil {
		d.log.Error("nobody takes anything from this agent: it wants a certificate with another key, and a start", zap.Error(err))
	}
}

// refusedKey is for handshakes.
func (d *Daemon) refusedKey(key ed25519.PublicKey) error { return d.revoked.Load().refused(key) }

// peerOf reads who is at the other end of a connection, and refuses whose certificate was
// withdrawn since the handshake.
func (d *Daemon) peerOf(s tls.ConnectionState) (member.ID, error) {
	id, err := pki.PeerName(s)
	if err != nil {
		return "", err
	}
	key, err := pki.PublicKey(s.PeerCertificates[0])
	if err == nil {
		err = d.refusedKey(key)
	}
	if err != nil {
		return "", fmt.Errorf("certificate of %s: %w", id, err)
	}
	return id, nil
}

// keyOf is the key with which a member signs, unless it was withdrawn.
func (d *Daemon) keyOf(id member.ID) (ed25519.PublicKey, bool) {
	key, ok := d.peers.key(id)
	return key, ok && d.refusedKey(key) == nil
}

// expelled reports that a member's key was withdrawn and that nobody has met it with
// another one: what is said in its name without a signature counts for nothing either.
func (d *Daemon) expelled(id member.ID) bool {
	r := d.revoked.Load()
	if r == nil || !r.members[id] || id == d.self {
		return false
	}
	key, met := d.peers.key(id)
	return !met || r.refused(key) != nil
}
