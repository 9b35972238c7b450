package disk

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"io"
	"slices"
)

// bbolt's file format, version 2. Numbers are in the machine's byte order.
//
//	file:     meta page, meta page, then pages up to the end that the meta page names
//	page:     id 8, flags 2, count 2, overflow 4, then what the flags say; it
//	          is followed by overflow more pages of the same content
//	meta:     magic 4, version 4, page size 4, flags 4, root 8, sequence 8, free
//	          list 8, end 8, transaction 8, FNV-1a of all of this 8
//	branch:   count x (key's place 4, key's size 4, page 8), then the keys
//	leaf:     count x (flags 4, key's place 4, key's size 4, value's size 4), then keys and values
//	free:     count x page 8; if count is 0xffff, the true one comes first
//	a bucket is a value of the root: page 8, sequence 8; page 0: a leaf follows at once
const (
	boltMagic   = 0xED0CDAED
	boltVersion = 2

	headerSize  = 16
	elementSize = 16
	metaSize    = 64

	isBranch = 0x01
	isLeaf   = 0x02
	isFree   = 0x10

	isBucket = 0x01 // flag of a leaf's element
)

var order = binary.NativeEndian

// survey reads a bbolt file without bbolt: see the package comment.
type survey struct {
	file     io.ReaderAt
	pageSize uint64
	end      uint64   // pages in use, the first one that is not
	seen     []uint64 // bit set of pages
	names    []string // of the buckets
	record   func(bucket string, key, value []byte) error
}

// surveyFile proves that bbolt can work with the file, and hands every record
// to record. The first error of record ends it.
func surveyFile(file io.ReaderAt, size int64, record func(bucket string, key, value []byte) error) error {
	m, err := readMetas(file, size)
	if err != nil {
		return err
	}
	s := &survey{file: file, pageSize: m.pageSize, end: m.end, seen: make([]uint64, m.end/64+1), record: record}
	root, err := s.take(m.root)
	if err != nil {
		return err
	}
	if _, err := s.node("", root, bounds{}); err != nil {
		return err
	}
	if !slices.Equal(s.names, buckets) {
		return fmt.Errorf("%w: it holds %q, want %q", ErrDamaged, s.names, buckets)
	}
	if err := s.freelist(m.freelist); err != nil {
		return err
	}
	for id := uint64(2); id < s.end; id++ {
		if !s.marked(id) {
			return fmt.Errorf("page %d is %w (neither used nor free)", id, ErrDamaged)
		}
	}
	return nil
}

// meta is the page that makes a transaction's pages valid. Two of them take
// turns.
type meta struct{ pageSize, root, freelist, end, tx uint64 }

// readMetas finds the newer one. Both must be whole: bbolt would quietly use
// the older one, and with it forget the last transaction. A meta page fits in
// one sector, so a power cut does not tear it.
func readMetas(file io.ReaderAt, size int64) (meta, error) {
	a, err := readMeta(file, 0)
	if err != nil {
		return meta{}, err
	}
	b, err := readMeta(file, a.pageSize)
	if err != nil {
		return meta{}, err
	}
	if a.tx%2 != 0 || b.tx%2 != 1 || b.pageSize != a.pageSize || a.tx != b.tx+1 && b.tx != a.tx+1 {
		return meta{}, fmt.Errorf("%w: its two meta pages do not fit", ErrDamaged)
	}
	m := a
	if b.tx > a.tx {
		m = b
	}
	if has := uint64(size) / m.pageSize; m.end > has {
		return meta{}, fmt.Errorf("%w: %d of its %d pages are missing at the end", ErrDamaged, m.end-has, m.end)
	}
	return m, nil
}

func readMeta(file io.ReaderAt, at uint64) (meta, error) {
	var b [headerSize + metaSize]byte
	if _, err := file.ReadAt(b[:], int64(at)); err != nil {
		return meta{}, fmt.Errorf("%w: meta page at byte %d: %w", ErrDamaged, at, err)
	}
	c := b[headerSize:]
	h := fnv.New64a()
	h.Write(c[:metaSize-8])
	if order.Uint32(c) != boltMagic || order.Uint32(c[4:]) != boltVersion || order.Uint64(c[metaSize-8:]) != h.Sum64() {
		return meta{}, fmt.Errorf("%w: meta page at byte %d (checksum)", ErrDamaged, at)
	}
	m := meta{
		pageSize: uint64(order.Uint32(c[8:])),
		root:     order.Uint64(c[16:]), freelist: order.Uint64(c[32:]),
		end: order.Uint64(c[40:]), tx: order.Uint64(c[48:]),
	}
	if m.pageSize < 1<<10 || m.pageSize > 1<<24 || m.pageSize&(m.pageSize-1) != 0 {
		return meta{}, fmt.Errorf("%w: pages of %d bytes", ErrDamaged, m.pageSize)
	}
	return m, nil
}

func (s *survey) marked(id uint64) bool { return s.seen[id/64]&(1<<(id%64)) != 0 }

// mark notes that a page is in use or free; never twice.
func (s *survey) mark(id uint64) error {
	if id < 2 || id >= s.end {
		return fmt.Errorf("%w: page %d does not exist", ErrDamaged, id)
	}
	if s.marked(id) {
		return fmt.Errorf("%w: page %d is used twice", ErrDamaged, id)
	}
	s.seen[id/64] |= 1 << (id % 64)
	return nil
}

// take reads a page and those that continue it.
func (s *survey) take(id uint64) ([]byte, error) {
	if err := s.mark(id); err != nil {
		return nil, err
	}
	p := make([]byte, s.pageSize)
	if _, err := s.file.ReadAt(p, int64(id*s.pageSize)); err != nil {
		return nil, fmt.Errorf("read page %d: %w", id, err)
	}
	more := uint64(order.Uint32(p[12:]))
	if order.Uint64(p) != id || more >= s.end-id {
		return nil, fmt.Errorf("page %d is %w (header)", id, ErrDamaged)
	}
	for i := range more {
		if err := s.mark(id + 1 + i); err != nil {
			return nil, err
		}
	}
	if more == 0 {
		return p, nil
	}
	p = append(p, make([]byte, more*s.pageSize)...)
	if _, err := s.file.ReadAt(p[s.pageSize:], int64((id+1)*s.pageSize)); err != nil {
		return nil, fmt.Errorf("read page %d: %w", id+1, err)
	}
	return p, nil
}

// bounds are what the pages above promise about a page's keys.
type bounds struct{ from, below []byte } // nil: none

// node walks the tree below a branch or leaf page and returns its last key.
// Bucket "" is the root, whose values are buckets.
func (s *survey) node(bucket string, p []byte, in bounds) ([]byte, error) {
	flags, count := order.Uint16(p[8:]), int(order.Uint16(p[10:]))
	branch := flags == isBranch && count > 0
	if !branch && flags != isLeaf || headerSize+count*elementSize > len(p) {
		return nil, fmt.Errorf("page %d is %w (kind or count)", order.Uint64(p), ErrDamaged)
	}
	last := in.from
	for i := range count {
		e := element{page: p, at: headerSize + i*elementSize, branch: branch}
		k, value, err := e.read()
		if err != nil {
			return nil, err
		}
		c := bytes.Compare(last, k)
		if c > 0 || c == 0 && i > 0 || in.below != nil && bytes.Compare(k, in.below) >= 0 {
			return nil, fmt.Errorf("page %d is %w (order of keys)", order.Uint64(p), ErrDamaged)
		}
		last = k
		switch {
		case branch:
			below := in.below
			if i < count-1 {
				if below, _, err = e.next().read(); err != nil {
					return nil, err
				}
			}
			last, err = s.tree(bucket, order.Uint64(p[e.at+8:]), bounds{k, below})
		case bucket == "":
			s.names = append(s.names, string(k))
			err = s.bucket(string(k), e.flags(), value)
		case e.flags() != 0:
			err = fmt.Errorf("%s is %w (flags)", describe(bucket, k), ErrDamaged)
		default:
			err = s.record(bucket, k, value)
		}
		if err != nil {
			return nil, err
		}
	}
	return last, nil
}

func (s *survey) tree(bucket string, id uint64, in bounds) ([]byte, error) {
	p, err := s.take(id)
	if err != nil {
		return nil, err
	}
	return s.node(bucket, p, in)
}

// bucket walks one of the root's buckets.
func (s *survey) bucket(name string, flags uint32, value []byte) error {
	if flags != isBucket || len(value) < 16 || name == "" {
		return fmt.Errorf("bucket %q is %w", name, ErrDamaged)
	}
	id := order.Uint64(value)
	if id != 0 {
		_, err := s.tree(name, id, bounds{})
		return err
	}
	// A small bucket's only page stands in the value. It has no number, and
	// bbolt would free the page of any that it had.
	inline := value[16:]
	if len(inline) < headerSize || order.Uint64(inline) != 0 || order.Uint16(inline[8:]) != isLeaf || order.Uint32(inline[12:]) != 0 {
		return fmt.Errorf("bucket %q is %w (header)", name, ErrDamaged)
	}
	_, err := s.node(name, inline, bounds{})
	return err
}

// freelist marks the free pages.
func (s *survey) freelist(id uint64) error {
	p, err := s.take(id)
	if err != nil {
		return err
	}
	count, ids := uint64(order.Uint16(p[10:])), p[headerSize:]
	if count == 0xffff {
		count, ids = order.Uint64(ids), ids[8:]
	}
	if order.Uint16(p[8:]) != isFree || count > uint64(len(ids))/8 {
		return fmt.Errorf("page %d is %w (list of free pages)", id, ErrDamaged)
	}
	for i := range count {
		if err := s.mark(order.Uint64(ids[i*8:])); err != nil {
			return err
		}
	}
	return nil
}

// element is one of a page's entries.
type element struct {
	page   []byte
	at     int
	branch bool
}

func (e element) next() element { e.at += elementSize; return e }

func (e element) flags() uint32 { return order.Uint32(e.page[e.at:]) }

// read gives key and value, which are parts of the page. A branch has no
// values.
func (e element) read() (k, value []byte, err error) {
	b := e.page[e.at:]
	place, keySize, valueSize := uint64(order.Uint32(b)), uint64(order.Uint32(b[4:])), uint64(0)
	if !e.branch {
		place, keySize, valueSize = uint64(order.Uint32(b[4:])), uint64(order.Uint32(b[8:])), uint64(order.Uint32(b[12:]))
	}
	if place < elementSize || place+keySize+valueSize > uint64(len(b)) {
		return nil, nil, fmt.Errorf("page %d is %w (element)", order.Uint64(e.page), ErrDamaged)
	}
	return b[place : place+keySize], b[place+keySize : place+keySize+valueSize], nil
}
