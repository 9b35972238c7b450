package web

import (
	"net/http"
	"testing"

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
