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
