package main

import (
	"context"
	"net"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"
)

func serve(t *testing.T, h http.HandlerFunc) (*httptest.Server, string) {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return s, s.Listener.Addr().String()
}

func TestWhomAPageRefusesAsksTheNext(t *testing.T) {
	_, answers := serve(t, func(http.ResponseWriter, *http.Request) {})
	_, sick := serve(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) })
	s, gone := serve(t, http.NotFound)
	s.Close()
	a := newAsker([]string{answers, gone, sick})
	defer a.close()
	for range 2 { // over new connections, and over those that are open
		for first, want := range map[int]int{0: 1, 1: 3, 2: 2, 3: 1} {
			if tries, err := a.askAny(t.Context(), first); err != nil || tries != want {
				t.Errorf("from page %d: %d tries, %v; want %d", first, tries, err, want)
			}
		}
	}
	b := newAsker([]string{gone, sick})
	defer b.close()
	if _, err := b.askAny(t.Context(), 0); err == nil {
		t.Error("pages that all refuse answered")
	}
}

// TestAConnectionIsUsedAgain, and where it has ended meanwhile another one is opened.
func TestAConnectionIsUsedAgain(t *testing.T) {
	var opened atomic.Int64
	s := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write(make([]byte, 50_000)) }))
	s.Config.ConnState = func(_ net.Conn, st http.ConnState) {
		if st == http.StateNew {
			opened.Add(1)
		}
	}
	s.Start()
	defer s.Close()
	a := newAsker([]string{s.Listener.Addr().String()})
	defer a.close()
	ask := func(want int64) {
		t.Helper()
		if tries, err := a.askAny(t.Context(), 0); err != nil || tries != 1 {
			t.Fatalf("%d tries, %v", tries, err)
		}
		if n := opened.Load(); n != want {
			t.Errorf("%d connections were opened, want %d", n, want)
		}
	}
	ask(1)
	ask(1)
	s.CloseClientConnections()
	ask(2)
}

// TestAnAnswerThatIsCutIsNone: it says that it is longer than what comes.
func TestAnAnswerThatIsCutIsNone(t *testing.T) {
	_, addr := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "100")
		_, _ = w.Write([]byte("half"))
	})
	a := newAsker([]string{addr})
	defer a.close()
	if _, err := a.askAny(t.Context(), 0); err == nil {
		t.Error("half a page is taken for one")
	}
}

// TestEachRequestThatWasDueIsCounted: answered, by whom else, or not.
func TestEachRequestThatWasDueIsCounted(t *testing.T) {
	var asked atomic.Int64
	enough := make(chan struct{})
	_, good := serve(t, func(http.ResponseWriter, *http.Request) {
		if asked.Add(1) == 20 {
			close(enough)
		}
	})
	_, sick := serve(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) })
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	go func() {
		<-enough
		cancel()
	}()
	r := load(ctx, []string{good, sick}, 1000, 4)
	if r.Answered != int(asked.Load()) || r.Moved == 0 || r.Moved > r.Answered || r.Failed != 0 || r.P99 <= 0 {
		t.Errorf("%+v of %d that came", r, asked.Load())
	}
}

// TestWhatIsDueAfterTheFleetEndedCountsForNothing.
func TestWhatIsDueAfterTheFleetEndedCountsForNothing(t *testing.T) {
	var asked atomic.Int64
	s, addr := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		if asked.Add(1) > 20 {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	})
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	go func() {
		for asked.Load() < 200 && ctx.Err() == nil {
			time.Sleep(time.Millisecond)
		}
		cancel()
	}()
	r := load(ctx, []string{addr}, 1000, 1)
	s.Close()
	if r.Answered != 20 || r.Failed != 0 || r.LeftOut != 0 || r.Seconds > 0.1 || r.Rate < 200 {
		t.Errorf("%+v of 20 that were answered and more than 100 that were not", r)
	}
}
