package gateway

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
)

func TestWhatClientsSayAboutThemselvesIsNotBelieved(t *testing.T) {
	s := newService(t, func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintf(w, "%s|%s|", r.Host, r.URL.RawQuery)
		_ = json.NewEncoder(w).Encode(r.Header)
	})
	g := open(t, Config{}, tableOf([]*service{s}))
	req, _ := http.NewRequest(http.MethodGet, "http://"+g.Addr().String()+"/?a=1;b=2", nil)
	req.Host = "www.example.com"
	for _, name := range []string{"X-Forwarded-For", "X-Forwarded-Host", "X-Forwarded-Proto", "X-Forwarded-Port", "X-Forwarded-Prefix", "Forwarded", "X-Real-IP"} {
		req.Header.Set(name, "evil")
	}
	res, err := client(t).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	text, _ := io.ReadAll(res.Body)
	if strings.Contains(string(text), "evil") {
		t.Errorf("it came through: %s", text)
	}
	for _, want := range []string{"www.example.com|a=1;b=2|", `"X-Forwarded-For":["127.0.0.1"]`, `"X-Forwarded-Host":["www.example.com"]`, `"X-Forwarded-Proto":["http"]`} {
		if !strings.Contains(string(text), want) {
			t.Errorf("%s is missing in %s", want, text)
		}
	}
	for name := range res.Header {
		if strings.HasPrefix(name, "X-Moonwatch") {
			t.Errorf("the inside shows: %s", name)
		}
	}
}

func TestDebugShowsTheSlot(t *testing.T) {
	g := open(t, Config{Debug: true}, tableOf(services(t, 1)))
	_, _, h := ask(t, client(t), g, "GET", "x.example", "")
	if h.Get("X-Moonwatch-Slot") != "web-0" || h.Get("X-Moonwatch-Slot-Epoch") != "10" || h.Get("X-Moonwatch-Member") != "m0" {
		t.Errorf("%v", h)
	}
}

func TestUpgradesPassThrough(t *testing.T) {
	s := newService(t, func(w http.ResponseWriter, r *http.Request) {
		c, rw, err := http.NewResponseController(w).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer c.Close()
		fmt.Fprint(rw, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: "+r.Header.Get("Upgrade")+"\r\n\r\n")
		_ = rw.Flush()
		_, _ = io.Copy(c, rw)
	})
	g := open(t, Config{Reflex: quick()}, tableOf([]*service{s}))
	c, err := net.Dial("tcp", g.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	fmt.Fprint(c, "GET /chat HTTP/1.1\r\nHost: x.example\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
	r := bufio.NewReader(c)
	res, err := http.ReadResponse(r, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusSwitchingProtocols {
		t.Fatalf("status %d", res.StatusCode)
	}
	for range 3 {
		fmt.Fprint(c, "ping\n")
		if line, err := r.ReadString('\n'); line != "ping\n" {
			t.Fatal(line, err)
		}
		time.Sleep(quick().LateMin) // a long connection is no late answer
	}
	if o := g.slot(0); o.InFlight != 1 || o.Failures != 0 {
		t.Errorf("%+v", o)
	}
	// Close cuts it: it has no end of its own.
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if err := g.Close(ctx); err != nil {
		t.Error(err)
	}
	if _, err := r.ReadByte(); err == nil {
		t.Error("the connection is still open")
	}
}

func TestStreamsAreFlushed(t *testing.T) {
	next := make(chan struct{})
	s := newService(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		for range 2 {
			fmt.Fprint(w, "data: x\n\n")
			_ = http.NewResponseController(w).Flush()
			<-next
		}
	})
	g := open(t, Config{}, tableOf([]*service{s}))
	res, err := client(t).Get("http://" + g.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	r := bufio.NewReader(res.Body)
	for range 2 {
		if line, err := r.ReadString('\n'); line != "data: x\n" {
			t.Fatal(line, err)
		}
		_, _ = r.ReadString('\n')
		next <- struct{}{}
	}
}

func TestAFullGatewayRefusesTheNewest(t *testing.T) {
	list := services(t, 1)
	list[0].hush()
	g := open(t, Config{MaxInFlight: 2}, tableOf(list))
	c := client(t)
	answers := make(chan int)
	for range 2 {
		go func() {
			status, _, _ := ask(t, c, g, "GET", "x.example", "")
			answers <- status
		}()
	}
	wait(t, "two requests", func() bool { return g.Stats().InFlight == 2 })
	if status, _, h := ask(t, c, g, "GET", "x.example", ""); status != http.StatusServiceUnavailable || h.Get("Retry-After") == "" {
		t.Errorf("status %d %v", status, h)
	}
	list[0].speak()
	for range 2 {
		if status := <-answers; status != http.StatusOK {
			t.Errorf("status %d", status)
		}
	}
}

func TestCloseLetsRequestsFinish(t *testing.T) {
	list := services(t, 1)
	list[0].hush()
	g := open(t, Config{}, tableOf(list))
	answer := make(chan int)
	go func() {
		status, _, _ := ask(t, client(t), g, "GET", "x.example", "")
		answer <- status
	}()
	wait(t, "the request", func() bool { return list[0].asked.Load() == 1 })
	closed := make(chan error)
	go func() { closed <- g.Close(context.Background()) }()
	wait(t, "the listener to close", func() bool {
		c, err := net.Dial("tcp", g.Addr().String())
		if err == nil {
			c.Close()
		}
		return err != nil
	})
	list[0].speak()
	if status := <-answer; status != http.StatusOK {
		t.Errorf("status %d", status)
	}
	if err := <-closed; err != nil {
		t.Error(err)
	}
}

func TestCloseCutsWhatDoesNotFinish(t *testing.T) {
	list := services(t, 2)
	list[0].hush()
	list[1].hush()
	g, err := Open(Config{Listen: "127.0.0.1:0", Reflex: quick()})
	if err != nil {
		t.Fatal(err)
	}
	g.SetTable(tableOf(list))
	done := make(chan struct{})
	go func() {
		ask(t, client(t), g, "GET", "x.example", "")
		close(done)
	}()
	wait(t, "the second sending", func() bool { return list[0].asked.Load()+list[1].asked.Load() == 2 })
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	if err := g.Close(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v", err)
	}
	<-done
	if again := g.Close(context.Background()); !errors.Is(again, context.DeadlineExceeded) {
		t.Errorf("the second Close says %v", again)
	}
}

func TestATakenPortIsAnError(t *testing.T) {
	g := open(t, Config{}, Table{})
	if _, err := Open(Config{Listen: g.Addr().String()}); err == nil || !strings.Contains(err.Error(), "open gateway: listen tcp 127.0.0.1:") {
		t.Errorf("%v", err)
	}
}

func TestAnAnswerThatBreaksOffIsSeen(t *testing.T) {
	s := newService(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "1000")
		fmt.Fprint(w, "half")
		_ = http.NewResponseController(w).Flush()
		panic(http.ErrAbortHandler)
	})
	g := open(t, Config{}, tableOf([]*service{s}))
	if status, text, _ := ask(t, client(t), g, "GET", "x.example", ""); status != 0 {
		t.Errorf("the client took it for whole: %d %s", status, text)
	}
	truncated := g.metrics.requests.WithLabelValues(string(resultTruncated))
	wait(t, "the count", func() bool { return testutil.ToFloat64(truncated) == 1 })
	wait(t, "the place given back", func() bool { return g.slot(0).InFlight == 0 })
}

func TestForwardProxyingIsRefused(t *testing.T) {
	g := open(t, Config{}, tableOf(services(t, 1)))
	c, err := net.Dial("tcp", g.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	fmt.Fprint(c, "CONNECT x.example:443 HTTP/1.1\r\nHost: x.example:443\r\n\r\n")
	res, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusMethodNotAllowed {
		t.Errorf("status %d", res.StatusCode)
	}
}

func TestAClientThatTricklesItsBodyIsTold(t *testing.T) {
	list := services(t, 1)
	g := open(t, Config{BodyTimeout: 50 * time.Millisecond}, tableOf(list))
	c, err := net.Dial("tcp", g.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	fmt.Fprint(c, "POST / HTTP/1.1\r\nHost: x.example\r\nContent-Length: 10\r\n\r\nabc")
	res, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusBadRequest || list[0].asked.Load() != 0 {
		t.Errorf("status %d, asked %d times", res.StatusCode, list[0].asked.Load())
	}
}

func TestMetricsAreClean(t *testing.T) {
	reg := prometheus.NewRegistry()
	g := open(t, Config{Registerer: reg}, tableOf(services(t, 1)))
	ask(t, client(t), g, "GET", "x.example", "")
	problems, err := testutil.GatherAndLint(reg)
	if err != nil || len(problems) > 0 {
		t.Error(problems, err)
	}
	if n, err := testutil.GatherAndCount(reg); err != nil || n < 17 {
		t.Errorf("%d series at start: a graph would not show 0: %v", n, err)
	}
}
