package pki

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"fmt"
)

const (
	pemKey  = "PRIVATE KEY"
	pemCert = "CERTIFICATE"
)

// newKey makes a key pair from the system's randomness.
func newKey() (ed25519.PrivateKey, error) {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make key: %w", err)
	}
	return key, nil
}

// encodeKey writes a key as PKCS #8 in PEM, with headers where a caller has
// something to note beside it.
func encodeKey(key ed25519.PrivateKey, headers map[string]string) ([]byte, error) {
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, fmt.Errorf("encode key: %w", err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: pemKey, Headers: headers, Bytes: der}), nil
}

// loadKey reads an Ed25519 key file and the headers in it.
func loadKey(what, path string) (ed25519.PrivateKey, map[string]string, error) {
	data, err := readSecret(what, path)
	if err != nil {
		return nil, nil, err
	}
	block, err := onePEM(what, path, data, pemKey)
	if err != nil {
		return nil, nil, err
	}
	parsed, err := x509.ParsePKCS8PrivateKey(block.Bytes)
	if err != nil {
		return nil, nil, fmt.Errorf("%s %s: %w", what, path, err)
	}
	key, ok := parsed.(ed25519.PrivateKey)
	if !ok {
		return nil, nil, fmt.Errorf("%s %s: a key of type %T, want Ed25519", what, path, parsed)
	}
	return key, block.Headers, nil
}

// publicHalf is the public key of a private one.
func publicHalf(key ed25519.PrivateKey) ed25519.PublicKey {
	return key.Public().(ed25519.PublicKey) // crypto/ed25519 promises the type
}
