package disk

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"moonwatch/member"
)

// Inspection is what a ledger's file holds, right or wrong.
type Inspection struct {
	Path    string
	Cluster string
	Member  member.ID
	Facts   []Inspected // in order
	Head    uint64      // of the whole ledger in it, 0: none
	Hash    []byte      // that the whole ledger says it has there
	Whole   []byte      // the whole ledger itself, nil where it cannot be read
	Damage  []string    // what is wrong with the file apart from single facts
}

// Inspected is one fact's record.
type Inspected struct {
	Index  uint64
	Bytes  []byte // of the encoded fact, nil where nothing can be read
	Damage string // why the record is not what was written, empty: its checksum is right
}

// Inspect reads a ledger's file for people who do not trust it: unlike Open it goes
// on after a wrong checksum, and changes nothing. Path is the file, or the data
// folder that it lies in. It fails if an agent holds the folder.
func Inspect(path string) (found Inspection, err error) {
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		path = filepath.Join(path, fileName)
	}
	defer func() {
		if err != nil {
			err = fmt.Errorf("inspect ledger %s: %w", path, err)
		}
	}()
	file, err := os.Open(path)
	if err != nil {
		return found, err
	}
	defer func() { _ = file.Close() }() // only read
	if dir := filepath.Dir(path); filepath.Base(path) == fileName && exists(filepath.Join(dir, lockName)) {
		lock, err := lockFolder(dir, 0)
		if err != nil {
			return found, err
		}
		defer func() { _ = lock.Close() }()
	}
	info, err := file.Stat()
	if err != nil {
		return found, err
	}
	found.Path = path
	x := inspector{found: &found}
	if err := surveyFile(file, info.Size(), x.record); err != nil {
		if !errors.Is(err, ErrDamaged) {
			return found, err
		}
		found.Damage = append(found.Damage, err.Error()+": what stands behind it is not read")
	}
	x.close()
	return found, nil
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// inspector takes the records down.
type inspector struct {
	found *Inspection
	stock *inventory
}

// record never fails: the survey goes on.
func (x *inspector) record(bucket string, k, value []byte) error {
	content, err := unseal(bucket, k, value)
	f := x.found
	switch {
	case bucket == bucketFacts && len(k) == 8:
		r := Inspected{Index: indexOf(k), Bytes: content}
		if err != nil {
			r.Damage = "its record's checksum is wrong: the bytes were altered on the disk"
			if len(value) > checksumSize {
				r.Bytes = value[checksumSize:]
			}
		}
		f.Facts = append(f.Facts, r)
	case err != nil:
		f.Damage = append(f.Damage, err.Error())
	case bucket == bucketAbout && string(k) == string(formatKey):
		var a format
		if json.Unmarshal(content, &a) == nil {
			f.Cluster, f.Member = a.Cluster, a.Member
		}
	case bucket == bucketAbout && string(k) == string(inventoryKey):
		var v inventory
		if json.Unmarshal(content, &v) == nil {
			x.stock = &v
		}
	case bucket == bucketLedger && string(k) == string(wholeKey):
		var s struct {
			State struct {
				Head uint64 `json:"head"`
				Hash []byte `json:"hash"`
			} `json:"state"`
		}
		if json.Unmarshal(content, &s) == nil {
			f.Head, f.Hash, f.Whole = s.State.Head, s.State.Hash, content
		}
	}
	return nil
}

// close holds what was found against the inventory: a fact that was taken off the
// end leaves no gap.
func (x *inspector) close() {
	f := x.found
	if x.stock == nil || x.stock.Facts.empty() || len(f.Damage) > 0 {
		return
	}
	if n := len(f.Facts); n == 0 || f.Facts[n-1].Index < x.stock.Facts.Last {
		last := uint64(0)
		if n > 0 {
			last = f.Facts[n-1].Index
		}
		f.Damage = append(f.Damage, fmt.Sprintf("facts %d to %d are missing: its own inventory names them", last+1, x.stock.Facts.Last))
	}
}
