//go:build real

package haproxy

import (
	"io"
	"net"
	"net/http"
	"slices"
	"sync"
	"testing"
	"time"

	"moonwatch/failover/driver"
	"moonwatch/member"
)

// A service crashes while HAProxy carries 1,000 requests a second. Until the
// verdict clients depend on HAProxy's own retries; once its slot is drained not
// one request may fail, and none may once the spare has the slot.
func TestACrashedSlotIsReplacedUnderLoad(t *testing.T) {
	const rate = 1000
	a := newProxy(t)
	b := newProxy(t, "/var/lib/haproxy/slots.map", a.marks())
	at, services := addresses{}, map[member.ID]*occupant{}
	for _, id := range []member.ID{"web-1", "web-2", "web-3", "spare-1"} {
		services[id] = newOccupant(t)
		at[id] = services[id].addrPort()
	}
	d := drives(t, a, at, a.instance("haproxy-a"), Instance{Name: "haproxy-b", Socket: b.Socket()})
	for i, slot := range []member.SlotID{"web-0", "web-1", "web-2"} {
		req := request(driver.StepCutover, member.ID([]string{"web-1", "web-2", "web-3"}[i]), 42)
		req.Slot = slot
		does(t, d, req)
	}

	l := newLoad(a.Front, b.Front)
	go l.run(rate)
	time.Sleep(time.Second)
	services["web-2"].crash()
	crashed := time.Now()
	time.Sleep(700 * time.Millisecond) // as long as a verdict takes in profile fast
	drain := request(driver.StepDrain, "web-2", 42)
	drain.Slot = "web-1"
	does(t, d, drain)
	drained := time.Now()
	time.Sleep(300 * time.Millisecond)
	cutover := request(driver.StepCutover, "spare-1", 57)
	cutover.Slot = "web-1"
	took := does(t, d, cutover).Took
	for end := time.Now().Add(30 * time.Second); services["spare-1"].served.Load() == 0 && time.Now().Before(end); {
		time.Sleep(20 * time.Millisecond)
	}
	time.Sleep(time.Second)
	l.wait()

	before, after := 0, 0
	for _, began := range l.failed {
		switch {
		case began.After(drained):
			after++
		default:
			before++
		}
	}
	t.Logf("%d requests; failed: %d from crash to drain (%v), %d after the drain; cutover of two instances took %v; the slowest request %v; the spare served %d",
		l.sent, before, drained.Sub(crashed).Round(time.Millisecond), after, took, slices.Max(l.took), services["spare-1"].served.Load())
	if after > 0 {
		t.Errorf("%d requests that began after the drain failed", after)
	}
	if services["spare-1"].served.Load() == 0 {
		t.Error("the spare was never asked")
	}
}

// load is clients that ask at a fixed rate, whatever becomes of their requests.
type load struct {
	fronts []string
	client *http.Client
	stop   chan struct{}
	done   sync.WaitGroup

	mu     sync.Mutex
	sent   int
	failed []time.Time // when they began
	took   []time.Duration
}

func newLoad(fronts ...string) *load {
	l := &load{fronts: fronts, stop: make(chan struct{})}
	dial := net.Dialer{Timeout: 5 * time.Second}
	l.client = &http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{
		DialContext: dial.DialContext, MaxIdleConnsPerHost: 500, MaxConnsPerHost: 500,
	}}
	l.done.Add(1)
	return l
}

func (l *load) run(rate int) {
	defer l.done.Done()
	const beat = 5 * time.Millisecond
	every := time.NewTicker(beat)
	defer every.Stop()
	began := time.Now()
	for n := 0; ; {
		select {
		case <-l.stop:
			return
		case <-every.C:
		}
		for due := int(time.Since(began).Seconds() * float64(rate)); n < due; n++ {
			front := l.fronts[n%len(l.fronts)]
			l.done.Go(func() { l.ask(front) })
		}
	}
}

func (l *load) ask(front string) {
	began := time.Now()
	response, err := l.client.Get("http://" + front + "/")
	bad := err != nil
	if err == nil {
		_, err = io.Copy(io.Discard, response.Body)
		response.Body.Close()
		bad = err != nil || response.StatusCode != http.StatusOK
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.sent++
	l.took = append(l.took, time.Since(began))
	if bad {
		l.failed = append(l.failed, began)
	}
}

func (l *load) wait() {
	close(l.stop)
	l.done.Wait()
	l.client.CloseIdleConnections()
}
