package daemon

import (
	"errors"
	"net"
	"os"
	"os/user"
	"path/filepath"
	"runtime"
	"strconv"
	"testing"

	"golang.org/x/sys/unix"
)

// TestTheGroupMayUseTheSocket, and who is not of it may not.
func TestTheGroupMayUseTheSocket(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("to become somebody else wants root")
	}
	const name = "daemon" // stands for moonwatch; every machine has it
	g, err := user.LookupGroup(name)
	if err != nil {
		t.Skipf("no group to lend to: %v", err)
	}
	gid, err := strconv.Atoi(g.Gid)
	if err != nil {
		t.Fatal(err)
	}
	dir, err := os.MkdirTemp("", "mw") //nolint:usetesting // t.TempDir is root's alone
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if err := os.Chmod(dir, 0o755); err != nil { //nolint:gosec // others have to get as far as the socket
		t.Fatal(err)
	}
	path := filepath.Join(dir, "agent.sock")
	l, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	// Root may be of root's group as well, and the test must not come in by that.
	const nobody = 65534
	if err := os.Chown(path, -1, nobody-1); err != nil {
		t.Fatal(err)
	}
	if err := lend(path, name); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(path, 0o660); err != nil {
		t.Fatal(err)
	}
	if err := connectAs(nobody, gid, path); err != nil {
		t.Errorf("one of group %s: %v", name, err)
	}
	if err := connectAs(nobody, nobody, path); !errors.Is(err, unix.EACCES) {
		t.Errorf("one who is not of it: %v, want %v", err, unix.EACCES)
	}
	var of unix.Stat_t
	if err := unix.Stat(dir, &of); err != nil || of.Gid != uint32(os.Getegid()) {
		t.Errorf("a folder that somebody chose has group %d (%v): want it left alone", of.Gid, err)
	}
}

func TestWhereThereIsNoGroupTheSocketIsTheAgentsOwn(t *testing.T) {
	if err := lend(filepath.Join(t.TempDir(), "no-such-socket"), "no-such-group"); err != nil {
		t.Error(err)
	}
}

// connectAs connects as another user of one group. Threads have identities of their own
// before the file system: this one ends with its goroutine, for it is never unlocked.
func connectAs(uid, gid int, path string) error {
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		if _, err := unix.SetfsgidRetGid(gid); err != nil {
			done <- err
			return
		}
		if _, err := unix.SetfsuidRetUid(uid); err != nil { // and root's right to open anything is gone
			done <- err
			return
		}
		fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			done <- err
			return
		}
		defer unix.Close(fd)
		done <- unix.Connect(fd, &unix.SockaddrUnix{Name: path})
	}()
	return <-done
}
