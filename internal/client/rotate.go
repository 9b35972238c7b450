package client

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"

	"moonwatch/status"
)

// RotateGossipKey has all members seal their gossip with a new key. Without those that
// are not there it does so only if withoutMissing is set.
func (c *Client) RotateGossipKey(ctx context.Context, withoutMissing bool) (status.KeyRotation, json.RawMessage, error) {
	const path = "/api/v1/gossip/key/rotate"
	var d status.KeyRotation
	body, err := json.Marshal(map[string]bool{"without_missing": withoutMissing})
	if err != nil {
		return d, nil, err
	}
	raw, err := c.post(ctx, path, body)
	if err != nil {
		return d, nil, err
	}
	if err := json.Unmarshal(raw, &d); err != nil {
		return d, nil, fmt.Errorf("ask the agent at %s to rotate the gossip key: %w: %w", c.address, ErrNotAgent, err)
	}
	return d, raw, nil
}

// post asks for something that is offered at sockets alone, and hears how it went.
func (c *Client) post(ctx context.Context, path string, body []byte) ([]byte, error) {
	a, err := c.ask(ctx, http.MethodPost, path, body)
	switch {
	case err != nil:
		return nil, err
	case a.code != http.StatusOK:
		return nil, c.refused(path, a)
	case a.kind != "application/json":
		return nil, c.stranger(a)
	}
	return a.body, nil
}
