package disk

import (
	"fmt"
	"os"
	"syscall"
	"testing"

	"go.etcd.io/raft/v3/raftpb"

	"moonwatch/consensus"
)

// BenchmarkPersist is what a councillor waits for on the way to a commit. The
// bare flush beside it is what the disk alone needs for one of the two.
func BenchmarkPersist(b *testing.B) {
	for _, stored := range []int{0, 20_000} {
		b.Run(fmt.Sprintf("%d-facts-stored", stored), func(b *testing.B) {
			s := open(b, config(b.TempDir()))
			c := newChronicle(b, 1)
			no(b, s.Keep(c.facts))
			no(b, s.Keep(c.grow(stored)))
			data := command(1, dawn, 400)
			index := uint64(1)
			for b.Loop() {
				index++
				no(b, s.Persist(consensus.Persist{Entries: []*raftpb.Entry{entry(1, index, data)}, Hard: hardState(1, 1, index-1), Sync: true}))
				b.StopTimer()
				no(b, s.Keep(c.grow(1))) // goes along with the next one
				if index%2048 == 0 {
					whole := c.snapshot()
					no(b, s.KeepSnapshot(uint64(len(c.facts)), whole, raftSnapshot(1, index, whole), 1024, false))
				}
				b.StartTimer()
			}
		})
	}
	b.Run("bare-flush", func(b *testing.B) {
		file, err := os.Create(b.TempDir() + "/file")
		no(b, err)
		page := make([]byte, pageSize)
		for i := range 64 {
			_, err := file.WriteAt(page, int64(i)*pageSize)
			no(b, err)
		}
		i := int64(0)
		for b.Loop() {
			_, err := file.WriteAt(page, i%64*pageSize)
			no(b, err)
			no(b, syscall.Fdatasync(int(file.Fd())))
			i++
		}
		no(b, file.Close())
	})
}

// BenchmarkOpen reads a store of many facts in full.
func BenchmarkOpen(b *testing.B) {
	cfg := config(b.TempDir())
	s := open(b, cfg)
	c := newChronicle(b, 1)
	no(b, s.Keep(c.facts))
	for range 20 {
		no(b, s.Keep(c.grow(1000)))
	}
	no(b, s.KeepSnapshot(uint64(len(c.facts)), c.snapshot(), nil, 0, false))
	no(b, s.Close())
	b.SetBytes(int64(len(cut(b, cfg.Dir))))
	for b.Loop() {
		no(b, open(b, cfg).Close())
	}
}
