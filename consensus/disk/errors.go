package disk

import (
	"errors"
	"fmt"
	"io/fs"
	"strings"
	"syscall"

	berrors "go.etcd.io/bbolt/errors"
)

// ErrInUse says that another process holds the folder.
var ErrInUse = errors.New("in use by another process")

// ErrDamaged says that the file is not what was written.
var ErrDamaged = errors.New("damaged")

// ErrFull says that there is no space for a write. Nothing was changed, and the
// same call may succeed later.
var ErrFull = errors.New("the disk is full")

// startOver is the way back from a file that cannot be used. The other files of
// the folder stay: without its journal of steps an agent would do over what it
// has done.
const startOver = "move that file away, and no other, and start again: the agent fetches the ledger from the others"

// errFault says that reading the mapped file failed: the disk is gone, or
// somebody cut the file.
var errFault = errors.New("the file changed or cannot be read")

var errClosed = errors.New("the store is closed")

// explain names the operation, the file and the way back.
func (s *Store) explain(operation string, err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, berrors.ErrTimeout):
		err = fmt.Errorf("%w: stop it, or give this agent a data_dir of its own", ErrInUse)
	case errors.Is(err, ErrDamaged):
		err = fmt.Errorf("%w: %s", err, startOver)
	case errors.Is(err, ErrFull):
		err = fmt.Errorf("%w: free some space", err)
	case full(err):
		err = fmt.Errorf("%w: %w: free some space", ErrFull, err)
	case errors.Is(err, fs.ErrPermission) || errors.Is(err, syscall.EROFS):
		err = fmt.Errorf("%w: set data_dir to a folder that this agent may write", err)
	}
	return fmt.Errorf("%s of %s: %s: %w", operation, s.cfg.Member, s.path, err)
}

// full reports that a write found no space. Then bbolt had written no more than
// pages that nothing refers to. The same error from a flush tells nothing of
// the kind and does not count: a flush gives a bare number.
func full(err error) bool {
	var path *fs.PathError
	if errors.As(err, &path) {
		return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT)
	}
	// bbolt wraps all but the one error of growing the file, its first act.
	return err != nil && strings.HasPrefix(err.Error(), "file resize error") &&
		(strings.HasSuffix(err.Error(), syscall.ENOSPC.Error()) || strings.HasSuffix(err.Error(), syscall.EDQUOT.Error()))
}
