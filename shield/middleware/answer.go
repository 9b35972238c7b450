package middleware

import (
	"bufio"
	"io"
	"net"
	"net/http"
)

// answer remembers the status of a response, and is otherwise the server's own writer:
// whoever asks it for more (http.ResponseController, http.Flusher, http.Hijacker,
// io.ReaderFrom) gets what that one has.
type answer struct {
	http.ResponseWriter
	status int // 0: nothing was said yet
}

// begins notes the status, the first time. Those of 1xx come before the answer, but the
// last one, by which the connection becomes another protocol's.
func (a *answer) begins(status int) {
	if a.status == 0 && (status >= http.StatusOK || status == http.StatusSwitchingProtocols) {
		a.status = status
	}
}

func (a *answer) WriteHeader(status int) {
	a.begins(status)
	a.ResponseWriter.WriteHeader(status)
}

func (a *answer) Write(p []byte) (int, error) {
	a.begins(http.StatusOK)
	return a.ResponseWriter.Write(p)
}

// ReadFrom lets the server copy a file without reading it.
func (a *answer) ReadFrom(r io.Reader) (int64, error) {
	a.begins(http.StatusOK)
	return io.Copy(a.ResponseWriter, r)
}

func (a *answer) Flush() { _ = a.FlushError() } // http.Flusher has no error

func (a *answer) FlushError() error {
	a.begins(http.StatusOK)
	return http.NewResponseController(a.ResponseWriter).Flush()
}

func (a *answer) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	a.begins(http.StatusSwitchingProtocols)
	return http.NewResponseController(a.ResponseWriter).Hijack()
}

// Unwrap is for http.ResponseController.
func (a *answer) Unwrap() http.ResponseWriter { return a.ResponseWriter }
