package link

import (
	"context"
	"fmt"
	"io"
	"net/http"

	"go.uber.org/zap"

	"moonwatch/member"
)

// Sighter is a Handler that can be asked what its observer sees now, in a form that the
// agents know and the link does not.
type Sighter interface {
	Sightings() []byte
}

// maxSightings bounds an answer: 1,000 subjects of 60 bytes.
const maxSightings = 64 << 10

// Sightings asks a member what its observer sees now.
func (l *Link) Sightings(ctx context.Context, to member.ID) ([]byte, error) {
	ctx, done, err := l.request(ctx, l.timing.Ask)
	if err != nil {
		return nil, fmt.Errorf("ask %s what it sees: %w", to, err)
	}
	defer done()
	b, err := l.askSightings(ctx, to)
	if err != nil {
		return nil, fmt.Errorf("ask %s what it sees: %w", to, l.because(ctx, err))
	}
	return b, nil
}

func (l *Link) askSightings(ctx context.Context, to member.ID) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, memberURL(to, pathSightings).String(), nil)
	if err != nil {
		return nil, err
	}
	resp, err := l.bulk.RoundTrip(req) // which asks more rarely whether a quiet peer lives
	if err != nil {
		return nil, explain(err)
	}
	defer resp.Body.Close()
	if err := accepted(to, resp); err != nil {
		return nil, err
	}
	return io.ReadAll(io.LimitReader(resp.Body, maxSightings))
}

func (l *Link) serveSightings(w http.ResponseWriter, _ *http.Request, from member.ID) {
	h, ok := l.cfg.Handler.(Sighter)
	if !ok {
		http.Error(w, "this agent does not tell what it sees", http.StatusNotFound)
		return
	}
	w.Header().Set("Content-Type", "application/json")
	if _, err := w.Write(h.Sightings()); err != nil {
		l.log.Debug("sightings not taken", zap.String("member", string(from)), zap.Error(err))
	}
}
