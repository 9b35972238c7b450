package link_test

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"moonwatch/consensus/link"
	"moonwatch/internal/pki"
	"moonwatch/member"
)

// TestAWithdrawnCertificateIsCutEverywhere has one member stop believing another one: what
// stands between them is cut, in both directions, and nothing comes up again.
func TestAWithdrawnCertificateIsCutEverywhere(t *testing.T) {
	c := newCluster(t)
	errWithdrawn := errors.New("withdrawn")
	var withdrawn atomic.Bool
	a := c.start("web-1", func(cfg *link.Config) {
		cfg.PeerOf = func(s tls.ConnectionState) (member.ID, error) {
			id, err := pki.PeerName(s)
			if err == nil && id == "web-2" && withdrawn.Load() {
				err = errWithdrawn
			}
			return id, err
		}
	})
	b, other := c.start("web-2", nil), c.start("web-3", nil)
	frame := []byte("frame")
	send := func(from *agent, to member.ID, at *agent) {
		t.Helper()
		eventually(t, "a frame from end to end", func() bool {
			from.SendRaft(to, frame)
			select {
			case <-at.frames:
				return true
			case <-time.After(100 * time.Millisecond):
				return false
			}
		})
	}
	send(a, "web-2", b)
	send(b, "web-1", a)
	send(other, "web-1", a)
	followed := make(chan error, 1)
	beats := make(chan struct{}, 1)
	go func() { // the feed is the connection that lives longest
		followed <- b.Follow(context.Background(), "web-1", 1, func(link.Batch) error {
			select {
			case beats <- struct{}{}:
			default:
			}
			return nil
		})
	}()
	<-beats
	if n := a.Recheck(); n != 0 {
		t.Fatalf("%d connections were cut before anything was withdrawn", n)
	}
	withdrawn.Store(true)
	if n := a.Recheck(); n == 0 {
		t.Error("nothing was cut, want its two streams and its feed")
	}
	select {
	case err := <-followed:
		if err == nil {
			t.Error("the feed ended well")
		}
	case <-time.After(patience):
		t.Fatal("the feed of a withdrawn member goes on")
	}
	late := []byte("late") // what was sent before may still be on its way
	for range 10 {
		b.SendRaft("web-1", late)
		a.SendRaft("web-2", late)
		time.Sleep(50 * time.Millisecond)
	}
	if a.took(late) || b.took(late) {
		t.Error("frames come through after the certificate was withdrawn")
	}
	if err := b.Submit(t.Context(), "web-1", []byte("x")); err == nil {
		t.Error("a command of a withdrawn member was taken")
	}
	if _, _, err := a.Ask(t.Context(), b.Addr().String()); !errors.Is(err, errWithdrawn) {
		t.Errorf("asked who it is: %v", err)
	}
	send(other, "web-1", a)
}

// took reports that a frame has come.
func (h *handler) took(frame []byte) bool {
	for {
		select {
		case r := <-h.frames:
			if bytes.Equal(r.frame, frame) {
				return true
			}
		default:
			return false
		}
	}
}
