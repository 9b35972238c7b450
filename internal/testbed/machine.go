//go:build real && linux

package testbed

import (
	"bytes"
	"context"
	"fmt"
	"io"
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
	group string // of control groups, in each hierarchy
	power *exec.Cmd
	cord  io.Closer // as long as it is open, the machine runs
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
// makes is below them. Before that it leaves a guard behind. That one waits for the
// end of its standard input, which comes with the end of whoever holds the other end,
// however that one ends; then it switches the machine off, and clears its control
// groups away as soon as they are empty.
const join = `guard() {
	cat > /dev/null
	read -r _ _ _ parent _ < /proc/self/stat
	test "$parent" = $$ && kill -KILL $$ # else it has ended, and its number may be somebody else's
	n=0
	while n=$((n+1)); test $n -le 600; do
		left=
		for g in /sys/fs/cgroup/$1 /sys/fs/cgroup/*/$1; do
			test -d $g || continue
			find $g -depth -type d -exec rmdir {} +
			test -d $g && left=$g
		done
		test "$left" || exit 0
		sleep 0.1
	done
}
exec 3<&0 < /dev/null # what runs in the background is given no standard input but by another number
guard $1 <&3 3<&- > /dev/null 2>&1 &
exec 3<&-
for g in /sys/fs/cgroup /sys/fs/cgroup/*; do
	if test -L $g || ! test -e $g/cgroup.procs; then continue; fi
	mkdir $g/$1 && { echo $$ > $g/$1/cgroup.procs || rmdir $g/$1; }
done 2>/dev/null
script=$2 flags=$3; shift 3
exec unshare $flags -C -m -p -u -i -f --mount-proc --kill-child sh -c "$script" inside "$@"`

// Boot starts a machine in control groups of its own. It ends with the test, and with
// it everything that it started, also if the test's process is killed. It skips the
// test where no systemd can run.
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
	m, flags := &Machine{t: t, group: fmt.Sprintf("moonwatch-test-%d-%d", os.Getpid(), time.Now().UnixNano())}, ""
	if o.Network {
		flags = "-n"
	}
	m.power = exec.Command("sh", append([]string{"-c", join, "sh", m.group, inside, flags}, o.Keep...)...) //nolint:noctx // Off ends it
	m.power.Stdout, m.power.Stderr = &m.log, &m.log
	m.power.WaitDelay = time.Second
	m.power.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	cord, err := m.power.StdinPipe()
	if err == nil {
		err = m.power.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	m.cord = cord
	t.Cleanup(func() {
		m.Off()
		m.Wait("the end of "+m.group, func() bool { return len(groups(m.group)) == 0 })
		if t.Failed() {
			said := m.log.String()
			t.Logf("systemd said at last:\n%s", said[max(0, len(said)-3000):])
		}
	})
	m.Wait("systemd", func() bool {
		m.PID = m.systemd()
		m.Root = fmt.Sprintf("/proc/%d/root", m.PID)
		return m.PID != 0 && strings.TrimSpace(m.Run("systemctl", "is-system-running")) == "running"
	})
	return m
}

// systemd is the child of unshare, which has a guard as its child as well.
func (m *Machine) systemd() int {
	pid := m.power.Process.Pid
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", pid, pid))
	if err != nil {
		return 0
	}
	for child := range strings.FieldsSeq(string(text)) {
		own, err := os.Readlink("/proc/" + child + "/ns/pid")
		ours, failed := os.Readlink("/proc/self/ns/pid")
		if err == nil && failed == nil && own != ours {
			n, _ := strconv.Atoi(child)
			return n
		}
	}
	return 0
}

// Off ends the machine as a loss of power does.
func (m *Machine) Off() {
	_ = m.cord.Close() // its guard kills it, its child dies with it, and all others with that one
	_ = m.power.Wait() // it was killed
}

// groups are a machine's control groups, one in each hierarchy.
func groups(name string) []string {
	var all []string
	for _, at := range []string{"/sys/fs/cgroup/", "/sys/fs/cgroup/*/"} {
		found, _ := filepath.Glob(at + name) // the pattern is a good one
		all = append(all, found...)
	}
	return all
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
