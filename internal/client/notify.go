package client

import (
	"context"
	"encoding/json"
	"fmt"

	"moonwatch/status"
)

// Notify asks whom people are told through. An agent that does not say it, as on its
// page's address, is [ErrNotOffered].
func (c *Client) Notify(ctx context.Context) (status.NotifyDocument, json.RawMessage, error) {
	var d status.NotifyDocument
	raw, err := c.read(ctx, "/api/v1/notify")
	if err != nil {
		return d, nil, err
	}
	if err := json.Unmarshal(raw, &d); err != nil {
		return d, nil, fmt.Errorf("ask the agent at %s for its receivers: %w: %w", c.address, ErrNotAgent, err)
	}
	return d, raw, nil
}

// NotifyTest has the agent send a message to receivers, by name, or to all.
func (c *Client) NotifyTest(ctx context.Context, receivers []string) (status.NotifyTest, json.RawMessage, error) {
	const path = "/api/v1/notify/test"
	var d status.NotifyTest
	body, err := json.Marshal(map[string][]string{"receivers": receivers})
	if err != nil {
		return d, nil, err
	}
	raw, err := c.post(ctx, path, body)
	if err != nil {
		return d, nil, err
	}
	if err := json.Unmarshal(raw, &d); err != nil {
		return d, nil, fmt.Errorf("ask the agent at %s to try its receivers: %w: %w", c.address, ErrNotAgent, err)
	}
	return d, raw, nil
}
