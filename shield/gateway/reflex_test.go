package gateway

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil"
)

func TestTheLastOccupantIsNeverEjected(t *testing.T) {
	list := services(t, 3)
	g := open(t, Config{}, tableOf(list))
	c := client(t)
	for _, s := range list {
		s.kill()
	}
	for range 20 {
		if status, _, _ := ask(t, c, g, "GET", "x.example", ""); status != http.StatusBadGateway {
			t.Fatalf("status %d, want 502", status)
		}
	}
	chosen := 0
	for i := range list {
		if g.slot(i).EjectedAt.IsZero() {
			chosen++
		}
	}
	if chosen != 1 {
		t.Errorf("%d occupants are chosen, want the last one", chosen)
	}
}

func TestADeadPoolServesAgainAtOnceWhenItComesBack(t *testing.T) {
	list := services(t, 3)
	g := open(t, Config{}, tableOf(list))
	c := client(t)
	for _, s := range list {
		s.kill()
	}
	ask(t, c, g, "GET", "x.example", "")
	for _, s := range list {
		s.revive()
	}
	if status, text, _ := ask(t, c, g, "GET", "x.example", ""); status != http.StatusOK {
		t.Errorf("%d %s", status, text)
	}
}

func TestAnOccupantThatComesBackIsReadmittedByAProbe(t *testing.T) {
	list := services(t, 2)
	g := open(t, Config{Reflex: quick()}, tableOf(list))
	c := client(t)
	list[0].kill()
	wait(t, "ejection", func() bool {
		ask(t, c, g, "GET", "x.example", "")
		return !g.slot(0).EjectedAt.IsZero()
	})
	list[0].revive()
	wait(t, "readmission", func() bool {
		if status, _, _ := ask(t, c, g, "GET", "x.example", ""); status != http.StatusOK {
			t.Fatalf("status %d during the probe", status)
		}
		return g.slot(0).EjectedAt.IsZero()
	})
}

func TestAPostIsNeverTheProbe(t *testing.T) {
	list := services(t, 2)
	g := open(t, Config{Reflex: quick()}, tableOf(list))
	c := client(t)
	list[0].hush()
	wait(t, "ejection", func() bool {
		ask(t, c, g, "GET", "x.example", "")
		return !g.slot(0).EjectedAt.IsZero()
	})
	time.Sleep(2 * quick().ProbeInterval)
	asked := list[0].asked.Load()
	for range 10 {
		ask(t, c, g, "POST", "x.example", "pay")
	}
	if n := list[0].asked.Load() - asked; n > 0 {
		t.Errorf("%d posts went to an ejected occupant", n)
	}
}

func TestTheFirstAnswerWinsAndTheOtherIsCancelled(t *testing.T) {
	cancelled := make(chan struct{}, 1)
	slow := newService(t, func(_ http.ResponseWriter, r *http.Request) {
		<-r.Context().Done()
		cancelled <- struct{}{}
	})
	g := open(t, Config{Reflex: quick()}, tableOf([]*service{slow}))
	c := client(t)
	answer := make(chan string)
	go func() {
		_, text, _ := ask(t, c, g, "GET", "x.example", "")
		answer <- text
	}()
	wait(t, "the first sending", func() bool { return slow.asked.Load() == 1 })
	g.SetTable(tableOf([]*service{slow, newService(t, nil)}))
	if text := <-answer; text != "GET " {
		t.Errorf("answer %q", text)
	}
	select {
	case <-cancelled:
	case <-time.After(5 * time.Second):
		t.Error("the slow sending goes on")
	}
	wait(t, "places given back", func() bool { return g.slot(0).InFlight == 0 && g.slot(1).InFlight == 0 })
}

// The late original may still be the first to answer: then the second sending
// is the one that is given up.
func TestALateOriginalMayStillWin(t *testing.T) {
	hold := make(chan struct{})
	var n atomic.Int64
	both := func(w http.ResponseWriter, r *http.Request) {
		if n.Add(1) == 1 {
			<-hold
			fmt.Fprint(w, "original")
			return
		}
		close(hold)
		<-r.Context().Done()
	}
	list := []*service{newService(t, both), newService(t, both)}
	g := open(t, Config{Reflex: quick()}, tableOf(list))
	if _, text, _ := ask(t, client(t), g, "GET", "x.example", ""); text != "original" {
		t.Errorf("answer %q", text)
	}
}

func TestWhatMayBeSentAgain(t *testing.T) {
	breaks := func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		panic(http.ErrAbortHandler) // after it had its effect
	}
	stalls := func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		select {
		case <-r.Context().Done():
		case <-time.After(600 * time.Millisecond):
			panic(http.ErrAbortHandler)
		}
	}
	small, big := "hello", strings.Repeat("x", 65<<10)
	tests := []struct {
		method, body string
		first        http.HandlerFunc // nil: refuses the connection
		status       int
		second       int64 // sendings to the other occupant
	}{
		{"GET", "", nil, 200, 1},
		{"GET", "", breaks, 200, 1},
		{"GET", "", stalls, 200, 1},
		{"GET", small, stalls, 200, 1},
		{"PUT", small, nil, 200, 1},
		{"PUT", small, breaks, 200, 1},
		{"PUT", big, breaks, 502, 0},
		{"DELETE", "", breaks, 200, 1},
		{"POST", small, nil, 200, 1},
		{"POST", "", nil, 200, 1},
		{"POST", big, nil, 200, 1}, // nobody has read the streamed part yet
		{"POST", small, breaks, 502, 0},
		{"POST", "", breaks, 502, 0},
		{"POST", small, stalls, 502, 0},
		{"PATCH", small, breaks, 502, 0},
	}
	for _, test := range tests {
		first := newService(t, test.first)
		if test.first == nil {
			first.kill()
		}
		good := newService(t, nil)
		g := open(t, Config{Reflex: quick()}, tableOf([]*service{first, good}))
		// Many pending requests there, so that the first one gets the test's.
		for _, o := range g.table.Load().names.any.live {
			if o.slot == "web-1" {
				o.inFlight.Store(1000)
			}
		}
		status, text, _ := ask(t, client(t), g, test.method, "x.example", test.body)
		if status != test.status || good.asked.Load() != test.second {
			t.Errorf("%s of %d bytes: status %d, %d second sendings; want %d, %d", test.method, len(test.body), status, good.asked.Load(), test.status, test.second)
		}
		if want := test.method + " " + test.body; status == 200 && text != want {
			t.Errorf("%s: the body arrived as %d bytes, want %d", test.method, len(text), len(want))
		}
		if test.first != nil && first.asked.Load() != 1 {
			t.Errorf("%s of %d bytes: the first occupant got it %d times", test.method, len(test.body), first.asked.Load())
		}
	}
}

// A stalled PUT that comes alive later must not undo the next PUT.
func TestALatePutIsNotSentASecondTime(t *testing.T) {
	slow := func(w http.ResponseWriter, r *http.Request) {
		time.Sleep(250 * time.Millisecond)
		fmt.Fprint(w, "slow")
	}
	list := []*service{newService(t, slow), newService(t, slow)}
	g := open(t, Config{Reflex: quick()}, tableOf(list))
	ask(t, client(t), g, "PUT", "x.example", "1")
	if n := list[0].asked.Load() + list[1].asked.Load(); n != 1 {
		t.Errorf("sent %d times", n)
	}
}

// A slow upload is the client's doing.
func TestASlowUploadAccusesNobody(t *testing.T) {
	list := services(t, 2)
	g := open(t, Config{Reflex: quick()}, tableOf(list))
	r, w := io.Pipe()
	go func() {
		fmt.Fprint(w, strings.Repeat("x", 70<<10))
		time.Sleep(300 * time.Millisecond)
		w.Close()
	}()
	res, err := client(t).Post("http://"+g.Addr().String(), "text/plain", r)
	if err != nil || res.StatusCode != http.StatusOK {
		t.Fatal(res, err)
	}
	res.Body.Close()
	for i := range list {
		if n := g.slot(i).Failures; n > 0 {
			t.Errorf("slot %d: %d failures", i, n)
		}
	}
}

// A client that goes away in the middle of its upload says nothing about the
// occupant either.
func TestABrokenUploadAccusesNobody(t *testing.T) {
	list := services(t, 2)
	g := open(t, Config{}, tableOf(list))
	c, err := net.Dial("tcp", g.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprint(c, "POST / HTTP/1.1\r\nHost: x.example\r\nContent-Length: 1000000\r\n\r\n"+strings.Repeat("x", 100<<10))
	wait(t, "the upload", func() bool { return list[0].asked.Load()+list[1].asked.Load() == 1 })
	c.Close()
	gone := g.metrics.requests.WithLabelValues(string(resultGone))
	wait(t, "its end", func() bool { return testutil.ToFloat64(gone) == 1 })
	for i := range list {
		if n := g.slot(i).Failures; n > 0 {
			t.Errorf("slot %d: %d failures", i, n)
		}
	}
}

func TestAPoisonousRequestEmptiesNoPool(t *testing.T) {
	poison := func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/poison" {
			panic(http.ErrAbortHandler)
		}
		fmt.Fprint(w, "ok")
	}
	list := []*service{newService(t, poison), newService(t, poison), newService(t, poison), newService(t, poison)}
	g := open(t, Config{}, tableOf(list))
	c := client(t)
	for range 20 {
		res, err := c.Get("http://" + g.Addr().String() + "/poison")
		if err != nil || res.StatusCode != http.StatusBadGateway {
			t.Fatal(res, err)
		}
		res.Body.Close()
		for range 8 {
			ask(t, c, g, "GET", "x.example", "")
		}
	}
	ejected := 0
	for i := range list {
		if !g.slot(i).EjectedAt.IsZero() {
			ejected++
		}
	}
	if ejected > 1 {
		t.Errorf("%d occupants ejected by one bad request that is repeated", ejected)
	}
}

func TestLatenessOfAllEjectsNobody(t *testing.T) {
	list := services(t, 4)
	g := open(t, Config{Reflex: quick()}, tableOf(list))
	for _, s := range list {
		s.become(func(w http.ResponseWriter, _ *http.Request) {
			time.Sleep(250 * time.Millisecond)
			fmt.Fprint(w, "slow")
		})
	}
	l := steady(t, g)
	time.Sleep(1500 * time.Millisecond)
	ejected := 0
	for i := range list {
		if !g.slot(i).EjectedAt.IsZero() {
			ejected++
		}
	}
	l.end()
	if ejected > 0 || l.failed.Load() > 0 {
		t.Errorf("%d occupants ejected, %d requests failed", ejected, l.failed.Load())
	}
	if p := g.Stats().Pools[0]; p.LateAfter < 500*time.Millisecond {
		t.Errorf("an answer is still late after %v with p99 %v", p.LateAfter, p.P99)
	}
}

func TestOurOwnTroubleEjectsNobody(t *testing.T) {
	list := services(t, 3)
	var broke atomic.Bool
	g := open(t, Config{Dial: func(ctx context.Context, network, addr string) (net.Conn, error) {
		if broke.Load() {
			return nil, &net.OpError{Op: "dial", Err: syscall.EMFILE}
		}
		return new(net.Dialer).DialContext(ctx, network, addr)
	}}, tableOf(list))
	c := client(t)
	broke.Store(true)
	if status, _, _ := ask(t, c, g, "GET", "x.example", ""); status != http.StatusBadGateway {
		t.Errorf("status %d", status)
	}
	for i := range list {
		if o := g.slot(i); !o.EjectedAt.IsZero() || o.Failures > 0 {
			t.Errorf("slot %d: %+v", i, o)
		}
	}
	select {
	case e := <-g.Evidence():
		t.Errorf("evidence %+v", e)
	default:
	}
}

func TestADialThatHangsIsGivenUp(t *testing.T) {
	list := services(t, 2)
	hang := list[0].addr
	g := open(t, Config{Dial: func(ctx context.Context, network, addr string) (net.Conn, error) {
		if addr == hang {
			<-ctx.Done() // a machine without power: no answer to the SYN
			return nil, ctx.Err()
		}
		return new(net.Dialer).DialContext(ctx, network, addr)
	}}, tableOf(list))
	c := client(t)
	wait(t, "ejection", func() bool {
		begun := time.Now()
		if status, text, _ := ask(t, c, g, "POST", "x.example", "once"); status != http.StatusOK {
			t.Fatalf("%d %s", status, text)
		}
		if took := time.Since(begun); took > 2*time.Second {
			t.Fatalf("took %v", took)
		}
		return !g.slot(0).EjectedAt.IsZero()
	})
}

func TestEvidenceIsCoalesced(t *testing.T) {
	list := services(t, 1)
	var now atomic.Int64
	now.Store(time.Now().UnixNano())
	g := open(t, Config{Now: func() time.Time { return time.Unix(0, now.Load()) }}, tableOf(list))
	c := client(t)
	for range 3 {
		for range 10 {
			ask(t, c, g, "GET", "x.example", "")
		}
		now.Add(int64(evidenceInterval))
	}
	if n := len(g.evidence); n != 3 {
		t.Errorf("%d words in three intervals", n)
	}
	if e := <-g.Evidence(); !e.OK || e.Kind != Answered || e.Slot != "web-0" || e.Member != "m0" || e.SlotEpoch != 10 || e.Pool != "web" {
		t.Errorf("%+v", e)
	}
	for range 3 * evidenceQueue { // nobody reads: nothing blocks
		now.Add(int64(evidenceInterval))
		g.offer(g.table.Load().names.any.live[0], Late, g.cfg.Now())
	}
	if testutil.ToFloat64(g.metrics.dropped) == 0 {
		t.Error("what was dropped is not counted")
	}
}

func TestServerErrorsAreNoEvidence(t *testing.T) {
	bad := newService(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) })
	g := open(t, Config{}, tableOf([]*service{bad}))
	if status, _, _ := ask(t, client(t), g, "GET", "x.example", ""); status != http.StatusServiceUnavailable {
		t.Errorf("status %d", status)
	}
	if n := len(g.evidence); n != 0 {
		t.Errorf("%d words", n)
	}
}

func TestSilenceWithoutAnotherOccupantEndsInATimeout(t *testing.T) {
	list := services(t, 1)
	list[0].hush()
	g := open(t, Config{Reflex: quick(), AnswerTimeout: 400 * time.Millisecond}, tableOf(list))
	if status, _, _ := ask(t, client(t), g, "GET", "x.example", ""); status != http.StatusGatewayTimeout {
		t.Errorf("status %d, want 504", status)
	}
}

func TestAClientThatGoesAwayLeavesNothingBehind(t *testing.T) {
	list := services(t, 2)
	list[0].hush()
	list[1].hush()
	g := open(t, Config{Reflex: quick()}, tableOf(list))
	ctx, cancel := context.WithTimeout(context.Background(), 200*time.Millisecond)
	defer cancel()
	req, _ := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+g.Addr().String(), nil)
	res, err := client(t).Do(req)
	if err == nil {
		res.Body.Close()
	}
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Fatal(err)
	}
	wait(t, "places given back", func() bool {
		return g.Stats().InFlight == 0 && g.slot(0).InFlight == 0 && g.slot(1).InFlight == 0
	})
}
