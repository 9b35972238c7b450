package web

import (
	"bytes"
	"compress/flate"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"go.uber.org/zap"
)

// event is one server-sent event as bytes. The compressed form is a run of
// deflate blocks that refer to nothing before them and end on a whole byte, so
// one compression serves every stream, in any order.
type event struct {
	plain    []byte
	deflated []byte
}

func newEvent(name, id string, data []byte) event {
	var b bytes.Buffer
	fmt.Fprintf(&b, "event: %s\n", name)
	if id != "" {
		fmt.Fprintf(&b, "id: %s\n", id)
	}
	for line := range bytes.Lines(data) {
		b.WriteString("data: ")
		b.Write(bytes.TrimSuffix(line, []byte("\n")))
		b.WriteByte('\n')
	}
	b.WriteByte('\n')
	var z bytes.Buffer
	w, _ := flate.NewWriter(&z, flate.DefaultCompression) // the level is valid
	_, _ = w.Write(b.Bytes())                             // a bytes.Buffer takes everything
	_ = w.Flush()
	return event{plain: b.Bytes(), deflated: z.Bytes()}
}

// gzipHead begins a gzip stream (RFC 1952). Ours are never finished: a stream
// ends when somebody hangs up.
var gzipHead = []byte{0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff}

// stream serves /events: the page now unless the client has it, then each new
// one, and a beat in between. A slow client gets the newest page when it is
// ready for it, never a queue of old ones.
func (s *Server) stream(w http.ResponseWriter, r *http.Request) {
	x := s.enter(addressOf(r))
	if x == nil {
		s.metrics.refused.Inc()
		w.Header().Set("Retry-After", "5")
		http.Error(w, "too many live pages are open: reload the page instead", http.StatusServiceUnavailable)
		return
	}
	defer s.leave(x)
	h := w.Header()
	h.Set("Content-Type", "text/event-stream")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Accel-Buffering", "no") // nginx would collect events before it passes them on
	out := newSender(w, r, s.cfg.Patience)
	if r.Method == http.MethodHead {
		return
	}
	if err := s.feed(r, out, x.away); err != nil {
		s.metrics.dropped.Inc()
		s.cfg.Log.Debug("live page dropped", zap.String("remote", r.RemoteAddr), zap.Error(err))
	}
}

// feed sends until the client, its place or the server goes, which is no error.
func (s *Server) feed(r *http.Request, out *sender, away <-chan struct{}) error {
	seen := r.Header.Get("Last-Event-ID")
	if seen == "" {
		seen = r.URL.Query().Get("seen")
	}
	t := tongueOf(r)
	beat := time.NewTicker(s.cfg.Beat)
	defer beat.Stop()
	due := true // the first beat tells the client at once that it is connected
	for {
		v := s.current()
		if v.id != seen {
			if err := out.send(v.event[t]()); err != nil {
				return err
			}
			seen = v.id
		}
		if due {
			if err := out.send(beatOf(v)); err != nil {
				return err
			}
		}
		select {
		case <-r.Context().Done():
			return nil
		case <-s.stop:
			return nil
		case <-away:
			return nil
		case <-v.superseded:
			due = false
		case <-beat.C:
			due = true
		}
	}
}

// beatOf says when the agent last confirmed what is shown: a page that lives on
// while its agent does not decide any more shows an old time.
func beatOf(v *view) event {
	return newEvent("beat", "", strconv.AppendInt(nil, v.heard.Load(), 10))
}

// sender writes events to one client, each within patience.
type sender struct {
	w        http.ResponseWriter
	rc       *http.ResponseController
	patience time.Duration
	gzip     bool
	begun    bool
}

func newSender(w http.ResponseWriter, r *http.Request, patience time.Duration) *sender {
	o := &sender{w: w, rc: http.NewResponseController(w), patience: patience, gzip: acceptsGzip(r)}
	w.Header().Set("Vary", "Accept-Encoding")
	if o.gzip {
		w.Header().Set("Content-Encoding", "gzip")
	}
	return o
}

func (o *sender) send(e event) error {
	err := o.rc.SetWriteDeadline(time.Now().Add(o.patience))
	if err != nil && !errors.Is(err, http.ErrNotSupported) {
		return fmt.Errorf("send event: %w", err)
	}
	b := e.plain
	if o.gzip {
		b = e.deflated
		if !o.begun {
			b = append(gzipHead[:len(gzipHead):len(gzipHead)], b...)
		}
	}
	o.begun = true
	if _, err := o.w.Write(b); err != nil {
		return fmt.Errorf("send event: %w", err)
	}
	if err := o.rc.Flush(); err != nil {
		return fmt.Errorf("send event: %w", err)
	}
	return nil
}
