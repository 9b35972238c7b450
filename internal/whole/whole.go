// Package whole replaces files at one stroke: whoever reads, and whoever looks after a
// crash, finds the old file or the new one, whole, and never half of one.
//
// A file is written beside the one that it replaces, under a name of its own that begins
// with the other's and has End behind it, and then renamed: two writers do not disturb
// each other (the pools of one HAProxy share its state file), and the later one stands.
// What a crash leaves there is ended by End too: whoever reads a folder skips such names,
// and Clear and ClearFolder take them away, but for one that somebody is writing this
// very moment. A ledger (consensus/disk), a whole folder (sim/report) and what a campaign
// writes (sim/campaign) are made in ways of their own.
package whole

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
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
// something is, also what came there in this very moment.
func Create(path string, content []byte, mode fs.FileMode) error {
	name, err := write(path, content, mode, (*os.File).Sync)
	if err != nil {
		return err
	}
	err = os.Link(name, path) // unlike a rename it fails where something is
	if err = errors.Join(err, os.Remove(name)); err != nil {
		return err
	}
	return syncFolder(filepath.Dir(path))
}

func replace(path string, content []byte, mode fs.FileMode, sync func(*os.File) error) error {
	name, err := write(path, content, mode, sync)
	if err != nil {
		return err
	}
	if err = os.Rename(name, path); err != nil {
		return errors.Join(err, os.Remove(name))
	}
	return nil
}

// write makes the file beside path that is to stand there. After an error there is none.
func write(path string, content []byte, mode fs.FileMode, sync func(*os.File) error) (name string, err error) {
	f, err := os.CreateTemp(filepath.Dir(path), filepath.Base(path)+".*"+End)
	if err != nil {
		return "", err
	}
	_ = lock(f) // says that somebody writes it: where files cannot be locked, nobody clears them away either
	_, err = f.Write(content)
	if err == nil {
		err = errors.Join(f.Chmod(mode), sync(f)) // no umask decides on the mode
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return "", errors.Join(err, os.Remove(f.Name()))
	}
	return f.Name(), nil
}

// syncFolder makes a rename last: else a crash of the machine may bring the old file back.
func syncFolder(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
