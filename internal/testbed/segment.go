//go:build real && linux

package testbed

import (
	"context"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Segment is machines on one Ethernet: network namespaces behind a bridge, which has
// one of its own.
type Segment struct {
	t     testing.TB
	hosts map[string]int // a process in each
}

// Switch is the name under which programs run where the bridge is.
const Switch = "switch"

// Port is the port of the bridge that a machine is plugged into.
func Port(name string) string { return "to-" + name }

// NewSegment makes one without machines. It skips the test where that is not possible.
func NewSegment(t testing.TB) *Segment {
	t.Helper()
	for _, needed := range []string{"nsenter", "ip", "cat"} {
		if _, err := exec.LookPath(needed); err != nil || os.Getuid() != 0 {
			t.Skipf("machines in network namespaces need %s and root", needed)
		}
	}
	s := &Segment{t: t, hosts: map[string]int{}}
	s.hold(Switch)
	s.Run(Switch, "ip", "link", "add", "br0", "type", "bridge")
	s.Run(Switch, "ip", "link", "set", "br0", "up")
	return s
}

// hold makes a namespace. Whoever holds it ends with its standard input, however this
// program ends.
func (s *Segment) hold(name string) {
	s.t.Helper()
	c := exec.Command("cat") //nolint:noctx // it ends with its standard input
	c.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET}
	in, err := c.StdinPipe()
	if err == nil {
		err = c.Start()
	}
	if err != nil {
		s.t.Skipf("no network namespace can be made here: %v", err)
	}
	s.hosts[name] = c.Process.Pid
	s.t.Cleanup(func() { _ = in.Close(); _ = c.Wait() })
}

// Host adds a machine with some addresses, as in 192.0.2.7/24.
func (s *Segment) Host(name string, addresses ...string) {
	s.t.Helper()
	s.hold(name)
	s.join(name, addresses)
}

// Join adds a machine that is there already, by a process in its network namespace.
func (s *Segment) Join(name string, pid int, addresses ...string) {
	s.t.Helper()
	s.hosts[name] = pid
	s.join(name, addresses)
}

func (s *Segment) join(name string, addresses []string) {
	s.t.Helper()
	s.Run(Switch, "ip", "link", "add", Port(name), "type", "veth", "peer", "name", "eth0", "netns", strconv.Itoa(s.hosts[name]))
	s.Run(Switch, "ip", "link", "set", Port(name), "master", "br0", "up")
	s.Run(name, "ip", "link", "set", "lo", "up")
	s.Run(name, "ip", "link", "set", "eth0", "up")
	for _, a := range addresses {
		args := []string{"ip", "addr", "add", a, "dev", "eth0"}
		if strings.Contains(a, ":") {
			args = append(args, "nodad") // nobody else is here, and nobody waits for that to be found out
		}
		s.Run(name, args...)
	}
}

// Plug puts a machine's cable in, or pulls it.
func (s *Segment) Plug(name string, in bool) {
	s.t.Helper()
	s.Run(Switch, "ip", "link", "set", Port(name), map[bool]string{true: "up", false: "down"}[in])
}

// On is how a program runs in a machine's network, in place of the one that is started.
func (s *Segment) On(name string, argv ...string) []string {
	return append([]string{"nsenter", "-t", strconv.Itoa(s.hosts[name]), "-n", "--"}, argv...)
}

// Run runs a program in a machine's network and gives what it prints. It has to succeed.
func (s *Segment) Run(name string, argv ...string) string {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	argv = s.On(name, argv...)
	out, err := exec.CommandContext(ctx, argv[0], argv[1:]...).CombinedOutput()
	if err != nil {
		s.t.Fatalf("%s: %q: %v: %s", name, argv, err, out)
	}
	return string(out)
}

// MAC is a machine's own Ethernet address.
func (s *Segment) MAC(name string) string {
	s.t.Helper()
	fields := strings.Fields(s.Run(name, "ip", "-o", "link", "show", "eth0"))
	for i, f := range fields {
		if f == "link/ether" {
			return fields[i+1]
		}
	}
	s.t.Fatalf("%s has no Ethernet address: %q", name, fields)
	return ""
}

// Has reports whether a machine has an address.
func (s *Segment) Has(name, address string) bool {
	s.t.Helper()
	return s.Run(name, "ip", "-o", "addr", "show", "to", address) != ""
}
