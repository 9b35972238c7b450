package campaign

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// WriteNew writes a file that was not there. After an error nothing of it is
// there either, and what was there before is as it was.
func WriteNew(path string, data []byte) (err error) {
	if _, err := os.Lstat(path); err == nil {
		return fmt.Errorf("write %s: %w", path, fs.ErrExist)
	}
	temp, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return fmt.Errorf("write %s: %w", path, bare(err))
	}
	defer func() { _ = os.Remove(temp.Name()) }()
	_, err = temp.Write(data)
	if err == nil {
		err = temp.Chmod(0o644)
	}
	if err == nil {
		err = temp.Sync() // only then has a full disk said so
	}
	if err = errors.Join(err, temp.Close()); err == nil {
		err = os.Rename(temp.Name(), path)
	}
	if err != nil {
		return fmt.Errorf("write %s: %w", path, bare(err))
	}
	return nil
}

// bare is the cause of a failed call without the temporary names in it.
func bare(err error) error {
	var link *os.LinkError
	var path *fs.PathError
	switch {
	case errors.As(err, &link):
		return link.Err
	case errors.As(err, &path):
		return path.Err
	default:
		return err
	}
}

// WriteOnce writes base+ext, or base-2+ext and so on where that has other bytes
// in it. It gives the path of the file that has data.
func WriteOnce(base, ext string, data []byte) (string, error) {
	path := base + ext
	for i := 2; ; i++ {
		err := WriteNew(path, data)
		if err == nil || !errors.Is(err, fs.ErrExist) {
			return path, err
		}
		if old, err := os.ReadFile(path); err == nil && bytes.Equal(old, data) {
			return path, nil
		}
		path = fmt.Sprintf("%s-%d%s", base, i, ext)
	}
}
