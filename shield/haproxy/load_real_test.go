//go:build real

package haproxy

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"moonwatch/internal/testbed"
	"moonwatch/shield"
	"moonwatch/shield/conform"
)

const plainConfig = `
defaults
    mode http
    timeout connect 300ms
    timeout client 30s
    timeout server 30s
frontend www
    bind FRONT
    default_backend web
backend web
    server web-0 SERVICE maxconn 500
`

// What counting, the map and being asked cost, beside a HAProxy that does nothing of
// it, in one run and by turns. It prints a line for `make bench-shield`, which judges;
// here it is wanted that everybody is served, and that a host can be held under load.
func TestUnderLoadTheDoorServesEverybodyAndHolds(t *testing.T) {
	rounds, _ := strconv.Atoi(os.Getenv("MOONWATCH_BENCH_ROUNDS"))
	rounds = max(rounds, 1)
	dir := t.TempDir()
	load := testbed.NewLoad(t)
	service, plain := testbed.FreeAddress(t), testbed.FreeAddress(t)
	single(t, filepath.Join(dir, "service.cfg"), "defaults\n mode http\n timeout client 30s\nfrontend www\n bind "+service+"\n http-request return status 200 content-type text/plain string ok\n")
	without := single(t, filepath.Join(dir, "plain.cfg"), strings.NewReplacer("FRONT", plain, "SERVICE", service).Replace(plainConfig))

	p := unstarted(t, "192.0.2.1:8080", service)
	text, err := os.ReadFile(p.Config())
	must(t, err)
	with := single(t, p.Config(), string(text))
	p.Until("it is so", func() bool { return p.Ask("show info") != "" })
	d := p.door(nil)
	eventually(t, "the door knows its tenants", func() bool {
		load.Run(p.Front, time.Second)
		time.Sleep(300 * time.Millisecond) // until it has asked
		return d.Known() > 1000
	})

	var rates, costs [2][]float64
	for range rounds {
		for i, x := range []struct {
			front string
			pid   int
		}{{plain, without}, {p.Front, with}} {
			before := testbed.CPU(t, x.pid)
			n, took, refused := load.Run(x.front, 2*time.Second)
			if refused {
				t.Fatal("somebody was refused, and nobody was held")
			}
			rates[i] = append(rates[i], float64(n)/took.Seconds())
			costs[i] = append(costs[i], (testbed.CPU(t, x.pid)-before).Seconds()/float64(n)*1e6)
		}
	}
	fmt.Printf("BENCH haproxy plain %.0f door %.0f ratio %.3f cpu-plain-us %.2f cpu-door-us %.2f cpu-ratio %.3f\n",
		slices.Max(rates[0]), slices.Max(rates[1]), slices.Max(rates[1])/slices.Max(rates[0]),
		median(costs[0]), median(costs[1]), median(costs[0])/median(costs[1]))
	if problem := d.Problem(); problem != "" {
		t.Errorf("under load the door says: %s", problem)
	}

	const one = "tenant-7.tenants.example"
	d.Enforce(shield.NewMeasures([]shield.Measure{{
		Key: shield.KeyOf(conform.Salt, []byte(one)), Host: one, Rung: shield.Stop, Until: time.Now().Add(time.Hour),
	}}))
	eventually(t, "the host is in the map", func() bool { return p.held(one) == "stop" })
	if _, _, refused := load.Run(p.Front, time.Second); !refused {
		t.Error("under load nobody was refused")
	}
}

func median(xs []float64) float64 { slices.Sort(xs); return xs[len(xs)/2] }

// single runs a HAProxy of one process and gives its id.
func single(t *testing.T, path, text string) int {
	t.Helper()
	must(t, os.WriteFile(path, []byte(text), 0o600))
	cmd := exec.Command("haproxy", "-db", "-f", path)
	must(t, cmd.Start())
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	return cmd.Process.Pid
}
