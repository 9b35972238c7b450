package report

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// Write makes the folder dir with result.json and index.html in it. It fails,
// and leaves nothing behind, if something has that name already or if not all
// could be written.
func Write(dir string, in Input) error {
	if err := Check(dir); err != nil {
		return err
	}
	return folder(dir, []file{
		{"result.json", in.writeJSON},
		{"index.html", in.writePage},
	})
}

// Check says why no report could be made at dir: a command asks before it
// begins, not after an hour of playing.
func Check(dir string) error {
	_, err := os.Lstat(dir)
	switch {
	case err == nil:
		return fmt.Errorf("report %s: exists already, and nothing is overwritten: name a new folder", dir)
	case !errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("report %s: %w", dir, cause(err))
	}
	above := filepath.Dir(filepath.Clean(dir))
	switch at, err := os.Stat(above); {
	case err != nil:
		return fmt.Errorf("report %s: folder %s: %w", dir, above, cause(err))
	case !at.IsDir():
		return fmt.Errorf("report %s: %s is not a folder", dir, above)
	}
	return nil
}

// file is one file of a folder that is about to be.
type file struct {
	name  string
	write func(io.Writer) error
}

// folder writes all files beside dir and gives them its name when they are on
// the disk. A folder that has appeared under that name in the meantime stays:
// no system renames over one in which there is something.
func folder(dir string, files []file) (err error) {
	dir = filepath.Clean(dir)
	private, err := os.MkdirTemp(filepath.Dir(dir), "."+filepath.Base(dir)+"-*")
	if err != nil {
		return fmt.Errorf("report %s: %w", dir, cause(err))
	}
	defer func() { err = errors.Join(err, os.RemoveAll(private)) }()
	made := filepath.Join(private, filepath.Base(dir))
	if err := os.Mkdir(made, 0o755); err != nil {
		return fmt.Errorf("report %s: %w", dir, cause(err))
	}
	for _, f := range files {
		if err := put(filepath.Join(made, f.name), f.write); err != nil {
			return fmt.Errorf("report %s: write %s: %w", dir, f.name, cause(err))
		}
	}
	if err := os.Rename(made, dir); err != nil {
		return fmt.Errorf("report %s: %w", dir, cause(err))
	}
	return nil
}

// put writes one file to the disk itself: only then has a full one said so.
func put(path string, write func(io.Writer) error) (err error) {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	if err := write(f); err != nil {
		return err
	}
	return f.Sync()
}

// cause leaves the path out that the error's reader has been told already.
func cause(err error) error {
	var at *fs.PathError
	var link *os.LinkError
	switch {
	case errors.As(err, &at):
		return at.Err
	case errors.As(err, &link):
		return link.Err
	default:
		return err
	}
}
