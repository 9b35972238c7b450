package config

import (
	"encoding/base64"
	"encoding/hex"
	"slices"
	"strings"
)

// secretKey reports whether a key's name promises a secret. Names that end in
// _file hold the path of one, which is how it should be.
func secretKey(name string) bool {
	name = strings.ToLower(name)
	if strings.HasSuffix(name, "_file") {
		return false
	}
	for _, word := range []string{"password", "passwd", "passphrase", "secret", "token", "credential", "apikey", "api_key", "private_key"} {
		if strings.Contains(name, word) {
			return true
		}
	}
	return false
}

// secretValue reports whether a text looks like a secret itself: a key in PEM,
// an address with a password in it.
func secretValue(s string) bool {
	if strings.Contains(s, "-----BEGIN") && strings.Contains(s, "PRIVATE KEY") {
		return true
	}
	_, rest, isURL := strings.Cut(s, "://")
	if !isURL {
		return false
	}
	authority, _, _ := strings.Cut(rest, "/")
	user, _, hasUser := strings.Cut(authority, "@")
	return hasUser && strings.Contains(user, ":")
}

// rawKey reports whether a text is 16 to 64 bytes in hex or base64 and not a
// path: somebody wrote the key where its file belongs.
func rawKey(s string) bool {
	if strings.ContainsAny(s, ".-_") || len(s) < 22 {
		return false
	}
	for _, decode := range []func(string) ([]byte, error){
		hex.DecodeString, base64.StdEncoding.DecodeString, base64.RawStdEncoding.DecodeString,
	} {
		if b, err := decode(s); err == nil && len(b) >= 16 && len(b) <= 64 && !strings.HasPrefix(s, "/") {
			return true
		}
	}
	return false
}

// noSecrets looks through everything that was written. What fleet.yaml holds
// goes into the ledger, which every agent keeps for ever.
func (n *notes) noSecrets(v *node) {
	for _, p := range v.pairs {
		if secretKey(p.key) && p.value.shape != mapping {
			n.wrong(p.at, "%s would go into the ledger, which every agent keeps: want a reference to a file on the members that use it", p.key)
			continue
		}
		n.noSecrets(p.value)
	}
	for _, item := range v.items {
		n.noSecrets(item)
	}
	refused := slices.ContainsFunc(n.mistakes, func(m Mistake) bool { return m.Line == v.at.line && m.Column == v.at.column })
	if v.shape == text && secretValue(v.text) && !refused {
		n.wrong(v.at, "this is a secret and would go into the ledger, which every agent keeps: want a reference to a file on the members that use it")
	}
}
