package unit

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"moonwatch/internal/boottime"
	"moonwatch/internal/keeper"
	"moonwatch/internal/keeper/door"
	"moonwatch/internal/keeper/group"
	"moonwatch/internal/program"
	"moonwatch/member"
)

// TestMain lets the test binary stand in for the processes of a slot.
func TestMain(m *testing.M) {
	if len(os.Args) > 2 && os.Args[1] == "as" {
		os.Exit(as(os.Args[2], os.Args[3:]))
	}
	goleak.VerifyTestMain(m)
}

// as is another program in this binary's place.
func as(what string, args []string) int {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGTERM)
	var err error
	switch what {
	case "sitter":
		Sit(os.Stdout)
	case "keeper": // SOCKET DIR CGROUP [GATE]
		u, e := Open(Config{Socket: args[0], Dir: args[1], Cgroup: args[2], Gate: strings.Join(args[3:], ""), Sitter: self("sitter")})
		if err = e; err == nil {
			err = u.Run(ctx)
		}
	case "enter", "enter-once": // SOCKET SLOT EPOCH PROGRAM...
		epoch, _ := strconv.Atoi(args[2])
		err = Enter(ctx, args[0], member.SlotID(args[1]), member.SlotEpoch(epoch), args[3:])
		for range 50 { // a lease that a loaded machine let go comes back
			if errors.Is(err, door.ErrRefused) && what == "enter" {
				time.Sleep(100 * time.Millisecond)
				err = Enter(ctx, args[0], member.SlotID(args[1]), member.SlotEpoch(epoch), args[3:])
			}
		}
	case "enter-part": // SOCKET SLOT EPOCH PART PROGRAM...
		epoch, _ := strconv.Atoi(args[2])
		err = EnterPart(ctx, args[0], member.SlotID(args[1]), member.SlotEpoch(epoch), args[3], args[4:])
	case "service": // FILE polite|deaf [child]: it writes down when it served
		stop()
		if args[1] == "deaf" {
			signal.Ignore(syscall.SIGTERM)
		}
		if len(args) > 2 { // a child that leaves the session, and the parent that goes
			c := exec.Command(os.Args[0], "as", "service", args[0], args[1])
			c.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
			err = c.Start()
			break
		}
		f, e := os.OpenFile(args[0], os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
		e = errors.Join(e, os.WriteFile(args[0]+pidEnd, []byte(strconv.Itoa(os.Getpid())), 0o600))
		for err = e; err == nil; time.Sleep(5 * time.Millisecond) {
			_, err = fmt.Fprintln(f, int64(boottime.Now()))
		}
	case "agent": // SOCKET SLOT EPOCH EVERY TIMING...: hands over leases until it is stopped
		err = handOver(ctx, args)
	default:
		err = fmt.Errorf("nobody is %q", what)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// quick is a short lease that a loaded machine can renew in time.
func quick() keeper.Timing {
	return keeper.Timing{Stop: 2 * time.Second, Within: 800 * time.Millisecond, Watchdog: 3 * time.Second, RoundTrip: 300 * time.Millisecond}
}

// patient are timings with which a lease outlives every test, also on a machine whose
// processors are all at work on something else.
func patient() keeper.Timing {
	return keeper.Timing{Stop: 5 * time.Minute, Within: time.Minute, Watchdog: 7 * time.Minute, RoundTrip: time.Second}
}

func handOver(ctx context.Context, args []string) error {
	epoch, _ := strconv.Atoi(args[2])
	boot, err := boottime.ID()
	if err != nil {
		return err
	}
	for {
		l := keeper.Lease{Slot: member.SlotID(args[1]), Epoch: member.SlotEpoch(epoch), Boot: boot, Sent: boottime.Now(), Timing: quick()}
		_, _ = door.Client{Socket: args[0]}.Hand(ctx, l) // a keeper that is away comes back
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(100 * time.Millisecond):
		}
	}
}

func self(what string, args ...string) []string {
	return append([]string{"/proc/self/exe", "as", what}, args...)
}

// slot is the one that all of these tests are about, at slot epoch 7.
const slot = "db-0"

// site is the machine of one test.
type site struct {
	t      *testing.T
	dir    string
	socket string
	cgroup string
	client door.Client
	boot   string
}

// made counts the cgroups of this process: each test has its own.
var made atomic.Uint32

// cleanUp ends what a failed test left, and takes its cgroups away.
func cleanUp(t *testing.T, g group.Group, dir string) {
	slots, _ := g.Slots()
	for _, slot := range slots {
		for range 100 {
			if g.Forget(slot) == nil {
				break
			}
			_ = g.Signal(slot, true)
			time.Sleep(10 * time.Millisecond)
		}
	}
	if err := os.Remove(dir); err != nil && !errors.Is(err, os.ErrNotExist) { // a keeper in order takes it along
		t.Error(err)
	}
}

// places are the ways of owning processes that can be had here.
func places(t *testing.T) map[string]string {
	t.Helper()
	found := map[string]string{"session": group.None}
	for name, at := range map[string][]string{
		"cgroup v2": {"/sys/fs/cgroup/unified", "/sys/fs/cgroup"}, "cgroup v1": {"/sys/fs/cgroup/freezer"},
	} {
		for _, root := range at {
			dir := filepath.Join(root, fmt.Sprintf("moonwatch-test-%d-%d", os.Getpid(), made.Add(1)))
			g, err := group.Open(t.TempDir(), dir)
			if err != nil || g.Name() != name {
				continue
			}
			found[name] = dir
			t.Cleanup(func() { cleanUp(t, g, dir) })
			break
		}
	}
	return found
}

// everywhere runs a test with each way of owning processes.
func everywhere(t *testing.T, f func(t *testing.T, s *site)) {
	all := places(t)
	for _, name := range []string{"session", "cgroup v1", "cgroup v2"} {
		t.Run(name, func(t *testing.T) {
			at, ok := all[name]
			if !ok {
				t.Skipf("no %s may be made here", name)
			}
			f(t, newSite(t, at))
		})
	}
}

func newSite(t *testing.T, cgroup string) *site {
	t.Helper()
	dir := t.TempDir()
	boot, err := boottime.ID()
	must(t, err)
	s := &site{t: t, dir: dir, socket: filepath.Join(dir, "k"), cgroup: cgroup, boot: boot}
	s.client = door.Client{Socket: s.socket}
	return s
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// spawn starts a program as a process of its own session.
func (s *site) spawn(argv ...string) *exec.Cmd {
	s.t.Helper()
	c := exec.Command(argv[0], argv[1:]...)
	c.Stderr = os.Stderr
	c.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	must(s.t, c.Start())
	ended := make(chan struct{})
	go func() { _ = c.Wait(); close(ended) }()
	s.t.Cleanup(func() {
		_ = c.Process.Signal(syscall.SIGCONT)
		_ = c.Process.Kill()
		<-ended
	})
	return c
}

// kill ends a process as nobody can refuse, and waits until it has: what it locked is free.
func (s *site) kill(c *exec.Cmd) {
	s.t.Helper()
	p := program.Identify(c.Process.Pid)
	must(s.t, c.Process.Kill())
	s.eventually("it has ended", func() bool { return p.Fate() != program.Runs })
}

// keeper starts a keeper as a process and waits until it answers.
func (s *site) keeper() *exec.Cmd {
	s.t.Helper()
	c := s.spawn(self("keeper", s.socket, filepath.Join(s.dir, "records"), s.cgroup)...)
	s.eventually("the keeper answers", func() bool { _, err := s.client.Status(s.t.Context()); return err == nil })
	return c
}

// agent starts a process that hands over leases.
func (s *site) agent() *exec.Cmd {
	s.t.Helper()
	c := s.spawn(self("agent", s.socket, slot, "7")...)
	s.eventually("the lease is held", func() bool { return s.state() == keeper.Held })
	return c
}

// serve starts a slot's service in the keeper, and gives its file.
func (s *site) serve(manners ...string) string {
	s.t.Helper()
	file := filepath.Join(s.dir, slot+".witness")
	argv := append(self("enter", s.socket, slot, "7"), self("service", append([]string{file}, manners...)...)...)
	s.spawn(argv...)
	s.eventually("the service serves", func() bool { b, _ := os.ReadFile(file); return len(b) > 0 })
	return file
}

func (s *site) state() keeper.State {
	st, err := s.client.Status(s.t.Context())
	if err != nil {
		return ""
	}
	for _, x := range st.Slots {
		if x.Slot == slot {
			return x.State
		}
	}
	return ""
}

func (s *site) eventually(what string, ok func() bool) {
	s.t.Helper()
	for end := time.Now().Add(time.Minute); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if ok() {
			return
		}
	}
	s.t.Fatalf("not within a minute: %s", what)
}

// lastServed is when a service last wrote.
func (s *site) lastServed(file string) time.Duration {
	s.t.Helper()
	b, err := os.ReadFile(file)
	must(s.t, err)
	lines := strings.Fields(string(b))
	n, err := strconv.ParseInt(lines[len(lines)-1], 10, 64)
	must(s.t, err)
	return time.Duration(n)
}

// wantServing waits for a write from now on.
func (s *site) wantServing(file string) {
	s.t.Helper()
	now := boottime.Now()
	s.eventually("it goes on serving", func() bool { return s.lastServed(file) > now })
}

// pidEnd ends the name of the file that says which process serves.
const pidEnd = ".pid"

// wantStopped waits until the process that serves has ended, and says when it last
// did: a service that is silent may be one that gets no processor.
func (s *site) wantStopped(file string) time.Duration {
	s.t.Helper()
	b, err := os.ReadFile(file + pidEnd)
	must(s.t, err)
	pid, err := strconv.Atoi(string(b))
	must(s.t, err)
	serves := program.Identify(pid)
	s.eventually("the service stops", func() bool { return serves.Fate() != program.Runs })
	return s.lastServed(file)
}

// hand hands over a lease that was sent now.
func (s *site) hand(timing keeper.Timing) error {
	_, err := s.client.Hand(s.t.Context(), keeper.Lease{
		Slot: slot, Epoch: 7, Boot: s.boot, Sent: boottime.Now(), Timing: timing,
	})
	return err
}
