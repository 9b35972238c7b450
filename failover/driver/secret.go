package driver

import (
	"bytes"
	"fmt"
	"os"
)

// maxSecret is far above what a key or a token needs.
const maxSecret = 64 << 10

// ReadSecret reads a file that holds a secret, without the end of its last line.
// One that everybody on the machine can read is refused: it is none.
func ReadSecret(path string) ([]byte, error) {
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return nil, err
	case !info.Mode().IsRegular() || info.Size() > maxSecret:
		return nil, fmt.Errorf("%s has %d bytes and mode %v, want a regular file of at most %d bytes", path, info.Size(), info.Mode(), maxSecret)
	case info.Mode().Perm()&0o007 != 0:
		return nil, fmt.Errorf("%s has mode %04o, want 0600 or 0640: everybody on this machine can use it", path, info.Mode().Perm())
	}
	text, err := os.ReadFile(path)
	return bytes.TrimRight(text, "\r\n"), err
}
