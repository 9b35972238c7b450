//go:build real

package testbed

import (
	"bytes"
	"context"
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
)

// Process is a server that people run, with its children, in a folder of its own.
type Process struct {
	Dir string // short enough for the path of a socket

	t       testing.TB
	program string
	args    []string
	cmd     *exec.Cmd // nil: it does not run
	log     bytes.Buffer
}

// Folder prepares a process that is not started yet. The test is skipped where the program
// is not installed.
func Folder(t testing.TB, program string) *Process {
	t.Helper()
	if _, err := exec.LookPath(program); err != nil {
		t.Skipf("%s is not installed", program)
	}
	dir, err := os.MkdirTemp("", "mw") //nolint:usetesting // t.TempDir is too long a path for a socket
	must(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return &Process{Dir: dir, t: t, program: program}
}

// Path of a file in the folder.
func (p *Process) Path(name string) string { return filepath.Join(p.Dir, name) }

// Write writes a file into the folder, changed by pairs of old and new, and gives its path.
func (p *Process) Write(name, text string, changes ...string) string {
	p.t.Helper()
	must(p.t, os.WriteFile(p.Path(name), []byte(strings.NewReplacer(changes...).Replace(text)), 0o600))
	return p.Path(name)
}

// Start runs the program, and waits until it is ready. Its end, and what it said if the
// test failed, come with the test's.
func (p *Process) Start(ready func() bool, args ...string) {
	p.t.Helper()
	if len(args) > 0 {
		p.args = args
	}
	p.cmd = exec.CommandContext(context.Background(), p.program, p.args...)
	p.cmd.Stdout, p.cmd.Stderr = &p.log, &p.log
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	must(p.t, p.cmd.Start())
	cmd := p.cmd
	p.t.Cleanup(func() {
		if p.cmd == cmd {
			p.Kill()
		}
		if p.t.Failed() {
			said := p.log.String()
			p.t.Logf("%s said at last:\n%s", p.program, said[max(0, len(said)-2000):])
		}
	})
	p.Until("it is ready", ready)
}

// PID of the process that was started, as a service manager knows it.
func (p *Process) PID() int { return p.cmd.Process.Pid }

// Kill ends it and its children at once.
func (p *Process) Kill() {
	if p.cmd == nil {
		return
	}
	_ = syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL)
	_ = p.cmd.Wait()
	p.cmd = nil
}

// Signal sends a signal to the process that was started.
func (p *Process) Signal(s os.Signal) {
	p.t.Helper()
	must(p.t, p.cmd.Process.Signal(s))
}

// Until waits for what has to come.
func (p *Process) Until(what string, done func() bool) {
	p.t.Helper()
	for end := time.Now().Add(time.Minute); !done(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			p.t.Fatalf("%s: not within a minute: %s\n%s", p.program, what, p.log.String())
		}
	}
}

// FreeAddress is one of this machine at which nobody listens.
func FreeAddress(t testing.TB) string {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	must(t, err)
	defer l.Close()
	return l.Addr().String()
}

// Listens reports whether somebody does.
func Listens(address string) bool {
	c, err := new(net.Dialer).DialContext(context.Background(), "tcp", address)
	if err == nil {
		c.Close()
	}
	return err == nil
}

// HAProxy is one with a configuration in its folder, run as a service manager does: a
// master and its worker. Its admin socket is admin.sock.
type HAProxy struct {
	*Process
	Front string // where clients ask
}

// NewHAProxy prepares one with the configuration of a file, changed by pairs of old and
// new; port 80 and the system's folders become the test's own. It is not started.
func NewHAProxy(t testing.TB, file string, changes ...string) *HAProxy {
	t.Helper()
	p := &HAProxy{Process: Folder(t, "haproxy"), Front: FreeAddress(t)}
	text, err := os.ReadFile(file)
	must(t, err)
	own := p.Dir + "/"
	changes = append(changes, "/run/haproxy/", own, "/var/lib/haproxy/", own, "/etc/haproxy/", own, "bind :80", "bind "+p.Front)
	p.Write("haproxy.cfg", string(text), changes...)
	return p
}

// Config is the path of its configuration.
func (p *HAProxy) Config() string { return p.Path("haproxy.cfg") }

// Socket is the path of its admin socket.
func (p *HAProxy) Socket() string { return p.Path("admin.sock") }

// Start runs it, also after a Kill.
func (p *HAProxy) Start() {
	p.t.Helper()
	p.Process.Start(func() bool { return p.Ask("show info") != "" }, "-Ws", "-f", p.Config())
}

// Reload lets a new worker take over, and waits for it. A worker answers before its
// master has come back from executing itself anew, and a signal in between is lost:
// then it is sent again.
func (p *HAProxy) Reload() {
	p.t.Helper()
	before, sent := p.Worker(), time.Time{}
	p.Until("another worker answers", func() bool {
		if time.Since(sent) > 3*time.Second {
			sent = time.Now()
			p.Signal(syscall.SIGUSR2)
		}
		now := p.Worker()
		return now != "" && now != before
	})
}

// Worker is the process that answers; empty: none does.
func (p *HAProxy) Worker() string {
	_, after, _ := strings.Cut(p.Ask("show info"), "\nPid: ")
	pid, _, _ := strings.Cut(after, "\n")
	return pid
}

// Ask gives a command to the admin socket; one that is gone says nothing.
func (p *HAProxy) Ask(command string) string {
	conn, err := new(net.Dialer).DialContext(context.Background(), "unix", p.Socket())
	if err != nil {
		return ""
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(5 * time.Second))
	fmt.Fprintln(conn, command)
	answer, _ := io.ReadAll(conn)
	return string(answer)
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
