//go:build real && linux

package testbed

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
)

// killed has the name of the test that is run in a process of its own, to be killed.
const killed = "MOONWATCH_TEST_KILLED"

// made begins the line on which that process says what it has made: process ids, and
// the name of control groups.
const made = "made: "

// TestWhoeverIsKilledLeavesNoMachineBehind kills the process of a test that has a
// machine and a segment, as a time-out or a person does.
func TestWhoeverIsKilledLeavesNoMachineBehind(t *testing.T) {
	if os.Getenv(killed) != "" {
		s := NewSegment(t)
		m := Boot(t, Options{Network: true})
		s.Join("booted", m.PID, "192.0.2.7/24")
		m.Unit("sleeper.service", "[Unit]\nDefaultDependencies=no\n[Service]\nExecStart=/bin/sleep 1d\n")
		m.Run("systemctl", "start", "sleeper")
		fmt.Printf("%s%d %d %s %s\n", made, m.PID, s.hosts[Switch], m.Show("sleeper", "MainPID"), m.group)
		time.Sleep(time.Minute)
		t.Fatal("nobody killed this process for a minute")
	}
	c := exec.Command("/proc/self/exe", "-test.run", "^"+t.Name()+"$", "-test.v", "-test.timeout", "5m")
	c.Env = append(os.Environ(), killed+"=1")
	c.Stderr = os.Stderr
	out, err := c.StdoutPipe()
	if err == nil {
		err = c.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Wait() }() // it was killed
	defer func() { _ = c.Process.Kill() }()
	said := ""
	for lines := bufio.NewScanner(out); lines.Scan(); {
		line := lines.Text()
		if why, skipped := strings.CutPrefix(strings.TrimSpace(line), "--- SKIP"); skipped {
			t.Skipf("no machine here: %s\n%s", why, said)
		}
		if said += line + "\n"; strings.HasPrefix(line, made) {
			break
		}
	}
	_, last, _ := strings.Cut(said, made)
	var systemd, holder, sleeper int
	var group string
	if n, err := fmt.Sscan(last, &systemd, &holder, &sleeper, &group); n != 4 {
		t.Fatalf("%v: it said:\n%s", err, said)
	}
	if sleeper == 0 || len(groups(group)) == 0 {
		t.Fatalf("nothing runs on the machine: %q, control groups %v", last, groups(group))
	}
	// Ids of processes may be given away again: what they are shows that they are gone.
	before := map[int]string{systemd: spaces(systemd), holder: spaces(holder)}
	if before[systemd] == "" || before[holder] == "" {
		t.Fatalf("not both run: %v", before)
	}
	if err := c.Process.Signal(syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	for end := time.Now().Add(30 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		left := groups(group)
		for pid, was := range before {
			if spaces(pid) == was {
				left = append(left, fmt.Sprintf("process %d in %s", pid, was))
			}
		}
		if len(left) == 0 {
			return
		}
		if time.Now().After(end) {
			t.Fatalf("30 s after its test was killed there are still %v", left)
		}
	}
}

// spaces are the network and process namespaces of a process; none where it has ended.
func spaces(pid int) string {
	net, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/net", pid))
	if err != nil {
		return ""
	}
	pids, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/pid", pid))
	if err != nil {
		return ""
	}
	return net + " " + pids
}
