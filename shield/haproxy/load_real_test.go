//go:build real

package haproxy

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"moonwatch/shield"
	"moonwatch/shield/conform"
)

// tenantsLua has wrk ask for a thousand subdomains by turns.
const tenantsLua = `
local requests, n = {}, 0
init = function()
  for i = 1, 1000 do requests[i] = wrk.format("GET", "/", {["Host"] = "tenant-" .. i .. ".tenants.example"}) end
end
request = function() n = n % 1000 + 1; return requests[n] end
`

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
	if _, err := exec.LookPath("wrk"); err != nil {
		t.Skip("wrk is not installed")
	}
	rounds, _ := strconv.Atoi(os.Getenv("MOONWATCH_BENCH_ROUNDS"))
	rounds = max(rounds, 1)
	dir := t.TempDir()
	script := filepath.Join(dir, "tenants.lua")
	must(t, os.WriteFile(script, []byte(tenantsLua), 0o600))
	service, plain := freeAddress(t), freeAddress(t)
	single(t, filepath.Join(dir, "service.cfg"), "defaults\n mode http\n timeout client 30s\nfrontend www\n bind "+service+"\n http-request return status 200 content-type text/plain string ok\n")
	without := single(t, filepath.Join(dir, "plain.cfg"), strings.NewReplacer("FRONT", plain, "SERVICE", service).Replace(plainConfig))

	p := unstarted(t, "192.0.2.1:8080", service)
	text, err := os.ReadFile(p.config())
	must(t, err)
	with := single(t, p.config(), string(text))
	p.wait(func() bool { return p.raw("show info") != "" })
	d := p.door(nil)
	eventually(t, "the door knows its tenants", func() bool {
		wrk(t, p.front, script, time.Second)
		time.Sleep(300 * time.Millisecond) // until it has asked
		return d.Known() > 1000
	})

	var rates, costs [2][]float64
	for range rounds {
		for i, x := range []struct {
			front string
			pid   int
		}{{plain, without}, {p.front, with}} {
			before := cpu(t, x.pid)
			n, took, refused := wrk(t, x.front, script, 2*time.Second)
			if refused {
				t.Fatal("somebody was refused, and nobody was held")
			}
			rates[i] = append(rates[i], float64(n)/took.Seconds())
			costs[i] = append(costs[i], (cpu(t, x.pid)-before).Seconds()/float64(n)*1e6)
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
	if _, _, refused := wrk(t, p.front, script, time.Second); !refused {
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

var wrkSaid = regexp.MustCompile(`(\d+) requests in ([0-9.]+)(ms|s|m)`)

// wrk asks for a while and gives how many requests were answered, and whether some
// were refused.
func wrk(t *testing.T, front, script string, long time.Duration) (answered int, took time.Duration, refused bool) {
	t.Helper()
	eventually(t, "it listens", func() bool {
		c, err := net.Dial("tcp", front)
		if err == nil {
			c.Close()
		}
		return err == nil
	})
	said, err := exec.Command("wrk", "-t1", "-c32", fmt.Sprintf("-d%ds", int(long.Seconds())), "-s", script, "http://"+front).CombinedOutput()
	if err != nil {
		t.Fatalf("wrk: %v: %s", err, said)
	}
	m := wrkSaid.FindStringSubmatch(string(said))
	if m == nil {
		t.Fatalf("wrk says %s", said)
	}
	n, err := strconv.Atoi(m[1])
	must(t, err)
	took, err = time.ParseDuration(m[2] + m[3])
	must(t, err)
	if n == 0 {
		t.Fatalf("nobody was answered: %s", said)
	}
	return n, took, strings.Contains(string(said), "Non-2xx")
}

// cpu is what a process has used of the processors.
func cpu(t *testing.T, pid int) time.Duration {
	t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	must(t, err)
	_, rest, _ := strings.Cut(string(text), ") ")
	f := strings.Fields(rest)
	user, _ := strconv.ParseInt(f[11], 10, 64)
	system, _ := strconv.ParseInt(f[12], 10, 64)
	return time.Duration(user+system) * 10 * time.Millisecond // USER_HZ is 100
}
