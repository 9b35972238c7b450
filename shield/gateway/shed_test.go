package gateway

import (
	"bufio"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"time"

	"moonwatch/shield"
	"moonwatch/shield/count"
)

const flooded = "flooded.example.com"

func newCounter(t testing.TB) *count.Counter {
	t.Helper()
	c, err := count.New(count.Config{Hosts: 1000, Learn: 1000})
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// held is a measure for the flooded subdomain.
func held(change func(*shield.Measure)) *shield.Measures {
	m := shield.Measure{
		Key: shield.KeyOf(0, []byte(flooded)), Host: flooded, Rung: shield.ShapeLocal, Admit: shield.Whole,
		Limit: 65.5, Until: time.Now().Add(time.Hour),
	}
	if change != nil {
		change(&m)
	}
	return shield.NewMeasures([]shield.Measure{m})
}

// shielded is a gateway that counts, in front of one service. The flooded
// subdomain is known to it.
func shielded(t *testing.T, cfg Config) *Gateway {
	t.Helper()
	cfg.Counter = newCounter(t)
	cfg.Counter.Learn([]byte(flooded))
	return open(t, cfg, tableOf(services(t, 1)))
}

// askFrom asks as a client at an address.
func askFrom(g *Gateway, client, host string, header ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.Host, r.RemoteAddr = host, net.JoinHostPort(client, "40000")
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	g.serve(w, r)
	return w
}

func TestTheAdmittedFractionOfClientsIsServed(t *testing.T) {
	g := shielded(t, Config{})
	g.Enforce(held(func(m *shield.Measure) { m.Admit = 300 }))
	const clients = 1000
	let := 0
	for i := range clients {
		client := fmt.Sprintf("10.0.%d.%d", i/250, i%250)
		switch askFrom(g, client, "FLOODED.example.com.:8080").Code {
		case http.StatusOK:
			let++
		case http.StatusTooManyRequests:
		default:
			t.Fatal("neither served nor shed")
		}
	}
	if let < 210 || let > 390 { // six standard deviations around 300
		t.Errorf("%d of %d clients were let in, want 300 permille", let, clients)
	}
	for i := range 20 {
		if s := askFrom(g, fmt.Sprintf("10.0.9.%d", i), "innocent.example.com").Code; s != http.StatusOK {
			t.Fatalf("somebody else got %d", s)
		}
	}
}

// The drawing is renewed every shield.StickyFor; the gateway's clock stands still
// here, so nobody's turn ends in between.
func TestAClientKeepsItsDecision(t *testing.T) {
	now := time.Now()
	g := shielded(t, Config{Now: func() time.Time { return now }})
	g.Enforce(held(func(m *shield.Measure) { m.Admit = 500 }))
	for i := range 40 {
		client := fmt.Sprintf("2001:db8:0:%x::1", i)
		first := askFrom(g, client, flooded).Code
		for j := range 5 {
			sibling := fmt.Sprintf("2001:db8:0:%x:abcd::%x", i, j+2) // the same /64
			if again := askFrom(g, sibling, flooded).Code; again != first {
				t.Fatalf("%s was answered %d, %s %d", client, first, sibling, again)
			}
		}
	}
}

func TestTheCapHoldsWhateverTheFractionSays(t *testing.T) {
	now := time.Now()
	g := shielded(t, Config{Now: func() time.Time { return now }})
	m := func(m *shield.Measure) { m.Cap, m.Burst = 10, 5 }
	g.Enforce(held(m))
	let := 0
	for i := range 100 {
		if askFrom(g, fmt.Sprintf("10.0.0.%d", i), flooded).Code == http.StatusOK {
			let++
		}
		if i == 50 {
			g.Enforce(held(m)) // renewed: what was let in is not forgotten
		}
	}
	if let < 5 || let > 6 {
		t.Errorf("%d requests were let in at one moment, want the burst of 5", let)
	}
	total := g.Counter().Total()
	if total.Asked != 100 || total.Refused != uint64(100-let) {
		t.Errorf("counted %+v, want 100 asked and %d refused", total, 100-let)
	}
}

func TestTheShieldFailsOpen(t *testing.T) {
	for name, m := range map[string]*shield.Measures{
		"no measures":        nil,
		"nobody is held":     shield.NewMeasures(nil),
		"not renewed":        held(func(m *shield.Measure) { m.Admit, m.Until = 1, time.Now().Add(-time.Millisecond) }),
		"only observed":      held(func(m *shield.Measure) { m.Rung, m.Admit = shield.Observe, 1 }),
		"in shadow":          held(func(m *shield.Measure) { m.Shadow, m.Admit, m.Cap = true, 1, 0.001 }),
		"everybody admitted": held(nil),
	} {
		t.Run(name, func(t *testing.T) {
			g := shielded(t, Config{})
			g.Enforce(m)
			for i := range 20 {
				if s := askFrom(g, fmt.Sprintf("10.0.0.%d", i), flooded).Code; s != http.StatusOK {
					t.Fatalf("answer %d", s)
				}
			}
		})
	}
	g := open(t, Config{}, tableOf(services(t, 1))) // without a counter
	g.Enforce(held(func(m *shield.Measure) { m.Rung = shield.Stop }))
	if s := askFrom(g, "10.0.0.1", flooded).Code; s != http.StatusOK {
		t.Errorf("a gateway that does not count answers %d", s)
	}
}

func TestWhoIsShedIsToldInItsOwnWords(t *testing.T) {
	g := shielded(t, Config{})
	none := func(m *shield.Measure) { m.Admit, m.Cap, m.Burst = shield.Whole, 1e-9, 1e-9 }
	for _, c := range []struct {
		name, accept, language string
		rung                   shield.Rung
		status                 int
		kind, words            string
	}{
		{"a browser", "text/html,application/xhtml+xml,*/*;q=0.8", "en-GB,en;q=0.9", shield.ShapeLocal, 429, "text/html; charset=utf-8", "very busy"},
		{"a Japanese one", "text/html", "ja,en-US;q=0.7", shield.ShapeLocal, 429, "text/html; charset=utf-8", "アクセスが集中"},
		{"one that would rather have French", "text/html", "fr, ja;q=0.5", shield.ShapeLocal, 429, "text/html; charset=utf-8", "アクセスが集中"},
		{"one that says nonsense", "text/html", strings.Repeat("-", 5000), shield.ShapeLocal, 429, "text/html; charset=utf-8", "very busy"},
		{"a program", "*/*", "", shield.ShapeLocal, 429, "application/problem+json", "quota-exceeded"},
		{"a stop", "", "", shield.Stop, 503, "application/problem+json", "temporary-reduced-capacity"},
	} {
		t.Run(c.name, func(t *testing.T) {
			g.Enforce(held(func(m *shield.Measure) { none(m); m.Rung = c.rung }))
			askFrom(g, "10.0.0.1", flooded) // a bucket admits its first one
			res := askFrom(g, "10.0.0.1", flooded, "Accept", c.accept, "Accept-Language", c.language)
			body := res.Body.Bytes()
			if res.Code != c.status || res.Header().Get("Content-Type") != c.kind || !strings.Contains(string(body), c.words) {
				t.Errorf("got %d %s: %s", res.Code, res.Header().Get("Content-Type"), body)
			}
			if n, err := strconv.Atoi(res.Header().Get("Retry-After")); err != nil || n < 1 || n > 20 {
				t.Errorf("Retry-After %q, want 1 to 20 s", res.Header().Get("Retry-After"))
			}
			if limits := res.Header().Get("RateLimit-Policy"); c.status == 429 && limits != `"subdomain";q=65;w=1;qu="requests"` {
				t.Errorf("RateLimit-Policy %q", limits)
			}
			g.Enforce(held(func(m *shield.Measure) { none(m); m.Rung, m.ByCost = c.rung, true }))
			inTime := askFrom(g, "10.0.0.1", flooded, "Accept", c.accept).Header()
			if got := inTime.Get("RateLimit-Policy") + inTime.Get("RateLimit"); got != "" || inTime.Get("Retry-After") == "" {
				t.Errorf("a share of an occupant's time is told as %q requests", got)
			}
			if c.kind == "application/problem+json" {
				var p struct{ Status int }
				if err := json.Unmarshal(body, &p); err != nil || p.Status != c.status {
					t.Errorf("%s: %v", body, err)
				}
			}
			if strings.Contains(string(body), "example.com") || len(body) > 4<<10 {
				t.Errorf("the answer names somebody, or is long: %s", body)
			}
		})
	}
}

// While one subdomain is held, no Host whatever is taken for it, and none harms
// who comes after it.
func TestNoHostHeaderStopsTraffic(t *testing.T) {
	g := shielded(t, Config{})
	g.Enforce(held(func(m *shield.Measure) { m.Rung = shield.Stop }))
	hosts := []string{
		"", ".", "..", ":", ":80", "[", "]", "[]", "[::1]", "[::1]:8080", "::1", "[fe80::1%25eth0]:80", "[2001:DB8::0:1]", "127.0.0.1:80",
		"EXAMPLE.com.", "example.com..", "example.com:99999", "example.com:port", "xn--bcher-kva.example.com", "xn--.example.com",
		"bücher.example.com", "月読.example.com", "\xff\xfe.example.com", "a\x00b.example.com", "a b.example.com", "-.example.com",
		strings.Repeat("a.", 126) + "a", strings.Repeat("a", 254), strings.Repeat("a.", 20_000), strings.Repeat("月", 400),
		"_dmarc.example.com", "*.example.com", "flooded.example.com.evil.example.com",
	}
	for _, host := range hosts {
		if res := askFrom(g, "10.0.0.1", host); res.Code == http.StatusTooManyRequests || res.Code == http.StatusServiceUnavailable {
			t.Errorf("Host %.60q was answered %d", host, res.Code)
		}
		raw(t, g, host) // through the library's own checks
		if s := askFrom(g, "10.0.0.1", "innocent.example.com").Code; s != http.StatusOK {
			t.Fatalf("after Host %.60q somebody else got %d", host, s)
		}
	}
	for _, host := range []string{"flooded.example.com", "Flooded.Example.Com", "flooded.example.com.", "flooded.example.com:443", "FLOODED.EXAMPLE.COM.:80"} {
		if s := askFrom(g, "10.0.0.1", host).Code; s != http.StatusServiceUnavailable {
			t.Errorf("Host %q got %d: another way to write a name is a way around", host, s)
		}
	}
}

// raw sends a request with a Host header as it is and wants some answer.
func raw(t *testing.T, g *Gateway, host string) {
	t.Helper()
	c, err := net.Dial("tcp", g.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(30 * time.Second))
	fmt.Fprintf(c, "GET / HTTP/1.1\r\nHost: %s\r\nConnection: close\r\n\r\n", host)
	res, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Errorf("Host %.60q: %v", host, err)
		return
	}
	res.Body.Close()
}

func TestAHostBecomesKnownByAGoodAnswer(t *testing.T) {
	g := shielded(t, Config{})
	known := g.Counter().Known()
	askFrom(g, "10.0.0.1", "a.example.com")
	if g.Counter().Known() != known+1 && g.Counter().Known() != known+2 { // itself, and the bucket of its unknown siblings
		t.Errorf("%d hosts are known after a good answer, want more than %d", g.Counter().Known(), known)
	}
	if host := <-g.Learned(); host != "a.example.com" {
		t.Errorf("%s was learned", host)
	}
	known = g.Counter().Known()
	bad := newService(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNotFound) })
	g.SetTable(tableOf([]*service{bad}))
	for i := range 20 {
		askFrom(g, "10.0.0.1", fmt.Sprintf("made-up-%d.example.com", i))
	}
	if g.Counter().Known() != known {
		t.Errorf("%d hosts are known, want %d: none was answered well", g.Counter().Known(), known)
	}
	if asked := g.Counter().Total(); asked.Asked != 21 || asked.Cost == 0 {
		t.Errorf("counted %+v, want 21 requests and what they cost", asked)
	}
}

func TestTroubleIsWantOfCapacityAlone(t *testing.T) {
	g := shielded(t, Config{MaxInFlight: 1})
	busy := newService(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) })
	gone := newService(t, nil)
	ask := func(n int) {
		for range n {
			askFrom(g, "10.0.0.1", flooded)
		}
	}
	if ask(50); g.Trouble() {
		t.Error("trouble while all is well")
	}
	g.SetTable(tableOf([]*service{gone}))
	gone.kill()
	if ask(5); g.Trouble() {
		t.Error("an occupant that is gone is no want of capacity")
	}
	g.SetTable(tableOf([]*service{busy}))
	if ask(2); g.Trouble() {
		t.Error("two answers are chance")
	}
	if ask(5); !g.Trouble() {
		t.Error("no trouble, and occupants say that they are overloaded")
	}
	if g.Trouble() {
		t.Error("trouble that was told already")
	}
	other, _ := g.places.take(0, func() {})
	if ask(1); !g.Trouble() { // it would have no more than the other one has
		t.Error("no trouble, and the gateway is full")
	}
	g.places.release(other)
	own, _ := g.places.take(g.gate.Count(flooded).Key(), func() {})
	if ask(1); g.Trouble() {
		t.Error("trouble, and the gateway is full of one subdomain's requests alone")
	}
	g.places.release(own)
}
