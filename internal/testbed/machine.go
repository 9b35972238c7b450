//go:build real && linux

package testbed

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Machine is namespaces with a real systemd as PID 1.
type Machine struct {
	PID  int    // of systemd, as seen from here
	Root string // of its files, as seen from here

	t     testing.TB
	power *exec.Cmd
	log   bytes.Buffer
}

// Options are what a machine has beside its systemd.
type Options struct {
	Network bool     // one of its own, with nothing in it yet
	Keep    []string // folders of this machine that it shares, at the same paths
}

// inside runs in the new namespaces before systemd does. It takes everything of
// this machine away that could be written to, but for what is kept, and does not go on
// if it can still write: a systemd that boots clears temporary folders and writes to
// /etc and /var.
const inside = `set -e
mount --make-rprivate /
mount -t tmpfs tmpfs /run
n=0
for kept; do n=$((n+1)); mkdir -p /run/kept/$n; mount --bind "$kept" /run/kept/$n; done
for place in /tmp /var /root /home /srv /opt /mnt; do mount -t tmpfs tmpfs $place; done
n=0
for kept; do n=$((n+1)); mkdir -p "$kept"; mount --bind /run/kept/$n "$kept"; umount /run/kept/$n; done
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
script=$2 flags=$3; shift 3
exec unshare $flags -C -m -p -u -i -f --mount-proc --kill-child sh -c "$script" inside "$@"`

// Boot starts a machine in control groups of its own. It ends with the test, and with
// it everything that it started. It skips the test where no systemd can run.
func Boot(t testing.TB, o Options) *Machine {
	t.Helper()
	for _, needed := range []string{"/sys/fs/cgroup", "/usr/lib/systemd/systemd", "/usr/bin/unshare", "/usr/bin/systemctl"} {
		if _, err := os.Stat(needed); err != nil {
			t.Skipf("a systemd of our own cannot run here: %v", err)
		}
	}
	if os.Getuid() != 0 {
		t.Skip("a systemd of our own cannot run here: not root")
	}
	group, flags := fmt.Sprintf("moonwatch-test-%d-%d", os.Getpid(), time.Now().UnixNano()), ""
	if o.Network {
		flags = "-n"
	}
	m := &Machine{t: t}
	m.power = exec.Command("sh", append([]string{"-c", join, "sh", group, inside, flags}, o.Keep...)...) //nolint:noctx // Off ends it
	m.power.Stdout, m.power.Stderr = &m.log, &m.log
	m.power.WaitDelay = time.Second
	m.power.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := m.power.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		m.Off()
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
	m.Wait("systemd", func() bool {
		pid := m.power.Process.Pid
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", pid, pid))
		if err != nil {
			return false
		}
		m.PID, _ = strconv.Atoi(strings.TrimSpace(string(text)))
		m.Root = fmt.Sprintf("/proc/%d/root", m.PID)
		return m.PID != 0 && strings.TrimSpace(m.Run("systemctl", "is-system-running")) == "running"
	})
	return m
}

// Off ends the machine as a loss of power does.
func (m *Machine) Off() {
	_ = m.power.Process.Kill() // its child dies with it, and all others with that one
	_ = m.power.Wait()
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

// Wait waits for something that this machine does.
func (m *Machine) Wait(what string, until func() bool) {
	m.t.Helper()
	for end := time.Now().Add(time.Minute); !until(); time.Sleep(30 * time.Millisecond) {
		if time.Now().After(end) {
			m.t.Fatalf("%s does not come:\n%s", what, m.log.String())
		}
	}
}

// Run runs a program beside systemd and gives what it prints; it may fail.
func (m *Machine) Run(argv ...string) string {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	out, _ := exec.CommandContext(ctx, "nsenter", append([]string{"-t", strconv.Itoa(m.PID), "-m", "-p", "-C", "-n", "--"}, argv...)...).CombinedOutput()
	return string(out)
}

// Units is the folder in which units of this boot stand, as seen from here.
func (m *Machine) Units() string { return m.Root + "/run/systemd/system" }

// Unit installs a unit, or a drop-in of one. It should depend on nothing
// (DefaultDependencies=no): what a unit depends on by default boots a machine.
func (m *Machine) Unit(name, text string) {
	m.t.Helper()
	path := filepath.Join(m.Units(), name)
	err := os.MkdirAll(filepath.Dir(path), 0o755)
	if err == nil {
		err = os.WriteFile(path, []byte(text), 0o644)
	}
	if err != nil {
		m.t.Fatal(err)
	}
	m.Run("systemctl", "daemon-reload")
}

// Show is one property of a unit, as systemctl has it.
func (m *Machine) Show(unit, property string) string {
	return strings.TrimSpace(m.Run("systemctl", "show", "-P", property, unit))
}
