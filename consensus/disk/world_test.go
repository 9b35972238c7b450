package disk

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"go.etcd.io/raft/v3/raftpb"
	"go.uber.org/goleak"
	"google.golang.org/protobuf/proto"

	"moonwatch/consensus"
	"moonwatch/member"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func config(dir string) Config {
	return Config{Dir: dir, Cluster: "night", Member: "web-3", LockTimeout: 50 * time.Millisecond, FlushAfter: time.Hour}
}

func open(t testing.TB, cfg Config) *Store {
	t.Helper()
	s, err := Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { no(t, s.Close()) })
	return s
}

func load(t testing.TB, s *Store) Boot {
	t.Helper()
	b, err := s.Load()
	no(t, err)
	return b
}

// no fails the test on an error.
func no(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// chronicle makes the facts of a ledger, one raft entry each.
type chronicle struct {
	t      testing.TB
	ledger *consensus.Ledger
	facts  []consensus.Fact
}

func newChronicle(t testing.TB, n int) *chronicle {
	c := &chronicle{t: t, ledger: consensus.NewLedger()}
	f, err := c.ledger.Found(consensus.Genesis{Cluster: "night", Root: []byte("root"), Council: []member.ID{"web-3"}, Unsigned: true})
	no(t, err)
	c.facts = append(c.facts, f)
	c.grow(n - 1)
	return c
}

var dawn = time.Date(2026, 3, 1, 6, 0, 0, 0, time.UTC)

func command(n int, at time.Time, size int) []byte {
	pad := make([]byte, size)
	for i := range pad {
		pad[i] = 'a' + byte((i*7+n)%26)
	}
	c, err := consensus.NewCommand("note", fmt.Sprint("note-", n), "web-3", at, string(pad))
	if err != nil {
		panic(err)
	}
	b, err := c.Encode()
	if err != nil {
		panic(err)
	}
	return b
}

// grow adds n facts, an hour apart.
func (c *chronicle) grow(n int) []consensus.Fact {
	for range n {
		i := len(c.facts) + 1
		f, fresh, err := c.ledger.Commit(uint64(i), command(i, dawn.Add(time.Duration(i)*time.Hour), 20+i%90))
		if err != nil || !fresh {
			c.t.Fatalf("fact %d: fresh %v, %v", i, fresh, err)
		}
		c.facts = append(c.facts, f)
	}
	return c.facts[len(c.facts)-n:]
}

func (c *chronicle) snapshot() []byte {
	b, err := c.ledger.Snapshot()
	no(c.t, err)
	return b
}

func hardState(term, vote, commit uint64) *raftpb.HardState {
	return &raftpb.HardState{Term: &term, Vote: &vote, Commit: &commit}
}

func entry(term, index uint64, data []byte) *raftpb.Entry {
	return &raftpb.Entry{Term: &term, Index: &index, Data: data}
}

func raftSnapshot(term, index uint64, data []byte) *raftpb.Snapshot {
	return &raftpb.Snapshot{Data: data, Metadata: &raftpb.SnapshotMetadata{
		Index: &index, Term: &term, ConfState: &raftpb.ConfState{Voters: []uint64{1}},
	}}
}

// print is a digest of all that a store holds.
func (b Boot) print() string {
	h := sha256.New()
	for _, f := range b.Facts {
		h.Write(f.Encode())
	}
	var indices []uint64
	for _, e := range b.Raft.Entries {
		text, _ := proto.MarshalOptions{Deterministic: true}.Marshal(e)
		h.Write(text)
		indices = append(indices, e.GetIndex())
	}
	h.Write(b.Snapshot)
	return fmt.Sprintf("fresh %v, %d facts, entries %v, hard %v, snapshot at %d, %x", b.Fresh, len(b.Facts), indices,
		[]uint64{b.Raft.Hard.GetTerm(), b.Raft.Hard.GetVote(), b.Raft.Hard.GetCommit()}, b.Raft.Snapshot.GetMetadata().GetIndex(), h.Sum(nil)[:8])
}

// everything writes a store with every kind of record and closes it.
func everything(t testing.TB, dir string) (want Boot) {
	s, err := Open(config(dir))
	no(t, err)
	c := newChronicle(t, 120)
	no(t, s.Keep(c.facts))
	log := make([]*raftpb.Entry, 0, 120)
	for _, f := range c.facts[1:] {
		log = append(log, entry(2, f.Raft, f.Bytes))
	}
	no(t, s.Persist(consensus.Persist{Hard: hardState(2, 1, 1), Entries: log, Sync: true}))
	whole := c.snapshot()
	no(t, s.KeepSnapshot(120, whole, raftSnapshot(2, 120, whole), 10, false))
	more := c.grow(30)
	log = log[:0]
	for _, f := range more {
		log = append(log, entry(3, f.Raft, f.Bytes))
	}
	no(t, s.Persist(consensus.Persist{Hard: hardState(3, 1, 120), Entries: log, Sync: true}))
	no(t, s.Keep(more))
	no(t, s.Persist(consensus.Persist{Hard: hardState(3, 1, 150)}))
	no(t, s.Close())
	s = open(t, config(dir))
	want = load(t, s)
	no(t, s.Close())
	return want
}

// cut copies a store's file without the unused end.
func cut(t testing.TB, dir string) []byte {
	b, err := os.ReadFile(filepath.Join(dir, fileName))
	no(t, err)
	m, err := readMetas(bytes.NewReader(b), int64(len(b)))
	no(t, err)
	return b[:m.end*m.pageSize]
}

// place makes a folder that holds the file.
func place(t testing.TB, content []byte) string {
	dir := t.TempDir()
	no(t, os.WriteFile(filepath.Join(dir, fileName), content, 0o600))
	return dir
}

func mustJSON(v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return b
}
