//go:build real

package daemon

import (
	"crypto/ed25519"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"moonwatch/consensus"
	"moonwatch/internal/backup"
	"moonwatch/internal/client"
	"moonwatch/internal/refound"
	"moonwatch/member"
	"moonwatch/status"
)

// TestAFleetGoesOnFromABackupWhenAllDisksAreLost: three members get the ledger of the
// backup, two operators found a council on it, the fourth is fed. It knows its fleet and
// decides; what was decided after the backup is gone.
func TestAFleetGoesOnFromABackupWhenAllDisksAreLost(t *testing.T) {
	f := newFleet(t, []member.ID{"a", "b", "c", "d"})
	f.until("d", "council", 60*time.Second, func(p status.Page) bool { return p.Council.Leader != "" })
	f.apply(testFleet(f, 1))
	f.until("d", "its slot", 60*time.Second, func(p status.Page) bool { return len(p.Slots) == 1 && p.Council.Quorum })
	agent, err := client.New("unix:" + f.agents["d"].Addresses().Socket)
	if err != nil {
		t.Fatal(err)
	}
	defer agent.Close()
	l, err := agent.Ledger(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	b, err := backup.New("d", l.Taken, l.Ledger)
	if err != nil {
		t.Fatal(err)
	}
	text, err := b.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(f.dir, "fleet.backup")
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	f.apply(testFleet(f, 2)) // nobody will know of it
	f.until("a", "two slots", 60*time.Second, func(p status.Page) bool { return len(p.Slots) == 2 })
	for _, n := range f.names {
		f.stop(n)
		if err := os.RemoveAll(f.data(n)); err != nil {
			t.Fatal(err)
		}
	}

	if b, err = backup.Read(path); err != nil {
		t.Fatal(err)
	}
	seated := []member.ID{"a", "b", "c"}
	var survivors []consensus.Survivor
	for _, n := range seated {
		if err := b.Restore(f.data(n), cluster, []ed25519.PublicKey{f.ca.PublicKey()}, n); err != nil {
			t.Fatal(err)
		}
		s, err := refound.Survey(f.data(n))
		if err != nil {
			t.Fatal(err)
		}
		survivors = append(survivors, s)
	}
	plan, warnings, err := consensus.PlanRefounding(survivors, nil, time.Now())
	if err != nil || len(plan.Council) != 3 {
		t.Fatalf("%v: %+v (%v)", err, plan, warnings)
	}
	if _, err := refound.CarryOut(f.data(plan.Bearer), f.signedByTwo(plan)); err != nil {
		t.Fatal(err)
	}
	for _, n := range f.names {
		f.start(n)
	}
	for _, n := range f.names {
		f.until(n, "the council of the backup", 120*time.Second, func(p status.Page) bool {
			return slices.Equal(p.Council.Councillors, seated) && p.Council.Quorum && p.Council.Leader != "" && len(p.Slots) == 1
		})
	}
	head := f.agents["d"].Page().Knowledge.Head
	f.apply(testFleet(f, 2))
	f.until("d", "it decides", 60*time.Second, func(p status.Page) bool { return p.Knowledge.Head > head && len(p.Slots) == 2 })
}
