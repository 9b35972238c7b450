//go:build real

package remote

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"moonwatch/internal/testbed"
	"moonwatch/shield"
	"moonwatch/shield/conform"
)

const (
	flooded   = "flooded.tenants.example"
	neighbour = "neighbour.tenants.example"
)

func newNginx(t *testing.T, service string) *testbed.Nginx {
	t.Helper()
	return testbed.NewNginx(t, "../../configs/nginx", service)
}

// service answers everything, but what it does not have.
func service(t *testing.T) string {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/missing" {
			http.NotFound(w, r)
			return
		}
		fmt.Fprint(w, "ok")
	}))
	t.Cleanup(s.Close)
	return s.Listener.Addr().String()
}

func open(t *testing.T, p *testbed.Nginx) *Door {
	t.Helper()
	d, err := Open(Config{Address: p.Door, Key: testbed.DoorKey, Salt: conform.Salt, AnswerWithin: 5 * time.Second})
	must(t, err)
	t.Cleanup(d.Close)
	return d
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestNginxTakesTheSampleConfiguration(t *testing.T) {
	p := newNginx(t, "127.0.0.1:9")
	if said, err := exec.Command("nginx", "-t", "-p", p.Dir, "-c", p.Config()).CombinedOutput(); err != nil {
		t.Errorf("%v:\n%s", err, said)
	}
}

func TestNginxConforms(t *testing.T) {
	conform.Run(t, conform.Subject{
		Fresh: func(t *testing.T) *conform.Target {
			p := newNginx(t, service(t))
			p.Start()
			wire := newWire(t, p.Door)
			d, err := Open(Config{Address: wire.addr, Key: testbed.DoorKey, Salt: conform.Salt, AnswerWithin: 5 * time.Second})
			must(t, err)
			t.Cleanup(d.Close)
			return &conform.Target{
				Door: d, Addr: p.Front, HasDefault: true, // its server_name
				Abandon: func() { wire.cut(); d.Close() }, // nothing is taken back
				Restart: func() { p.Kill(); p.Start() },
			}
		},
	})
}

func ask(t *testing.T, p *testbed.Nginx, host, path string) int {
	t.Helper()
	r, err := http.NewRequest(http.MethodGet, "http://"+p.Front+path, nil)
	must(t, err)
	r.Host = host
	res, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(r)
	if err != nil {
		return 0 // it is being started anew
	}
	res.Body.Close()
	return res.StatusCode
}

func held(m ...shield.Measure) *shield.Measures {
	for i := range m {
		m[i].Key, m[i].Until = shield.KeyOf(conform.Salt, []byte(m[i].Host)), time.Now().Add(time.Hour)
	}
	return shield.NewMeasures(m)
}

// What is counted and held is in shared memory: new workers go on where the old ones were.
func TestAReloadForgetsNothing(t *testing.T) {
	p := newNginx(t, service(t))
	p.Start()
	d := open(t, p)
	key := shield.KeyOf(conform.Salt, []byte(flooded))
	until(t, "the host is known", func() bool { ask(t, p, flooded, "/"); ask(t, p, neighbour, "/"); return d.Counts(key) })
	d.Enforce(held(shield.Measure{Host: flooded, Rung: shield.Stop}))
	until(t, "it is held", func() bool { return ask(t, p, flooded, "/") == http.StatusServiceUnavailable })
	for range 5 {
		p.Signal(syscall.SIGHUP)
		for range 100 {
			if status := ask(t, p, flooded, "/"); status == http.StatusOK {
				t.Fatal("let in while nginx was reloaded")
			}
			if status := ask(t, p, neighbour, "/"); status == http.StatusServiceUnavailable || status == http.StatusTooManyRequests {
				t.Fatalf("somebody else was answered with %d", status)
			}
		}
	}
	before, _ := d.Rotate(100, []shield.Key{key})
	for range 50 {
		ask(t, p, neighbour, "/")
	}
	until(t, "new workers count", func() bool { total, _ := d.Rotate(100, nil); return total.Asked >= before.Asked+50 })
	if problem := d.Problem(); problem != "" {
		t.Error(problem)
	}
}

// A request that nginx sends on inside of itself is one request.
func TestAnInternalRedirectIsCountedOnce(t *testing.T) {
	p := newNginx(t, service(t))
	p.Start()
	d := open(t, p)
	key := shield.KeyOf(conform.Salt, []byte(flooded))
	until(t, "the host is known", func() bool { ask(t, p, flooded, "/"); return d.Counts(key) })
	settled := func() (total uint64) {
		until(t, "nothing more is counted", func() bool {
			time.Sleep(300 * time.Millisecond)
			now, _ := d.Rotate(100, []shield.Key{key})
			same := now.Asked == total
			total = now.Asked
			return same
		})
		return total
	}
	before := settled()
	for range 20 {
		ask(t, p, flooded, "/missing")
	}
	if got := settled() - before; got != 20 {
		t.Errorf("20 requests were counted as %d", got)
	}
}

func TestOnlyWhoHasTheKeyIsObeyed(t *testing.T) {
	p := newNginx(t, service(t))
	p.Start()
	d, err := Open(Config{Address: p.Door, Key: "another key of many letters", Salt: conform.Salt})
	must(t, err)
	defer d.Close()
	until(t, "it is refused", func() bool { return strings.Contains(d.Problem(), "want the key of this nginx") })
	order := "moonwatch-door 1\nlease 2000\nlearn 5\nseed 1\nset x\nhold " + neighbour + " stop 0 0 0 0\nend\n"
	for what, c := range map[string]struct {
		text, key string
		want      int
	}{
		"without a key": {order, "", 403}, "no order": {"hello", testbed.DoorKey, 400}, "half an order": {order[:60], testbed.DoorKey, 400},
		"an order without a lease": {strings.Replace(order, "lease 2000\n", "", 1), testbed.DoorKey, 400},
		"too long":                 {order + strings.Repeat("x", 3<<20), testbed.DoorKey, 413},
	} {
		r, err := http.NewRequest(http.MethodPost, "http://"+p.Door+"/", strings.NewReader(c.text))
		must(t, err)
		r.Header.Set("Authorization", "Bearer "+c.key)
		res, err := (&http.Client{Transport: &http.Transport{DisableKeepAlives: true}}).Do(r)
		if err != nil {
			t.Errorf("%s: %v", what, err)
			continue
		}
		res.Body.Close()
		if res.StatusCode != c.want {
			t.Errorf("%s: %s, want %d", what, res.Status, c.want)
		}
	}
	if status := ask(t, p, neighbour, "/"); status != http.StatusOK {
		t.Errorf("somebody is held: %d", status)
	}
}

// Without its key, and without its module's files, nobody is held and everybody served.
func TestAnNginxWithoutAKeyServesEverybody(t *testing.T) {
	p := newNginx(t, service(t))
	must(t, os.Remove(p.Path("door.key")))
	p.Start()
	d := open(t, p)
	until(t, "it says so", func() bool { return strings.Contains(d.Problem(), "found no key") })
	if status := ask(t, p, neighbour, "/"); status != http.StatusOK {
		t.Errorf("got %d", status)
	}
}
