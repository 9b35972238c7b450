package gate

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/nftables"
	"github.com/vishvananda/netlink"

	"moonwatch/member"
)

// TestMain lets the test binary be a machine of its own, and a service in it.
func TestMain(m *testing.M) {
	if len(os.Args) > 2 && os.Args[1] == "as" {
		if err := as(os.Args[2], os.Args[3:]); err != nil {
			fmt.Println("error:", err)
			os.Exit(1)
		}
		return
	}
	os.Exit(m.Run())
}

func as(what string, args []string) error {
	switch what {
	case "service": // CGROUP ADDRESS: it enters and sends all the time, over UDP and one TCP connection
		if err := os.WriteFile(filepath.Join(args[0], "cgroup.procs"), []byte("0"), 0o600); err != nil {
			return err
		}
		return talk(args[1])
	case "keeper": // DIR SLOT LEFT: it opens the gate again and again until it is stopped
		left, err := time.ParseDuration(args[2])
		if err != nil {
			return err
		}
		g, err := New(args[0])
		for ; err == nil; time.Sleep(left / 10) {
			err = g.Open(member.SlotID(args[1]), left)
		}
		return err
	}
	return fmt.Errorf("nobody is %q", what)
}

// talk sends a datagram and a byte of a stream every few milliseconds.
func talk(to string) error {
	stream, err := net.Dial("tcp", to)
	if err != nil {
		return err
	}
	datagrams, err := net.Dial("udp", to)
	for ; err == nil; time.Sleep(3 * time.Millisecond) {
		_, _ = datagrams.Write([]byte("u")) // a send that is held back says so
		_, err = stream.Write([]byte("t"))
	}
	return err
}

// machine is a network namespace of this test and a keeper's cgroup. The test runs in
// the namespace: it is run again there, alone.
type machine struct {
	t   *testing.T
	dir string
	ear *ear
}

const inside = "MOONWATCH_TEST_INSIDE"

// onAMachine runs a test in a network namespace of its own.
func onAMachine(t *testing.T, f func(m *machine)) {
	t.Helper()
	if os.Getenv(inside) == "" {
		c := exec.Command("/proc/self/exe", "-test.run", "^"+t.Name()+"$", "-test.v", "-test.timeout", "5m")
		c.Env = append(os.Environ(), inside+"=1")
		c.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET, Pdeathsig: syscall.SIGKILL}
		out, err := c.CombinedOutput()
		switch why, skipped := strings.CutPrefix(line(out, "not here: "), "not here: "); {
		case skipped:
			t.Skip(why)
		case errors.Is(err, syscall.EPERM), errors.Is(err, syscall.ENOSYS), errors.Is(err, syscall.EINVAL):
			t.Skipf("no network namespace can be made here: %v", err)
		case err != nil:
			t.Fatalf("%v\n%s", err, out)
		}
		t.Logf("%s", out)
		return
	}
	m := &machine{t: t}
	lo, err := netlink.LinkByName("lo")
	must(t, err)
	must(t, netlink.LinkSetUp(lo))
	for _, root := range []string{"/sys/fs/cgroup", "/sys/fs/cgroup/unified"} {
		dir := filepath.Join(root, fmt.Sprintf("moonwatch-test-gate-%d", os.Getpid()))
		if _, err := os.Stat(filepath.Join(root, "cgroup.controllers")); err == nil && os.Mkdir(dir, 0o755) == nil {
			m.dir = dir
			break
		}
	}
	if m.dir == "" {
		missing(t, "no cgroup of version 2 can be made here")
	}
	t.Cleanup(func() { m.removeGroups() })
	g, err := New(m.dir)
	if err != nil {
		missing(t, fmt.Sprintf("no gate can be made here: %v", err))
	}
	must(t, g.Remove())
	m.ear = listen(t)
	f(m)
}

// missing tells the test outside that this machine cannot be tested on.
func missing(t *testing.T, why string) {
	fmt.Println("not here: " + why)
	t.Skip(why)
}

func line(out []byte, begins string) string {
	for l := range strings.Lines(string(out)) {
		if strings.HasPrefix(l, begins) {
			return strings.TrimSpace(l)
		}
	}
	return ""
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func (m *machine) removeGroups() {
	slots, _ := os.ReadDir(m.dir)
	for _, s := range slots {
		if s.IsDir() {
			m.eventually("the cgroup is empty", func() bool { return os.Remove(filepath.Join(m.dir, s.Name())) == nil })
		}
	}
	must(m.t, os.Remove(m.dir))
}

func (m *machine) eventually(what string, ok func() bool) {
	m.t.Helper()
	for end := time.Now().Add(30 * time.Second); time.Now().Before(end); time.Sleep(5 * time.Millisecond) {
		if ok() {
			return
		}
	}
	m.t.Fatalf("not within 30 s: %s", what)
}

// spawn starts this binary as something else; it ends with the test.
func (m *machine) spawn(what string, args ...string) *exec.Cmd {
	m.t.Helper()
	c := exec.Command("/proc/self/exe", append([]string{"as", what}, args...)...)
	c.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	c.Stdout, c.Stderr = os.Stdout, os.Stderr
	must(m.t, c.Start())
	m.t.Cleanup(func() {
		_ = c.Process.Signal(syscall.SIGCONT)
		_ = c.Process.Kill()
		_ = c.Wait() // it was killed
	})
	return c
}

// serve starts the service of slot db-0, which sends to the ear.
func (m *machine) serve() *exec.Cmd {
	m.t.Helper()
	dir := filepath.Join(m.dir, "db-0")
	must(m.t, os.MkdirAll(dir, 0o755))
	return m.spawn("service", dir, m.ear.address)
}

// ear hears what services send.
type ear struct {
	address string
	heard   chan byte
}

func listen(t *testing.T) *ear {
	t.Helper()
	streams, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	datagrams, err := net.ListenPacket("udp", streams.Addr().String())
	must(t, err)
	t.Cleanup(func() { _ = streams.Close(); _ = datagrams.Close() })
	e := &ear{address: streams.Addr().String(), heard: make(chan byte, 1<<16)}
	go func() {
		b := make([]byte, 16)
		for {
			if _, _, err := datagrams.ReadFrom(b); err != nil {
				return
			}
			e.heard <- 'u'
		}
	}()
	go func() {
		for {
			c, err := streams.Accept()
			if err != nil {
				return
			}
			go func() {
				r := bufio.NewReader(c)
				for {
					b, err := r.ReadByte()
					if errors.Is(err, io.EOF) || err != nil {
						return
					}
					e.heard <- b
				}
			}()
		}
	}()
	return e
}

// drain forgets what was heard.
func (e *ear) drain() {
	for {
		select {
		case <-e.heard:
		default:
			return
		}
	}
}

// hears waits until datagrams and the stream have come, from now on.
func (m *machine) hears(what string) {
	m.t.Helper()
	m.ear.drain()
	late := time.After(30 * time.Second)
	for u, t := 0, 0; u < 3 || t < 3; {
		select {
		case b := <-m.ear.heard:
			if b == 'u' {
				u++
			} else {
				t++
			}
		case <-late:
			m.t.Fatalf("%s: after 30 s there came %d datagrams and %d bytes of the stream, want 3 of each", what, u, t)
		}
	}
}

// hearsNothing wants half a second of silence, once what is on its way has come: those
// that serve send every few milliseconds, for ever.
func (m *machine) hearsNothing(what string) {
	m.t.Helper()
	for late := time.Now().Add(30 * time.Second); time.Now().Before(late); {
		select {
		case <-m.ear.heard:
		case <-time.After(500 * time.Millisecond):
			return
		}
	}
	m.t.Fatalf("%s: after 30 s something still comes, want nothing", what)
}

func TestAGateShutsByItselfWhenItsKeeperStandsStill(t *testing.T) {
	onAMachine(t, func(m *machine) {
		keeper := m.spawn("keeper", m.dir, "db-0", "2s")
		service := m.serve()
		m.hears("the gate is renewed")
		// All of it stands still, for longer than the gate was open for.
		must(t, keeper.Process.Signal(syscall.SIGSTOP))
		must(t, service.Process.Signal(syscall.SIGSTOP))
		time.Sleep(2500 * time.Millisecond)
		m.ear.drain()
		must(t, service.Process.Signal(syscall.SIGCONT)) // and the service is the first one to go on
		time.Sleep(500 * time.Millisecond)
		if n := len(m.ear.heard); n > 0 {
			t.Errorf("%d writes came before the keeper went on, want none", n)
		}
		must(t, keeper.Process.Signal(syscall.SIGCONT))
		m.hears("the keeper renews it again: the stream goes on, too")
		must(t, keeper.Process.Kill())
		time.Sleep(2500 * time.Millisecond)
		m.hearsNothing("the keeper was killed")
	})
}

// The kernel takes one change of rules at a time, and a keeper that is stopped while it
// waits for its turn gets it all the same: its time-out then counts from a moment at
// which the lease may have ended. Nor does it count while the machine is suspended.
func TestATimeOutThatCameTooLateOpensNothing(t *testing.T) {
	onAMachine(t, func(m *machine) {
		made, err := New(m.dir)
		must(t, err)
		g := made.(*nft)
		must(t, g.Open("db-0", time.Minute))
		m.serve()
		m.hears("in time")
		e := g.open["db-0"]
		late := element{key: e.key, until: time.Now().Add(-time.Second)}
		must(t, g.send(func(c *nftables.Conn) error {
			return errors.Join(g.rules(c, []element{late}), g.put(c, e)) // as if it had been worked out a minute ago
		}))
		m.hearsNothing("its lease is over, and the time-out runs for a minute")
	})
}

// After a suspend a time-out has more left than the lease: a keeper that is started then
// takes over no more than the clock beside it allows.
func TestARestartedKeeperInheritsNoMoreThanTheLeaseHasLeft(t *testing.T) {
	onAMachine(t, func(m *machine) {
		made, err := New(m.dir)
		must(t, err)
		g := made.(*nft)
		must(t, g.Open("db-0", time.Minute))
		m.serve()
		m.hears("in time")
		// A minute of the time-out is left, and seconds of the lease.
		slept := element{key: g.open["db-0"].key, until: time.Now().Add(4 * time.Second)}
		must(t, g.send(func(c *nftables.Conn) error { return g.rules(c, []element{slept}) }))
		must(t, g.send(func(c *nftables.Conn) error { return g.put(c, g.open["db-0"]) }))
		second, err := New(m.dir)
		must(t, err)
		if left := time.Until(second.(*nft).open["db-0"].until); left <= 0 || left > 4*time.Second {
			t.Errorf("it is open for %v, want what is left of the 4 s", left)
		}
		m.hears("what is left of the lease is let pass")
		time.Sleep(time.Until(slept.until))
		m.hearsNothing("the lease is over")
		third, err := New(m.dir)
		must(t, err)
		if len(third.(*nft).open) > 0 {
			t.Errorf("%v is open, want nothing", third.(*nft).open)
		}
		m.hearsNothing("and a keeper that is started then opens nothing")
	})
}

func TestAGateHoldsBackNobodyElse(t *testing.T) {
	onAMachine(t, func(m *machine) {
		g, err := New(m.dir)
		must(t, err)
		stranger := filepath.Join(filepath.Dir(m.dir), filepath.Base(m.dir)+"-stranger")
		must(t, os.Mkdir(stranger, 0o755))
		outside := m.spawn("service", stranger, m.ear.address)
		t.Cleanup(func() {
			_ = outside.Process.Kill()
			m.eventually("the stranger's cgroup is empty", func() bool { return os.Remove(stranger) == nil })
		})
		m.hears("a service in another cgroup, before")
		must(t, g.Open("db-1", time.Minute))
		must(t, g.Shut("db-1"))
		m.hears("a service in another cgroup, after")
		_ = outside.Process.Kill()

		m.serve()
		m.hearsNothing("db-0 is not open")
		must(t, g.Open("db-1", time.Minute))
		m.hearsNothing("another slot is open")
		must(t, g.Open("db-0", time.Minute))
		m.hears("db-0 is open")
		must(t, g.Shut("db-0"))
		m.hearsNothing("db-0 is shut")
		must(t, g.Shut("db-0"))
	})
}

func TestARestartedKeeperTakesItsGateOver(t *testing.T) {
	onAMachine(t, func(m *machine) {
		first, err := New(m.dir)
		must(t, err)
		must(t, first.Open("db-0", time.Minute))
		m.serve()
		m.hears("open")
		second, err := New(m.dir)
		must(t, err)
		m.hears("what was open stays open")
		must(t, second.Open("db-1", time.Minute))
		m.hears("also when another slot is the first one that is renewed")
		must(t, second.Open("db-0", 300*time.Millisecond))
		time.Sleep(500 * time.Millisecond)
		m.hearsNothing("the newer word holds, also when it is the shorter one")
		must(t, second.Remove())
		m.hears("there is no gate any more")
	})
}

func TestAGateIsMadeAgainAfterSomebodyFlushedAllRules(t *testing.T) {
	onAMachine(t, func(m *machine) {
		g, err := New(m.dir)
		must(t, err)
		must(t, g.Open("db-0", time.Minute))
		m.serve()
		m.hears("open")
		c, err := nftables.New()
		must(t, err)
		theirs := c.AddTable(&nftables.Table{Family: nftables.TableFamilyINet, Name: "theirs"})
		must(t, c.Flush())
		c.FlushRuleset()
		must(t, c.Flush())
		c.AddTable(theirs)
		must(t, c.Flush())
		must(t, g.Open("db-0", time.Minute)) // the next lease
		m.hears("open again")
		must(t, g.Shut("db-0"))
		m.hearsNothing("shut")
		must(t, g.Remove())
		left, err := c.ListTables()
		must(t, err)
		if len(left) != 1 || left[0].Name != "theirs" {
			t.Errorf("got %+v, want the table of others alone", left)
		}
	})
}

// The first slot that is renewed brings the rule back, with a set that knows nothing:
// the other slots must not be cut off until it is their turn.
func TestAfterAFlushASlotThatWasOpenIsOpenWithTheFirstOne(t *testing.T) {
	for how, touch := range map[string]func(Gate) error{
		"another slot is renewed": func(g Gate) error { return g.Open("db-1", time.Minute) },
		"another slot is shut":    func(g Gate) error { return g.Shut("db-1") },
	} {
		t.Run(how, func(t *testing.T) {
			onAMachine(t, func(m *machine) {
				g, err := New(m.dir)
				must(t, err)
				must(t, g.Open("db-0", time.Minute))
				must(t, g.Open("db-1", time.Minute))
				m.serve()
				m.hears("open")
				c, err := nftables.New()
				must(t, err)
				c.FlushRuleset()
				must(t, c.Flush())
				must(t, touch(g))
				m.hears("its own lease was not renewed yet")
				must(t, g.Shut("db-0"))
				m.hearsNothing("the rule is back")
			})
		})
	}
}

func TestACgroupOfTheSameNameIsAnotherOne(t *testing.T) {
	onAMachine(t, func(m *machine) {
		g, err := New(m.dir)
		must(t, err)
		must(t, g.Open("db-0", time.Minute))
		must(t, os.Remove(filepath.Join(m.dir, "db-0")))
		m.serve()
		m.hearsNothing("the cgroup was made anew")
		must(t, g.Open("db-0", time.Minute))
		m.hears("opened for the new one")
	})
}

func TestAGateNeedsACgroupOfVersion2(t *testing.T) {
	if _, err := New(t.TempDir()); !errors.Is(err, ErrNoCgroup) {
		t.Errorf("got %v, want that it needs a cgroup", err)
	}
}
