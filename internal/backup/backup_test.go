package backup

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.etcd.io/raft/v3/raftpb"

	"moonwatch/consensus"
	"moonwatch/consensus/disk"
	"moonwatch/internal/pki"
	"moonwatch/internal/refound"
	"moonwatch/member"
	"moonwatch/mind"
)

// ledger is that of a cluster with three members.
func ledger(t *testing.T) []byte {
	const cluster = "shop"
	t.Helper()
	must := func(err error) {
		if err != nil {
			t.Helper()
			t.Fatal(err)
		}
	}
	ca, err := pki.NewCA(cluster, time.Now())
	must(err)
	k, err := pki.NewOperatorKey("alice")
	must(err)
	l, err := mind.Read(mind.Boot{})
	must(err)
	_, err = l.Found(consensus.Genesis{Cluster: cluster, Root: ca.PublicKey(), Council: []member.ID{"a", "b", "c"}})
	must(err)
	fl := member.Fleet{Version: 1}
	for _, id := range []member.ID{"a", "b", "c"} {
		fl.Members = append(fl.Members, member.Member{ID: id, Domain: member.FailureDomain(id), Council: true})
	}
	c, err := consensus.NewCommand(consensus.KindFleet, "fleet <&>", "a", time.Unix(1000, 0), fl)
	must(err)
	grant := ca.Sign(consensus.GrantText(cluster, k.Name, k.PublicKey()))
	c.Warrant = &consensus.Warrant{Operator: k.Name, Key: k.PublicKey(), Grant: grant, Signature: k.Sign(consensus.SignedText(cluster, c))}
	b, err := c.Encode()
	must(err)
	f, _, err := l.Commit(2, b)
	must(err)
	if !f.Accepted {
		t.Fatal(f.Reason)
	}
	whole, err := l.Snapshot()
	must(err)
	return whole
}

// written is a backup on disk.
func written(t *testing.T) (*Backup, string) {
	t.Helper()
	b, err := New("a", time.Now(), ledger(t))
	if err != nil {
		t.Fatal(err)
	}
	text, err := b.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(t.TempDir(), "fleet.backup")
	if err := os.WriteFile(path, text, 0o600); err != nil {
		t.Fatal(err)
	}
	return b, path
}

// rootsOf are the CAs of an agent of the cluster.
func rootsOf(b *Backup) []ed25519.PublicKey { return []ed25519.PublicKey{b.folded.Root()} }

func TestABackupIsReadAsItWasWritten(t *testing.T) {
	b, path := written(t)
	got, err := Read(path)
	if err != nil || got.Head != 2 || got.Hash != b.Hash || got.Cluster != "shop" || got.From != "a" || len(got.Members()) != 3 {
		t.Fatalf("%v: %+v", err, got)
	}
	// A tool that prints it otherwise changes nothing that counts.
	var tidy bytes.Buffer
	text, err := os.ReadFile(path)
	if err != nil || json.Indent(&tidy, text, "", "  ") != nil || os.WriteFile(path, tidy.Bytes(), 0o600) != nil {
		t.Fatal(err)
	}
	if _, err := Read(path); err != nil {
		t.Error(err)
	}
}

// TestNoByteOfABackupChangesUnseen: a file with any one byte changed is refused, or says
// the same.
func TestNoByteOfABackupChangesUnseen(t *testing.T) {
	b, path := written(t)
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	about := bytes.Index(text, []byte(`"head"`)) // before it stand who was asked and when
	for i := about; i < len(text)-1; i += 7 {
		bad := bytes.Clone(text)
		bad[i] ^= 1
		if os.WriteFile(path, bad, 0o600) != nil {
			t.Fatal(err)
		}
		if got, err := Read(path); err == nil && (got.Hash != b.Hash || got.Head != b.Head || !bytes.Equal(got.Ledger, b.Ledger)) {
			t.Errorf("byte %d, %q: the change was not seen", i, text[max(0, i-20):i+1])
		}
	}
	for _, n := range []int{len(text) / 2, 60} {
		if os.WriteFile(path, text[:n], 0o600) != nil {
			t.Fatal(err)
		}
		if _, err := Read(path); !errors.Is(err, ErrDamaged) || !strings.Contains(err.Error(), "cut off") {
			t.Errorf("%d bytes of it: %v", n, err)
		}
	}
	for _, other := range []string{"", "{}", "not JSON", `{"schema":1,"cluster":"shop"}`} {
		if os.WriteFile(path, []byte(other), 0o600) != nil {
			t.Fatal(err)
		}
		if _, err := Read(path); err == nil || !strings.Contains(err.Error(), "moonwatch ledger backup") {
			t.Errorf("%q: %v, want what a backup is", other, err)
		}
	}
}

// TestALedgerThatWasEditedWithItsSumEndsElsewhere: whoever puts the sum right has to put
// the rest right as well.
func TestALedgerThatWasEditedWithItsSumEndsElsewhere(t *testing.T) {
	b, path := written(t)
	other, _ := written(t)
	sum := sha256.Sum256(other.Ledger)
	b.Ledger, b.SHA256 = other.Ledger, hex.EncodeToString(sum[:])
	text, err := b.Bytes()
	if err != nil || os.WriteFile(path, text, 0o600) != nil {
		t.Fatal(err)
	}
	if _, err := Read(path); !errors.Is(err, ErrDamaged) || !strings.Contains(err.Error(), "the ledger in it is of shop and ends with fact 2, hash "+other.Hash) {
		t.Errorf("%v", err)
	}
}

func TestARestoredLedgerIsANewDiskWithTheSameFacts(t *testing.T) {
	b, path := written(t)
	got, err := Read(path)
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "data")
	for want, refused := range map[string]func() error{
		"the backup is of cluster shop, this agent is of bank": func() error { return got.Restore(dir, "bank", rootsOf(got), "a") },
		"the backup is of another cluster that is called shop, too": func() error {
			foreign, err := pki.NewCA("shop", time.Now())
			if err != nil {
				t.Fatal(err)
			}
			return got.Restore(dir, "shop", []ed25519.PublicKey{foreign.PublicKey()}, "a")
		},
		"put its certificate into tls.ca":            func() error { return got.Restore(dir, "shop", nil, "a") },
		"z is no member of the fleet in this backup": func() error { return got.Restore(dir, "shop", rootsOf(got), "z") },
	} {
		if err := refused(); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
		if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
			t.Error("a restore that was refused has left something")
		}
	}
	if err := got.Restore(dir, "shop", rootsOf(got), "b"); err != nil {
		t.Fatal(err)
	}
	if left, err := filepath.Glob(filepath.Join(dir, "*.restoring*")); err != nil || left != nil {
		t.Errorf("%v %v are left beside it", left, err)
	}
	s, err := refound.Survey(dir)
	if err != nil || s.Member != "b" || s.Seat != 0 || s.Agreed.Index != 2 || hex.EncodeToString(s.Agreed.Hash) != b.Hash {
		t.Errorf("%v: %+v, want all facts and no seat", err, s)
	}
	another := filepath.Join(t.TempDir(), "data")
	if err := got.Restore(another, "shop", rootsOf(got), "b"); err != nil {
		t.Fatal(err)
	}
	if x, err := refound.Survey(another); err != nil || x.Disk == s.Disk || s.Disk == "" {
		t.Errorf("%v: two restored disks are %q and %q, want two", err, s.Disk, x.Disk)
	}
	if err := got.Restore(dir, "shop", rootsOf(got), "b"); err == nil || !strings.Contains(err.Error(), "there is a ledger") {
		t.Errorf("%v, want that it is kept", err)
	}
	store, err := disk.Open(disk.Config{Dir: dir, Cluster: "shop", Member: "b"})
	if err != nil {
		t.Fatal(err)
	}
	if err := store.Close(); err != nil {
		t.Error(err)
	}
}

// TestAnEmptyLedgerGivesWay as an agent leaves it that was started on an empty disk; one
// that has promised a vote does not, nor one that an agent has open.
func TestAnEmptyLedgerGivesWay(t *testing.T) {
	b, path := written(t)
	got, err := Read(path)
	if err != nil {
		t.Fatal(err)
	}
	begin := func(dir string) *disk.Store {
		t.Helper()
		s, err := disk.Open(disk.Config{Dir: dir, Cluster: "shop", Member: "b", LockTimeout: time.Millisecond})
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	dir := t.TempDir()
	s := begin(dir)
	if err := got.Restore(dir, "shop", rootsOf(got), "b"); err == nil || !strings.Contains(err.Error(), "in use") {
		t.Errorf("%v, want that an agent has it", err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := got.Restore(dir, "shop", rootsOf(got), "b"); err != nil {
		t.Fatal(err)
	}
	if x, err := refound.Survey(dir); err != nil || x.Seat != 0 || hex.EncodeToString(x.Agreed.Hash) != b.Hash {
		t.Errorf("%v: %+v, want all facts and no seat", err, x)
	}
	if err := got.Restore(dir, "shop", rootsOf(got), "b"); err == nil || !strings.Contains(err.Error(), "it knows more than a backup") {
		t.Errorf("%v, want that it is kept", err)
	}

	promised := t.TempDir()
	s = begin(promised)
	term, vote := uint64(3), uint64(1)
	err = s.Persist(consensus.Persist{Hard: &raftpb.HardState{Term: &term, Vote: &vote}, Sync: true})
	if err = errors.Join(err, s.Close()); err != nil {
		t.Fatal(err)
	}
	if err := got.Restore(promised, "shop", rootsOf(got), "b"); err == nil || !strings.Contains(err.Error(), "a promise") {
		t.Errorf("%v, want that the vote is kept", err)
	}
}

// TestADataFolderMayLieOnAnotherDisk than the folder that it is in.
func TestADataFolderMayLieOnAnotherDisk(t *testing.T) {
	_, path := written(t)
	got, err := Read(path)
	if err != nil {
		t.Fatal(err)
	}
	far, err := os.MkdirTemp("/dev/shm", "restore") //nolint:usetesting // another file system than t.TempDir is on
	if err != nil {
		t.Skipf("no second file system to restore to: %v", err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(far) })
	dir := filepath.Join(t.TempDir(), "data")
	if err := os.Symlink(far, dir); err != nil {
		t.Fatal(err)
	}
	if err := got.Restore(dir, "shop", rootsOf(got), "b"); err != nil {
		t.Fatal(err)
	}
	if x, err := refound.Survey(dir); err != nil || x.Agreed.Index != 2 {
		t.Errorf("%v: %+v", err, x)
	}
}

func TestAnEmptyLedgerIsNoBackup(t *testing.T) {
	l, err := mind.Read(mind.Boot{})
	if err != nil {
		t.Fatal(err)
	}
	whole, err := l.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := New("a", time.Now(), whole); err == nil || !strings.Contains(err.Error(), "empty") {
		t.Errorf("%v", err)
	}
}
