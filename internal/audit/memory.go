package audit

import (
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"io/fs"
	"os"
	"sort"
	"sync"

	"moonwatch/consensus"
)

// MemoryName is the file of heads in an agent's data folder.
const MemoryName = "heads"

// A record is index 8, hash 32, checksum of both 4, all big endian, in the order of
// the indices. A thousand facts a day are 16 MB a year.
const recordSize = 8 + 32 + 4

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Memory is what one agent remembers of the chain, for ever. It is only added to:
// nothing in it is ever changed, whatever becomes of the ledger. What a crash
// takes of its end is noted again from the ledger. It is safe for concurrent use.
type Memory struct {
	mu    sync.Mutex
	file  *os.File
	path  string
	count int64
	last  uint64
}

// OpenMemory opens the file, or makes it. A record that a crash left half-written
// at its end is taken off.
func OpenMemory(path string) (*Memory, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open memory of heads: %w", err)
	}
	m := &Memory{file: f, path: path}
	if err := m.open(); err != nil {
		return nil, errors.Join(fmt.Errorf("open memory of heads %s: %w", path, err), f.Close())
	}
	return m, nil
}

func (m *Memory) open() error {
	info, err := m.file.Stat()
	if err != nil {
		return err
	}
	for m.count = info.Size() / recordSize; m.count > 0; m.count-- {
		h, err := m.at(m.count - 1)
		if err == nil {
			m.last = h.Index
			break
		}
		if !errors.Is(err, errRecord) {
			return err
		}
	}
	return m.file.Truncate(m.count * recordSize)
}

var errRecord = errors.New("its checksum is wrong")

// at reads one record.
func (m *Memory) at(i int64) (Head, error) {
	var b [recordSize]byte
	if _, err := m.file.ReadAt(b[:], i*recordSize); err != nil {
		return Head{}, fmt.Errorf("record %d: %w", i, err)
	}
	if binary.BigEndian.Uint32(b[40:]) != crc32.Checksum(b[:40], castagnoli) {
		return Head{}, fmt.Errorf("record %d: %w", i, errRecord)
	}
	return Head{binary.BigEndian.Uint64(b[:]), Hash(b[8:40])}, nil
}

// Contradiction is a fact whose hash is not the one that is remembered.
type Contradiction struct{ Found, Remembered Head }

func (c *Contradiction) Error() string {
	return fmt.Sprintf("fact %d has the hash %v, and this agent remembers %v: the ledger was rewritten", c.Found.Index, c.Found.Hash, c.Remembered.Hash)
}

// Note remembers the heads of facts, in order. Those that are remembered already
// are compared, and what differs is a *Contradiction: nothing is noted then.
func (m *Memory) Note(facts []consensus.Fact) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	var out []byte
	last := m.last
	for _, f := range facts {
		h := Head{f.Index, Hash(f.Hash)}
		if h.Index <= last {
			if r, ok := m.find(h.Index); ok && r.Hash != h.Hash {
				return &Contradiction{h, r}
			}
			continue
		}
		if h.Index > last+1 { // a whole ledger came in between: this fact says what it follows
			out = append(out, record(Head{h.Index - 1, Hash(f.Prev)})...)
		}
		out = append(out, record(h)...)
		last = h.Index
	}
	if len(out) == 0 {
		return nil
	}
	if _, err := m.file.WriteAt(out, m.count*recordSize); err != nil {
		return fmt.Errorf("note heads in %s: %w", m.path, err)
	}
	m.count += int64(len(out) / recordSize)
	m.last = last
	return nil
}

func record(h Head) []byte {
	b := binary.BigEndian.AppendUint64(make([]byte, 0, recordSize), h.Index)
	b = append(b, h.Hash[:]...)
	return binary.BigEndian.AppendUint32(b, crc32.Checksum(b, castagnoli))
}

// find is the head of one fact; false if it is not remembered, or its record is
// damaged: then others are asked.
func (m *Memory) find(index uint64) (Head, bool) {
	i := m.search(index)
	if i >= m.count {
		return Head{}, false
	}
	h, err := m.at(i)
	return h, err == nil && h.Index == index
}

// search is the place of the first record from index on. One that is damaged counts as the
// next that is not: it has no index, and would lead into the wrong half of all others.
func (m *Memory) search(index uint64) int64 {
	i := sort.Search(int(m.count), func(i int) bool {
		place, h := m.sound(int64(i))
		return place == m.count || h.Index >= index
	})
	place, _ := m.sound(int64(i))
	return place
}

// sound is the first record from a place on that is not damaged, and its own place; count,
// if there is none.
func (m *Memory) sound(i int64) (place int64, h Head) {
	for ; i < m.count; i++ {
		if h, err := m.at(i); err == nil {
			return i, h
		}
	}
	return m.count, Head{}
}

// Heads gives at most so many heads from one fact to another, evenly spread, the
// last one among them.
func (m *Memory) Heads(from, to uint64, most int) []Head {
	m.mu.Lock()
	defer m.mu.Unlock()
	first, end := m.search(from), m.search(to+1)
	n := end - first
	if n <= 0 || most < 1 {
		return nil
	}
	step := max(1, (n+int64(most)-1)/int64(most))
	var out []Head
	for i := first + (n-1)%step; i < end; i += step {
		if h, err := m.at(i); err == nil {
			out = append(out, h)
		}
	}
	return out
}

// Close gives the file back.
func (m *Memory) Close() error { return m.file.Close() }

// ReadMemory reads a file of heads that belongs to nobody who runs. Damaged records
// are left out.
func ReadMemory(path string) ([]Head, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }() // only read
	m := &Memory{file: f, path: path}
	var out []Head
	for i := int64(0); ; i++ {
		h, err := m.at(i)
		switch {
		case err == nil:
			out = append(out, h)
		case errors.Is(err, errRecord):
		case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, fs.ErrClosed):
			return out, nil
		default:
			return nil, fmt.Errorf("read %s: %w", path, err)
		}
	}
}
