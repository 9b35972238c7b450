package unit

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"moonwatch/internal/boottime"
	"moonwatch/internal/keeper"
	"moonwatch/internal/keeper/door"
)

func TestASelfTestWithoutASitterProvesNothing(t *testing.T) {
	s := newSite(t, "none")
	u := s.run(Config{Sitter: []string{"/bin/true"}})
	s.eventually("a self-test", func() bool { return u.tests.newest().At > 0 })
	if err := (door.Status{Test: u.tests.newest()}).Enforces(boottime.Now()); err == nil || !strings.Contains(err.Error(), "self-test failed") {
		t.Errorf("got %v", err)
	}
}

func TestAFullDiskMakesTheNextLifeStricterAndNothingElse(t *testing.T) {
	s := newSite(t, "none")
	u := s.run(Config{})
	must(t, s.hand(patient()))
	s.eventually("written", func() bool { whole, _, _ := u.records.load(); return len(whole) == 1 })
	first, _, err := u.records.load()
	must(t, err)
	u.records.mu.Lock()
	good := u.records.put
	u.records.put = func(string, []byte) error { return syscall.ENOSPC }
	u.records.mu.Unlock()
	must(t, s.hand(patient()))
	s.eventually("said", func() bool {
		st, err := s.client.Status(t.Context())
		return err == nil && strings.Contains(st.Disk, "no space left on device")
	})
	whole, _, err := u.records.load()
	must(t, err)
	if whole[0].Lease.Sent != first[0].Lease.Sent || s.state() != keeper.Held {
		t.Errorf("got %+v and %s, want the older record and the slot held", whole, s.state())
	}
	u.records.mu.Lock()
	u.records.put = good
	u.records.mu.Unlock()
	s.eventually("written again", func() bool {
		whole, _, _ := u.records.load()
		return len(whole) == 1 && whole[0].Lease.Sent > first[0].Lease.Sent
	})
}

func TestADiskThatHangsHoldsUpNoStop(t *testing.T) {
	s := newSite(t, "none")
	u := s.run(Config{})
	hang := make(chan struct{})
	u.records.mu.Lock()
	u.records.put = func(string, []byte) error { <-hang; return nil }
	u.records.mu.Unlock()
	t.Cleanup(func() { close(hang) })
	must(t, s.hand(quick()))
	file := s.serve("polite")
	s.wantStopped(file)
}

func TestASecondKeeperOfTheSameSocketIsRefused(t *testing.T) {
	s := newSite(t, "none")
	s.run(Config{})
	if _, err := Open(Config{Socket: s.socket, Dir: filepath.Join(s.dir, "records"), Cgroup: "none"}); err == nil || !strings.Contains(err.Error(), "another keeper listens there") {
		t.Errorf("got %v", err)
	}
}

// TestTheFolderAboveAKeepersIsOpenToTheSocketsGroup: a keeper that is started before the agent
// makes /run/moonwatch, where the agent puts its socket.
func TestTheFolderAboveAKeepersIsOpenToTheSocketsGroup(t *testing.T) {
	s := newSite(t, "none")
	above := filepath.Join(s.dir, "run")
	_, err := Open(Config{Socket: filepath.Join(s.dir, "no", strings.Repeat("x", 200)), Dir: filepath.Join(above, "keeper"), Cgroup: "none"})
	if err == nil {
		t.Fatal("a socket of 200 characters was opened")
	}
	for dir, want := range map[string]os.FileMode{above: 0o750, filepath.Join(above, "keeper"): 0o700} {
		info, err := os.Stat(dir)
		must(t, err)
		if info.Mode().Perm() != want {
			t.Errorf("%s: %v, want %v", dir, info.Mode().Perm(), want)
		}
	}
}

func TestOneWhoTakesTheSocketsPlaceIsNoKeeperOfOurs(t *testing.T) {
	s := newSite(t, "none")
	must(t, os.WriteFile(s.socket, []byte("x"), 0o600)) // no socket at all
	if _, err := s.client.Status(t.Context()); err == nil {
		t.Error("a file answered")
	}
	s.run(Config{}) // and a keeper puts its own there
	if _, err := s.client.Status(t.Context()); err != nil {
		t.Error(err)
	}
}

// run runs a keeper in this process until the test ends.
func (s *site) run(cfg Config) *Unit {
	s.t.Helper()
	cfg.Socket, cfg.Dir, cfg.Cgroup = s.socket, filepath.Join(s.dir, "records"), s.cgroup
	u, err := Open(cfg)
	must(s.t, err)
	ctx, cancel := context.WithCancel(context.Background())
	ran := make(chan error, 1)
	go func() { ran <- u.Run(ctx) }()
	s.t.Cleanup(func() {
		cancel()
		if err := <-ran; err != nil {
			s.t.Error(err)
		}
	})
	return u
}
