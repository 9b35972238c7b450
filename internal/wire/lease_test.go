package wire

import (
	"crypto/ed25519"
	"errors"
	"reflect"
	"testing"
	"time"

	"moonwatch/agent"
	"moonwatch/member"
)

func leaseSigner(t *testing.T, cluster string, id member.ID) (*Signer, func(member.ID) (ed25519.PublicKey, bool)) {
	t.Helper()
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	s, err := NewSigner(cluster, id, private)
	if err != nil {
		t.Fatal(err)
	}
	return s, func(who member.ID) (ed25519.PublicKey, bool) { return public, who == id }
}

func someRenewal() agent.Renewal {
	return agent.Renewal{Holder: "db-1", Life: 1767225600009, Seq: 300, Slot: "db-0", Epoch: 4711, Sent: 123456789 * time.Nanosecond, Wide: true}
}

// To the nanosecond: a lease that is a millisecond longer than what was sent is one
// that nobody granted.
func TestARenewalAndItsGrantComeBackAsTheyWereSent(t *testing.T) {
	s, key := leaseSigner(t, "c1", "db-1")
	b, err := s.EncodeRenewal(someRenewal())
	if err != nil {
		t.Fatal(err)
	}
	m, err := Decode(b)
	if err != nil {
		t.Fatal(err)
	}
	r := m.(Renewal)
	if r.Renewal != someRenewal() || r.Sender() != "db-1" {
		t.Errorf("got %+v", r.Renewal)
	}
	if err := Verify("c1", key, r); err != nil {
		t.Error(err)
	}
	if err := Verify("c2", key, r); !errors.Is(err, ErrBadSignature) {
		t.Errorf("a renewal of another cluster: %v", err)
	}

	s, key = leaseSigner(t, "c1", "web-1")
	g := agent.Grant{Renewal: someRenewal(), Terms: member.LeaseCalm()}
	if b, err = s.EncodeGrant(g); err != nil {
		t.Fatal(err)
	}
	if m, err = Decode(b); err != nil {
		t.Fatal(err)
	}
	got := m.(Grant)
	g.Renewal.Wide = false // the holder knows
	if !reflect.DeepEqual(got.Grant, g) || got.From != "web-1" {
		t.Errorf("got %+v", got)
	}
	if err := Verify("c1", key, got); err != nil {
		t.Error(err)
	}
	for i := range b {
		c := append([]byte(nil), b...)
		c[i] ^= 1
		if m, err := Decode(c); err == nil {
			if s, ok := m.(Signed); ok && Verify("c1", key, s) == nil {
				t.Fatalf("byte %d was changed on the way, and the grant is taken", i)
			}
		}
	}
	for i := range b {
		if _, err := Decode(b[:i]); err == nil {
			t.Fatalf("%d bytes of %d are a grant", i, len(b))
		}
	}
}

func TestNobodySignsAnothersRenewal(t *testing.T) {
	s, _ := leaseSigner(t, "c1", "web-1")
	if _, err := s.EncodeRenewal(someRenewal()); err == nil {
		t.Error("web-1 signs a renewal of db-1")
	}
	r := someRenewal()
	r.Holder, r.Slot = "web-1", "a-slot-with-a-name-that-is-longer-than-names-are"
	if _, err := s.EncodeRenewal(r); err == nil {
		t.Error("a slot's name that does not fit is sent")
	}
	if _, err := s.EncodeGrant(agent.Grant{Renewal: r}); err == nil {
		t.Error("a slot's name that does not fit is granted")
	}
}
