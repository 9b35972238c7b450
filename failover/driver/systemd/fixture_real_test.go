//go:build real

package systemd

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"moonwatch/failover/driver"
	"moonwatch/member"
)

// manager is a real systemd, PID 1 of namespaces of its own.
type manager struct {
	t    *testing.T
	pid  int
	root string // as seen from here
	log  bytes.Buffer
}

// inside runs in the new namespaces before systemd does. It takes everything of
// this machine away that could be written to, and does not go on if it can still
// write: a systemd that boots clears temporary folders and writes to /etc and /var.
const inside = `set -e
mount --make-rprivate /
for place in /run /tmp /var /root /home /srv /opt /mnt; do mount -t tmpfs tmpfs $place; done
mount -t tmpfs tmpfs /sys/fs/cgroup
mount -o bind,ro /proc/sys /proc/sys
mount -o remount,bind,ro /dev
mount -o remount,bind,ro /
for place in / /etc /usr /dev; do
	if touch $place/moonwatch-test 2>/dev/null; then echo "$place can be written to"; exit 9; fi
done
mkdir -p /run/systemd/system
printf '[Unit]\nDefaultDependencies=no\n' > /run/systemd/system/moonwatch-test.target
export container=moonwatch
exec /usr/lib/systemd/systemd --system --unit=moonwatch-test.target --log-target=console --show-status=no`

// join moves a shell into a control group of its own in each hierarchy, so that
// the namespace that it makes next begins there: what its systemd mounts and
// makes is below them.
const join = `for g in /sys/fs/cgroup /sys/fs/cgroup/*; do
	if test -L $g || ! test -e $g/cgroup.procs; then continue; fi
	mkdir $g/$1 && { echo $$ > $g/$1/cgroup.procs || rmdir $g/$1; }
done 2>/dev/null
exec unshare -C -m -p -u -i -n -f --mount-proc --kill-child sh -c "$2"`

// newManager starts systemd in control groups of its own. It ends with the test,
// and with it everything that it started.
func newManager(t *testing.T) *manager {
	t.Helper()
	for _, needed := range []string{"/sys/fs/cgroup", "/usr/lib/systemd/systemd", "/usr/bin/unshare", "/usr/bin/systemctl"} {
		if _, err := os.Stat(needed); err != nil {
			t.Skipf("a systemd of our own cannot run here: %v", err)
		}
	}
	if os.Getuid() != 0 {
		t.Skip("a systemd of our own cannot run here: not root")
	}
	group := fmt.Sprintf("moonwatch-test-%d-%d", os.Getpid(), time.Now().UnixNano())
	m := &manager{t: t}
	cmd := exec.Command("sh", "-c", join, "sh", group, inside)
	cmd.Stdout, cmd.Stderr = &m.log, &m.log
	cmd.WaitDelay = time.Second
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	must(t, cmd.Start())
	t.Cleanup(func() {
		_ = cmd.Process.Kill() // its child dies with it, and all others with that one
		_ = cmd.Wait()
		made, _ := filepath.Glob("/sys/fs/cgroup/*/" + group)
		for _, g := range append(made, "/sys/fs/cgroup/"+group) {
			for end := time.Now().Add(5 * time.Second); !removed(g) && time.Now().Before(end); {
				time.Sleep(20 * time.Millisecond)
			}
		}
		if t.Failed() {
			said := m.log.String()
			t.Logf("systemd said at last:\n%s", said[max(0, len(said)-3000):])
		}
	})
	m.wait("systemd", func() bool {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", cmd.Process.Pid, cmd.Process.Pid))
		if err != nil {
			return false
		}
		m.pid, _ = strconv.Atoi(strings.TrimSpace(string(text)))
		m.root = fmt.Sprintf("/proc/%d/root", m.pid)
		return m.pid != 0 && strings.TrimSpace(m.run("systemctl", "is-system-running")) == "running"
	})
	m.relay()
	return m
}

// relayed is set where this program is to relay and to test nothing.
const relayed = "MOONWATCH_TEST_RELAY"

// relay lets us speak with systemd: it takes no word of a process that it cannot
// see, and we are outside of its namespaces. So this program runs once more inside
// and hands all bytes on.
func (m *manager) relay() {
	m.t.Helper()
	self, err := os.ReadFile("/proc/self/exe")
	must(m.t, err)
	must(m.t, os.WriteFile(m.root+"/run/relay", self, 0o755))
	cmd := exec.Command("nsenter", "-t", strconv.Itoa(m.pid), "-m", "-p", "--", "/run/relay")
	cmd.Env = append(os.Environ(), relayed+"=/run/relay.sock")
	must(m.t, cmd.Start())
	m.t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	m.wait("relay", func() bool { _, err := os.Stat(m.socket()); return err == nil })
}

func relay(socket string) error {
	l, err := net.Listen("unix", socket)
	if err != nil {
		return err
	}
	for {
		from, err := l.Accept()
		if err != nil {
			return err
		}
		go func() {
			defer from.Close()
			to, err := net.Dial("unix", "/run/systemd/private")
			if err != nil {
				return
			}
			defer to.Close()
			go func() { _, _ = io.Copy(to, from); to.Close() }()
			_, _ = io.Copy(from, to)
		}()
	}
}

// removed clears a control group and those below it, which have to be empty.
func removed(group string) bool {
	var all []string
	_ = filepath.WalkDir(group, func(path string, e os.DirEntry, err error) error {
		if err == nil && e.IsDir() {
			all = append(all, path)
		}
		return nil
	})
	for i := len(all) - 1; i >= 0; i-- {
		_ = os.Remove(all[i])
	}
	_, err := os.Stat(group)
	return err != nil
}

func (m *manager) wait(what string, until func() bool) {
	m.t.Helper()
	for end := time.Now().Add(20 * time.Second); !until(); time.Sleep(30 * time.Millisecond) {
		if time.Now().After(end) {
			m.t.Fatalf("%s does not come:\n%s", what, m.log.String())
		}
	}
}

// run runs a program beside systemd.
func (m *manager) run(args ...string) string {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	out, _ := exec.CommandContext(ctx, "nsenter", append([]string{"-t", strconv.Itoa(m.pid), "-m", "-p", "-C", "--"}, args...)...).CombinedOutput()
	return string(out)
}

// unit installs web@.service. It depends on nothing: what a unit depends on by default
// boots a machine.
func (m *manager) unit(text string) {
	m.t.Helper()
	must(m.t, os.WriteFile(filepath.Join(m.folder(), "web@.service"), []byte("[Unit]\nDefaultDependencies=no\n"+text), 0o644))
	m.run("systemctl", "daemon-reload")
}

func (m *manager) folder() string { return m.root + "/run/systemd/system" }
func (m *manager) socket() string { return m.root + "/run/relay.sock" }

// show is one property as systemctl has it.
func (m *manager) show(unit, property string) string {
	return strings.TrimSpace(m.run("systemctl", "show", "-P", property, unit))
}

// drives opens a driver over a socket, the manager's own if it is empty.
func (m *manager) drives(socket string) *Driver {
	m.t.Helper()
	if socket == "" {
		socket = m.socket()
	}
	c := Default(func(s member.SlotID) string { return fmt.Sprintf("web@%s.service", s) })
	c.Address, c.Folder = "unix:path="+socket, m.folder()
	for i, g := range c.Groups {
		c.Groups[i] = m.root + g
	}
	d, err := New(c)
	must(m.t, err)
	return d
}

// merging opens a driver whose connections hand the end of a handshake on
// together with what follows it, and counts them.
func (m *manager) merging() (*Driver, *atomic.Int64) {
	m.t.Helper()
	const last = "BEGIN\r\n"
	var merged atomic.Int64
	var carrying sync.WaitGroup
	address := filepath.Join(m.root, "run/merging.sock")
	listener, err := (&net.ListenConfig{}).Listen(m.t.Context(), "unix", address)
	must(m.t, err)
	m.t.Cleanup(func() { _ = listener.Close(); carrying.Wait() })
	carry := func(from net.Conn) {
		defer from.Close()
		to, err := (&net.Dialer{}).DialContext(m.t.Context(), "unix", m.socket())
		if err != nil {
			return
		}
		carrying.Go(func() { _, _ = io.Copy(from, to); _ = from.Close() })
		defer to.Close()
		buf := make([]byte, 64<<10)
		for held := 0; ; {
			n, err := from.Read(buf[held:])
			if err != nil {
				return
			}
			if held += n; string(buf[:held]) == last {
				continue
			}
			if bytes.HasPrefix(buf[:held], []byte(last)) {
				merged.Add(1)
			}
			if _, err := to.Write(buf[:held]); err != nil {
				return
			}
			held = 0
		}
	}
	carrying.Go(func() {
		for {
			from, err := listener.Accept()
			if err != nil {
				return
			}
			carrying.Go(func() { carry(from) })
		}
	})
	return m.drives(address), &merged
}

const sleeper = `[Service]
ExecStart=/bin/sleep infinity
`

func request(step string, who member.ID, epoch member.SlotEpoch) driver.Request {
	return driver.Request{
		Case: "C-12", Step: step, Attempt: 1, Member: who, Pool: "web", Slot: "web-0", SlotEpoch: epoch,
		Deadline: time.Now().Add(20 * time.Second),
	}
}

func does(t *testing.T, d driver.Driver, req driver.Request) {
	t.Helper()
	wants(t, d.Apply(context.Background(), req), driver.Done)
}

func wants(t *testing.T, got driver.Result, want driver.Outcome, says ...string) {
	t.Helper()
	if got.Outcome != want {
		t.Errorf("got %v (%s), want %v", got.Outcome, got.Detail, want)
	}
	for _, text := range says {
		if !strings.Contains(got.Detail, text) {
			t.Errorf("%v is explained by %q, want %q in it", got.Outcome, got.Detail, text)
		}
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
