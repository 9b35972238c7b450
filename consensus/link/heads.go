package link

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"

	"go.uber.org/zap"

	"moonwatch/member"
)

// Head is one link of the audit chain, as an agent remembers it.
type Head struct {
	Index uint64 `json:"index"`
	Hash  []byte `json:"hash"`
}

// Rememberer is a Handler that can be asked for the heads that it remembers: at
// most so many from one fact to another, evenly spread, the last one among them.
type Rememberer interface {
	Heads(from, to uint64, most int) []Head
}

// MaxHeads bounds one answer: 64 KiB of text or so.
const MaxHeads = 512

// maxHeadsAnswer bounds it in bytes.
const maxHeadsAnswer = 256 << 10

// Heads asks a member which heads it remembers.
func (l *Link) Heads(ctx context.Context, to member.ID, first, last uint64) ([]Head, error) {
	ctx, done, err := l.request(ctx, l.timing.Ask)
	if err != nil {
		return nil, fmt.Errorf("ask %s for heads: %w", to, err)
	}
	defer done()
	heads, err := l.askHeads(ctx, to, first, last)
	if err != nil {
		return nil, fmt.Errorf("ask %s for heads: %w", to, l.because(ctx, err))
	}
	return heads, nil
}

func (l *Link) askHeads(ctx context.Context, to member.ID, first, last uint64) ([]Head, error) {
	url := memberURL(to, pathHeads)
	url.RawQuery = fmt.Sprintf("from=%d&to=%d", first, last)
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url.String(), nil)
	if err != nil {
		return nil, err
	}
	resp, err := l.quick.RoundTrip(req)
	if err != nil {
		return nil, explain(err)
	}
	defer resp.Body.Close()
	if err := accepted(to, resp); err != nil {
		return nil, err
	}
	var heads []Head
	if err := json.NewDecoder(io.LimitReader(resp.Body, maxHeadsAnswer)).Decode(&heads); err != nil {
		return nil, fmt.Errorf("its heads are garbled: %w", err)
	}
	return heads, nil
}

func (l *Link) serveHeads(w http.ResponseWriter, r *http.Request, from member.ID) {
	h, ok := l.cfg.Handler.(Rememberer)
	if !ok {
		http.Error(w, "this agent remembers no heads", http.StatusNotFound)
		return
	}
	first, err1 := strconv.ParseUint(r.URL.Query().Get("from"), 10, 64)
	last, err2 := strconv.ParseUint(r.URL.Query().Get("to"), 10, 64)
	if err1 != nil || err2 != nil {
		http.Error(w, fmt.Sprintf("from and to are %q, want the indices of two facts", r.URL.RawQuery), http.StatusBadRequest)
		return
	}
	heads := h.Heads(first, last, MaxHeads)
	if heads == nil {
		heads = []Head{}
	}
	w.Header().Set("Content-Type", "application/json")
	if err := json.NewEncoder(w).Encode(heads); err != nil {
		l.log.Debug("heads not taken", zap.String("member", string(from)), zap.Error(err))
	}
}
