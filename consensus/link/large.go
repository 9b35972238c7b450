package link

import (
	"bytes"
	"fmt"
	"net/http"

	"go.uber.org/zap"

	"moonwatch/member"
)

// runLarge sends the frames that are too large for the stream, one at a time,
// each as a request of its own. A failure needs no rest: the stream notices
// it too, and raft does not send the next snapshot at once.
func (l *Link) runLarge(p *raftPeer) {
	for {
		select {
		case <-l.life.Done():
			return
		case frame := <-p.large:
			if err := l.sendLarge(p.to, frame); err != nil && l.life.Err() == nil {
				l.metrics.drops.WithLabelValues(dropUnreachable).Inc()
				l.log.Warn("large raft frame not delivered", zap.String("member", string(p.to)), zap.Int("bytes", len(frame)), zap.Error(err))
			}
		}
	}
}

func (l *Link) sendLarge(to member.ID, frame []byte) error {
	resp, err := l.post(l.life, l.bulk, to, pathBulk, bytes.NewReader(frame))
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if err := accepted(to, resp); err != nil {
		return err
	}
	l.metrics.framesSent.Inc()
	return nil
}

// receiveBulk takes one large frame.
func (l *Link) receiveBulk(w http.ResponseWriter, r *http.Request, from member.ID) {
	ctx, rise, ok := l.bulkSeats.take(r.Context(), from)
	if !ok {
		http.Error(w, "too many snapshots at one time", http.StatusServiceUnavailable)
		return
	}
	defer rise()
	defer endBody(ctx, w)()
	if r.ContentLength < 0 || r.ContentLength > MaxFrame {
		http.Error(w, fmt.Sprintf("frame of %d bytes, want at most %d", r.ContentLength, MaxFrame), http.StatusRequestEntityTooLarge)
		return
	}
	frame, err := readBytes(r.Body, int(r.ContentLength))
	if err != nil {
		l.log.Debug("large raft frame broken off", zap.String("member", string(from)), zap.Error(err))
		http.Error(w, "broken off", http.StatusBadRequest)
		return
	}
	l.metrics.framesReceived.Inc()
	l.cfg.Handler.Raft(from, frame)
}
