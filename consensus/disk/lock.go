package disk

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// lockName is a file beside the store. It is locked, rather than the store, so
// that two agents cannot make the store at the same time; and it names its
// holder.
const lockName = "ledger.lock"

// lockFolder takes the folder for this process; closing the file gives it back,
// and so does the end of the process.
func lockFolder(dir string, wait time.Duration) (*os.File, error) {
	file, err := os.OpenFile(filepath.Join(dir, lockName), os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, err
	}
	for end := time.Now().Add(wait); ; time.Sleep(20 * time.Millisecond) {
		err = syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if !errors.Is(err, syscall.EWOULDBLOCK) || time.Now().After(end) {
			break
		}
	}
	if err == nil {
		// The number is there for people; a full disk must not keep us out.
		_ = file.Truncate(0)
		_, _ = file.WriteAt(fmt.Appendln(nil, os.Getpid()), 0)
		return file, nil
	}
	if errors.Is(err, syscall.EWOULDBLOCK) {
		err = fmt.Errorf("%w%s: stop it, or give this agent a data_dir of its own", ErrInUse, holder(file))
	} else {
		err = fmt.Errorf("lock %s: %w", file.Name(), err)
	}
	return nil, errors.Join(err, file.Close())
}

// holder names the process that has the lock, as far as it told.
func holder(file *os.File) string {
	var b [20]byte
	n, _ := file.ReadAt(b[:], 0)
	if id := strings.TrimSpace(string(b[:n])); id != "" {
		return " (" + id + ")"
	}
	return ""
}
