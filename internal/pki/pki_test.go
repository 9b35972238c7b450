package pki

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"moonwatch/member"
)

// today is when the tests' certificates are made.
var today = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

func newCA(t *testing.T, cluster string) *CA {
	t.Helper()
	ca, err := NewCA(cluster, today)
	if err != nil {
		t.Fatal(err)
	}
	return ca
}

// enrol writes the three files of a member into a folder of their own.
func enrol(t *testing.T, ca *CA, name member.ID) Files {
	t.Helper()
	dir := t.TempDir()
	files := Files{Cert: filepath.Join(dir, "cert.pem"), Key: filepath.Join(dir, "key.pem"), CA: filepath.Join(dir, "ca.pem")}
	issued, err := ca.Issue(name, []string{"127.0.0.1", "web.example.com"}, today)
	if err != nil {
		t.Fatal(err)
	}
	if err := issued.Save(files.Cert, files.Key); err != nil {
		t.Fatal(err)
	}
	put(t, files.CA, encodeCert(ca.Cert), publicMode)
	return files
}

func put(t *testing.T, path string, data []byte, mode fs.FileMode) {
	t.Helper()
	if err := os.WriteFile(path, data, mode); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
}

func get(t *testing.T, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// wantError wants an error of a kind whose text holds all the words.
func wantError(t *testing.T, err, kind error, words ...string) {
	t.Helper()
	if err == nil {
		t.Fatalf("no error, want %v", kind)
	}
	if kind != nil && !errors.Is(err, kind) {
		t.Errorf("error %q, want a %q", err, kind)
	}
	for _, word := range words {
		if !strings.Contains(err.Error(), word) {
			t.Errorf("error %q does not say %q", err, word)
		}
	}
}

func TestWhatTheCAIssuesIsGood(t *testing.T) {
	files := enrol(t, newCA(t, "moon"), "web-1")
	pair, err := LoadPair(files, today)
	if err != nil {
		t.Fatal(err)
	}
	if want := (Identity{ClusterID: "moon", Name: "web-1"}); pair.Identity != want {
		t.Errorf("identity %v, want %v", pair.Identity, want)
	}
	if got := pair.Expires().Sub(today); got != MemberValidity {
		t.Errorf("valid for %v, want %v", got, MemberValidity)
	}
	if got := pair.Leaf.DNSNames; len(got) != 1 || len(pair.Leaf.IPAddresses) != 1 {
		t.Errorf("names %v, addresses %v: want one of each", got, pair.Leaf.IPAddresses)
	}
	public, err := PublicKey(pair.Leaf)
	if err != nil || !public.Equal(publicHalf(pair.SigningKey())) {
		t.Errorf("public key %x (%v) is not that of the signing key", public, err)
	}
	if name, err := pair.Verify(pair.Leaf, today); name != "web-1" || err != nil {
		t.Errorf("verified as %q, %v", name, err)
	}
}

func TestACASurvivesItsFiles(t *testing.T) {
	dir := t.TempDir()
	certPath, keyPath := filepath.Join(dir, "ca.pem"), filepath.Join(dir, "ca.key")
	if err := newCA(t, "moon").Save(certPath, keyPath); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(keyPath); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("key has mode %v (%v), want 0600", info.Mode(), err)
	}
	ca, err := LoadCA(certPath, keyPath, today)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := LoadPair(enrol(t, ca, "web-1"), today); err != nil {
		t.Errorf("a loaded CA issues nothing good: %v", err)
	}
	if left, err := filepath.Glob(filepath.Join(dir, "*.new")); err != nil || len(left) != 0 {
		t.Errorf("left behind: %v %v", left, err)
	}
}

func TestNothingIsOverwritten(t *testing.T) {
	for _, there := range []string{"ca.pem", "ca.key"} {
		dir := t.TempDir()
		path := filepath.Join(dir, there)
		put(t, path, []byte("precious"), 0o600)
		err := newCA(t, "moon").Save(filepath.Join(dir, "ca.pem"), filepath.Join(dir, "ca.key"))
		wantError(t, err, fs.ErrExist, path)
		if got := string(get(t, path)); got != "precious" {
			t.Errorf("%s is now %q", there, got)
		}
		if files, err := os.ReadDir(dir); err != nil || len(files) != 1 {
			t.Errorf("%d files in the folder (%v), want only %s", len(files), err, there)
		}
	}
}

func TestBadNamesGetNoCertificate(t *testing.T) {
	ca := newCA(t, "moon")
	for _, name := range []string{"", "Web", "a/b", "a b", "-a", "a.", "a\x00", "ü", strings.Repeat("a", 64), "a@b", "a:1", "a%2f"} {
		if _, err := ca.Issue(member.ID(name), nil, today); err == nil {
			t.Errorf("a certificate was issued to %q", name)
		}
		if _, err := NewCA(name, today); err == nil {
			t.Errorf("a CA was made for cluster %q", name)
		}
	}
}

func TestAnExpiredCAIsRefused(t *testing.T) {
	ca := newCA(t, "moon")
	dir := t.TempDir()
	certPath, keyPath := filepath.Join(dir, "ca.pem"), filepath.Join(dir, "ca.key")
	if err := ca.Save(certPath, keyPath); err != nil {
		t.Fatal(err)
	}
	_, err := LoadCA(certPath, keyPath, today.Add(CAValidity+time.Hour))
	wantError(t, err, ErrExpired, certPath)
	_, err = ca.Issue("web-1", nil, today.Add(CAValidity+time.Hour))
	wantError(t, err, ErrExpired, "web-1")
}

func TestNobodyOutlivesTheCA(t *testing.T) {
	ca := newCA(t, "moon")
	late := today.Add(CAValidity - 24*time.Hour)
	issued, err := ca.Issue("web-1", nil, late)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "cert.pem")
	put(t, path, issued.CertPEM, publicMode)
	leaf, _, err := loadLeaf(path)
	if err != nil {
		t.Fatal(err)
	}
	if !leaf.NotAfter.Equal(ca.Cert.NotAfter) {
		t.Errorf("ends %v, want the CA's end %v", leaf.NotAfter, ca.Cert.NotAfter)
	}
}

func TestRenewalKeepsNameHostsAndKey(t *testing.T) {
	ca := newCA(t, "moon")
	files := enrol(t, ca, "web-1")
	before, err := LoadPair(files, today)
	if err != nil {
		t.Fatal(err)
	}
	later := today.Add(MemberValidity + time.Hour) // already expired: the usual reason to renew in a hurry
	if _, err := ca.Renew(files.Cert, later); err != nil {
		t.Fatal(err)
	}
	after, err := LoadPair(files, later)
	if err != nil {
		t.Fatal(err)
	}
	if after.Identity != before.Identity || !after.SigningKey().Equal(before.SigningKey()) {
		t.Errorf("renewed %v to %v with another key", before.Identity, after.Identity)
	}
	if len(after.Leaf.DNSNames) != 1 || len(after.Leaf.IPAddresses) != 1 {
		t.Errorf("hosts are lost: %v %v", after.Leaf.DNSNames, after.Leaf.IPAddresses)
	}
	wantError(t, renewed(newCA(t, "mars"), files.Cert, later), ErrOtherCluster, "moon", "mars")
	wantError(t, renewed(newCA(t, "moon"), files.Cert, later), ErrOtherCA, files.Cert)
}

// renewed is the error of a renewal alone.
func renewed(ca *CA, path string, now time.Time) error {
	_, err := ca.Renew(path, now)
	return err
}
