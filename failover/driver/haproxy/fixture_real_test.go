//go:build real

package haproxy

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"moonwatch/failover/driver"
	"moonwatch/member"
)

const sample = "../../../configs/haproxy/slots.cfg"

// proxy is a HAProxy that runs the sample configuration in a folder of its own.
type proxy struct {
	t      *testing.T
	dir    string
	front  string // where clients ask
	cmd    *exec.Cmd
	log    bytes.Buffer
	config string
}

// newProxy starts HAProxy with the sample's text, changed as said by pairs of
// old and new.
func newProxy(t *testing.T, changes ...string) *proxy {
	t.Helper()
	p := unstarted(t, changes...)
	p.start()
	return p
}

func unstarted(t *testing.T, changes ...string) *proxy {
	t.Helper()
	if _, err := exec.LookPath("haproxy"); err != nil {
		t.Skip("haproxy is not installed")
	}
	dir, err := os.MkdirTemp("", "hap") //nolint:usetesting // t.TempDir is too long a path for a socket
	must(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	text, err := os.ReadFile(sample)
	must(t, err)
	p := &proxy{t: t, dir: dir, front: freeAddress(t), config: filepath.Join(dir, "slots.cfg")}
	changes = append(changes, "/run/haproxy/", dir+"/", "/var/lib/haproxy/", dir+"/", "bind :80", "bind "+p.front)
	must(t, os.WriteFile(p.config, []byte(strings.NewReplacer(changes...).Replace(string(text))), 0o600))
	for _, empty := range []string{p.state(), p.marks()} {
		must(t, os.WriteFile(empty, nil, 0o600))
	}
	return p
}

func (p *proxy) socket() string { return filepath.Join(p.dir, "admin.sock") }
func (p *proxy) state() string  { return filepath.Join(p.dir, "slots.state") }

// marks is the map's file, which the configuration may have elsewhere.
func (p *proxy) marks() string {
	text, err := os.ReadFile(p.config)
	must(p.t, err)
	_, after, _ := strings.Cut(string(text), "srv_name,map(")
	path, _, _ := strings.Cut(after, ",")
	return path
}

func (p *proxy) instance(name string) Instance {
	return Instance{Name: name, Socket: p.socket(), StateFile: p.state()}
}

// start runs HAProxy as a service manager does: a master and its worker.
func (p *proxy) start() {
	p.t.Helper()
	p.cmd = exec.Command("haproxy", "-Ws", "-f", p.config)
	p.cmd.Stdout, p.cmd.Stderr = &p.log, &p.log
	p.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	must(p.t, p.cmd.Start())
	cmd := p.cmd
	p.t.Cleanup(func() {
		if p.cmd == cmd {
			p.kill()
		}
		if p.t.Failed() {
			said := p.log.String()
			p.t.Logf("haproxy said at last:\n%s", said[max(0, len(said)-2000):])
		}
	})
	p.wait(func() bool { return p.raw("show info") != "" })
}

// kill ends master and worker at once.
func (p *proxy) kill() {
	_ = syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL)
	_ = p.cmd.Wait()
	p.cmd = nil
}

// reload lets a new worker take over, and waits for it. A worker answers before its
// master has come back from executing itself anew, and a signal in between is lost:
// then it is sent again.
func (p *proxy) reload() {
	p.t.Helper()
	before, sent := p.pid(), time.Time{}
	p.wait(func() bool {
		if time.Since(sent) > 3*time.Second {
			sent = time.Now()
			must(p.t, p.cmd.Process.Signal(syscall.SIGUSR2))
		}
		now := p.pid()
		return now != "" && now != before
	})
}

func (p *proxy) pid() string {
	_, after, _ := strings.Cut(p.raw("show info"), "\nPid: ")
	pid, _, _ := strings.Cut(after, "\n")
	return pid
}

func (p *proxy) wait(until func() bool) {
	p.t.Helper()
	for end := time.Now().Add(time.Minute); !until(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			p.t.Fatalf("haproxy does not come:\n%s", p.log.String())
		}
	}
}

// raw asks without the driver; an instance that is gone says nothing.
func (p *proxy) raw(command string) string {
	conn, err := net.Dial("unix", p.socket())
	if err != nil {
		return ""
	}
	defer conn.Close()
	_ = conn.SetDeadline(time.Now().Add(5 * time.Second))
	_, _ = io.WriteString(conn, command+"\n")
	answer, _ := io.ReadAll(conn)
	return string(answer)
}

// slotState is how HAProxy treats a slot, without its name.
func (p *proxy) slotState(id member.SlotID) string {
	var says string
	for line := range strings.Lines(p.raw("show servers state web")) {
		if f := strings.Fields(line); len(f) > 18 && f[3] == string(id) {
			says = fmt.Sprintf("addr %s port %s admin %s ", f[4], f[18], f[6])
		}
	}
	for line := range strings.Lines(p.raw("show map " + p.marks())) {
		if f := strings.Fields(line); len(f) == 3 && f[1] == string(id) {
			says += "mark " + f[2]
		}
	}
	return says
}

// occupant is a member's service. Its crash refuses and breaks connections.
type occupant struct {
	*httptest.Server
	served atomic.Int64
}

func newOccupant(t *testing.T) *occupant {
	o := &occupant{}
	o.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/healthz" {
			o.served.Add(1)
		}
	}))
	t.Cleanup(o.crash)
	return o
}

func (o *occupant) crash() {
	o.Listener.Close()
	o.CloseClientConnections()
	o.Close()
}

func (o *occupant) addrPort() netip.AddrPort {
	return netip.MustParseAddrPort(o.Listener.Addr().String())
}

// addresses is a roster.
type addresses map[member.ID]netip.AddrPort

func (a addresses) of(id member.ID) (netip.AddrPort, bool) { at, ok := a[id]; return at, ok }

// drives opens a driver of some instances.
func drives(t *testing.T, p *proxy, at addresses, instances ...Instance) *Driver {
	t.Helper()
	d, err := New(Config{Instances: instances, Backend: "web", Map: p.marks(), Address: at.of, AnswerWithin: 5 * time.Second})
	must(t, err)
	return d
}

func request(step string, who member.ID, epoch member.SlotEpoch) driver.Request {
	return driver.Request{
		Case: "C-12", Step: step, Attempt: 1, Member: who, Pool: "web", Slot: "web-0", SlotEpoch: epoch,
		Deadline: time.Now().Add(20 * time.Second),
	}
}

// does applies a step that has to succeed.
func does(t *testing.T, d driver.Driver, req driver.Request) driver.Result {
	t.Helper()
	result := d.Apply(context.Background(), req)
	wants(t, result, driver.Done)
	return result
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

func freeAddress(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	defer l.Close()
	return l.Addr().String()
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
