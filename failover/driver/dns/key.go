package dns

import (
	"fmt"
	"regexp"
	"strings"

	"moonwatch/failover/driver"
)

// keyText is what tsig-keygen writes, comments taken out.
var keyText = regexp.MustCompile(`(?s)^\s*key\s+"?([^"\s{]+)"?\s*\{\s*algorithm\s+"?([^"\s;]+)"?\s*;\s*secret\s+"?([^"\s;]+)"?\s*;\s*\}\s*;?\s*$`)

var comment = regexp.MustCompile(`(?m)(//|#).*$`)

// ReadKey reads a key's file as tsig-keygen writes it and named.conf takes it.
// No error shows what is in it.
func ReadKey(path string) (Key, error) {
	text, err := driver.ReadSecret(path)
	if err != nil {
		return Key{}, fmt.Errorf("key: %w", err)
	}
	found := keyText.FindStringSubmatch(comment.ReplaceAllString(string(text), ""))
	if found == nil {
		return Key{}, fmt.Errorf(`key %s: want one key as tsig-keygen writes it: key "name" { algorithm hmac-sha256; secret "..."; };`, path)
	}
	return Key{Name: found[1], Algorithm: strings.TrimSuffix(strings.ToLower(found[2]), "."), Secret: found[3]}, nil
}
