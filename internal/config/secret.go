package config

import (
	"encoding/base64"
	"encoding/hex"
	"slices"
	"strings"

	"moonwatch/internal/strict"
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
func (r *reader) noSecrets(v *strict.Value) {
	for _, p := range v.Pairs {
		if secretKey(p.Key) && p.Value.Shape != strict.Mapping {
			r.Wrong(p.At, "%s would go into the ledger, which every agent keeps: want a reference to a file on the members that use it", p.Key)
			continue
		}
		r.noSecrets(p.Value)
	}
	for _, item := range v.Items {
		r.noSecrets(item)
	}
	refused := slices.ContainsFunc(r.Mistakes, func(m strict.Mistake) bool { return m.Line == v.At.Line && m.Column == v.At.Column })
	if v.Shape == strict.Text && strict.Secret(v.Text) && !refused {
		r.Wrong(v.At, "this is a secret and would go into the ledger, which every agent keeps: want a reference to a file on the members that use it")
	}
}
