package link

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"

	"go.uber.org/zap"

	"moonwatch/member"
)

// Sighter is a Handler that can be asked what its observer sees now, or saw at a moment that
// has passed (not zero), in a form that the agents know and the link does not. Builds of
// before are asked for now alone: they answer that whatever the moment, so the form says of
// which moment it is.
type Sighter interface {
	Sightings(moment time.Time) []byte
}

// maxSightings bounds an answer: 1,000 subjects of 60 bytes.
const maxSightings = 64 << 10

// momentKey is the moment of a request, in unix milliseconds.
const momentKey = "at"

// Sightings asks a member what its observer sees now, or saw at a moment that is not zero.
func (l *Link) Sightings(ctx context.Context, to member.ID, moment time.Time) ([]byte, error) {
	ctx, done, err := l.request(ctx, l.timing.Ask)
	if err != nil {
		return nil, fmt.Errorf("ask %s what it sees: %w", to, err)
	}
	defer done()
	b, err := l.askSightings(ctx, to, moment)
	if err != nil {
		return nil, fmt.Errorf("ask %s what it sees: %w", to, l.because(ctx, err))
	}
	return b, nil
}

func (l *Link) askSightings(ctx context.Context, to member.ID, moment time.Time) ([]byte, error) {
	where := memberURL(to, pathSightings)
	if !moment.IsZero() {
		where.RawQuery = fmt.Sprintf("%s=%d", momentKey, moment.UnixMilli())
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, where.String(), nil)
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

func (l *Link) serveSightings(w http.ResponseWriter, r *http.Request, from member.ID) {
	h, ok := l.cfg.Handler.(Sighter)
	if !ok {
		http.Error(w, "this agent does not tell what it sees", http.StatusNotFound)
		return
	}
	var moment time.Time
	if text := r.URL.Query().Get(momentKey); text != "" {
		ms, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			http.Error(w, "want a moment in unix milliseconds", http.StatusBadRequest)
			return
		}
		moment = time.UnixMilli(ms).UTC()
	}
	w.Header().Set("Content-Type", "application/json")
	if _, err := w.Write(h.Sightings(moment)); err != nil {
		l.log.Debug("sightings not taken", zap.String("member", string(from)), zap.Error(err))
	}
}
