package probe

import (
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"moonwatch/member"
)

func TestAGRPCHealthAnswerIsWeighed(t *testing.T) {
	tests := []struct {
		claim   string
		message []byte // with its frame
		status  string // grpc-status of the trailers
		want    Outcome
		says    string
	}{
		{"serving", []byte{0, 0, 0, 0, 2, 8, 1}, "0", Answers, ": SERVING"},
		{"not serving", []byte{0, 0, 0, 0, 2, 8, 2}, "0", Refuses, "NOT_SERVING"},
		{"unknown is the empty message", []byte{0, 0, 0, 0, 0}, "0", Refuses, "UNKNOWN"},
		{"a status of the future", []byte{0, 0, 0, 0, 2, 8, 77}, "0", Refuses, "serving status 77"},
		{"fields of the future", []byte{0, 0, 0, 0, 7, 18, 1, 'x', 8, 1, 24, 5}, "0", Answers, ": SERVING"},
		{"the last word counts", []byte{0, 0, 0, 0, 4, 8, 1, 8, 2}, "0", Refuses, "NOT_SERVING"},
		{"no such service", nil, "5", Refuses, "grpc status 5: unknown service"},
		{"no health service at all", nil, "12", Refuses, "grpc status 12"},
		{"overloaded", nil, "14", Refuses, "grpc status 14"},
		{"out of our own time", nil, "4", Silent, "no answer in time"},
		{"no message", nil, "0", Refuses, "holds no message"},
		{"half a frame", []byte{0, 0, 0}, "0", Refuses, "holds no message"},
		{"half a message", []byte{0, 0, 0, 0, 9, 8, 1}, "0", Refuses, "has 2 bytes, 9 were announced"},
		{"a message that is none", []byte{0, 0, 0, 0, 2, 8, 0x80}, "0", Refuses, "read health message"},
		{"compressed", []byte{1, 0, 0, 0, 2, 8, 1}, "0", Refuses, "compressed"},
		{"no status", []byte{0, 0, 0, 0, 2, 8, 1}, "", Refuses, "is it a gRPC service?"},
		{"far too much", make([]byte, 2*bodyLimit), "0", Refuses, "is it a gRPC service?"},
	}
	for _, tt := range tests {
		t.Run(tt.claim, func(t *testing.T) {
			port := serveHealth(t, func(w http.ResponseWriter, _ *http.Request) {
				w.Header().Set("Content-Type", "application/grpc")
				w.Header().Set("Trailer", "Grpc-Status, Grpc-Message")
				_, _ = w.Write(tt.message)
				if tt.status != "" {
					w.Header().Set("Grpc-Status", tt.status)
				}
				w.Header().Set("Grpc-Message", "unknown%20service")
			})
			result := New(Config{}).Run(t.Context(), loopback, health(port, ""), ample)
			if result.Outcome != tt.want || !strings.Contains(result.Detail, tt.says) {
				t.Errorf("got %v (%s), want %v (%s)", result.Outcome, result.Detail, tt.want, tt.says)
			}
		})
	}
}

func TestAGRPCStatusMayStandAmongTheHeaders(t *testing.T) {
	port := serveHealth(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Grpc-Status", "12")
		w.Header().Set("Grpc-Message", "%zz")
	})
	result := New(Config{}).Run(t.Context(), loopback, health(port, ""), ample)
	if result.Outcome != Refuses || !strings.HasSuffix(result.Detail, "grpc status 12: %zz") {
		t.Errorf("got %v (%s)", result.Outcome, result.Detail)
	}
}

func TestAGRPCCheckAsksForTheServiceByName(t *testing.T) {
	for service, want := range map[string]string{"": "\x00\x00\x00\x00\x00", "web.v1": "\x00\x00\x00\x00\x08\x0a\x06web.v1"} {
		seen := make(chan *http.Request, 1)
		body := make(chan string, 1)
		port := serveHealth(t, healthService(func(r *http.Request, message string) { seen <- r; body <- message }))
		target := loopback
		target.Slot, target.SlotEpoch = "web-0", 42
		if result := New(Config{}).Run(t.Context(), target, health(port, service), ample); result.Outcome != Answers {
			t.Fatalf("got %v (%s)", result.Outcome, result.Detail)
		}
		r := <-seen
		if got := <-body; got != want {
			t.Errorf("%q: sent %q, want %q", service, got, want)
		}
		if r.ProtoMajor != 2 || r.Method != http.MethodPost || r.RequestURI != "/grpc.health.v1.Health/Check" {
			t.Errorf("%s %s over HTTP/%d", r.Method, r.RequestURI, r.ProtoMajor)
		}
		for name, value := range map[string]string{"Te": "trailers", "Content-Type": "application/grpc+proto", "X-Moonwatch-Slot": "web-0", "X-Moonwatch-Slot-Epoch": "42"} {
			if got := r.Header.Get(name); got != value {
				t.Errorf("%s is %q, want %q", name, got, value)
			}
		}
		if got := r.Header.Get("Grpc-Timeout"); !strings.HasSuffix(got, "m") || len(got) > 8 {
			t.Errorf("Grpc-Timeout is %q", got)
		}
	}
}

func TestAServiceWithoutHTTP2RefusesAGRPCCheck(t *testing.T) {
	port := serve(t, func(http.ResponseWriter, *http.Request) {})
	if result := New(Config{}).Run(t.Context(), loopback, health(port, ""), ample); result.Outcome != Refuses {
		t.Errorf("got %v (%s)", result.Outcome, result.Detail)
	}
	port = serveHealth(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) })
	if result := New(Config{}).Run(t.Context(), loopback, health(port, ""), ample); result.Outcome != Refuses || !strings.HasSuffix(result.Detail, "502 Bad Gateway") {
		t.Errorf("got %v (%s)", result.Outcome, result.Detail)
	}
}

func FuzzAHealthMessageNeverBreaksUs(f *testing.F) {
	f.Add([]byte{0, 0, 0, 0, 2, 8, 1})
	f.Add([]byte{0, 255, 255, 255, 255, 8})
	f.Fuzz(func(t *testing.T, frame []byte) {
		if status, err := healthStatus(frame); err != nil && status != 0 {
			t.Errorf("%x has status %d beside its error %v", frame, status, err)
		}
	})
}

func health(port int, service string) member.Checks {
	return member.Checks{GRPC: &member.GRPCCheck{Port: port, Service: service}}
}

// healthService is a gRPC health service that always serves. It answers plain
// requests too.
func healthService(seen func(*http.Request, string)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if r.ProtoMajor != 2 {
			return
		}
		message, _ := io.ReadAll(r.Body)
		if seen != nil {
			seen(r, string(message))
		}
		w.Header().Set("Content-Type", "application/grpc")
		w.Header().Set("Trailer", "Grpc-Status")
		_, _ = w.Write([]byte{0, 0, 0, 0, 2, 8, 1})
		w.Header().Set("Grpc-Status", "0")
	}
}

func serveHealth(t *testing.T, handler http.HandlerFunc) (port int) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	service := &http.Server{Handler: handler, Protocols: bothProtocols()}
	ended := make(chan struct{})
	go func() { defer close(ended); _ = service.Serve(listener) }()
	t.Cleanup(func() { _ = service.Close(); <-ended })
	return portOf(listener)
}

func bothProtocols() *http.Protocols {
	p := new(http.Protocols)
	p.SetHTTP1(true)
	p.SetUnencryptedHTTP2(true)
	return p
}
