//go:build real

package haproxy

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"moonwatch/shield/conform"
)

const sample = "../../configs/haproxy/moonwatch.cfg"

// proxy is a HAProxy that runs the sample configuration in a folder of its own, in
// front of a service that answers everything.
type proxy struct {
	t          *testing.T
	dir        string
	front, tls string // where clients ask
	cmd        *exec.Cmd
	log        bytes.Buffer
}

var proxies atomic.Int64

func newProxy(t *testing.T) *proxy {
	t.Helper()
	p := unstarted(t)
	p.start()
	return p
}

func unstarted(t *testing.T, changes ...string) *proxy {
	t.Helper()
	if _, err := exec.LookPath("haproxy"); err != nil {
		t.Skip("haproxy is not installed")
	}
	dir, err := os.MkdirTemp("", "mwhap") //nolint:usetesting // t.TempDir is too long a path for a socket
	must(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	service := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "ok") }))
	t.Cleanup(service.Close)
	text, err := os.ReadFile(sample)
	must(t, err)
	p := &proxy{t: t, dir: dir, front: freeAddress(t), tls: freeAddress(t)}
	certify(t, filepath.Join(dir, "site.pem"))
	changes = append(changes,
		"/run/haproxy/", dir+"/", "/var/lib/haproxy/", dir+"/", "/etc/haproxy/", dir+"/", "bind :80", "bind "+p.front, "bind :443", "bind "+p.tls,
		"192.0.2.1:8080", service.Listener.Addr().String(), "abns@moonwatch-https", fmt.Sprintf("abns@moonwatch-%d-%d", os.Getpid(), proxies.Add(1)))
	must(t, os.WriteFile(p.config(), []byte(strings.NewReplacer(changes...).Replace(string(text))), 0o600))
	must(t, os.WriteFile(p.marks(), nil, 0o600))
	return p
}

func (p *proxy) config() string { return filepath.Join(p.dir, "moonwatch.cfg") }
func (p *proxy) socket() string { return filepath.Join(p.dir, "admin.sock") }
func (p *proxy) marks() string  { return filepath.Join(p.dir, "moonwatch.map") }

// start runs HAProxy as a service manager does: a master and its worker.
func (p *proxy) start() {
	p.t.Helper()
	p.cmd = exec.Command("haproxy", "-Ws", "-f", p.config())
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
	before, sent := infoOf(p.raw("show info"), "Pid"), time.Time{}
	p.wait(func() bool {
		if time.Since(sent) > 3*time.Second {
			sent = time.Now()
			must(p.t, p.cmd.Process.Signal(syscall.SIGUSR2))
		}
		now := infoOf(p.raw("show info"), "Pid")
		return now != "" && now != before
	})
}

func (p *proxy) wait(until func() bool) {
	p.t.Helper()
	for end := time.Now().Add(time.Minute); !until(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(end) {
			p.t.Fatalf("haproxy does not come:\n%s", p.log.String())
		}
	}
}

// raw asks without the door; a HAProxy that is gone says nothing.
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

// held is what the map says of a host; empty: nothing.
func (p *proxy) held(host string) string {
	holds, _, err := parseMap(p.raw("show map " + p.marks()))
	if err != nil {
		return ""
	}
	return holds[host]
}

// door opens the door of this HAProxy.
func (p *proxy) door(change func(*Config)) *Door {
	p.t.Helper()
	c := Config{Socket: p.socket(), Frontend: "www", Backends: []string{"web"}, Map: p.marks(), Salt: conform.Salt, AnswerWithin: 5 * time.Second}
	if change != nil {
		change(&c)
	}
	d, err := Open(c)
	must(p.t, err)
	p.t.Cleanup(d.Close)
	return d
}

// certify writes a key and a certificate of its own.
func certify(t *testing.T, path string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	must(t, err)
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), DNSNames: []string{"*.tenants.example"},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	cert, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	must(t, err)
	secret, err := x509.MarshalPKCS8PrivateKey(key)
	must(t, err)
	text := append(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: cert}), pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: secret})...)
	must(t, os.WriteFile(path, text, 0o600))
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
