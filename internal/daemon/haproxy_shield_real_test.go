//go:build real

package daemon

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"moonwatch/internal/config"
	"moonwatch/member"
	"moonwatch/status"
)

// newDoorProxy is a HAProxy that runs configs/haproxy/moonwatch.cfg, without TLS, in
// front of a web server of the fleet.
func newDoorProxy(t *testing.T) *proxy {
	t.Helper()
	if _, err := exec.LookPath("haproxy"); err != nil {
		t.Skip("haproxy is not installed")
	}
	dir, err := os.MkdirTemp("", "hap") //nolint:usetesting // t.TempDir is too long a path for a socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	free := func() string {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		return l.Addr().String()
	}
	p := &proxy{t: t, dir: dir, front: free()}
	text, err := os.ReadFile("../../configs/haproxy/moonwatch.cfg")
	if err != nil {
		t.Fatal(err)
	}
	service := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "ok") })}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go service.Serve(l) //nolint:errcheck // ends with Close
	t.Cleanup(func() { service.Close() })
	p.write("slots.cfg", strings.NewReplacer(
		"/run/haproxy/", dir+"/", "/var/lib/haproxy/", dir+"/", "bind :80", "bind "+p.front, "bind :443", "bind "+free(),
		"    bind abns@moonwatch-https ssl crt /etc/haproxy/site.pem accept-proxy\n", "", "192.0.2.1:8080", l.Addr().String(),
	).Replace(string(text)))
	p.write("moonwatch.map", "")
	p.start()
	return p
}

// visit asks as one of many clients, and gives the status; 0: no answer.
func visit(front string, client int, host string) int {
	from := &net.TCPAddr{IP: net.IPv4(127, 100, byte(client>>8), byte(client))}
	c, err := (&net.Dialer{LocalAddr: from, Timeout: 10 * time.Second}).Dial("tcp", front)
	if err != nil {
		return 0
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(20 * time.Second))
	fmt.Fprintf(c, "GET / HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n", host)
	res, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		return 0
	}
	res.Body.Close()
	return res.StatusCode
}

// An agent whose door is a HAProxy holds a flooded subdomain in it, and nobody else,
// and lets it go when the flood is over.
func TestAnAgentHoldsAFloodedSubdomainInItsHAProxy(t *testing.T) {
	p := newDoorProxy(t)
	f := newFleet(t, []member.ID{"web-1", "web-2", "web-3"}, func(f *fleet) {
		f.tune = func(n member.ID, a *config.Agent) {
			if n == "web-1" {
				a.HAProxy = config.HAProxy{Socket: p.path("admin.sock"), Frontend: "www", Backends: []string{"web"}, Map: p.path("moonwatch.map")}
			}
		}
	})
	fl := testFleet(f, 2)
	fl.Shield = member.ShieldPolicy{Mode: member.ShieldEnforce, Capacity: 200}
	f.apply(fl)
	shown := func() status.ShieldDocument {
		if doc := f.agents["web-1"].shielding.document.Load(); doc != nil {
			return *doc
		}
		return status.ShieldDocument{}
	}
	wait := func(what string, is func() bool) {
		t.Helper()
		for end := time.Now().Add(90 * time.Second); !is(); time.Sleep(20 * time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("not within 90 s: %s: %+v", what, shown())
			}
		}
	}
	wait("the policy is in force", func() bool { return shown().Mode == member.ShieldEnforce })

	const tenants, flooded = 10, "tenant-0.tenants.example"
	var hurt, shed atomic.Int64
	over, flood := make(chan struct{}), make(chan struct{})
	var crowd sync.WaitGroup
	every := func(end chan struct{}, pause time.Duration, do func(i int)) {
		crowd.Go(func() {
			for i := 0; ; i++ {
				select {
				case <-end:
					return
				case <-time.After(pause):
					do(i)
				}
			}
		})
	}
	for n := range tenants {
		every(over, 150*time.Millisecond, func(i int) {
			if n > 0 && visit(p.front, n*100+i%100, fmt.Sprintf("tenant-%d.tenants.example", n)) != http.StatusOK {
				hurt.Add(1)
			}
		})
	}
	wait("the door knows its tenants", func() bool { return shown().Subdomains >= tenants && shown().Problem == "" })
	time.Sleep(5 * time.Second) // what is usual is learned
	for n := range 16 {
		every(flood, time.Millisecond, func(i int) {
			if visit(p.front, 2000+n*100+i%100, flooded) == http.StatusTooManyRequests {
				shed.Add(1)
			}
		})
	}
	wait("the flooded subdomain is held", func() bool { return shed.Load() > 100 })
	wait("it is said", func() bool { held := shown().Held; return len(held) == 1 && held[0].Host == flooded })
	close(flood)
	wait("it is let go", func() bool { return len(shown().Held) == 0 && p.raw("show map "+p.path("moonwatch.map")) == "\n" })
	if status := visit(p.front, 1, flooded); status != http.StatusOK {
		t.Errorf("it was answered with %d after its release", status)
	}
	close(over)
	crowd.Wait()
	if n := hurt.Load(); n > 0 {
		t.Errorf("%d requests of others were not served", n)
	}
}
