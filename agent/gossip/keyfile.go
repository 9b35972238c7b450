package gossip

import (
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"moonwatch/internal/whole"
)

const keyFileHead = "# moonwatch gossip keys, base64: the first one seals, each one opens\n"

// NewKey makes a random gossip key.
func NewKey() []byte {
	key := make([]byte, KeySize)
	_, _ = rand.Read(key) // it crashes the process rather than fail
	return key
}

// WriteKey makes a new key and a key file that holds it, readable by its
// owner. It never overwrites: a lost key cuts a cluster in two. A crash leaves
// the whole file or none.
func WriteKey(path string) ([]byte, error) {
	key := NewKey()
	if err := whole.Create(path, keyText(key), 0o600); err != nil {
		return nil, fmt.Errorf("write gossip key: %w", err)
	}
	return key, nil
}

// LoadKeys reads a key file: one key in base64 per line, the primary one
// first; empty lines and lines that begin with # say nothing. A file that
// others may read, or that the group may change, is refused.
func LoadKeys(path string) ([][]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("read gossip keys: %w", err)
	}
	if mode := info.Mode().Perm(); mode&0o027 != 0 {
		return nil, fmt.Errorf("read gossip keys %s: mode is %04o, want 0600: whoever reads it can speak as a member", path, mode)
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, fmt.Errorf("read gossip keys: %w", err)
	}
	keys, err := parseKeys(string(text))
	if err != nil {
		return nil, fmt.Errorf("read gossip keys %s: %w", path, err)
	}
	return keys, nil
}

// parseKeys reads the text of a key file. The mistakes that it lists never
// quote a key.
func parseKeys(text string) ([][]byte, error) {
	var keys [][]byte
	var mistakes []error
	for i, line := range strings.Split(text, "\n") {
		line = strings.TrimSpace(line)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		key, err := base64.StdEncoding.DecodeString(line)
		switch {
		case err != nil:
			mistakes = append(mistakes, fmt.Errorf("line %d is not base64, want a key of %d bytes in base64", i+1, KeySize))
		case len(key) != KeySize:
			mistakes = append(mistakes, fmt.Errorf("line %d holds %d bytes, want a key of %d", i+1, len(key), KeySize))
		default:
			keys = append(keys, key)
		}
	}
	if len(keys) == 0 && len(mistakes) == 0 {
		return nil, errors.New("no key in it, want at least one")
	}
	return keys, errors.Join(mistakes...)
}

// replaceKeys puts keys into the file in one step: after a crash it holds the
// former ring or the new one. The mode of the file stays.
func replaceKeys(path string, keys [][]byte) error {
	mode := fs.FileMode(0o600)
	if info, err := os.Stat(path); err == nil {
		mode = info.Mode().Perm()
	}
	return whole.Replace(path, keyText(keys...), mode)
}

// keyText is the content of a key file.
func keyText(keys ...[]byte) []byte {
	text := bytes.NewBufferString(keyFileHead)
	for _, key := range keys {
		fmt.Fprintln(text, base64.StdEncoding.EncodeToString(key))
	}
	return text.Bytes()
}
