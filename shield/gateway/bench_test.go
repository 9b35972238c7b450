package gateway

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"strings"
	"testing"
	"time"

	"moonwatch/shield"
	"moonwatch/shield/admit"
)

// BenchmarkGateway asks the gateway and the plainest proxy of the library by
// turns, so that what else the machine does hits both. ratio is the time of the
// gateway over that of the plain one.
func BenchmarkGateway(b *testing.B) {
	occupant := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "ok") }))
	defer occupant.Close()
	addr := strings.TrimPrefix(occupant.URL, "http://")

	g, err := Open(Config{Listen: "127.0.0.1:0"})
	if err != nil {
		b.Fatal(err)
	}
	defer g.Close(context.Background())
	g.SetTable(Table{Pools: []Pool{{Name: "web", Hosts: []string{"www.example.com"}, Occupants: []Occupant{
		{Slot: "web-0", Member: "a", Addr: addr}, {Slot: "web-1", Member: "b", Addr: addr}, {Slot: "web-2", Member: "c", Addr: addr},
	}}}})

	to := map[string]*url.URL{"www.example.com": {Scheme: "http", Host: addr}}
	transport := &http.Transport{MaxIdleConnsPerHost: 64, DisableCompression: true}
	defer transport.CloseIdleConnections()
	plain := httptest.NewServer(&httputil.ReverseProxy{Transport: transport, Rewrite: func(p *httputil.ProxyRequest) {
		p.SetURL(to[p.In.Host])
		p.Out.Host = p.In.Host
		p.SetXForwarded()
	}, BufferPool: new(buffers)})
	defer plain.Close()

	visitor := &http.Transport{MaxIdleConnsPerHost: 4}
	defer visitor.CloseIdleConnections()
	one := func(addr string) time.Duration {
		req, err := http.NewRequest(http.MethodGet, addr, nil)
		if err != nil {
			b.Fatal(err)
		}
		req.Host = "www.example.com"
		begun := time.Now()
		res, err := visitor.RoundTrip(req)
		if err != nil || res.StatusCode != http.StatusOK {
			b.Fatal(res, err)
		}
		_, _ = io.Copy(io.Discard, res.Body)
		res.Body.Close()
		return time.Since(begun)
	}
	ours := "http://" + g.Addr().String()
	var gateway, library time.Duration
	b.ReportAllocs()
	for b.Loop() {
		gateway += one(ours)
		library += one(plain.URL)
	}
	b.ReportMetric(float64(gateway)/float64(library), "ratio")
	b.ReportMetric(float64(gateway.Nanoseconds())/float64(b.N), "gateway-ns/op")
	b.ReportMetric(float64(library.Nanoseconds())/float64(b.N), "plain-ns/op")
}

func BenchmarkFindName(b *testing.B) {
	n := table4(b)
	b.ReportAllocs()
	for b.Loop() {
		n.find("v1.api.example.com:8080")
	}
}

// BenchmarkCheck is what the shield adds to a request of a subdomain that is not
// held, while 64 others are: its name, counting it, finding no measure.
func BenchmarkCheck(b *testing.B) {
	counter := newCounter(b)
	g := admit.New(admit.Config{Counter: counter})
	var list []shield.Measure
	for i := range 64 {
		list = append(list, shield.Measure{Key: shield.KeyOf(0, fmt.Appendf(nil, "attacked-%d.example.com", i)), Rung: shield.ShapeLocal, Until: time.Now().Add(time.Hour)})
	}
	g.Enforce(shield.NewMeasures(list))
	hosts := make([]string, 512)
	for i := range hosts {
		name := fmt.Sprintf("tenant-%05d.example.com", i)
		counter.Learn([]byte(name))
		hosts[i] = "T" + name[1:] + ":8443"
	}
	r := &http.Request{RemoteAddr: "10.0.0.1:40000"}
	b.ReportAllocs()
	for i := 0; b.Loop(); i++ {
		if why, _ := g.Judge(g.Count(hosts[i%512]), r); why != admit.LetIn {
			b.Fatal("shed")
		}
	}
}

// BenchmarkRefusal is what a request of a held subdomain costs that is not let in.
func BenchmarkRefusal(b *testing.B) {
	counter := newCounter(b)
	counter.Learn([]byte(flooded))
	g := admit.New(admit.Config{Counter: counter})
	g.Enforce(held(func(m *shield.Measure) { m.Rung = shield.Stop }))
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.Host = flooded
	w := refused{}
	for b.Loop() {
		ref := g.Count(r.Host)
		why, m := g.Judge(ref, r)
		if why != admit.Stopped {
			b.Fatal("let in")
		}
		ref.Refuse()
		clear(w)
		g.Refuse(w, r, why, m)
	}
}

// refused takes an answer and forgets it.
type refused http.Header

func (w refused) Header() http.Header         { return http.Header(w) }
func (w refused) Write(p []byte) (int, error) { return len(p), nil }
func (w refused) WriteHeader(int)             {}
