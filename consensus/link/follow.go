package link

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"time"

	"moonwatch/member"
)

// Follow asks one peer for the facts from index from on and hands each message
// to recv, in order, until the stream ends, nothing arrives for Timing.Silence,
// recv fails or ctx ends. It is one attempt at one peer and always returns an
// error: [ErrFollowersFull], which names those that the peer feeds ([Refusal]), and
// most others mean "try the next peer".
//
// recv is called from the calling goroutine; while it works, nothing is read.
func (l *Link) Follow(ctx context.Context, peer member.ID, from uint64, recv func(Batch) error) error {
	if !l.begin() {
		return fmt.Errorf("follow %s: %w", peer, ErrClosed)
	}
	defer l.work.Done()
	if err := l.follow(ctx, peer, from, recv); err != nil {
		return fmt.Errorf("follow %s: %w", peer, err)
	}
	return nil
}

func (l *Link) follow(ctx context.Context, peer member.ID, from uint64, recv func(Batch) error) error {
	ctx, cancel := l.bind(ctx)
	defer cancel()
	ctx, silent := context.WithCancelCause(ctx)
	defer silent(nil)
	watch := time.AfterFunc(l.timing.Silence, func() {
		silent(fmt.Errorf("%w for %v", ErrSilent, l.timing.Silence))
	})
	defer watch.Stop()

	url := memberURL(peer, pathFeed)
	url.RawQuery = "from=" + strconv.FormatUint(from, 10)
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url.String(), nil)
	if err != nil {
		return err
	}
	resp, err := l.bulk.RoundTrip(req)
	if err != nil {
		return l.because(ctx, explain(err))
	}
	defer resp.Body.Close()
	if err := accepted(peer, resp); err != nil {
		return err
	}
	body := bufio.NewReaderSize(&heard{r: resp.Body, watch: watch, silence: l.timing.Silence}, 64<<10)
	for {
		message, err := readFrame(body, maxMessage)
		if err != nil {
			return l.because(ctx, ended(err))
		}
		batch, err := decodeBatch(message)
		if err != nil {
			return err
		}
		watch.Stop() // recv may take its time
		if err := recv(batch); err != nil {
			return err
		}
		if ctx.Err() != nil {
			return l.because(ctx, ctx.Err())
		}
		watch.Reset(l.timing.Silence)
	}
}

// heard starts the watch anew with every byte, so that a large snapshot over a
// slow line is not silence.
type heard struct {
	r       io.Reader
	watch   *time.Timer
	silence time.Duration
}

func (h *heard) Read(p []byte) (int, error) {
	n, err := h.r.Read(p)
	if n > 0 {
		h.watch.Reset(h.silence)
	}
	return n, err
}

// because prefers the reason for which we ended a request ourselves over what
// net/http makes of it.
func (l *Link) because(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	if l.life.Err() != nil { // Close cut the connection before ctx has heard of it
		return ErrClosed
	}
	return err
}

func ended(err error) error {
	if errors.Is(err, io.EOF) {
		return errors.New("the peer ended the feed")
	}
	return fmt.Errorf("read: %w", explain(err))
}
