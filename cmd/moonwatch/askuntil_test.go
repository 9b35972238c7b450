package main

import (
	"context"
	"errors"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"

	"moonwatch/internal/client"
	"moonwatch/status"
	"moonwatch/status/web"
)

// TestAnAgentThatStandsStillIsAskedAgain as one does that is stopped for a while, before its
// answer or in the middle of it: whoever waits for the end of something hears of it when the
// agent goes on.
func TestAnAgentThatStandsStillIsAskedAgain(t *testing.T) {
	for name, says := range map[string]string{"before its answer": "", "in the middle": "{"} {
		t.Run(name, func(t *testing.T) {
			t.Parallel() // each takes as long as an agent may take for one question
			pages := web.New(web.Config{})
			pages.SetPage(fixture(t, "page-open.json"))
			var asked atomic.Int32
			s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if asked.Add(1) > 1 {
					pages.ServeHTTP(w, r)
					return
				}
				if says != "" {
					w.Header().Set("Content-Type", "application/json")
					_, _ = w.Write([]byte(says))
					_ = http.NewResponseController(w).Flush()
				}
				<-r.Context().Done()
			}))
			t.Cleanup(func() { s.Close(); pages.Close() })
			agent, err := client.New(s.URL)
			if err != nil {
				t.Fatal(err)
			}
			defer agent.Close()
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			seen := func(p status.Page) (bool, error) { return len(p.Slots) > 0, nil }
			if err := askUntil(ctx, agent, client.PageDocument, errors.New("nobody waits any more"), seen); err != nil {
				t.Error(err)
			}
		})
	}
}
