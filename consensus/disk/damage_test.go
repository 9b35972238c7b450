package disk

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	bolt "go.etcd.io/bbolt"

	"moonwatch/consensus"
)

// attempt opens a damaged file. Either it is refused as damaged, or it holds
// exactly what was written and can be written on.
func attempt(t *testing.T, what string, content []byte, want string) (opened bool) {
	t.Helper()
	cfg := config(place(t, content))
	s, err := Open(cfg)
	if err != nil {
		if !errors.Is(err, ErrDamaged) || !strings.Contains(err.Error(), startOver) || !strings.Contains(err.Error(), cfg.Dir+"/ledger.db") {
			t.Errorf("%s: the error does not tell what to do: %v", what, err)
		}
		return false
	}
	b, err := s.Load()
	if err != nil {
		t.Errorf("%s: opened and does not load: %v", what, err)
	} else if got := b.print(); got != want {
		t.Errorf("%s: opened with other content:\n got %s\nwant %s", what, got, want)
	}
	c := longer(t)
	no(t, s.Keep(c.facts))
	for i := range uint64(5) {
		no(t, s.Persist(consensus.Persist{Hard: hardState(4, 1, 150+i), Sync: true}))
	}
	no(t, s.Close())
	s, err = Open(cfg)
	if err != nil {
		t.Errorf("%s: wrote on and does not open again: %v", what, err)
		return true
	}
	if b, err := s.Load(); err != nil || len(b.Facts) != 90 || b.Facts[89].Hash != c.facts[209].Hash {
		t.Errorf("%s: wrote on and lost facts: %v", what, err)
	}
	no(t, s.Close())
	return true
}

// longer is the chronicle of everything, and 60 facts more.
var longer = func() func(testing.TB) *chronicle {
	var c *chronicle
	return func(t testing.TB) *chronicle {
		if c == nil {
			c = newChronicle(t, 210)
		}
		return c
	}
}()

func TestABitFlipIsFoundOrHarmless(t *testing.T) {
	dir := t.TempDir()
	want := everything(t, dir).print()
	content := cut(t, dir)
	rng := rand.New(rand.NewPCG(1, 2))
	refused := 0
	const flips = 600
	for i := range flips {
		at := rng.IntN(len(content))
		if i%3 == 0 { // headers, where the pages are held together
			at = at&^(pageSize-1) + rng.IntN(160)
		}
		damaged := bytes.Clone(content)
		damaged[at] ^= 1 << rng.IntN(8)
		if !attempt(t, fmt.Sprintf("bit flip in byte %d (page %d, byte %d)", at, at/pageSize, at%pageSize), damaged, want) {
			refused++
		}
	}
	if refused < flips/4 {
		t.Errorf("only %d of %d flips were found: does the test hit anything?", refused, flips)
	}
}

func TestATruncatedFileIsRefused(t *testing.T) {
	dir := t.TempDir()
	want := everything(t, dir).print()
	content := cut(t, dir)
	for size := 0; size < len(content); size += 1 + len(content)/60 {
		if attempt(t, fmt.Sprint("cut to ", size), content[:size], want) {
			t.Errorf("a file cut to %d of %d bytes was opened", size, len(content))
		}
	}
}

func TestAZeroedOrStrayPageIsFound(t *testing.T) {
	dir := t.TempDir()
	want := everything(t, dir).print()
	content := cut(t, dir)
	pages := len(content) / pageSize
	for id := range pages {
		damaged := bytes.Clone(content)
		clear(damaged[id*pageSize : (id+1)*pageSize])
		attempt(t, fmt.Sprintf("page %d zeroed", id), damaged, want)
		copy(damaged[id*pageSize:], content[(id+1)%pages*pageSize:][:pageSize])
		attempt(t, fmt.Sprintf("page %d overwritten by the next one", id), damaged, want)
	}
}

// TestAHalfWrittenTransactionIsFound reads what a disk leaves that lies about
// flushing: a file whose last transaction is there only in part.
func TestAHalfWrittenTransactionIsFound(t *testing.T) {
	dir := t.TempDir()
	everything(t, dir)
	before := cut(t, dir)
	s := open(t, config(dir))
	c := newChronicle(t, 150)
	no(t, s.Keep(c.grow(40)))
	no(t, s.Close())
	after := cut(t, dir)
	want := load(t, open(t, config(place(t, after)))).print()
	for id := 2; id < len(after)/pageSize; id++ {
		damaged := bytes.Clone(after)
		clear(damaged[id*pageSize : (id+1)*pageSize])
		if (id+1)*pageSize <= len(before) {
			copy(damaged[id*pageSize:(id+1)*pageSize], before[id*pageSize:])
		}
		cfg := config(place(t, damaged))
		s, err := Open(cfg)
		if err != nil {
			if !errors.Is(err, ErrDamaged) {
				t.Errorf("page %d lost: %v", id, err)
			}
			continue
		}
		if got := load(t, s).print(); got != want {
			t.Errorf("page %d lost: got %s, want %s", id, got, want)
		}
		no(t, s.Close())
	}
}

func TestTheDamagedRecordIsNamed(t *testing.T) {
	for _, x := range []struct {
		want   string
		change func(tx *bolt.Tx) error
	}{
		{"fact 81 is damaged (checksum)", func(tx *bolt.Tx) error {
			b := tx.Bucket([]byte(bucketFacts))
			v := bytes.Clone(b.Get(key(81)))
			v[len(v)-3] ^= 4
			return b.Put(key(81), v)
		}},
		{"fact 82 is damaged (checksum)", func(tx *bolt.Tx) error { // right content, wrong place
			b := tx.Bucket([]byte(bucketFacts))
			return b.Put(key(82), b.Get(key(81)))
		}},
		{"raft entry 120 is missing", func(tx *bolt.Tx) error { return tx.Bucket([]byte(bucketEntries)).Delete(key(120)) }},
		{"facts 2 to 149 are there, want 2 to 150", func(tx *bolt.Tx) error { return tx.Bucket([]byte(bucketFacts)).Delete(key(150)) }},
		{"entries 112 to 150 are there, want 111 to 150", func(tx *bolt.Tx) error { return tx.Bucket([]byte(bucketEntries)).Delete(key(111)) }},
		{"the whole ledger at fact 120 is missing", func(tx *bolt.Tx) error { return tx.Bucket([]byte(bucketLedger)).Delete(wholeKey) }},
		{"inventory is missing", func(tx *bolt.Tx) error { return tx.Bucket([]byte(bucketAbout)).Delete(inventoryKey) }},
		{"does not belong there", func(tx *bolt.Tx) error { return put(tx, bucketFacts, []byte("x"), nil) }},
		{`it holds ["about" "entries" "facts"]`, func(tx *bolt.Tx) error { return tx.DeleteBucket([]byte(bucketLedger)) }},
	} {
		cfg := config(t.TempDir())
		everything(t, cfg.Dir)
		db, err := bolt.Open(filepath.Join(cfg.Dir, fileName), 0o600, nil)
		no(t, err)
		no(t, db.Update(x.change))
		no(t, db.Close())
		refused(t, cfg, ErrDamaged, x.want, startOver)
	}
}

// TestAFileCutWhileOpenEndsInAnError and not in the end of the process.
func TestAFileCutWhileOpenEndsInAnError(t *testing.T) {
	cfg := config(t.TempDir())
	everything(t, cfg.Dir)
	s, err := Open(cfg)
	no(t, err)
	no(t, os.Truncate(filepath.Join(cfg.Dir, fileName), 2*pageSize))
	if _, ok := s.Facts(1, 1<<20); ok {
		t.Error("facts out of nothing")
	}
	if s.LatestSnapshot() != nil {
		t.Error("a ledger out of nothing")
	}
	for range 2 {
		if err := s.Persist(consensus.Persist{Hard: hardState(9, 1, 150), Sync: true}); err == nil || !strings.Contains(err.Error(), "until the agent is started again") {
			t.Errorf("got %v", err)
		}
	}
	no(t, s.Close())
}

func FuzzSurvey(f *testing.F) {
	dir := f.TempDir()
	everything(f, dir)
	f.Add(cut(f, dir), 0, byte(0))
	f.Fuzz(func(t *testing.T, content []byte, at int, bits byte) {
		if len(content) > 0 {
			content[uint(at)%uint(len(content))] ^= bits
		}
		a := newAudit(config("x"))
		if err := surveyFile(bytes.NewReader(content), int64(len(content)), a.record); err == nil {
			_ = a.close()
		}
	})
}
