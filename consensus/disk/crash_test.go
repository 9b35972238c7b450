package disk

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"testing"
	"time"

	"go.etcd.io/raft/v3/raftpb"

	"moonwatch/consensus"
)

// TestKillingTheAgentWhileItWritesLosesNothingAcknowledged kills a real process
// with SIGKILL, again and again, and reads what it left.
func TestKillingTheAgentWhileItWritesLosesNothingAcknowledged(t *testing.T) {
	const variable = "MOONWATCH_TEST_WRITE"
	if dir := os.Getenv(variable); dir != "" {
		writeForEver(t, dir)
	}
	cfg := config(t.TempDir())
	written := uint64(0)
	for life := range 8 {
		writer := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$")
		writer.Env = append(os.Environ(), variable+"="+cfg.Dir)
		out, err := writer.StdoutPipe()
		no(t, err)
		no(t, writer.Start())
		acknowledged, said := uint64(0), 0
		lines := bufio.NewScanner(out)
		for lines.Scan() {
			n, err := strconv.ParseUint(lines.Text(), 10, 64)
			if err != nil {
				t.Errorf("the writer said %q", lines.Text())
				break
			}
			if said++; said == 10 {
				time.AfterFunc(time.Duration(7*life)*time.Millisecond, func() { _ = writer.Process.Kill() })
			}
			acknowledged = n
		}
		_ = writer.Wait()
		s := open(t, cfg)
		b := load(t, s)
		entries := b.Raft.Entries
		if len(entries) == 0 || entries[len(entries)-1].GetIndex() < acknowledged || b.Raft.Hard.GetTerm() < acknowledged {
			t.Fatalf("life %d: acknowledged %d, found %s", life, acknowledged, b.print())
		}
		last := entries[len(entries)-1].GetIndex()
		facts, ledger := b.Facts, consensus.NewLedger()
		if b.Snapshot != nil {
			no(t, ledger.Restore(b.Snapshot))
		}
		for _, f := range facts { // Follow checks the audit chain
			_, _, err := ledger.Follow(f)
			no(t, err)
		}
		// A fact goes to disk with the next entry, so at most one is behind.
		if head := ledger.Head(); head > last || head+1 < acknowledged {
			t.Errorf("life %d: %d facts, %d entries, %d acknowledged", life, head, last, acknowledged)
		}
		if acknowledged <= written {
			t.Errorf("life %d wrote nothing", life)
		}
		written = acknowledged
		no(t, s.Close())
	}
}

// writeForEver writes an entry and the fact that it carried, and says so.
func writeForEver(t *testing.T, dir string) {
	s := open(t, config(dir))
	b := load(t, s)
	ledger := consensus.NewLedger()
	if b.Fresh {
		c := newChronicle(t, 1)
		no(t, s.Keep(c.facts))
		ledger = c.ledger
	}
	if b.Snapshot != nil {
		no(t, ledger.Restore(b.Snapshot))
	}
	for _, f := range b.Facts {
		_, _, err := ledger.Follow(f)
		no(t, err)
	}
	for i := ledger.Head() + 1; ; i++ {
		text := command(int(i), dawn, int(i%300))
		no(t, s.Persist(consensus.Persist{Entries: []*raftpb.Entry{entry(1, i, text)}, Hard: hardState(i, 1, i), Sync: true}))
		fmt.Println(i)
		f, _, err := ledger.Commit(i, text)
		no(t, err)
		no(t, s.Keep([]consensus.Fact{f}))
		if i%64 == 0 {
			whole, err := ledger.Snapshot()
			no(t, err)
			no(t, s.KeepSnapshot(i, whole, raftSnapshot(1, i, whole), 16, false))
		}
	}
}
