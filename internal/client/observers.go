package client

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"time"

	"moonwatch/status"
)

// Observers asks what observers see now, or what they were counted with at a moment that
// has passed, if it is not zero.
func (c *Client) Observers(ctx context.Context, at time.Time) (status.ObserversDocument, json.RawMessage, error) {
	path := "/api/v1/observers"
	if !at.IsZero() {
		path += "?at=" + url.QueryEscape(at.UTC().Format(time.RFC3339Nano))
	}
	var d status.ObserversDocument
	raw, err := c.read(ctx, path)
	if err != nil {
		return d, nil, err
	}
	if err := json.Unmarshal(raw, &d); err != nil {
		return d, nil, fmt.Errorf("ask the agent at %s for its observers: %w: %w", c.address, ErrNotAgent, err)
	}
	return d, raw, nil
}
