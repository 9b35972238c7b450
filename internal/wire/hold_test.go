package wire

import (
	"bytes"
	"crypto/ed25519"
	"errors"
	"testing"

	"moonwatch/member"
)

func TestAHoldIsTheWordOfTheAgentThatItWasGivenTo(t *testing.T) {
	pub, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	s, err := NewSigner("shop", "web-1", key)
	if err != nil {
		t.Fatal(err)
	}
	b, err := s.EncodeHold([]byte(`{"kind":"hold"}`))
	if err != nil {
		t.Fatal(err)
	}
	m, err := Decode(b)
	if err != nil {
		t.Fatal(err)
	}
	h, ok := m.(Hold)
	if !ok || h.From != "web-1" || string(h.Command) != `{"kind":"hold"}` || !bytes.Equal(h.Raw, b) {
		t.Fatalf("%+v", m)
	}
	keys := func(id member.ID) (ed25519.PublicKey, bool) { return pub, id == "web-1" }
	if err := Verify("shop", keys, h); err != nil {
		t.Error(err)
	}
	if err := Verify("other", keys, h); !errors.Is(err, ErrBadSignature) {
		t.Errorf("in another cluster: %v", err)
	}
	b[len(b)-2] ^= 1
	m, _ = Decode(b)
	if err := Verify("shop", keys, m.(Hold)); !errors.Is(err, ErrBadSignature) {
		t.Errorf("changed on its way: %v", err)
	}
	if _, err := s.EncodeHold(make([]byte, MaxBody)); !errors.Is(err, ErrTooLong) {
		t.Errorf("a long one: %v", err)
	}
	if _, err := Decode(b[:2+len("web-1")+ed25519.SignatureSize]); !errors.Is(err, ErrMalformed) {
		t.Errorf("an empty one: %v", err)
	}
}
