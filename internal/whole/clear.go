package whole

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// Clear takes away what writers of this file left beside it when they died, and names
// it: it may hold a key. A folder that is not there holds nothing.
func Clear(path string) (cleared []string, err error) {
	base := filepath.Base(path)
	return clearAway(filepath.Dir(path), func(of string) bool { return of == base })
}

// ClearFolder does the same for all files of a folder. It is for one in which nobody
// else keeps files: theirs may have such names.
func ClearFolder(dir string) (cleared []string, err error) {
	return clearAway(dir, func(string) bool { return true })
}

func clearAway(dir string, wanted func(of string) bool) (cleared []string, err error) {
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	var mistakes []error
	for _, entry := range entries {
		of, left := leftover(entry.Name())
		if !left || !entry.Type().IsRegular() || !wanted(of) {
			continue
		}
		path := filepath.Join(dir, entry.Name())
		switch gone, err := remove(path); {
		case err != nil:
			mistakes = append(mistakes, err)
		case gone:
			cleared = append(cleared, path)
		}
	}
	return cleared, errors.Join(mistakes...)
}

// leftover tells of which file a name is that a writer gave: NAME.DIGITS.new.
func leftover(name string) (of string, is bool) {
	name, is = strings.CutSuffix(name, End)
	at := strings.LastIndexByte(name, '.')
	if !is || at < 1 || at == len(name)-1 || strings.Trim(name[at+1:], "0123456789") != "" {
		return "", false
	}
	return name[:at], true
}

// remove removes a file that nobody writes. What is renamed meanwhile is gone as well.
func remove(path string) (gone bool, err error) {
	f, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	if err = lock(f); errors.Is(err, syscall.EWOULDBLOCK) {
		return false, f.Close()
	}
	if err == nil {
		err = os.Remove(path)
	}
	if err = errors.Join(err, f.Close()); errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}

// lock locks a file until it is closed, or fails with EWOULDBLOCK at once.
func lock(f *os.File) error { return syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) }
