//go:build real

package daemon

import (
	"cmp"
	"io"
	"net/http"
	"os"
	"regexp"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"moonwatch/failover"
	"moonwatch/member"
	"moonwatch/status"
)

// A member crashes with its service while two HAProxies, each on a member of its
// own, carry 1,000 requests a second. Until the drain clients depend on HAProxy's
// own retries; not one request that begins after it may fail. MOONWATCH_RUNS (1)
// says how often; with more, as `make bench-haproxy` has it, the figures are held
// against what was promised.
func TestACrashedSlotIsReplacedAtAThousandRequestsASecond(t *testing.T) {
	runs, err := strconv.Atoi(cmp.Or(os.Getenv("MOONWATCH_RUNS"), "1"))
	if err != nil || runs < 1 {
		t.Fatalf("MOONWATCH_RUNS is %q, want a whole number from 1", os.Getenv("MOONWATCH_RUNS"))
	}
	var drains, cutovers []time.Duration
	sent, before, after := 0, 0, 0
	for range runs {
		t.Run("run", func(t *testing.T) {
			x := replacedUnderLoad(t, 1000)
			t.Logf("%d requests; failed %d before the drain, %d after it; drain told in %v, cutover in %v; the slowest request %v",
				x.sent, x.before, x.after, x.drains, x.cutovers, x.slowest.Round(time.Millisecond))
			if x.after > 0 {
				t.Errorf("%d requests that began after the drain failed", x.after)
			}
			drains, cutovers = append(drains, x.drains...), append(cutovers, x.cutovers...)
			sent, before, after = sent+x.sent, before+x.before, after+x.after
		})
	}
	if len(cutovers) == 0 {
		t.Fatal("no cutover was told")
	}
	slices.Sort(drains)
	slices.Sort(cutovers)
	t.Logf("%d runs, %d requests: failed %d before the drain, %d after it; per instance: drain p50 %v max %v, cutover p50 %v max %v",
		runs, sent, before, after, drains[len(drains)/2], drains[len(drains)-1], cutovers[len(cutovers)/2], cutovers[len(cutovers)-1])
	if runs > 1 && cutovers[len(cutovers)/2] > 50*time.Millisecond {
		t.Errorf("cutover p50 is %v, want at most 50ms", cutovers[len(cutovers)/2])
	}
}

type underLoad struct {
	sent, before, after int
	drains, cutovers    []time.Duration // of each instance
	slowest             time.Duration
}

func replacedUnderLoad(t *testing.T, rate int) (x underLoad) {
	f := newFleet(t, []member.ID{"web-1", "web-2", "web-3", "web-4", "web-5", "lb-1", "lb-2"})
	fl := testFleet(f, 3)
	fl.Pools[0].Drivers = nil
	var fronts []string
	for _, lb := range []member.ID{"lb-1", "lb-2"} {
		p := newProxy(t)
		fronts = append(fronts, p.Front)
		fl.Members[len(fl.Members)-len(fronts)].Pool = ""
		fl.Pools[0].Drivers = append(fl.Pools[0].Drivers, member.Driver{Kind: "haproxy", Name: string(lb), On: []member.ID{lb}, HAProxy: &member.HAProxyDriver{
			Backend: "web", Map: p.Path("slots.map"), Socket: p.Path("admin.sock"), StateFile: p.Path("slots.state"),
		}})
	}
	f.apply(fl)
	told := func(page status.Page) bool {
		return len(page.Doors) == 2 && !slices.ContainsFunc(page.Doors, func(d status.Door) bool { return d.Slots != 3 || len(d.Behind) > 0 })
	}
	f.until("web-2", "both have their slots", 60*time.Second, told)
	l := newLoad(fronts)
	ended := make(chan struct{})
	go func() { defer close(ended); l.run(rate) }()
	time.Sleep(time.Second)
	f.unserve("web-1") // the service first, as a machine that loses its power has it
	f.stop("web-1")
	page := f.until("web-2", "replaced", 60*time.Second, func(page status.Page) bool {
		return len(page.Cases) == 1 && !page.Cases[0].Open && told(page)
	})
	time.Sleep(time.Second) // served by the spare
	close(l.stop)
	<-ended

	var drained time.Time
	for _, line := range page.Facts {
		if m := toldIn.FindStringSubmatch(line.Line); m != nil && line.Kind == failover.KindTold && line.At.After(l.began) {
			took, err := time.ParseDuration(m[2])
			if err != nil {
				t.Fatal(err)
			}
			if m[1] != "" {
				x.drains = append(x.drains, took)
				if line.At.After(drained) {
					drained = line.At
				}
			} else {
				x.cutovers = append(x.cutovers, took)
			}
		}
	}
	if len(x.drains) != 2 || len(x.cutovers) != 2 {
		t.Fatalf("%d drains and %d cutovers were told, want 2 of each: %v", len(x.drains), len(x.cutovers), page.Facts)
	}
	for _, r := range l.ended {
		x.slowest = max(x.slowest, r.took)
		switch {
		case r.good:
		case r.began.After(drained):
			x.after++
		default:
			x.before++
		}
	}
	x.sent = len(l.ended)
	return x
}

var toldIn = regexp.MustCompile(`web-0 to \S+ at slot epoch \d+(, drained)?, in (\S+?)[;,]?$`)

// load is clients that ask at a fixed rate, whatever becomes of their requests.
type load struct {
	fronts []string
	client *http.Client
	stop   chan struct{}
	began  time.Time
	done   sync.WaitGroup

	mu    sync.Mutex
	ended []asked
}

type asked struct {
	began time.Time
	took  time.Duration
	good  bool
}

func newLoad(fronts []string) *load {
	return &load{fronts: fronts, stop: make(chan struct{}), began: time.Now(), client: &http.Client{
		Timeout: 10 * time.Second, Transport: &http.Transport{MaxIdleConnsPerHost: 500, MaxConnsPerHost: 500},
	}}
}

func (l *load) run(rate int) {
	every := time.NewTicker(5 * time.Millisecond)
	defer every.Stop()
	for n, begin := 0, time.Now(); ; {
		select {
		case <-l.stop:
			l.done.Wait()
			l.client.CloseIdleConnections()
			return
		case <-every.C:
		}
		for due := int(time.Since(begin).Seconds() * float64(rate)); n < due; n++ {
			front := l.fronts[n%len(l.fronts)]
			l.done.Go(func() { l.ask(front) })
		}
	}
}

func (l *load) ask(front string) {
	began := time.Now()
	good := false
	if r, err := l.client.Get("http://" + front + "/"); err == nil {
		_, err = io.Copy(io.Discard, r.Body)
		r.Body.Close()
		good = err == nil && r.StatusCode == http.StatusOK
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.ended = append(l.ended, asked{began, time.Since(began), good})
}
