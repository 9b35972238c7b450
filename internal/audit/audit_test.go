package audit

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	bolt "go.etcd.io/bbolt"

	"moonwatch/consensus"
	"moonwatch/consensus/disk"
)

// chain is the story of a small cluster; from the fact forged on, somebody else's.
func chain(t *testing.T, n int, forged uint64) []consensus.Fact {
	t.Helper()
	l := consensus.NewLedger()
	f, err := l.Found(consensus.Genesis{Cluster: "night", Council: nil, Unsigned: true})
	no(t, err)
	facts := []consensus.Fact{f}
	for i := 2; i <= n; i++ {
		note := fmt.Sprintf("note %d", i)
		if forged != 0 && uint64(i) == forged {
			note = "nothing happened"
		}
		c, err := consensus.NewCommand("note", fmt.Sprintf("note/%d", i), "web-1", time.Unix(int64(i), 0), note)
		no(t, err)
		b, err := c.Encode()
		no(t, err)
		f, _, err := l.Commit(uint64(i)+3, b)
		no(t, err)
		facts = append(facts, f)
	}
	return facts
}

func no(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// folder is the data folder of a member that has these facts and remembers those
// heads.
func folder(t *testing.T, facts, remembered []consensus.Fact) string {
	t.Helper()
	dir := t.TempDir()
	s, err := disk.Open(disk.Config{Dir: dir, Cluster: "night", Member: "web-1"})
	no(t, err)
	no(t, s.Keep(facts))
	no(t, s.Close())
	m, err := OpenMemory(filepath.Join(dir, MemoryName))
	no(t, err)
	no(t, m.Note(remembered))
	no(t, m.Close())
	return dir
}

func check(t *testing.T, path string, witnesses ...Witness) Report {
	t.Helper()
	s, err := Open(path)
	no(t, err)
	return s.Check(witnesses...)
}

func witness(name string, facts []consensus.Fact) Witness {
	w := Remembered{Who: name}
	for _, f := range facts {
		w.List = append(w.List, Head{f.Index, Hash(f.Hash)})
	}
	return w
}

func TestAnUntouchedLedgerHolds(t *testing.T) {
	facts := chain(t, 40, 0)
	r := check(t, folder(t, facts, facts), witness("web-2", facts[:31]))
	if !r.OK || r.Facts != 40 || r.Hash != Hash(facts[39].Hash) {
		t.Errorf("%+v", r)
	}
	for _, w := range r.Witnesses {
		if !w.Agrees || w.Head == 0 {
			t.Errorf("%+v", w)
		}
	}
}

// TestAnEditedByteOfARealLedgerIsNamed flips a byte of a command on the disk.
func TestAnEditedByteOfARealLedgerIsNamed(t *testing.T) {
	facts := chain(t, 40, 0)
	dir := folder(t, facts, facts)
	path := filepath.Join(dir, "ledger.db")
	b, err := os.ReadFile(path)
	no(t, err)
	at := bytes.Index(b, []byte(`"note 17"`))
	if at < 0 {
		t.Fatal("fact 17 is not in the file")
	}
	for at >= 0 { // older pages hold copies
		b[at+1] = 'N'
		at = bytes.Index(b, []byte(`"note 17"`))
	}
	no(t, os.WriteFile(path, b, 0o600))
	named(t, check(t, dir, witness("web-2", facts)), Break{Fact: 17, What: "edited", Expected: Hash(facts[16].Hash).String()},
		"fact 18", "web-2", "the heads beside this file")
}

// TestACarefulEditIsNamed also makes the record's checksum right again.
func TestACarefulEditIsNamed(t *testing.T) {
	facts := chain(t, 40, 0)
	dir := folder(t, facts, facts)
	f := facts[16]
	f.Bytes = bytes.Replace(f.Bytes, []byte("note 17"), []byte("Note 17"), 1)
	put(t, dir, f)
	named(t, check(t, dir), Break{Fact: 17, What: "edited", Found: Hash(f.Sealed().Hash).String(), Expected: Hash(facts[16].Hash).String()},
		"fact 18", "the heads beside this file")
}

// put writes a fact's record as the store would.
func put(t *testing.T, dir string, f consensus.Fact) {
	t.Helper()
	db, err := bolt.Open(filepath.Join(dir, "ledger.db"), 0o600, nil)
	no(t, err)
	k := binary.BigEndian.AppendUint64(nil, f.Index)
	sum := crc32.Checksum(slices.Concat([]byte("facts"), k, f.Encode()), castagnoli)
	no(t, db.Update(func(tx *bolt.Tx) error {
		return tx.Bucket([]byte("facts")).Put(k, append(binary.BigEndian.AppendUint32(nil, sum), f.Encode()...))
	}))
	no(t, db.Close())
}

// TestARewrittenTailIsNamedByThoseWhoRememberTheOtherOne although it holds together.
// A whole ledger that is not what the first fact after it follows is found, also by
// nobody else's word.
func TestFactsFollowTheWholeLedgerBeforeThem(t *testing.T) {
	facts := chain(t, 9, 0)
	s, err := Open(folder(t, facts, facts))
	no(t, err)
	s.Links, s.Own = s.Links[5:], nil
	s.Whole = Head{5, Hash(facts[4].Hash)}
	if r := s.Check(); !r.OK {
		t.Errorf("%+v", r.Breaks)
	}
	s.Whole.Hash[0] ^= 1
	if r := s.Check(); r.OK || len(r.Breaks) != 1 || r.Breaks[0].Fact != 5 {
		t.Errorf("ok %v: %+v", r.OK, r.Breaks)
	}
}

func TestARewrittenTailIsNamedByThoseWhoRememberTheOtherOne(t *testing.T) {
	facts, lies := chain(t, 40, 0), chain(t, 40, 17)
	dir := folder(t, lies, lies)
	if r := check(t, dir); !r.OK {
		t.Errorf("alone it holds together: %+v", r)
	}
	r := check(t, dir, witness("web-2", facts), witness("web-3", facts[:12]), witness("web-4", lies))
	named(t, r, Break{Fact: 17, What: "rewritten", Found: Hash(lies[16].Hash).String(), Expected: Hash(facts[16].Hash).String()}, "web-2")
	if says := r.Breaks[0].Says; slices.Contains(says, "web-3") || slices.Contains(says, "web-4") {
		t.Errorf("says %v: web-3 remembers nothing of it, web-4 the same lie", says)
	}
}

// TestAWitnessWithFewHeadsIsAskedForThoseInBetween until the first rewritten fact is
// known.
func TestAWitnessWithFewHeadsIsAskedForThoseInBetween(t *testing.T) {
	facts, lies := chain(t, 200, 0), chain(t, 200, 77)
	m, err := OpenMemory(filepath.Join(t.TempDir(), MemoryName))
	no(t, err)
	defer m.Close()
	no(t, m.Note(facts))
	var links []Link
	for _, f := range lies {
		links = append(links, LinkOf(f))
	}
	named(t, Verify(links, []Witness{few{m}}), Break{Fact: 77, What: "rewritten"}, "web-9")
}

type few struct{ m *Memory }

func (few) Name() string                            { return "web-9" }
func (f few) Heads(from, to uint64) ([]Head, error) { return f.m.Heads(from, to, 5), nil }

func TestAFactThatWasTakenOutIsNamed(t *testing.T) {
	facts := chain(t, 20, 0)
	var links []Link
	for _, f := range facts {
		if f.Index != 9 {
			links = append(links, LinkOf(f))
		}
	}
	named(t, Verify(links, nil), Break{Fact: 9, What: "missing"})
}

func named(t *testing.T, r Report, want Break, says ...string) {
	t.Helper()
	if r.OK || len(r.Breaks) != 1 {
		t.Fatalf("%+v", r)
	}
	b := r.Breaks[0]
	if b.Fact != want.Fact || b.What != want.What || want.Found != "" && b.Found != want.Found || want.Expected != "" && b.Expected != want.Expected {
		t.Errorf("%+v, want %+v", b, want)
	}
	for _, who := range says {
		if !slices.Contains(b.Says, who) {
			t.Errorf("said by %q, want %q among them", b.Says, who)
		}
	}
}

func export(t *testing.T, facts []consensus.Fact) string {
	t.Helper()
	var b bytes.Buffer
	w, err := NewWriter(&b, "night", "web-1", LinkOf(facts[0]))
	no(t, err)
	for _, f := range facts {
		no(t, w.Add(LinkOf(f)))
	}
	no(t, w.Close())
	return b.String()
}

func TestAnExportIsTheSameBytesAndVerifiesAlone(t *testing.T) {
	facts := chain(t, 30, 0)
	text := export(t, facts[4:])
	if text != export(t, facts[4:]) {
		t.Error("two exports of the same facts differ")
	}
	path := filepath.Join(t.TempDir(), "audit.jsonl")
	no(t, os.WriteFile(path, []byte(text), 0o600))
	if r := check(t, path); !r.OK || r.First != 5 || r.Hash != Hash(facts[29].Hash) {
		t.Errorf("%+v", r)
	}
	no(t, os.WriteFile(path, []byte(strings.Replace(text, "note 17", "note 71", 1)), 0o600))
	named(t, check(t, path), Break{Fact: 17, What: "edited", Expected: Hash(facts[16].Hash).String()}, "fact 18")
	for _, spoilt := range []string{text[:len(text)-20], text[:strings.LastIndex(text, `{"head"`)], text + "{}\n", strings.Replace(text, `"raft":9`, `"raft":9,"x":1`, 1)} {
		no(t, os.WriteFile(path, []byte(spoilt), 0o600))
		if r := check(t, path); r.OK {
			t.Errorf("a spoilt export holds: %q ...", spoilt[max(0, len(spoilt)-60):])
		}
	}
}

func TestAMemoryComparesAndForgetsNothing(t *testing.T) {
	path := filepath.Join(t.TempDir(), MemoryName)
	facts, lies := chain(t, 30, 0), chain(t, 30, 12)
	m, err := OpenMemory(path)
	no(t, err)
	no(t, m.Note(facts[:10]))
	no(t, m.Note(facts[20:]))
	no(t, m.Close())
	b, err := os.ReadFile(path)
	no(t, err)
	no(t, os.WriteFile(path, b[:len(b)-7], 0o600)) // a crash in the middle of the last record
	m, err = OpenMemory(path)
	no(t, err)
	defer m.Close()
	no(t, m.Note(facts[20:]))
	if err := m.Note(lies[22:24]); err == nil || !strings.Contains(err.Error(), "fact 23") {
		t.Errorf("another chain: %v", err)
	}
	got := m.Heads(1, 30, 100)
	if len(got) != 21 || got[10].Index != 20 || got[10].Hash != Hash(facts[19].Hash) {
		t.Errorf("%d heads, want those of 1 to 10, of 20 that fact 21 follows, and of 21 to 30: %v", len(got), got)
	}
	if few := m.Heads(1, 30, 4); len(few) > 4 || few[len(few)-1].Index != 30 {
		t.Errorf("%v", few)
	}
}

// A power cut may leave a hole in a file that was appended to, and a disk may rot: what
// is remembered beside it is found all the same, and contradicts who rewrote it.
func TestADamagedRecordHidesNoOther(t *testing.T) {
	const n = 30
	path := filepath.Join(t.TempDir(), MemoryName)
	facts, lies := chain(t, n, 0), chain(t, n, 2)
	m, err := OpenMemory(path)
	no(t, err)
	no(t, m.Note(facts))
	no(t, m.Close())
	whole, err := os.ReadFile(path)
	no(t, err)
	for first := range n - 1 { // the last record shows where the file ends
		for last := first; last < min(first+12, n-1); last++ {
			b := slices.Clone(whole)
			clear(b[first*recordSize : (last+1)*recordSize])
			no(t, os.WriteFile(path, b, 0o600))
			m, err := OpenMemory(path)
			no(t, err)
			for i := range n {
				h, found := m.find(uint64(i + 1))
				if hole := first <= i && i <= last; found == hole || found && h.Hash != Hash(facts[i].Hash) {
					t.Fatalf("with records %d to %d lost, fact %d: found %v", first+1, last+1, i+1, found)
				}
			}
			if heads := m.Heads(1, n, n); len(heads) != n-(last+1-first) {
				t.Fatalf("with records %d to %d lost, %d heads", first+1, last+1, len(heads))
			}
			if err := m.Note(lies); err == nil {
				t.Fatalf("with records %d to %d lost, another chain is believed", first+1, last+1)
			}
			no(t, m.Close())
		}
	}
}
