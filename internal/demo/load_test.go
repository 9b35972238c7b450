package demo

import (
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"sync/atomic"
	"syscall"
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

func TestFailuresAreToldByReasonTheMostFrequentFirst(t *testing.T) {
	at := func(ms int) time.Time { return time.UnixMilli(int64(ms)) }
	refused := func(port int) error {
		return &url.Error{Op: "Get", URL: "http://door/", Err: &net.OpError{Op: "read", Source: &net.TCPAddr{Port: port}, Err: syscall.ECONNRESET}}
	}
	full := refusal("503 Service Unavailable", []byte(`{"title":"too many requests at once","status":503}`))
	got := tally{Failed: []failure{{at(5), full}, {at(9), refused(1)}, {at(7), refused(2)}, {at(8), refused(3)}}}.reasons()
	want := []reason{
		{what: "read: connection reset by peer", n: 3, first: at(7), last: at(9)},
		{what: "answer 503 Service Unavailable: too many requests at once", n: 1, first: at(5), last: at(5)},
	}
	if !slices.Equal(got, want) {
		t.Errorf("reasons %v, want %v", got, want)
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
	l := startLoad(t.Context(), server.URL, loadRate, 3*time.Second, func(time.Time, time.Time, answer) {})
	await(t, "others pass", func() bool { return n.Load() > 10 })
	got := l.end()
	if len(got.Failed) != 1 {
		t.Fatalf("%d failed, want the one that hung", len(got.Failed))
	}
	if got.since(begun) != 1 || got.since(begun.Add(time.Minute)) != 0 {
		t.Error("a failure does not count from the request's start")
	}
}
