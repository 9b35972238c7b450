package wire

import (
	"bytes"
	"crypto/ed25519"
	"errors"
	"testing"

	"moonwatch/member"
	"moonwatch/shield"
)

func TestADoorsWordIsItsOwn(t *testing.T) {
	pub, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	s, err := NewSigner("shop", "web-1", key)
	if err != nil {
		t.Fatal(err)
	}
	keys := func(id member.ID) (ed25519.PublicKey, bool) { return pub, id == "web-1" }
	for _, encode := range []func([]byte) ([]byte, error){s.EncodeDoorReport, s.EncodeDoorFloors} {
		b, err := encode([]byte("counted"))
		if err != nil {
			t.Fatal(err)
		}
		m, err := Decode(b)
		if err != nil {
			t.Fatal(err)
		}
		var body []byte
		if r, ok := m.(DoorReport); ok {
			body = r.Body
		} else {
			body = m.(DoorFloors).Body
		}
		if !bytes.Equal(body, []byte("counted")) || m.Sender() != "web-1" {
			t.Errorf("%+v", m)
		}
		if err := Verify("shop", keys, m.(Signed)); err != nil {
			t.Error(err)
		}
		b[len(b)-1] ^= 1
		if m, err = Decode(b); err != nil {
			t.Fatal(err)
		}
		if err := Verify("shop", keys, m.(Signed)); !errors.Is(err, ErrBadSignature) {
			t.Errorf("changed on its way: %v", err)
		}
		if _, err := Decode(b[:2+len("web-1")+ed25519.SignatureSize]); !errors.Is(err, ErrMalformed) {
			t.Errorf("an empty one: %v", err)
		}
	}
}

// What a shield says has room in one datagram, whatever the door is called.
func TestTheLongestReportFits(t *testing.T) {
	_, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	s, err := NewSigner("shop", member.ID(bytes.Repeat([]byte{'d'}, member.MaxNameLength)), key)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.EncodeDoorReport(make([]byte, shield.MaxReport)); err != nil {
		t.Error(err)
	}
}
