//go:build real

package gateway

import (
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime/pprof"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// How many requests a second the gateway serves beside the plainest proxy of the
// library with a map lookup, in one process and by turns, under wrk; and beside a relay
// that carries the same bytes and reads none of them, which is the most that any proxy
// of this language could. The occupant is a HAProxy that answers by itself, so that it
// costs little. It prints a line for `make bench-shield`; MOONWATCH_PROFILE names a
// folder for profiles of all three.
func TestUnderLoadTheGatewayServesEverybody(t *testing.T) {
	for _, program := range []string{"wrk", "haproxy"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Skip(program + " is not installed")
		}
	}
	rounds, _ := strconv.Atoi(os.Getenv("MOONWATCH_BENCH_ROUNDS"))
	rounds = max(rounds, 1)
	occupant := answering(t)
	g := open(t, Config{Counter: newCounter(t)}, Table{Pools: []Pool{{Name: "web", Hosts: []string{"www.example.com"}, Occupants: []Occupant{
		{Slot: "web-0", Member: "a", Addr: occupant}, {Slot: "web-1", Member: "b", Addr: occupant}, {Slot: "web-2", Member: "c", Addr: occupant},
	}}}})
	to := map[string]*url.URL{"www.example.com": {Scheme: "http", Host: occupant}}
	transport := &http.Transport{MaxIdleConnsPerHost: 64, DisableCompression: true}
	defer transport.CloseIdleConnections()
	plain := httptest.NewServer(&httputil.ReverseProxy{Transport: transport, Rewrite: func(p *httputil.ProxyRequest) {
		p.SetURL(to[p.In.Host])
		p.Out.Host = p.In.Host
		p.SetXForwarded()
	}, BufferPool: new(buffers), ErrorLog: quietLog(g.cfg.Log)})
	defer plain.Close()

	var rates, costs [3][]float64
	for range rounds {
		for i, addr := range []string{plain.Listener.Addr().String(), g.Addr().String(), relay(t, occupant)} {
			stop := profile(t, []string{"plain", "gateway", "relay"}[i])
			before := used(t)
			n, took := wrk(t, addr)
			stop()
			rates[i] = append(rates[i], float64(n)/took.Seconds())
			costs[i] = append(costs[i], (used(t)-before).Seconds()/float64(n)*1e6)
		}
	}
	for i := range costs {
		slices.Sort(costs[i])
	}
	fmt.Printf("BENCH gateway plain %.0f ours %.0f relay %.0f ratio %.3f most %.3f cpu-plain-us %.2f cpu-ours-us %.2f cpu-relay-us %.2f\n",
		slices.Max(rates[0]), slices.Max(rates[1]), slices.Max(rates[2]), slices.Max(rates[1])/slices.Max(rates[0]), slices.Max(rates[2])/slices.Max(rates[0]),
		costs[0][rounds/2], costs[1][rounds/2], costs[2][rounds/2])
}

// relay carries each connection's requests to a service, one read and one write at a
// time as a proxy has to, and looks at none of it.
func relay(t *testing.T, to string) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			client, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer client.Close()
				service, err := net.Dial("tcp", to)
				if err != nil {
					return
				}
				defer service.Close()
				buf := make([]byte, 4<<10)
				for {
					for _, way := range [][2]net.Conn{{client, service}, {service, client}} {
						n, err := way[0].Read(buf)
						if err != nil {
							return
						}
						if _, err := way[1].Write(buf[:n]); err != nil {
							return
						}
					}
				}
			}()
		}
	}()
	return l.Addr().String()
}

// answering is a service that says ok to everybody.
func answering(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := l.Addr().String()
	l.Close()
	path := filepath.Join(t.TempDir(), "service.cfg")
	text := "defaults\n mode http\n timeout client 30s\nfrontend www\n bind " + addr + "\n http-request return status 200 content-type text/plain string ok\n"
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("haproxy", "-db", "-f", path)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	for end := time.Now().Add(30 * time.Second); ; time.Sleep(10 * time.Millisecond) {
		c, err := net.Dial("tcp", addr)
		if err == nil {
			c.Close()
			return addr
		}
		if time.Now().After(end) {
			t.Fatal(err)
		}
	}
}

var wrkSaid = regexp.MustCompile(`(\d+) requests in ([0-9.]+m?s)`)

func wrk(t *testing.T, addr string) (int, time.Duration) {
	t.Helper()
	said, err := exec.Command("wrk", "-t1", "-c32", "-d2s", "-H", "Host: www.example.com", "http://"+addr).CombinedOutput()
	if err != nil {
		t.Fatalf("wrk: %v: %s", err, said)
	}
	m := wrkSaid.FindStringSubmatch(string(said))
	if m == nil || strings.Contains(string(said), "Non-2xx") {
		t.Fatalf("not everybody was served: %s", said)
	}
	n, err := strconv.Atoi(m[1])
	if err != nil || n == 0 {
		t.Fatalf("nobody was answered: %s", said)
	}
	took, err := time.ParseDuration(m[2])
	if err != nil {
		t.Fatal(err)
	}
	return n, took
}

// used is what this process has used of the processors.
func used(t *testing.T) time.Duration {
	t.Helper()
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

func profile(t *testing.T, name string) func() {
	t.Helper()
	folder := os.Getenv("MOONWATCH_PROFILE")
	if folder == "" {
		return func() {}
	}
	f, err := os.Create(filepath.Join(folder, name+".prof"))
	if err != nil {
		t.Fatal(err)
	}
	if err := pprof.StartCPUProfile(f); err != nil {
		t.Fatal(err)
	}
	return func() { pprof.StopCPUProfile(); f.Close() }
}
