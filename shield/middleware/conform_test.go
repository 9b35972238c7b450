package middleware

import (
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"go.uber.org/goleak"

	"moonwatch/shield/conform"
	"moonwatch/shield/remote"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// server is one with a guard that an agent leads, over real sockets.
type server struct {
	t     *testing.T
	path  string // of the guard's socket
	addr  string // where clients ask
	guard *Guard
	http  *http.Server
}

func (s *server) start() {
	s.t.Helper()
	var err error
	s.guard, err = New(Config{Socket: s.path})
	must(s.t, err)
	l, err := net.Listen("tcp", s.addr)
	must(s.t, err)
	s.addr = l.Addr().String()
	s.http = &http.Server{Handler: s.guard.Wrap(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { fmt.Fprint(w, "ok") }))}
	go func(serve *http.Server) { _ = serve.Serve(l) }(s.http)
}

func (s *server) stop() {
	s.http.Close()
	must(s.t, s.guard.Close())
}

func socketPath(t *testing.T) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "mw") //nolint:usetesting // t.TempDir is too long a path for a socket
	must(t, err)
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return filepath.Join(dir, "door.sock")
}

func TestTheMiddlewareConforms(t *testing.T) {
	conform.Run(t, conform.Subject{
		Fresh: func(t *testing.T) *conform.Target {
			s := &server{t: t, path: socketPath(t), addr: "127.0.0.1:0"}
			s.start()
			t.Cleanup(func() { s.stop() })
			door, err := remote.Open(remote.Config{Address: s.path, Salt: conform.Salt})
			must(t, err)
			t.Cleanup(door.Close)
			return &conform.Target{
				Door: door, Addr: s.addr,
				// The agent's words do not come any more; the server goes on.
				Abandon: func() { must(t, s.guard.shut()); door.Close() },
				Restart: func() { s.stop(); s.start() },
			}
		},
	})
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}
