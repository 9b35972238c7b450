package door

import (
	"errors"
	"fmt"
	"os"
	"syscall"
)

// takeLock takes the lock of a socket: it ends with the process, whatever ends
// that, so a killed keeper leaves none.
func takeLock(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
		if errors.Is(err, syscall.EWOULDBLOCK) {
			err = errors.New("another keeper listens there: one per agent, with a --socket of its own")
		}
		return nil, errors.Join(fmt.Errorf("lock %s: %w", path, err), f.Close())
	}
	return f, nil
}
