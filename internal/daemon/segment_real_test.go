//go:build real && linux

package daemon

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// segment is machines on one Ethernet: network namespaces behind a bridge, which has
// one of its own. Nothing of them is in this machine's own network, and all ends with
// the processes that hold them.
type segment struct {
	t     *testing.T
	hosts map[string]int // the process that holds each
}

const ethernet = "switch"

func newSegment(t *testing.T) *segment {
	t.Helper()
	for _, needed := range []string{"nsenter", "ip"} {
		if _, err := exec.LookPath(needed); err != nil || os.Getuid() != 0 {
			t.Skipf("machines in network namespaces need %s and root", needed)
		}
	}
	s := &segment{t: t, hosts: map[string]int{}}
	s.hold(ethernet)
	s.run(ethernet, "ip", "link", "add", "br0", "type", "bridge")
	s.run(ethernet, "ip", "link", "set", "br0", "up")
	return s
}

// hold makes a namespace. Whoever holds it ends with its standard input, however this
// program ends.
func (s *segment) hold(name string) {
	s.t.Helper()
	argv := self("holder")
	c := exec.Command(argv[0], argv[1:]...)
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

// host adds a machine with some addresses.
func (s *segment) host(name string, addresses ...string) {
	s.t.Helper()
	s.hold(name)
	s.run(ethernet, "ip", "link", "add", "to-"+name, "type", "veth", "peer", "name", "eth0", "netns", strconv.Itoa(s.hosts[name]))
	s.run(ethernet, "ip", "link", "set", "to-"+name, "master", "br0", "up")
	s.run(name, "ip", "link", "set", "lo", "up")
	s.run(name, "ip", "link", "set", "eth0", "up")
	for _, a := range addresses {
		args := []string{"ip", "addr", "add", a, "dev", "eth0"}
		if strings.Contains(a, ":") {
			args = append(args, "nodad") // nobody else is here, and nobody waits for that to be found out
		}
		s.run(name, args...)
	}
}

// plug puts a machine's cable in or pulls it.
func (s *segment) plug(name string, in bool) {
	s.t.Helper()
	s.run(ethernet, "ip", "link", "set", "to-"+name, map[bool]string{true: "up", false: "down"}[in])
}

// on is how a program runs on a machine, in place of the one that is started.
func (s *segment) on(name string, argv ...string) []string {
	return append([]string{"nsenter", "-t", strconv.Itoa(s.hosts[name]), "-n", "--"}, argv...)
}

// run runs a program on a machine and gives what it prints.
func (s *segment) run(name string, argv ...string) string {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	defer cancel()
	argv = s.on(name, argv...)
	out, err := exec.CommandContext(ctx, argv[0], argv[1:]...).CombinedOutput()
	if err != nil {
		s.t.Fatalf("%s: %q: %v: %s", name, argv, err, out)
	}
	return string(out)
}

// mac is a machine's own Ethernet address.
func (s *segment) mac(name string) string {
	s.t.Helper()
	fields := strings.Fields(s.run(name, "ip", "-o", "link", "show", "eth0"))
	for i, f := range fields {
		if f == "link/ether" {
			return fields[i+1]
		}
	}
	s.t.Fatalf("%s has no Ethernet address: %q", name, fields)
	return ""
}

// has reports whether a machine has an address.
func (s *segment) has(name, address string) bool {
	s.t.Helper()
	return s.run(name, "ip", "-o", "addr", "show", "to", address) != ""
}

// asMachine lets the test binary stand in for what runs on machines.
func asMachine(ctx context.Context, what string, args []string) error {
	switch what {
	case "holder":
		_, err := io.Copy(io.Discard, os.Stdin)
		return err
	case "web": // ADDRESS NAME
		s := &http.Server{Addr: args[0], Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, args[1]) })}
		go func() { <-ctx.Done(); s.Close() }()
		if err := s.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
			return err
		}
		return nil
	case "ask": // URL
		who, err := askOnce(args[0])
		fmt.Print(who)
		return err
	case "asker": // URL FILE: it writes down when it asked and who answered, "-" for nobody
		f, err := os.OpenFile(args[1], os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
		for ; err == nil && ctx.Err() == nil; time.Sleep(50 * time.Millisecond) {
			at := time.Now()
			who, err2 := askOnce(args[0])
			if err2 != nil {
				who = "-"
			}
			_, err = fmt.Fprintln(f, at.UnixNano(), who)
		}
		return err
	}
	return fmt.Errorf("nobody is %q", what)
}

// askOnce opens a connection of its own.
func askOnce(url string) (string, error) {
	client := &http.Client{Timeout: time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	r, err := client.Get(url)
	if err != nil {
		return "", err
	}
	defer r.Body.Close()
	b, err := io.ReadAll(r.Body)
	return string(b), err
}
