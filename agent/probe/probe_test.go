package probe

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"go.uber.org/goleak"

	"moonwatch/member"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var (
	loopback = Target{Addr: netip.MustParseAddr("127.0.0.1")}
	ample    = 20 * time.Second       // for answers that come
	brief    = 100 * time.Millisecond // for answers that do not
)

func TestAResetIsARefusal(t *testing.T) {
	port := speak(t, func(conn net.Conn) { _ = conn.(*net.TCPConn).SetLinger(0) })
	for kind, checks := range everyKind(port) {
		if kind == "tcp" {
			continue // has its answer before
		}
		if result := New(Config{}).Run(t.Context(), loopback, checks, ample); result.Outcome != Refuses {
			t.Errorf("%s: got %v (%s)", kind, result.Outcome, result.Detail)
		}
	}
}

func TestAClosedPortIsARefusal(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	port := portOf(listener)
	must(t, listener.Close())
	for kind, checks := range everyKind(port) {
		result := New(Config{}).Run(t.Context(), loopback, checks, ample)
		if result.Outcome != Refuses || !strings.HasSuffix(result.Detail, "connection refused") {
			t.Errorf("%s: got %v (%s)", kind, result.Outcome, result.Detail)
		}
	}
}

func TestAServiceThatHangsIsSilent(t *testing.T) {
	tests := map[string]string{
		"at once":         "",
		"in the headers":  "HTTP/1.1 200 OK\r\nX: ",
		"in a short body": "HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nfive.",
	}
	for claim, words := range tests {
		port := speak(t, func(conn net.Conn) {
			_, _ = bufio.NewReaderSize(conn, 16).ReadString('\n') // speaks when it is asked
			_, _ = io.WriteString(conn, words)
			_, _ = io.Copy(io.Discard, conn) // until the checker hangs up
		})
		for kind, checks := range everyKind(port) {
			if kind == "tcp" || (kind == "grpc" && words != "") {
				continue
			}
			result := New(Config{}).Run(t.Context(), loopback, checks, brief)
			if result.Outcome != Silent || !strings.HasSuffix(result.Detail, "no answer in time") {
				t.Errorf("%s, %s: got %v (%s)", kind, claim, result.Outcome, result.Detail)
			}
		}
	}
}

func TestALongBodyIsNotReadToItsEnd(t *testing.T) {
	port := serve(t, func(w http.ResponseWriter, r *http.Request) {
		_, _ = w.Write(make([]byte, bodyLimit))
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done() // the rest never comes
	})
	if result := New(Config{}).Run(t.Context(), loopback, get(port, "/"), ample); result.Outcome != Answers {
		t.Errorf("got %v (%s)", result.Outcome, result.Detail)
	}
}

func TestTCPWantsAConnection(t *testing.T) {
	port := speak(t, func(net.Conn) {})
	result := New(Config{}).Run(t.Context(), loopback, member.Checks{TCP: &member.TCPCheck{Port: port}}, ample)
	if want := fmt.Sprintf("connect :%d: connected", port); result.Outcome != Answers || result.Detail != want {
		t.Errorf("got %v (%s), want %s", result.Outcome, result.Detail, want)
	}
}

// A full queue of connections drops what comes: the machine is there, and from
// outside it looks like a wire that was cut.
func TestAFullListenQueueIsSilent(t *testing.T) {
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	must(t, err)
	defer func() { _ = syscall.Close(fd) }()
	must(t, syscall.Bind(fd, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}))
	must(t, syscall.Listen(fd, 0))
	name, err := syscall.Getsockname(fd)
	must(t, err)
	port := name.(*syscall.SockaddrInet4).Port
	for range 8 {
		conn, err := net.DialTimeout("tcp", fmt.Sprintf("127.0.0.1:%d", port), brief)
		if err != nil {
			break
		}
		defer func() { _ = conn.Close() }()
	}
	for kind, checks := range everyKind(port) {
		if result := New(Config{}).Run(t.Context(), loopback, checks, brief); result.Outcome != Silent {
			t.Errorf("%s: got %v (%s)", kind, result.Outcome, result.Detail)
		}
	}
}

func TestOnlyWhatTheOtherSideSentIsHeldAgainstIt(t *testing.T) {
	tests := []struct {
		err  error
		want Outcome
	}{
		{syscall.ECONNREFUSED, Refuses},
		{syscall.ECONNRESET, Refuses},
		{syscall.EHOSTUNREACH, Silent},
		{syscall.ENETUNREACH, Silent},
		{syscall.ETIMEDOUT, Silent},
		{os.ErrDeadlineExceeded, Silent},
		{errors.New("the gate is shut"), Silent},
		{syscall.EMFILE, Unasked},
		{syscall.ENFILE, Unasked},
		{syscall.EADDRNOTAVAIL, Unasked},
		{syscall.EAFNOSUPPORT, Unasked},
		{syscall.EPERM, Unasked},
	}
	for _, tt := range tests {
		dial := func(context.Context, string, string) (net.Conn, error) {
			return nil, &net.OpError{Op: "dial", Net: "tcp", Err: os.NewSyscallError("connect", tt.err)}
		}
		for kind, checks := range everyKind(80) {
			if result := New(Config{Dial: dial}).Run(t.Context(), loopback, checks, ample); result.Outcome != tt.want {
				t.Errorf("%s, %v: got %v (%s), want %v", kind, tt.err, result.Outcome, result.Detail, tt.want)
			}
		}
	}
}

func TestNoCheckWaitsLongerThanItsOwnTimeout(t *testing.T) {
	tests := []struct{ asked, own, want time.Duration }{
		{200 * time.Millisecond, time.Second, 200 * time.Millisecond},
		{time.Second, 200 * time.Millisecond, 200 * time.Millisecond},
		{0, 300 * time.Millisecond, 300 * time.Millisecond},
		{400 * time.Millisecond, 0, 400 * time.Millisecond},
		{0, 0, defaultTimeout},
	}
	for _, tt := range tests {
		synctest.Test(t, func(t *testing.T) {
			gate := func(ctx context.Context, _, _ string) (net.Conn, error) { <-ctx.Done(); return nil, ctx.Err() }
			for _, checks := range []member.Checks{
				{HTTP: &member.HTTPCheck{Port: 80, Path: "/", Timeout: tt.own}},
				{TCP: &member.TCPCheck{Port: 80, Timeout: tt.own}},
				{GRPC: &member.GRPCCheck{Port: 80, Timeout: tt.own}},
			} {
				result := New(Config{Dial: gate}).Run(t.Context(), loopback, checks, tt.asked)
				if result.Took != tt.want || result.Outcome != Silent {
					t.Errorf("asked %v, own %v: %v after %v, want %v", tt.asked, tt.own, result.Outcome, result.Took, tt.want)
				}
			}
		})
	}
}

func TestAQuestionThatWeGiveUpIsNoEvidence(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		cancel()
		<-ctx.Done()
		return nil, ctx.Err()
	}
	for kind, checks := range everyKind(80) {
		if result := New(Config{Dial: dial}).Run(ctx, loopback, checks, ample); result.Outcome != Unasked {
			t.Errorf("%s: got %v (%s)", kind, result.Outcome, result.Detail)
		}
	}
}

func TestWhatCannotBeAskedIsNoEvidence(t *testing.T) {
	tests := []struct {
		claim  string
		target Target
		checks member.Checks
		says   string
	}{
		{"no check", loopback, member.Checks{}, "no check is set"},
		{"no address", Target{}, get(80, "/"), "the member has no address"},
		{"no path", loopback, get(80, ""), "its path is no path"},
		{"a path that names another machine", loopback, get(80, "http://elsewhere/"), "its path is no path"},
		{"a path that breaks the line", loopback, get(80, "/\r\nX: y"), "its path is no path"},
	}
	for _, tt := range tests {
		result := New(Config{}).Run(t.Context(), tt.target, tt.checks, ample)
		if result.Outcome != Unasked || !strings.Contains(result.Detail, tt.says) {
			t.Errorf("%s: got %v (%s), want %q", tt.claim, result.Outcome, result.Detail, tt.says)
		}
	}
}

func TestBothAddressFamiliesAreAsked(t *testing.T) {
	for _, host := range []string{"127.0.0.1", "::1", "::ffff:127.0.0.1"} {
		addr := netip.MustParseAddr(host)
		listener, err := net.Listen("tcp", net.JoinHostPort(addr.Unmap().String(), "0"))
		if err != nil {
			t.Logf("no %s here: %v", host, err)
			continue
		}
		service := &http.Server{Handler: healthService(nil), Protocols: bothProtocols()}
		go func() { _ = service.Serve(listener) }()
		for kind, checks := range everyKind(portOf(listener)) {
			if result := New(Config{}).Run(t.Context(), Target{Addr: addr}, checks, ample); result.Outcome != Answers {
				t.Errorf("%s over %s: got %v (%s)", kind, host, result.Outcome, result.Detail)
			}
		}
		must(t, service.Close())
	}
	var dialled string
	dial := func(_ context.Context, _, address string) (net.Conn, error) { dialled = address; return nil, io.EOF }
	zoned := Target{Addr: netip.MustParseAddr("fe80::1%eth0")}
	for kind, checks := range everyKind(80) {
		New(Config{Dial: dial}).Run(t.Context(), zoned, checks, ample)
		if dialled != "[fe80::1%eth0]:80" {
			t.Errorf("%s: dialled %q", kind, dialled)
		}
	}
}

func TestMetricsCountEveryCheck(t *testing.T) {
	reg := prometheus.NewRegistry()
	checker := New(Config{Registerer: reg})
	port := serve(t, func(http.ResponseWriter, *http.Request) {})
	checker.Run(t.Context(), loopback, get(port, "/"), ample)
	checker.Run(t.Context(), loopback, member.Checks{}, ample)
	for _, tt := range []struct{ kind, outcome string }{{"http", "answers"}, {"none", "unasked"}} {
		if got := testutil.ToFloat64(checker.metrics.checks.WithLabelValues(tt.kind, tt.outcome)); got != 1 {
			t.Errorf("%s %s: counted %v, want 1", tt.kind, tt.outcome, got)
		}
	}
	if problems, err := testutil.GatherAndLint(reg); err != nil || len(problems) > 0 {
		t.Errorf("lint: %v, %v", problems, err)
	}
	if got := Outcome(9).String(); got != "outcome 9" {
		t.Errorf("got %q", got)
	}
}

func everyKind(port int) map[string]member.Checks {
	return map[string]member.Checks{
		"http": get(port, "/"),
		"tcp":  {TCP: &member.TCPCheck{Port: port}},
		"grpc": {GRPC: &member.GRPCCheck{Port: port}},
	}
}

func get(port int, path string) member.Checks {
	return member.Checks{HTTP: &member.HTTPCheck{Port: port, Path: path}}
}

func serve(t *testing.T, handler http.HandlerFunc) (port int) {
	t.Helper()
	service := httptest.NewServer(handler)
	t.Cleanup(service.Close)
	return service.Listener.Addr().(*net.TCPAddr).Port
}

// speak answers each connection with talk and then closes it.
func speak(t *testing.T, talk func(net.Conn)) (port int) {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			talk(conn)
			_ = conn.Close()
		}
	}()
	t.Cleanup(func() { _ = listener.Close(); <-ended })
	return portOf(listener)
}

func portOf(l net.Listener) int { return l.Addr().(*net.TCPAddr).Port }

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
