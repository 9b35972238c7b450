package disk

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	bolt "go.etcd.io/bbolt"
)

const (
	// FileName is the store, in its folder.
	FileName = "ledger.db"
	fileName = FileName
	newEnd   = ".new" // a file that is being made
)

// pageSize is that of new files on every machine, so that a folder can move.
const pageSize = 4096

// makeFolder makes the data folder, durably.
func makeFolder(dir string) error {
	_, err := os.Stat(dir)
	if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	return syncFolder(filepath.Dir(dir))
}

// create makes an empty store unless there is one. It appears under its name
// whole or not at all: a store that is there but empty has lost something. The
// caller holds the folder's lock.
func create(cfg Config, path string) error {
	unfinished := path + newEnd // of a creation that a crash ended
	if err := os.Remove(unfinished); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := fill(cfg, unfinished); err != nil {
		return errors.Join(fmt.Errorf("make it: %w", err), os.Remove(unfinished))
	}
	if err := os.Rename(unfinished, path); err != nil {
		return err
	}
	return syncFolder(filepath.Dir(path))
}

// fill makes the file.
func fill(cfg Config, path string) error {
	db, err := bolt.Open(path, 0o600, &bolt.Options{Timeout: cfg.LockTimeout, PageSize: pageSize, NoGrowSync: true})
	if err != nil {
		return err
	}
	err = db.Update(func(tx *bolt.Tx) error {
		for _, name := range buckets {
			if _, err := tx.CreateBucket([]byte(name)); err != nil {
				return err
			}
		}
		b, err := json.Marshal(format{Version: formatVersion, Cluster: cfg.Cluster, Member: cfg.Member, ID: rand.Text()})
		if err != nil {
			return err
		}
		if err := put(tx, bucketAbout, formatKey, b); err != nil {
			return err
		}
		return (&writer{tx: tx, stock: &inventory{}}).close()
	})
	return errors.Join(err, db.Close())
}

// syncFolder makes a new name durable.
func syncFolder(dir string) error {
	folder, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(folder.Sync(), folder.Close())
}
