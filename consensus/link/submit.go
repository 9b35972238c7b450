package link

import (
	"bytes"
	"context"
	"fmt"
	"net/http"

	"moonwatch/member"
)

// Submit hands a command to a peer and waits for what its handler says. A
// [Refusal] is the handler's no. Any other error leaves open whether the
// command was taken: commands have ids, so it may be submitted again.
func (l *Link) Submit(ctx context.Context, to member.ID, command []byte) error {
	if err := l.submit(ctx, to, command); err != nil {
		return fmt.Errorf("submit to %s: %w", to, err)
	}
	return nil
}

func (l *Link) submit(ctx context.Context, to member.ID, command []byte) error {
	if len(command) > MaxCommand {
		return fmt.Errorf("command of %d bytes: %w, want at most %d", len(command), ErrTooLarge, MaxCommand)
	}
	ctx, done, err := l.request(ctx, l.timing.Submit)
	if err != nil {
		return err
	}
	defer done()
	resp, err := l.post(ctx, l.quick, to, pathSubmit, bytes.NewReader(command))
	if err != nil {
		return l.because(ctx, err)
	}
	defer resp.Body.Close()
	return accepted(to, resp)
}

// receiveCommand gives a command to the handler, unless too many are with it.
func (l *Link) receiveCommand(w http.ResponseWriter, r *http.Request, from member.ID) {
	select {
	case l.submits <- struct{}{}:
		defer func() { <-l.submits }()
	default:
		l.metrics.submits.WithLabelValues("error").Inc()
		http.Error(w, fmt.Sprintf("%d commands wait already", maxSubmits), http.StatusServiceUnavailable)
		return
	}
	ctx, cancel := context.WithTimeout(r.Context(), l.timing.Submit)
	defer cancel()
	defer endBody(ctx, w)()
	if r.ContentLength < 0 || r.ContentLength > MaxCommand {
		l.metrics.submits.WithLabelValues("error").Inc()
		http.Error(w, fmt.Sprintf("command of %d bytes, want at most %d", r.ContentLength, MaxCommand), http.StatusRequestEntityTooLarge)
		return
	}
	command, err := readBytes(r.Body, int(r.ContentLength))
	if err == nil {
		err = l.cfg.Handler.Submit(ctx, from, command)
	}
	if err != nil {
		l.metrics.submits.WithLabelValues("error").Inc()
		code := http.StatusConflict
		if ctx.Err() != nil { // cut short, by the clock or by our own end: nobody said no
			code = http.StatusGatewayTimeout
		}
		http.Error(w, err.Error(), code)
		return
	}
	l.metrics.submits.WithLabelValues("ok").Inc()
	w.WriteHeader(http.StatusOK)
}
