package demo

import (
	"io"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"testing"
	"time"
)

func TestTheLoadCountsEveryKindOfFailure(t *testing.T) {
	var n atomic.Int64
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		switch n.Add(1) {
		case 2:
			w.WriteHeader(http.StatusBadGateway)
		case 4:
			conn, _, err := w.(http.Hijacker).Hijack()
			if err == nil {
				conn.Close() // breaks off without an answer
			}
		case 6:
			_, _ = io.WriteString(w, "no service of ours")
		default:
			_, _ = io.WriteString(w, `{"member":"vm-1","slot":"web-0","slot_epoch":2,"pid":9}`)
		}
	}))
	defer server.Close()
	var good atomic.Int64
	l := startLoad(t.Context(), server.URL, loadRate, time.Second, func(_, _ time.Time, a answer) {
		if a == (answer{Member: "vm-1", Slot: "web-0", Epoch: 2, PID: 9}) {
			good.Add(1)
		}
	})
	await(t, "ten requests", func() bool { return n.Load() >= 10 })
	got := l.end()
	// net/http repeats a GET whose kept connection broke off before an answer:
	// that visitor noticed nothing.
	if f := len(got.Failed); f < 2 || f > 3 || got.Requests != int(good.Load())+f {
		t.Errorf("%d requests, %d good, %d failed; want 2 or 3 failures and the rest good", got.Requests, good.Load(), f)
	}
}

func TestAHangingRequestHoldsUpNoOther(t *testing.T) {
	var n atomic.Int64
	hang := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if n.Add(1) == 1 {
			select {
			case <-hang:
			case <-r.Context().Done():
			}
		}
		_, _ = io.WriteString(w, `{}`)
	}))
	defer server.Close()
	defer close(hang)
	begun := time.Now()
	l := startLoad(t.Context(), server.URL, loadRate, 300*time.Millisecond, func(time.Time, time.Time, answer) {})
	await(t, "others pass", func() bool { return n.Load() > 10 })
	got := l.end()
	if len(got.Failed) != 1 {
		t.Fatalf("%d failed, want the one that hung", len(got.Failed))
	}
	if got.since(begun) != 1 || got.since(begun.Add(time.Minute)) != 0 {
		t.Error("a failure does not count from the request's start")
	}
}
