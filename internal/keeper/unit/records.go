package unit

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"go.uber.org/zap"

	"moonwatch/internal/keeper"
	"moonwatch/internal/whole"
	"moonwatch/member"
)

// A slot's file is sealed, and holds one line of JSON.
const (
	heading   = "moonwatch keeper 1"
	recordEnd = ".lease"
)

// records writes the newest record of each slot, one after the other. A slow disk
// is written the newest ones only; a full one is tried again. Whatever is not
// written makes the next life stricter, never laxer (docs/adr/014).
type records struct {
	dir string
	log *zap.Logger
	put func(path string, content []byte) error
	new chan struct{}

	mu    sync.Mutex
	dirty map[member.SlotID]keeper.Record
	bad   string
}

func newRecords(dir string, log *zap.Logger) *records {
	return &records{dir: dir, log: log, put: putFile, new: make(chan struct{}, 1), dirty: map[member.SlotID]keeper.Record{}}
}

func (r *records) save(rec keeper.Record) {
	r.mu.Lock()
	r.dirty[rec.Slot] = rec
	r.mu.Unlock()
	select {
	case r.new <- struct{}{}:
	default:
	}
}

// trouble says why records cannot be written; empty: they can.
func (r *records) trouble() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.bad
}

// again is how long a failed write waits.
const again = 500 * time.Millisecond

// write writes until ctx ends, and then what is left, once.
func (r *records) write(ctx context.Context) {
	for {
		err := r.flush()
		r.note(err)
		retry := make(<-chan time.Time)
		if err != nil {
			retry = time.After(again)
		}
		select {
		case <-ctx.Done():
			r.note(r.flush())
			return
		case <-r.new:
		case <-retry:
		}
	}
}

func (r *records) note(err error) {
	r.mu.Lock()
	was := r.bad
	r.bad = text(err)
	now := r.bad
	r.mu.Unlock()
	switch {
	case now != "" && was == "":
		r.log.Error("records cannot be written: a keeper that is killed now stops its slots earlier", zap.Error(err))
	case now == "" && was != "":
		r.log.Info("records are written again")
	}
}

func (r *records) flush() error {
	r.mu.Lock()
	todo := r.dirty
	r.dirty = map[member.SlotID]keeper.Record{}
	r.mu.Unlock()
	var errs []error
	for slot, rec := range todo {
		content, err := encode(rec)
		if err == nil {
			err = r.put(filepath.Join(r.dir, string(slot)+recordEnd), content)
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("write record of slot %s: %w", slot, err))
			r.mu.Lock()
			if _, newer := r.dirty[slot]; !newer {
				r.dirty[slot] = rec
			}
			r.mu.Unlock()
		}
	}
	return errors.Join(errs...)
}

func encode(rec keeper.Record) ([]byte, error) {
	body, err := json.Marshal(rec)
	if err != nil {
		return nil, err
	}
	return whole.Seal(heading, append(body, '\n')), nil
}

func decode(content []byte) (keeper.Record, error) {
	body, err := whole.Unseal(heading, content)
	if err != nil {
		return keeper.Record{}, err
	}
	var rec keeper.Record
	if err := json.Unmarshal(body, &rec); err != nil {
		return keeper.Record{}, fmt.Errorf("damaged: %w", err)
	}
	return rec, nil
}

// load reads all records, names the slots of those that cannot be read, and
// clears away what a crash left half written.
func (r *records) load() (good []keeper.Record, unread []member.SlotID, err error) {
	entries, err := os.ReadDir(r.dir)
	if err != nil {
		return nil, nil, err
	}
	for _, e := range entries {
		path := filepath.Join(r.dir, e.Name())
		if strings.HasSuffix(path, whole.End) {
			if err := os.Remove(path); err != nil {
				return nil, nil, err
			}
			continue
		}
		name, ok := strings.CutSuffix(e.Name(), recordEnd)
		if !ok {
			continue
		}
		content, err := os.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		var rec keeper.Record
		if err == nil {
			rec, err = decode(content)
		}
		if err != nil || string(rec.Slot) != name {
			unread = append(unread, member.SlotID(name))
			continue
		}
		good = append(good, rec)
	}
	return good, unread, nil
}

// putFile replaces a file by one that is on the disk.
func putFile(path string, content []byte) error { return whole.Replace(path, content, 0o600) }
