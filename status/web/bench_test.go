package web

import (
	"bufio"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"syscall"
	"testing"
	"time"

	"moonwatch/status"
)

// BenchmarkAnswer is what a visitor costs, of a fleet of 200 with a third of it lost.
func BenchmarkAnswer(b *testing.B) {
	s := New(Config{})
	defer s.Close()
	page := watched(stormPage())
	s.SetPage(page)
	s.SetPast(pastOf(status.Day, 90, 200))
	s.SetSights(status.Sights{AsOf: page.Now, Verdicts: page.Verdicts[:1]})
	public := s.Public(shop)
	for _, path := range []string{"/", "/history", "/observers", "/api/v2/summary.json"} {
		b.Run(path, func(b *testing.B) {
			h := s.ServeHTTP
			if path == "/api/v2/summary.json" {
				h = public.ServeHTTP
			}
			for b.Loop() {
				get(http.HandlerFunc(h), path, "Accept-Encoding", "gzip")
			}
		})
	}
}

// BenchmarkRequest asks for the first view over one connection, with a client that does
// next to nothing, beside a handler that writes as many bytes and nothing else: the
// difference is what this package costs.
func BenchmarkRequest(b *testing.B) {
	s := New(Config{})
	defer s.Close()
	s.SetPage(stormPage())
	page := get(s, "/", "Accept-Encoding", "gzip").Body.Bytes()
	for _, x := range []struct {
		name    string
		handler http.Handler
		head    string
	}{
		{"first-view", s, ""},
		{"not-modified", s, "If-None-Match: " + get(s, "/", "Accept-Encoding", "gzip").Header().Get("Etag") + "\r\n"},
		{"bytes-alone", http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { put(w, page) }), ""},
	} {
		b.Run(x.name, func(b *testing.B) {
			server := httptest.NewServer(x.handler)
			defer server.Close()
			conn, err := net.Dial("tcp", server.Listener.Addr().String())
			if err != nil {
				b.Fatal(err)
			}
			defer conn.Close()
			ask := []byte("GET / HTTP/1.1\r\nHost: a\r\nAccept: text/html\r\nAccept-Language: en-GB,en;q=0.9\r\nAccept-Encoding: gzip, br\r\n" + x.head + "\r\n")
			answers := bufio.NewReaderSize(conn, 1<<16)
			b.ReportAllocs()
			began, n := processorTime(b), 0
			for b.Loop() {
				if _, err := conn.Write(ask); err != nil {
					b.Fatal(err)
				}
				resp, err := http.ReadResponse(answers, nil)
				if err != nil {
					b.Fatal(err)
				}
				_, err = io.Copy(io.Discard, resp.Body)
				_ = resp.Body.Close()
				if err != nil {
					b.Fatal(err)
				}
				n++
			}
			b.ReportMetric(float64((processorTime(b)-began).Microseconds())/float64(n), "cpu-us")
		})
	}
}

// processorTime is what this process has taken of processors.
func processorTime(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkPage asks for each page of a fleet of 200, as a browser does and over a
// connection, and tells the 99th percentile: at most 5 ms are promised.
func BenchmarkPage(b *testing.B) {
	page := watched(stormPage())
	s := New(Config{Shield: floodedDoor})
	defer s.Close()
	s.SetPage(page)
	s.SetPast(pastOf(status.Day, 90, 200))
	s.SetSights(status.Sights{AsOf: page.Now, Verdicts: page.Verdicts[:1]})
	inside := httptest.NewServer(s)
	defer inside.Close()
	// Here the agent says each time that something may have changed.
	moving := New(Config{
		Explain: page.Explain,
		Shield: func() status.ShieldDocument {
			d := floodedDoor()
			d.Now = time.Now()
			return d
		},
	})
	defer moving.Close()
	moving.SetPage(page)
	anew := httptest.NewServer(moving)
	defer anew.Close()
	outside := httptest.NewServer(s.Public(shop))
	defer outside.Close()
	for _, x := range []struct{ name, url string }{
		{"now", inside.URL + "/"},
		{"history", inside.URL + "/history"},
		{"observers", inside.URL + "/observers"},
		{"shield", inside.URL + "/shield"},
		{"shield-anew", anew.URL + "/shield"},
		{"explain", inside.URL + "/explain/V-411"},
		{"explain-anew", anew.URL + "/explain/V-411"},
		{"public", outside.URL + "/"},
	} {
		for _, code := range []string{"en", "ja"} {
			b.Run(x.name+"-"+code, func(b *testing.B) {
				var took []time.Duration
				began := processorTime(b)
				ask := func() {
					req, err := http.NewRequestWithContext(b.Context(), http.MethodGet, x.url+"?lang="+code, nil)
					if err != nil {
						b.Fatal(err)
					}
					req.Header.Set("Accept-Encoding", "gzip")
					begin := time.Now()
					resp, err := http.DefaultClient.Do(req)
					if err != nil {
						b.Fatal(err)
					}
					_, err = io.Copy(io.Discard, resp.Body)
					_ = resp.Body.Close()
					if err != nil || resp.StatusCode != http.StatusOK {
						b.Fatal(resp.Status, err)
					}
					took = append(took, time.Since(begin))
				}
				ask() // it is made when it is first asked for
				first := took[0]
				took = nil
				for b.Loop() {
					ask()
				}
				slices.Sort(took)
				b.ReportMetric(took[len(took)*99/100].Seconds()*1000, "p99-ms")
				b.ReportMetric(first.Seconds()*1000, "first-ms")
				// Both ends and the collector; it tells more than the clock does where others compute.
				b.ReportMetric(float64((processorTime(b)-began).Microseconds())/float64(len(took)), "cpu-us")
			})
		}
	}
}
