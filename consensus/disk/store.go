package disk

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"sync"

	bolt "go.etcd.io/bbolt"
)

// Store is an open store. Persist, Keep and KeepSnapshot are called by one
// goroutine, in the order of the effects; the other methods by anybody at any
// time.
type Store struct {
	cfg     Config
	path    string
	id      string // of the file
	lock    *os.File
	db      *bolt.DB
	metrics *metrics

	writing sync.Mutex // held over a transaction
	broken  error      // why nothing more is written; under writing
	crashed bool       // bbolt was interrupted and may hold its own locks; under writing

	mu      sync.Mutex // never held over the disk
	stock   inventory  // of what is on disk
	waiting waiting    // what is to follow

	wake    chan struct{} // tells the flusher that something waits
	stop    chan struct{}
	once    sync.Once
	flusher sync.WaitGroup
}

// Open opens the store in cfg.Dir, or makes an empty one. It reads the whole
// file; 256 MiB of facts take about a second. The error says which file, what
// is wrong with it, and what to do.
func Open(cfg Config) (*Store, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("open ledger of %s: %w", cfg.Member, err)
	}
	cfg = cfg.withDefaults()
	s := &Store{
		cfg: cfg, path: filepath.Join(cfg.Dir, fileName),
		wake: make(chan struct{}, 1), stop: make(chan struct{}),
	}
	if err := s.open(); err != nil {
		return nil, s.explain("open ledger", err)
	}
	s.metrics = newMetrics(cfg.Registerer)
	s.metrics.size.Set(s.size())
	s.flusher.Go(s.flushLoop)
	return s, nil
}

// open takes the folder and believes the file only when all of it was read.
func (s *Store) open() (err error) {
	if err := makeFolder(s.cfg.Dir); err != nil {
		return err
	}
	if s.lock, err = lockFolder(s.cfg.Dir, s.cfg.LockTimeout); err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, s.release())
		}
	}()
	if err := create(s.cfg, s.path); err != nil {
		return err
	}
	if err := s.survey(); err != nil {
		return err
	}
	err = guarded(func() (err error) {
		s.db, err = bolt.Open(s.path, 0o600, &bolt.Options{
			Timeout:         s.cfg.LockTimeout, // another tool may look at the file
			FreelistType:    bolt.FreelistMapType,
			InitialMmapSize: 32 << 20, // address space only; growing it later waits for readers
			NoStatistics:    true,
		})
		return err
	})
	if err != nil {
		return err
	}
	s.db.AllocSize = 4 << 20 // a step of growth costs a third flush
	_, err = s.load()
	return err
}

// survey reads the whole file without mapping it.
func (s *Store) survey() error {
	file, err := os.OpenFile(s.path, os.O_RDWR, 0) // writable, or we need not begin
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }() // only read
	info, err := file.Stat()
	if err != nil {
		return err
	}
	a := newAudit(s.cfg)
	if err := surveyFile(file, info.Size(), a.record); err != nil {
		return err
	}
	if err := a.close(); err != nil {
		return err
	}
	s.stock, s.id = *a.stock, a.id
	return settle(file, info.Size())
}

// settle makes what was read durable before anybody acts on it. A process that
// was killed, or a flush that failed, may have left the last transaction's meta
// page in the page cache alone, and after a failed flush even marked as clean:
// so it is written again. The pages that it makes valid were flushed before it.
func settle(file *os.File, size int64) error {
	m, err := readMetas(file, size)
	if err != nil {
		return err
	}
	metas := make([]byte, 2*m.pageSize)
	if _, err := file.ReadAt(metas, 0); err != nil {
		return err
	}
	if _, err := file.WriteAt(metas, 0); err != nil {
		return err
	}
	return file.Sync()
}

// ID tells this file from every other one: a councillor that comes back with
// another file has forgotten what it promised in the old one. Empty for a file
// of a build that drew none.
func (s *Store) ID() string { return s.id }

// size is how many bytes the file has.
func (s *Store) size() float64 {
	info, err := os.Stat(s.path)
	if err != nil {
		return 0
	}
	return float64(info.Size())
}

// Close writes what waits and gives the folder back. It may be called twice.
func (s *Store) Close() error {
	s.once.Do(func() { close(s.stop) })
	s.flusher.Wait()
	s.writing.Lock()
	defer s.writing.Unlock()
	if s.lock == nil {
		return nil
	}
	var err error
	if !s.idle() {
		err = s.explain("close ledger", s.write(nothing))
	}
	s.broken = errClosed
	return errors.Join(err, s.release())
}

// release gives up what open took.
func (s *Store) release() error {
	var err error
	if s.db != nil && !s.crashed { // the process is about to end anyway, and must not hang
		err = s.db.Close()
	}
	err = errors.Join(err, s.lock.Close())
	s.lock = nil
	return err
}

// guarded runs what works on the mapped file. A page that cannot be read ends
// do with an error, and not the process.
func guarded(do func() error) (err error) {
	defer debug.SetPanicOnFault(debug.SetPanicOnFault(true))
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("%w: %v", errFault, r)
		}
	}()
	return do()
}
