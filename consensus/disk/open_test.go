package disk

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"

	bolt "go.etcd.io/bbolt"
	"golang.org/x/sys/unix"

	"moonwatch/consensus"
)

// refused opens a store that must not open, and wants the words in the error.
// Kind is the sentinel that it must be, nil for none.
func refused(t *testing.T, cfg Config, kind error, words ...string) {
	t.Helper()
	s, err := Open(cfg)
	if err == nil {
		no(t, s.Close())
		t.Fatal("it opened")
	}
	for _, word := range append(words, "open ledger of "+string(cfg.Member)+": ") {
		if !strings.Contains(err.Error(), word) {
			t.Errorf("got %q, want %q in it", err, word)
		}
	}
	for _, k := range []error{ErrInUse, ErrDamaged, ErrFull} {
		if errors.Is(err, k) != errors.Is(kind, k) {
			t.Errorf("got %q, want it to be: %v", err, kind)
		}
	}
}

func TestAFolderInUseIsRefusedAndItsHolderNamed(t *testing.T) {
	cfg := config(t.TempDir())
	s := open(t, cfg)
	refused(t, cfg, ErrInUse, cfg.Dir+"/ledger.db", fmt.Sprintf("in use by another process (%d)", os.Getpid()), "data_dir")
	no(t, s.Close())
	open(t, cfg)
}

func TestAFolderInUseByAnotherProcessIsRefused(t *testing.T) {
	const variable = "MOONWATCH_TEST_HOLD"
	if dir := os.Getenv(variable); dir != "" {
		open(t, config(dir))
		fmt.Println("holding")
		_, _ = os.Stdin.Read(make([]byte, 1))
		return
	}
	cfg := config(t.TempDir())
	other := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$")
	other.Env = append(os.Environ(), variable+"="+cfg.Dir)
	in, err := other.StdinPipe()
	no(t, err)
	out, err := other.StdoutPipe()
	no(t, err)
	no(t, other.Start())
	if _, err := out.Read(make([]byte, 7)); err != nil {
		t.Fatal(err)
	}
	refused(t, cfg, ErrInUse, fmt.Sprintf("(%d)", other.Process.Pid))
	no(t, in.Close())
	no(t, other.Wait())
	open(t, cfg)
}

func TestAFileHeldByAnotherToolIsRefused(t *testing.T) {
	cfg := config(t.TempDir())
	no(t, open(t, cfg).Close())
	db, err := bolt.Open(filepath.Join(cfg.Dir, fileName), 0o600, nil)
	no(t, err)
	defer func() { no(t, db.Close()) }()
	refused(t, cfg, ErrInUse, "data_dir")
}

func TestAFolderOfAnotherClusterIsRefused(t *testing.T) {
	cfg := config(t.TempDir())
	no(t, open(t, cfg).Close())
	cfg.Cluster = "day"
	refused(t, cfg, nil, "belongs to cluster night, this agent to day", "data_dir")
}

func TestAFolderOfAnotherMemberIsRefused(t *testing.T) {
	cfg := config(t.TempDir())
	no(t, open(t, cfg).Close())
	cfg.Member = "web-4"
	refused(t, cfg, nil, "belongs to member web-3, this agent is web-4", "data_dir")
}

func TestALedgerOfAnotherClusterIsRefused(t *testing.T) {
	cfg := config(t.TempDir())
	cfg.Cluster = "day"
	s := open(t, cfg)
	no(t, s.Keep(newChronicle(t, 2).facts))
	no(t, s.Close())
	refused(t, cfg, nil, "belongs to cluster night, this agent to day")
}

func TestALedgerWithoutGenesisIsRefused(t *testing.T) {
	cfg := config(t.TempDir())
	s := open(t, cfg)
	l := consensus.NewLedger()
	f, _, err := l.Commit(1, command(1, dawn, 10))
	no(t, err)
	no(t, s.Keep([]consensus.Fact{f}))
	no(t, s.Close())
	refused(t, cfg, ErrDamaged, "genesis", startOver)
	s = open(t, config(t.TempDir()))
	if err := s.Keep(newChronicle(t, 3).facts[1:]); err == nil {
		t.Error("facts 2 and 3 alone were taken")
	}
}

// TestAVoteIsRememberedBeforeTheFirstFact: the agent was killed while its
// cluster was being founded.
func TestAVoteIsRememberedBeforeTheFirstFact(t *testing.T) {
	cfg := config(t.TempDir())
	s := open(t, cfg)
	no(t, s.Persist(consensus.Persist{Hard: hardState(1, 1, 1), Sync: true}))
	no(t, s.Close())
	if b := load(t, open(t, cfg)); !b.Fresh || b.Raft.Hard.GetVote() != 1 {
		t.Errorf("got %s", b.print())
	}
}

func TestANewerFormatIsRefused(t *testing.T) {
	cfg := config(t.TempDir())
	no(t, open(t, cfg).Close())
	db, err := bolt.Open(filepath.Join(cfg.Dir, fileName), 0o600, nil)
	no(t, err)
	no(t, db.Update(func(tx *bolt.Tx) error {
		_, err := tx.CreateBucket([]byte("unheard-of"))
		return errors.Join(err, put(tx, bucketAbout, formatKey, mustJSON(format{Version: formatVersion + 1, Cluster: "night", Member: "web-3"})))
	}))
	no(t, db.Close())
	refused(t, cfg, nil, "has format 2, this agent knows 1: upgrade the agent")
}

func TestAnUnfinishedFirstCreationIsForgotten(t *testing.T) {
	for _, size := range []int{0, 100, 5000, 16384} {
		cfg := config(t.TempDir())
		whole := config(t.TempDir())
		no(t, open(t, whole).Close())
		unfinished := cut(t, whole.Dir)
		no(t, os.WriteFile(filepath.Join(cfg.Dir, fileName+newEnd), unfinished[:min(size, len(unfinished))], 0o600))
		if b := load(t, open(t, cfg)); !b.Fresh {
			t.Errorf("got %s", b.print())
		}
		if _, err := os.Stat(filepath.Join(cfg.Dir, fileName+newEnd)); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("it is still there: %v", err)
		}
	}
}

func TestAnUnwritableFolderIsRefused(t *testing.T) {
	dir := t.TempDir()
	no(t, os.Chmod(dir, 0o500))
	asNobody(t)
	cfg := config(dir)
	refused(t, cfg, nil, "permission denied", "data_dir")
	cfg.Dir += "/below"
	refused(t, cfg, nil, "permission denied", "data_dir")
}

func TestAFileWithoutPermissionIsRefused(t *testing.T) {
	cfg := config(t.TempDir())
	no(t, open(t, cfg).Close())
	no(t, os.Chmod(filepath.Join(cfg.Dir, fileName), 0o400))
	no(t, os.Chmod(filepath.Join(cfg.Dir, lockName), 0o666))
	for dir := cfg.Dir; dir != os.TempDir() && dir != "/"; dir = filepath.Dir(dir) {
		no(t, os.Chmod(dir, 0o777))
	}
	asNobody(t)
	refused(t, cfg, nil, "permission denied", "data_dir")
}

func TestAFolderThatIsAFileIsRefused(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	no(t, os.WriteFile(path, nil, 0o600))
	refused(t, config(path), nil, "not a directory")
	refused(t, config(path+"/below"), nil, "not a directory")
}

func TestAllMistakesOfTheConfigAreListed(t *testing.T) {
	_, err := Open(Config{LockTimeout: -1})
	for _, word := range []string{"dir is empty", "cluster is empty", "member is empty", "lock_timeout is -1ns, want more than 0"} {
		if err == nil || !strings.Contains(err.Error(), word) {
			t.Errorf("got %v, want %q in it", err, word)
		}
	}
}

func TestOnlyAWriteThatFoundNoSpaceMayBeRepeated(t *testing.T) {
	for _, x := range []struct {
		err  error
		want bool
	}{
		{&fs.PathError{Op: "write", Err: syscall.ENOSPC}, true},
		{&fs.PathError{Op: "write", Err: syscall.EDQUOT}, true},
		{errors.New("file resize error: truncate ledger.db: " + syscall.ENOSPC.Error()), true},
		{syscall.ENOSPC, false}, // of fdatasync: it is unknown what is on disk
		{&fs.PathError{Op: "write", Err: syscall.EIO}, false},
		{errors.New("file resize error: truncate ledger.db: " + syscall.EIO.Error()), false},
		{nil, false},
	} {
		if got := full(x.err); got != x.want {
			t.Errorf("full(%v) is %v", x.err, got)
		}
	}
}

// asNobody takes root's rights from this thread, which ends with the test.
func asNobody(t *testing.T) {
	if os.Geteuid() != 0 {
		return
	}
	runtime.LockOSThread() // never unlocked: the thread ends with the test
	t.Cleanup(func() { _ = unix.Setfsuid(0) })
	if err := unix.Setfsuid(65534); err != nil {
		t.Skipf("give up root's rights: %v", err)
	}
}
