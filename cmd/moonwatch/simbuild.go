package main

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"os"
	"strings"
)

// buildID tells one build of this program from another: its version and commit,
// and a hash of its bytes where the commit does not say all.
func buildID(version string) (string, error) {
	rev := revision()
	if rev != "" && !strings.Contains(rev, "changed") {
		return version + rev, nil
	}
	exe, err := os.Executable()
	if err != nil {
		return "", fmt.Errorf("find out which build this is: %w", err)
	}
	f, err := os.Open(exe)
	if err != nil {
		return "", fmt.Errorf("find out which build this is: %w", err)
	}
	defer f.Close() //nolint:errcheck // it was only read
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", fmt.Errorf("find out which build this is: %w", err)
	}
	return version + rev + " build " + hex.EncodeToString(h.Sum(nil)[:6]), nil
}
