//go:build real

package daemon

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"moonwatch/internal/config"
	"moonwatch/internal/testbed"

	"moonwatch/member"
	"moonwatch/shield"
	"moonwatch/shield/middleware"
	"moonwatch/status"
)

// otherDoor is a door of the shield in another program, in front of a web server.
type otherDoor struct {
	front string              // where clients ask
	tune  func(*config.Agent) // names it to its agent
	free  func() bool         // nobody is held there
}

// serves is a web server's address; every path is there.
func serves(t *testing.T) string {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "ok") }))
	t.Cleanup(s.Close)
	return s.Listener.Addr().String()
}

// haproxyDoor runs configs/haproxy/moonwatch.cfg, without TLS.
func haproxyDoor(t *testing.T) otherDoor {
	t.Helper()
	p := testbed.NewHAProxy(t, "../../configs/haproxy/moonwatch.cfg", "bind :443", "bind "+testbed.FreeAddress(t),
		"    bind abns@moonwatch-https ssl crt /etc/haproxy/site.pem accept-proxy\n", "", "192.0.2.1:8080", serves(t))
	p.Write("moonwatch.map", "")
	p.Start()
	return otherDoor{
		front: p.Front,
		tune: func(a *config.Agent) {
			a.HAProxy = config.HAProxy{Socket: p.Socket(), Frontend: "www", Backends: []string{"web"}, Map: p.Path("moonwatch.map")}
		},
		free: func() bool { return p.Ask("show map "+p.Path("moonwatch.map")) == "\n" },
	}
}

// nginxDoor runs configs/nginx.
func nginxDoor(t *testing.T) otherDoor {
	t.Helper()
	p := testbed.NewNginx(t, "../../configs/nginx", serves(t))
	p.Start()
	return otherDoor{
		front: p.Front,
		tune: func(a *config.Agent) {
			a.Door = config.Door{Address: p.Door, KeyFile: p.Path("door.key")}
		},
		free: func() bool { return true },
	}
}

// guardDoor is a Go server with shield/middleware.
func guardDoor(t *testing.T) otherDoor {
	t.Helper()
	dir, err := os.MkdirTemp("", "mw") //nolint:usetesting // t.TempDir is too long a path for a socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	guard, err := middleware.New(middleware.Config{Socket: filepath.Join(dir, "door.sock")})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { guard.Close() })
	s := httptest.NewServer(guard.Wrap(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "ok") })))
	t.Cleanup(s.Close)
	return otherDoor{
		front: s.Listener.Addr().String(),
		tune:  func(a *config.Agent) { a.Door = config.Door{Address: filepath.Join(dir, "door.sock")} },
		free:  func() bool { return len(guard.Held()) == 0 },
	}
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

// An agent whose door is in another program holds a flooded subdomain in it, and nobody
// else, and lets it go when the flood is over.
func TestAnAgentHoldsAFloodedSubdomainInAnotherProgram(t *testing.T) {
	for name, open := range map[string]func(*testing.T) otherDoor{"haproxy": haproxyDoor, "nginx": nginxDoor, "middleware": guardDoor} {
		t.Run(name, func(t *testing.T) { holdsAndReleases(t, open(t)) })
	}
}

func holdsAndReleases(t *testing.T, door otherDoor) {
	f := newFleet(t, []member.ID{"web-1", "web-2", "web-3"}, func(f *fleet) {
		f.tune = func(n member.ID, a *config.Agent) {
			if n == "web-1" {
				door.tune(a)
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
		began := time.Now()
		for ; !is(); time.Sleep(20 * time.Millisecond) {
			if time.Since(began) > 90*time.Second {
				t.Fatalf("not within 90 s: %s: %+v", what, shown())
			}
		}
		t.Logf("%s: after %.1f s", what, time.Since(began).Seconds())
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
			if n > 0 && visit(door.front, n*100+i%100, fmt.Sprintf("tenant-%d.tenants.example", n)) != http.StatusOK {
				hurt.Add(1)
			}
		})
	}
	wait("the door knows its tenants", func() bool { return shown().Subdomains >= tenants && shown().Problem == "" })
	time.Sleep(5 * time.Second) // what is usual is learned
	for n := range 16 {
		every(flood, time.Millisecond, func(i int) {
			if visit(door.front, 2000+n*100+i%100, flooded) == http.StatusTooManyRequests {
				shed.Add(1)
			}
		})
	}
	wait("the flooded subdomain is held", func() bool { return shed.Load() > 100 })
	wait("it is said", func() bool {
		// In the first moment others may have come onto the ladder by chance: let in as a whole.
		said := false
		for _, h := range shown().Held {
			if h.Host != flooded && (h.Admit < shield.Whole || h.Cap > 0) {
				return false
			}
			said = said || h.Host == flooded && h.Admit < shield.Whole
		}
		return said
	})
	close(flood)
	wait("it is let go", func() bool { return len(shown().Held) == 0 && door.free() })
	if status := visit(door.front, 1, flooded); status != http.StatusOK {
		t.Errorf("it was answered with %d after its release", status)
	}
	close(over)
	crowd.Wait()
	if n := hurt.Load(); n > 0 {
		t.Errorf("%d requests of others were not served", n)
	}
}
