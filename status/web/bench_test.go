package web

import (
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
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

// BenchmarkPage asks for each page of a fleet of 200, as a browser does and over a
// connection, and tells the 99th percentile: at most 5 ms are promised.
func BenchmarkPage(b *testing.B) {
	s := New(Config{})
	defer s.Close()
	page := watched(stormPage())
	s.SetPage(page)
	s.SetPast(pastOf(status.Day, 90, 200))
	s.SetSights(status.Sights{AsOf: page.Now, Verdicts: page.Verdicts[:1]})
	inside := httptest.NewServer(s)
	defer inside.Close()
	outside := httptest.NewServer(s.Public(shop))
	defer outside.Close()
	for _, x := range []struct{ name, url string }{
		{"now", inside.URL + "/"},
		{"history", inside.URL + "/history"},
		{"observers", inside.URL + "/observers"},
		{"shield", inside.URL + "/shield"},
		{"explain", inside.URL + "/explain/V-411"},
		{"public", outside.URL + "/"},
	} {
		for _, code := range []string{"en", "ja"} {
			b.Run(x.name+"-"+code, func(b *testing.B) {
				var took []time.Duration
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
			})
		}
	}
}
