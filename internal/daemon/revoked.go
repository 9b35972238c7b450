package daemon

import (
	"crypto/ed25519"
	"crypto/tls"
	"fmt"
	"maps"

	"go.uber.org/zap"

	"moonwatch/consensus"
	"moonwatch/internal/pki"
	"moonwatch/member"
)

// revoked is what the ledger says of withdrawn keys, for the goroutines beside the loop.
type revoked struct {
	keys    map[string]consensus.Revoked
	members map[member.ID]bool // that had one of them, and are not up since by a verdict
}

// readRevoked reads the ledger; nil: no key is withdrawn. A member that is called up
// after its revocation has been met with another key by those who called it so. One that
// is under a verdict again is asked for its key again: the votes for that up may have
// been older than the revocation.
func readRevoked(l *consensus.Ledger) *revoked {
	list := l.Revocations()
	if len(list) == 0 {
		return nil
	}
	r := &revoked{keys: map[string]consensus.Revoked{}, members: map[member.ID]bool{}}
	for _, x := range list {
		r.keys[string(x.Key)] = x
		if _, stands := l.Standing(x.Member); x.Member != "" && (stands || l.Expels(x)) {
			r.members[x.Member] = true
		}
	}
	return r
}

// expels reports that nothing said in a member's name counts, given the key with which
// this agent has met it, nil if it has not.
func (r *revoked) expels(id member.ID, key ed25519.PublicKey) bool {
	switch {
	case r == nil:
		return false
	case key == nil:
		return r.members[id]
	default:
		return r.refused(key) != nil
	}
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
	now, old := readRevoked(d.mind.Ledger()), d.revoked.Load()
	if now == nil || old != nil && len(old.keys) == len(now.keys) && maps.Equal(old.members, now.members) {
		return
	}
	d.revoked.Store(now) // before the cut: who asks in between is refused already
	if old != nil && len(old.keys) == len(now.keys) {
		return
	}
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

// expelled reports that what is said in a member's name without a signature counts for
// nothing either: its key was withdrawn, and neither this agent nor a verdict knows it
// with another one.
func (d *Daemon) expelled(id member.ID) bool {
	key, _ := d.peers.key(id)
	return id != d.self && d.revoked.Load().expels(id, key)
}
