package pki

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"io/fs"
	"os"
	"testing"
	"time"
)

func TestABadPairIsRefusedInWordsThatHelp(t *testing.T) {
	ca, mars, twin := newCA(t, "moon"), newCA(t, "mars"), newCA(t, "moon")
	cases := []struct {
		name  string
		now   time.Time
		spoil func(t *testing.T, f *Files)
		kind  error
		says  func(f Files) []string
	}{
		{
			"expired", today.Add(MemberValidity + time.Minute), nil, ErrExpired,
			func(f Files) []string { return []string{f.Cert, "web-1", "on 2026-05-30 12:00 UTC"} },
		},
		{
			"not yet valid", today.Add(-time.Hour), nil, ErrNotYetValid,
			func(f Files) []string { return []string{f.Cert, "is this clock right?"} },
		},
		{
			"of another cluster", today, func(t *testing.T, f *Files) { put(t, f.CA, encodeCert(mars.Cert), publicMode) },
			ErrOtherCluster, func(f Files) []string { return []string{f.Cert, f.CA, "moon, this is mars"} },
		},
		{
			"of another CA with the same name", today, func(t *testing.T, f *Files) { put(t, f.CA, encodeCert(twin.Cert), publicMode) },
			ErrOtherCA, func(f Files) []string { return []string{f.Cert, f.CA, "initialised twice?"} },
		},
		{"two clusters in the CA file", today, func(t *testing.T, f *Files) {
			put(t, f.CA, append(encodeCert(ca.Cert), encodeCert(mars.Cert)...), publicMode)
		}, ErrOtherCluster, func(f Files) []string { return []string{f.CA, "mars beside moon"} }},
		{
			"key of another certificate", today, func(t *testing.T, f *Files) { f.Key = enrol(t, ca, "web-2").Key },
			ErrKeyMismatch, func(f Files) []string { return []string{f.Key, f.Cert} },
		},
		{"key open to others", today, func(t *testing.T, f *Files) {
			if err := os.Chmod(f.Key, 0o644); err != nil {
				t.Fatal(err)
			}
		}, ErrUnsafeMode, func(f Files) []string { return []string{f.Key, "mode 0644, want 0600"} }},
		{
			"key missing", today, func(_ *testing.T, f *Files) { f.Key += ".gone" }, fs.ErrNotExist,
			func(f Files) []string { return []string{f.Key} },
		},
		{
			"certificate missing", today, func(_ *testing.T, f *Files) { f.Cert += ".gone" }, fs.ErrNotExist,
			func(f Files) []string { return []string{f.Cert} },
		},
		{
			"CA missing", today, func(_ *testing.T, f *Files) { f.CA += ".gone" }, fs.ErrNotExist,
			func(f Files) []string { return []string{f.CA} },
		},
		{
			"certificate truncated", today, func(t *testing.T, f *Files) { put(t, f.Cert, get(t, f.Cert)[:100], publicMode) },
			nil, func(f Files) []string { return []string{f.Cert, "no PEM block"} },
		},
		{
			"key empty", today, func(t *testing.T, f *Files) { put(t, f.Key, nil, secretMode) },
			nil, func(f Files) []string { return []string{f.Key, "no PEM block"} },
		},
		{
			"CA's certificate as the member's", today, func(_ *testing.T, f *Files) { f.Cert = f.CA },
			nil, func(f Files) []string { return []string{f.CA, "want a member's"} },
		},
		{
			"member's certificate as the CA's", today, func(_ *testing.T, f *Files) { f.CA = f.Cert },
			nil, func(f Files) []string { return []string{f.Cert, "want the CA's"} },
		},
		{
			"key in place of the certificate", today, func(_ *testing.T, f *Files) { f.Cert = f.Key },
			nil, func(f Files) []string { return []string{`holds a "PRIVATE KEY", want a "CERTIFICATE"`} },
		},
		{"key of another kind", today, func(t *testing.T, f *Files) {
			key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
			if err != nil {
				t.Fatal(err)
			}
			der, err := x509.MarshalPKCS8PrivateKey(key)
			if err != nil {
				t.Fatal(err)
			}
			put(t, f.Key, pem.EncodeToMemory(&pem.Block{Type: pemKey, Bytes: der}), secretMode)
		}, nil, func(f Files) []string { return []string{f.Key, "want Ed25519"} }},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			files := enrol(t, ca, "web-1")
			if c.spoil != nil {
				c.spoil(t, &files)
			}
			_, err := LoadPair(files, c.now)
			wantError(t, err, c.kind, c.says(files)...)
		})
	}
}

func TestAKeyThatWeMayNotReadIsNamed(t *testing.T) {
	if os.Getuid() == 0 {
		t.Skip("root may read everything")
	}
	files := enrol(t, newCA(t, "moon"), "web-1")
	if err := os.Chmod(files.Key, 0); err != nil {
		t.Fatal(err)
	}
	_, err := LoadPair(files, today)
	wantError(t, err, fs.ErrPermission, files.Key, "not readable for user")
}

func TestBothCAsCountWhileOneIsReplaced(t *testing.T) {
	before, after := newCA(t, "moon"), newCA(t, "moon")
	files := enrol(t, before, "web-1")
	put(t, files.CA, append(encodeCert(before.Cert), encodeCert(after.Cert)...), publicMode)
	pair, err := LoadPair(files, today)
	if err != nil {
		t.Fatal(err)
	}
	other, _, err := loadLeaf(enrol(t, after, "web-2").Cert)
	if err != nil {
		t.Fatal(err)
	}
	if name, err := pair.Verify(other, today); name != "web-2" || err != nil {
		t.Errorf("verified as %q, %v", name, err)
	}
}

// A bit that flips in a file is an error, whichever it is, or does no harm.
func TestADamagedCertificateNeverPasses(t *testing.T) {
	files := enrol(t, newCA(t, "moon"), "web-1")
	whole, _ := pem.Decode(get(t, files.Cert))
	for i := range whole.Bytes {
		damaged := append([]byte(nil), whole.Bytes...)
		damaged[i] ^= 1
		put(t, files.Cert, pem.EncodeToMemory(&pem.Block{Type: pemCert, Bytes: damaged}), publicMode)
		if _, err := LoadPair(files, today); err == nil {
			t.Fatalf("byte %d is damaged and nobody noticed", i)
		}
	}
}
