//go:build real

package remote

import (
	"fmt"
	"net/http"
	"os"
	"slices"
	"strconv"
	"testing"
	"time"

	"moonwatch/internal/testbed"
	"moonwatch/shield"
	"moonwatch/shield/conform"
)

// alone is an nginx without moonwatch: what answers, and what the other one is compared with.
const alone = `
user root;
worker_processes 2;
error_log stderr warn;
pid DIR/nginx.pid;
daemon off;
events { worker_connections 1024; }
http {
	access_log off;
	client_body_temp_path DIR/body; proxy_temp_path DIR/proxy; fastcgi_temp_path DIR/fastcgi; uwsgi_temp_path DIR/uwsgi; scgi_temp_path DIR/scgi;
	server { listen SERVICE; keepalive_requests 1000000; location / { return 200 ok; } }
	upstream web { server SERVICE; keepalive 64; }
	server {
		listen FRONT;
		keepalive_requests 1000000;
		location / { proxy_pass http://web; proxy_http_version 1.1; proxy_set_header Connection ""; proxy_set_header Host $host; }
	}
}
`

// plainNginx gives a process for each: one that serves, and one that passes on to it.
func plainNginx(t *testing.T, service string) (front string, p *testbed.Process) {
	t.Helper()
	p = testbed.Folder(t, "nginx")
	front = testbed.FreeAddress(t)
	config := p.Write("nginx.conf", alone, "DIR", p.Dir, "SERVICE", service, "FRONT", front)
	p.Start(func() bool { return testbed.Listens(front) }, "-p", p.Dir, "-c", config)
	return front, p
}

// What counting, the look-up and being asked cost, beside an nginx that does nothing of it,
// in one run and by turns. It prints a line for `make bench-shield`, which judges; here it
// is wanted that everybody is served, and that a host can be held under load and while
// nginx is reloaded.
func TestUnderLoadNginxServesEverybodyAndHolds(t *testing.T) {
	load := testbed.NewLoad(t)
	rounds, _ := strconv.Atoi(os.Getenv("MOONWATCH_BENCH_ROUNDS"))
	rounds = max(rounds, 1)
	service := testbed.FreeAddress(t)
	plain, without := plainNginx(t, service)
	// Its own server is not asked: both pass on to the same one, in another process.
	with := testbed.NewNginx(t, "../../configs/nginx", service)
	with.Start()
	d := open(t, with)
	until(t, "the door knows its tenants", func() bool {
		load.Run(with.Front, time.Second)
		time.Sleep(300 * time.Millisecond) // until it has asked
		return d.Known() > 1000
	})

	var rates, costs [2][]float64
	for range rounds {
		for i, x := range []struct {
			front string
			pid   int
		}{{plain, without.PID()}, {with.Front, with.PID()}} {
			before := testbed.CPU(t, x.pid)
			serving := testbed.CPU(t, without.PID())
			n, took, refused := load.Run(x.front, 2*time.Second)
			if refused {
				t.Fatal("somebody was refused, and nobody was held")
			}
			used := testbed.CPU(t, x.pid) - before
			if i == 1 { // the service is the other one's process
				used += testbed.CPU(t, without.PID()) - serving
			}
			rates[i] = append(rates[i], float64(n)/took.Seconds())
			costs[i] = append(costs[i], used.Seconds()/float64(n)*1e6)
		}
	}
	fmt.Printf("BENCH nginx plain %.0f door %.0f ratio %.3f cpu-plain-us %.2f cpu-door-us %.2f cpu-ratio %.3f\n",
		slices.Max(rates[0]), slices.Max(rates[1]), slices.Max(rates[1])/slices.Max(rates[0]),
		median(costs[0]), median(costs[1]), median(costs[0])/median(costs[1]))
	if problem := d.Problem(); problem != "" {
		t.Errorf("under load the door says: %s", problem)
	}

	const one = "tenant-7.tenants.example"
	d.Enforce(shield.NewMeasures([]shield.Measure{{
		Key: shield.KeyOf(conform.Salt, []byte(one)), Host: one, Rung: shield.Stop, Until: time.Now().Add(time.Hour),
	}}))
	until(t, "the host is held", func() bool { return ask(t, with, one, "/") == http.StatusServiceUnavailable })
	if _, _, refused := load.Run(with.Front, time.Second); !refused {
		t.Error("under load nobody was refused")
	}
}

func median(xs []float64) float64 { slices.Sort(xs); return xs[len(xs)/2] }
