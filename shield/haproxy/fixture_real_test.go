//go:build real

package haproxy

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"sync/atomic"
	"testing"
	"time"

	"moonwatch/internal/testbed"
	"moonwatch/shield/conform"
)

const sample = "../../configs/haproxy/moonwatch.cfg"

// proxy is a HAProxy that runs the sample configuration in front of a service that
// answers everything.
type proxy struct {
	*testbed.HAProxy
	t   *testing.T
	tls string // where clients ask over TLS
}

var proxies atomic.Int64

func newProxy(t *testing.T) *proxy {
	t.Helper()
	p := unstarted(t)
	p.Start()
	return p
}

func unstarted(t *testing.T, changes ...string) *proxy {
	t.Helper()
	service := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "ok") }))
	t.Cleanup(service.Close)
	p := &proxy{t: t, tls: testbed.FreeAddress(t)}
	p.HAProxy = testbed.NewHAProxy(t, sample, append(changes, "bind :443", "bind "+p.tls, "192.0.2.1:8080", service.Listener.Addr().String(),
		"abns@moonwatch-https", fmt.Sprintf("abns@moonwatch-%d-%d", os.Getpid(), proxies.Add(1)))...)
	certify(t, p.Path("site.pem"))
	p.Write("moonwatch.map", "")
	return p
}

func (p *proxy) marks() string { return p.Path("moonwatch.map") }

// held is what the map says of a host; empty: nothing.
func (p *proxy) held(host string) string {
	holds, _, err := parseMap(p.Ask("show map " + p.marks()))
	if err != nil {
		return ""
	}
	return holds[host]
}

// door opens the door of this HAProxy.
func (p *proxy) door(change func(*Config)) *Door {
	p.t.Helper()
	c := Config{Socket: p.Socket(), Frontend: "www", Backends: []string{"web"}, Map: p.marks(), Salt: conform.Salt, AnswerWithin: 5 * time.Second}
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

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
