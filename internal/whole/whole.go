// Package whole replaces files at one stroke: whoever reads, and whoever looks after a
// crash, finds the old file or the new one, whole, and never half of one.
//
// A file is written beside the one that it replaces, under a name of its own that begins
// with the other's and has End behind it, and then renamed: two writers do not disturb
// each other (the pools of one HAProxy share its state file), and the later one stands.
// What a crash leaves there is ended by End too: whoever reads a folder skips such names,
// and Clear and ClearFolder take them away, but for one that somebody is writing this
// very moment: its writer keeps it locked until it has its name, and takes another file
// where a clearer came before the lock. A ledger (consensus/disk), a whole folder
// (sim/report) and what a campaign writes (sim/campaign) are made in ways of their own.
package whole

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// End ends the name of a file that is being written.
const End = ".new"

// Replace puts a file with this content and mode in place of what is there, if anything.
// When it returns without an error the new file survives the machine; after an error the
// old one is there, or, if only the folder could not be written down, the new one.
func Replace(path string, content []byte, mode fs.FileMode) error {
	if err := replace(path, content, mode, (*os.File).Sync); err != nil {
		return err
	}
	return syncFolder(filepath.Dir(path))
}

// ReplaceForNow does the same for a file that need not survive the machine: what it
// tells of does not, or its folder is in memory. Nobody waits for a disk.
func ReplaceForNow(path string, content []byte, mode fs.FileMode) error {
	return replace(path, content, mode, func(*os.File) error { return nil })
}

// Create puts a file where none is: it fails with fs.ErrExist, and touches nothing, where
// something is, also what came there in this very moment. After another error there is
// none, or, if only the folder could not be written down, the new one.
func Create(path string, content []byte, mode fs.FileMode) error {
	if err := create(path, content, mode, os.Link); err != nil {
		return err
	}
	return syncFolder(filepath.Dir(path))
}

// create links the file to its name: unlike a rename a link fails where something is.
func create(path string, content []byte, mode fs.FileMode, link func(from, to string) error) error {
	f, err := write(path, content, mode, (*os.File).Sync)
	if err != nil {
		return err
	}
	err = link(f.Name(), path)
	if left := drop(f); err != nil {
		return errors.Join(err, left)
	}
	return nil // the file stands: a second name that could not be removed is for Clear
}

func replace(path string, content []byte, mode fs.FileMode, sync func(*os.File) error) error {
	f, err := write(path, content, mode, sync)
	if err != nil {
		return err
	}
	if err = os.Rename(f.Name(), path); err != nil {
		return errors.Join(err, drop(f))
	}
	_ = f.Close() // the file stands, and is synced if it must last: this only unlocks it
	return nil
}

// write makes the file beside path that is to stand there. It is open, and so locked: the
// caller closes it when the file has its name. After an error there is none.
func write(path string, content []byte, mode fs.FileMode, sync func(*os.File) error) (*os.File, error) {
	f, err := begin(path)
	if err != nil {
		return nil, err
	}
	_, err = f.Write(content)
	if err == nil {
		err = errors.Join(f.Chmod(mode), sync(f)) // no umask decides on the mode
	}
	if err != nil {
		return nil, errors.Join(err, drop(f))
	}
	return f, nil
}

// tries is how many names begin takes before it gives up: a clearer must come between
// two system calls to spoil one.
const tries = 100

// begin makes an empty file beside path and locks it. Whoever clears may come before the
// lock: then that name is lost, and another one is taken.
func begin(path string) (*os.File, error) {
	for range tries {
		f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*"+End)
		if err != nil {
			return nil, err
		}
		locked := lock(f) // where files cannot be locked, nobody clears them away either
		_, there := os.Lstat(f.Name())
		if !errors.Is(locked, syscall.EWOULDBLOCK) && !errors.Is(there, fs.ErrNotExist) {
			return f, nil
		}
		if err := drop(f); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, err
		}
	}
	return nil, fmt.Errorf("write %s: %d times somebody cleared away the new file beside it", path, tries)
}

// drop removes what was begun, and only then unlocks it.
func drop(f *os.File) error { return errors.Join(os.Remove(f.Name()), f.Close()) }

// syncFolder makes a rename last: else a crash of the machine may bring the old file back.
func syncFolder(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
