package pki

import (
	"crypto/ed25519"
	"io/fs"
	"path/filepath"
	"strings"
	"testing"
)

func TestOnlyTheOperatorsOwnBytesVerify(t *testing.T) {
	path := filepath.Join(t.TempDir(), "alice.key")
	made, err := NewOperatorKey("alice")
	if err != nil {
		t.Fatal(err)
	}
	if err := made.Save(path); err != nil {
		t.Fatal(err)
	}
	key, err := LoadOperatorKey(path)
	if err != nil {
		t.Fatal(err)
	}
	if key.Name != "alice" || key.Public() != made.Public() {
		t.Errorf("loaded %s %s, want %s %s", key.Name, key.Public(), made.Name, made.Public())
	}
	if got := strings.Fields(string(get(t, path+".pub"))); len(got) != 2 || got[0] != key.Public() || got[1] != "alice" {
		t.Errorf("public file holds %q", got)
	}

	command := []byte(`{"hold":"web"}`)
	signature := key.Sign(command)
	bob, err := NewOperatorKey("bob")
	if err != nil {
		t.Fatal(err)
	}
	if !ed25519.Verify(key.PublicKey(), command, signature) {
		t.Error("the signature of a saved and loaded key does not verify")
	}
	if ed25519.Verify(bob.PublicKey(), command, signature) {
		t.Error("it verifies with another operator's key")
	}
	if ed25519.Verify(key.PublicKey(), []byte(`{"hold":"all"}`), signature) {
		t.Error("it verifies for other bytes")
	}
}

func TestTheGrantTravelsWithTheKey(t *testing.T) {
	ca := newCA(t, "moon")
	key, err := NewOperatorKey("alice")
	if err != nil {
		t.Fatal(err)
	}
	text := append([]byte("grant to alice "), key.PublicKey()...)
	key.Grant = ca.Sign(text)
	path := filepath.Join(t.TempDir(), "alice.key")
	if err := key.Save(path); err != nil {
		t.Fatal(err)
	}
	loaded, err := LoadOperatorKey(path)
	if err != nil {
		t.Fatal(err)
	}
	pair, err := LoadPair(enrol(t, ca, "web-1"), today)
	if err != nil {
		t.Fatal(err)
	}
	if !ed25519.Verify(pair.Root(), text, loaded.Grant) {
		t.Error("a member does not believe the grant of its own CA")
	}
}

func TestAnOperatorKeyIsNeitherOverwrittenNorTakenFromElsewhere(t *testing.T) {
	path := filepath.Join(t.TempDir(), "alice.key")
	key, err := NewOperatorKey("alice")
	if err != nil {
		t.Fatal(err)
	}
	if err := key.Save(path); err != nil {
		t.Fatal(err)
	}
	wantError(t, key.Save(path), fs.ErrExist, path)
	_, err = LoadOperatorKey(path + ".gone")
	wantError(t, err, fs.ErrNotExist, path)
	_, err = LoadOperatorKey(enrol(t, newCA(t, "moon"), "web-1").Key)
	wantError(t, err, nil, operatorHeader)
	if _, err := NewOperatorKey("Alice B"); err == nil {
		t.Error("a name with a space and capitals was taken")
	}
}
