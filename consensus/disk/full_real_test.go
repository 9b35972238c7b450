//go:build real

package disk

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"

	"go.etcd.io/raft/v3/raftpb"

	"moonwatch/consensus"
)

// small mounts a file system of its own.
func small(t *testing.T, flags uintptr, options string) string {
	dir := t.TempDir()
	if err := syscall.Mount("moonwatch-test", dir, "tmpfs", flags, options); err != nil {
		t.Skipf("mount a small file system (needs root): %v", err)
	}
	t.Cleanup(func() { no(t, syscall.Unmount(dir, 0)) })
	return dir
}

func TestAFullDiskTakesNothingBackAndPasses(t *testing.T) {
	dir := small(t, 0, "size=4m")
	cfg := config(dir)
	s := open(t, cfg)
	c := newChronicle(t, 1)
	no(t, s.Keep(c.facts))
	no(t, s.Persist(consensus.Persist{Hard: hardState(1, 1, 1), Sync: true}))
	ballast := filepath.Join(dir, "ballast")
	no(t, os.WriteFile(ballast, make([]byte, 3<<20), 0o600))

	index, data := uint64(1), make([]byte, 8<<10)
	var err error
	for err == nil && index < 1000 {
		err = s.Persist(consensus.Persist{Entries: []*raftpb.Entry{entry(1, index+1, data)}, Hard: hardState(1, 1, index), Sync: true})
		if err == nil {
			index++
		}
	}
	if !errors.Is(err, ErrFull) || index < 5 {
		t.Fatalf("after %d entries: %v", index, err)
	}
	for n := 0; n == 0 || err == nil; n++ { // small ones still find a place, and then wait for a while
		if err = s.Keep(c.grow(200)); n > 100 {
			t.Fatal("facts do not notice the full disk")
		}
	}
	if !errors.Is(err, ErrFull) {
		t.Errorf("got %v", err)
	}
	if list, ok := s.Facts(1, 1<<30); !ok || len(list) != len(c.facts) {
		t.Errorf("%d of %d facts are served, %v", len(list), len(c.facts), ok)
	}
	if err := s.KeepSnapshot(uint64(len(c.facts)), c.snapshot(), nil, 0, false); !errors.Is(err, ErrFull) {
		t.Errorf("got %v", err)
	}
	if got := load(t, s).Raft.Entries; len(got) != int(index-1) {
		t.Errorf("%d entries, want %d", len(got), index-1)
	}

	// The same as a killed process would find it.
	if got := load(t, open(t, config(place(t, cut(t, dir))))).Raft.Entries; len(got) != int(index-1) {
		t.Errorf("%d entries, want %d", len(got), index-1)
	}

	no(t, os.Remove(ballast))
	no(t, s.Persist(consensus.Persist{Entries: []*raftpb.Entry{entry(1, index+1, data)}, Hard: hardState(1, 1, index), Sync: true}))
	no(t, s.Keep(c.grow(1)))
	no(t, s.Close())
	b := load(t, open(t, cfg))
	if len(b.Raft.Entries) != int(index) || len(b.Facts) != len(c.facts) || b.Facts[len(b.Facts)-1].Hash != c.ledger.HeadHash() {
		t.Errorf("got %s", b.print())
	}
}

func TestADiskThatIsFullFromTheStartIsRefused(t *testing.T) {
	dir := small(t, 0, "size=64k")
	no(t, os.WriteFile(filepath.Join(dir, "ballast"), make([]byte, 60<<10), 0o600))
	refused(t, config(dir), ErrFull, "no space left on device", "free some space")
	no(t, os.Remove(filepath.Join(dir, "ballast")))
	if b := load(t, open(t, config(dir))); !b.Fresh {
		t.Errorf("got %s", b.print())
	}
}

func TestAReadOnlyDiskIsRefused(t *testing.T) {
	refused(t, config(small(t, syscall.MS_RDONLY, "size=64k")), nil, "read-only file system", "data_dir")
}
