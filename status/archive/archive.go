// Package archive keeps what a status.Chronicle and a status.Trail know, in one bbolt file of
// the agent's data folder, DATA_DIR/history.db.
//
// A batch of records is written in one transaction: it survives a killed process and a
// power cut whole, or is not there at all. What a crash takes was not said to be kept, and
// is taken from the ledger once more.
//
// The past is worth nothing that the present could pay for. So a file that is damaged, of
// another cluster or not readable is put aside under another name, and the agent begins a
// new one and says so; a file that cannot be opened for another reason, such as a full disk
// or too few descriptors, stays as it is, and the agent goes on without one; and a file that is cut or rotten under a running agent is an error
// of Write, and no end of the process. A trail that cannot be read begins anew, and costs the
// history nothing: it is of a day, and the history of a year.
package archive

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"time"

	bolt "go.etcd.io/bbolt"
	berrors "go.etcd.io/bbolt/errors"

	"moonwatch/status"
)

// Name is the file's name in the data folder.
const Name = "history.db"

const (
	damagedEnd  = ".damaged" // a file that was put aside, and when
	damagedForm = "-20060102T150405.000Z"
	damagedKept = 2 // files that were put aside, the newest
	bucketName  = "history"
	trailName   = "trail" // a bucket that builds of before know nothing of, and leave alone
	clusterKey  = "cluster"
	lockTimeout = time.Second
)

// ErrInUse says that another process has the file.
var ErrInUse = errors.New("in use by another process")

// errFault says that reading the mapped file failed: the disk is gone, or somebody cut
// the file.
var errFault = errors.New("the file changed or cannot be read")

// errUnreadable says that a record is not what this program writes for this cluster.
var errUnreadable = errors.New("unreadable")

// damaged reports that an error is of what is in the file, and not of opening it.
func damaged(err error) bool {
	for _, is := range []error{berrors.ErrInvalid, berrors.ErrChecksum, berrors.ErrVersionMismatch, errFault, errUnreadable} {
		if errors.Is(err, is) {
			return true
		}
	}
	return false
}

// Archive is an open file. One goroutine at a time may use it.
type Archive struct {
	path string
	db   *bolt.DB
	lost bool // after a fault: bbolt still holds its locks, and is left alone
}

// Open opens the file of a data folder, or makes it, and hands over what it knows. If
// what is in the file that was there could not be used, aside says why: it lies beside the
// new one. After any other error there is no archive, and the file is as it was.
func Open(dir, cluster string) (a *Archive, known *status.Chronicle, aside, err error) {
	a = &Archive{path: filepath.Join(dir, Name)}
	known, err = a.open(cluster)
	if damaged(err) {
		aside = a.about("open", err)
		if err := a.putAside(time.Now()); err != nil {
			return nil, nil, aside, a.about("put aside", err)
		}
		known, err = a.open(cluster)
	}
	if err != nil {
		return nil, nil, aside, a.about("open", err)
	}
	return a, known, aside, nil
}

// putAside gives the file another name, and keeps the newest ones that have such a name.
func (a *Archive) putAside(now time.Time) error {
	if err := os.Rename(a.path, a.path+damagedEnd+now.UTC().Format(damagedForm)); err != nil {
		return err
	}
	all, err := filepath.Glob(a.path + damagedEnd + "*") // sorted, and so the oldest first
	if err != nil {
		return err
	}
	for _, old := range all[:max(0, len(all)-damagedKept)] {
		if err := os.Remove(old); err != nil {
			return err
		}
	}
	return nil
}

// open leaves the file open only if it can be used.
func (a *Archive) open(cluster string) (known *status.Chronicle, err error) {
	err = guarded(func() error {
		if a.db, err = bolt.Open(a.path, 0o600, &bolt.Options{Timeout: lockTimeout}); err != nil {
			return err
		}
		if err := a.db.Update(func(tx *bolt.Tx) error { return claim(tx, cluster) }); err != nil {
			return err
		}
		records, err := a.read(bucketName)
		if err != nil {
			return err
		}
		if known, err = status.RecallChronicle(records); err != nil {
			return fmt.Errorf("%w: %w", errUnreadable, err)
		}
		return nil
	})
	if err == nil {
		return known, nil
	}
	if a.db != nil && !errors.Is(err, errFault) {
		_ = guarded(a.db.Close) // what is wrong with it is known
	}
	a.db = nil
	if errors.Is(err, berrors.ErrTimeout) {
		err = ErrInUse
	}
	return nil, err
}

// claim makes a new file this cluster's.
func claim(tx *bolt.Tx, cluster string) error {
	b, err := tx.CreateBucketIfNotExists([]byte(bucketName))
	if err != nil {
		return err
	}
	switch got := b.Get([]byte(clusterKey)); {
	case got == nil:
		name, err := json.Marshal(cluster)
		if err != nil {
			return err
		}
		return b.Put([]byte(clusterKey), name)
	default:
		var was string
		if err := json.Unmarshal(got, &was); err != nil {
			return fmt.Errorf("%w: record %s: %w", errUnreadable, clusterKey, err)
		}
		if was != cluster {
			return fmt.Errorf("%w: it is of cluster %s, want %s", errUnreadable, was, cluster)
		}
		return nil
	}
}

// read hands over what is in a bucket; nothing, where there is none.
func (a *Archive) read(bucket string) (status.Records, error) {
	out := status.Records{}
	err := a.db.View(func(tx *bolt.Tx) error {
		b := tx.Bucket([]byte(bucket))
		if b == nil {
			return nil
		}
		return b.ForEach(func(k, v []byte) error {
			if string(k) != clusterKey {
				out[string(k)] = append([]byte(nil), v...)
			}
			return nil
		})
	})
	return out, err
}

// Trail hands over the trail that is kept. One that cannot be read is taken away, and a new one
// begins: the error says why.
func (a *Archive) Trail() (*status.Trail, error) {
	var known *status.Trail
	err := a.guard("read trail of", func() error {
		records, err := a.read(trailName)
		if err != nil {
			return err
		}
		if known, err = status.RecallTrail(records); err == nil {
			return nil
		}
		return errors.Join(err, a.db.Update(func(tx *bolt.Tx) error { return tx.DeleteBucket([]byte(trailName)) }))
	})
	if err != nil {
		return &status.Trail{}, err
	}
	return known, nil
}

// Write keeps records of the history and of the trail: all of them, or none.
func (a *Archive) Write(history, trail status.Records) error {
	return a.guard("write", func() error {
		return a.db.Update(func(tx *bolt.Tx) error {
			if err := put(tx, bucketName, history); err != nil {
				return err
			}
			return put(tx, trailName, trail)
		})
	})
}

// put writes records into a bucket, which is made for the first ones.
func put(tx *bolt.Tx, bucket string, records status.Records) error {
	if len(records) == 0 {
		return nil
	}
	b, err := tx.CreateBucketIfNotExists([]byte(bucket))
	if err != nil {
		return err
	}
	for key, value := range records {
		if value == nil {
			err = b.Delete([]byte(key))
		} else {
			err = b.Put([]byte(key), value)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// guard does what works on the mapped file, unless that was lost before.
func (a *Archive) guard(operation string, do func() error) error {
	if a.lost {
		return a.about(operation, errFault)
	}
	err := a.about(operation, guarded(do))
	a.lost = errors.Is(err, errFault)
	return err
}

// Close gives the file back, unless it was lost: then the end of the process does.
func (a *Archive) Close() error {
	if a.lost {
		return nil
	}
	return a.about("close", guarded(a.db.Close))
}

func (a *Archive) about(operation string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s history %s: %w", operation, a.path, err)
}

// guarded runs what works on the mapped file: a page that cannot be read ends do with an
// error, and not the process.
func guarded(do func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%w: %v", errFault, r)
		}
	}()
	return do()
}
