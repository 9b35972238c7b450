package pki

import (
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"moonwatch/internal/whole"
)

const (
	secretMode = 0o600 // keys: the owner alone
	publicMode = 0o644 // certificates and public keys, which anybody may read
)

// writeNew makes a file that was not there, whole or not at all: a crash leaves
// no half of it, and a file that is there is never touched.
func writeNew(path string, data []byte, mode fs.FileMode) error {
	err := whole.Create(path, data, mode)
	switch {
	case errors.Is(err, fs.ErrExist):
		return fmt.Errorf("write %s: %w: it is kept as it is; move it away first", path, fs.ErrExist)
	case err != nil:
		return fmt.Errorf("write %s: %w", path, err)
	}
	return nil
}

// replace puts new content in place of a file, at one stroke.
func replace(path string, data []byte, mode fs.FileMode) error {
	if err := whole.Replace(path, data, mode); err != nil {
		return fmt.Errorf("write %s: %w", path, err)
	}
	return nil
}

// writePair makes a public and a secret file that belong together: both or
// neither. The secret one is written first, so that no certificate is ever
// seen without its key.
func writePair(publicPath string, public []byte, secretPath string, secret []byte) error {
	if _, err := os.Lstat(publicPath); err == nil {
		return fmt.Errorf("write %s: %w: it is kept as it is; move it away first", publicPath, fs.ErrExist)
	}
	if err := writeNew(secretPath, secret, secretMode); err != nil {
		return err
	}
	if err := writeNew(publicPath, public, publicMode); err != nil {
		return errors.Join(err, os.Remove(secretPath))
	}
	return nil
}

// read reads a file and says what is wrong in words that name the remedy.
func read(what, path string) ([]byte, error) {
	data, err := os.ReadFile(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("%s %s: %w", what, path, fs.ErrNotExist)
	case errors.Is(err, fs.ErrPermission):
		return nil, fmt.Errorf("%s %s: %w: not readable for user %d", what, path, fs.ErrPermission, os.Getuid())
	case err != nil:
		return nil, fmt.Errorf("%s: %w", what, err)
	}
	return data, nil
}

// readSecret reads a key file and refuses one that somebody else could have
// read or changed: others may do nothing with it, the group may at most read.
func readSecret(what, path string) ([]byte, error) {
	data, err := read(what, path)
	if err != nil {
		return nil, err
	}
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", what, err)
	}
	if mode := info.Mode().Perm(); mode&0o037 != 0 {
		return nil, fmt.Errorf("%s %s: %w: mode %04o, want 0600 or 0640", what, path, ErrUnsafeMode, mode)
	}
	return data, nil
}

// onePEM wants exactly one block of the given type in a file.
func onePEM(what, path string, data []byte, kind string) (*pem.Block, error) {
	block, rest := pem.Decode(data)
	if block == nil {
		return nil, fmt.Errorf("%s %s: no PEM block in it", what, path)
	}
	if block.Type != kind {
		return nil, fmt.Errorf("%s %s: holds a %q, want a %q", what, path, block.Type, kind)
	}
	if next, _ := pem.Decode(rest); next != nil {
		return nil, fmt.Errorf("%s %s: holds more than one PEM block", what, path)
	}
	return block, nil
}
