package link

import (
	"bufio"
	"context"
	"errors"
	"net/http"

	"go.uber.org/zap"

	"moonwatch/member"
)

// receiveRaft serves one stream of frames.
func (l *Link) receiveRaft(w http.ResponseWriter, r *http.Request, from member.ID) {
	ctx, rise, ok := l.raftSeats.take(r.Context(), from)
	if !ok {
		http.Error(w, "too many raft streams", http.StatusServiceUnavailable)
		return
	}
	defer rise()
	defer endBody(ctx, w)()
	w.WriteHeader(http.StatusOK)
	if err := http.NewResponseController(w).Flush(); err != nil {
		return // the peer has gone already
	}
	body := bufio.NewReaderSize(r.Body, 64<<10)
	for {
		frame, err := readFrame(body, maxStreamed)
		if err != nil {
			l.streamEnded(ctx, from, err)
			return
		}
		l.metrics.framesReceived.Inc()
		l.cfg.Handler.Raft(from, frame)
	}
}

func (l *Link) streamEnded(ctx context.Context, from member.ID, err error) {
	if errors.Is(err, ErrTooLarge) { // not our code, or damaged: worth a look
		l.log.Warn("raft stream refused", zap.String("member", string(from)), zap.Error(err))
		return
	}
	if cause := context.Cause(ctx); cause != nil {
		err = cause
	}
	l.log.Debug("raft stream ended", zap.String("member", string(from)), zap.Error(err))
}
