//go:build real && linux

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
	"testing"
	"time"

	"moonwatch/failover/driver"
	"moonwatch/internal/testbed"
	"moonwatch/member"
)

// manager is a real systemd, and a way to speak with it.
type manager struct {
	*testbed.Machine

	t *testing.T
}

// newManager starts systemd. It ends with the test, and with it everything that it
// started.
func newManager(t *testing.T) *manager {
	t.Helper()
	m := &manager{testbed.Boot(t, testbed.Options{}), t}
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
	must(m.t, os.WriteFile(m.Root+"/run/relay", self, 0o755))
	cmd := exec.Command("nsenter", "-t", strconv.Itoa(m.PID), "-m", "-p", "--", "/run/relay")
	cmd.Env = append(os.Environ(), relayed+"=/run/relay.sock")
	must(m.t, cmd.Start())
	m.t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	m.Wait("relay", func() bool { _, err := os.Stat(m.socket()); return err == nil })
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

// unit installs web@.service.
func (m *manager) unit(text string) {
	m.t.Helper()
	m.Unit("web@.service", "[Unit]\nDefaultDependencies=no\n"+text)
}

func (m *manager) socket() string { return m.Root + "/run/relay.sock" }

// drives opens a driver over a socket, the manager's own if it is empty.
func (m *manager) drives(socket string) *Driver {
	m.t.Helper()
	if socket == "" {
		socket = m.socket()
	}
	c := Default(func(s member.SlotID) string { return fmt.Sprintf("web@%s.service", s) })
	c.Address, c.Folder = "unix:path="+socket, m.Units()
	for i, g := range c.Groups {
		c.Groups[i] = m.Root + g
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
	address := filepath.Join(m.Root, "run/merging.sock")
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
