package client

import (
	"context"
	"encoding/json"
	"fmt"

	"moonwatch/status"
)

// Measured asks what the agent has seen of round trips and of its machine's stalls.
func (c *Client) Measured(ctx context.Context) (status.MeasuredDocument, error) {
	var d status.MeasuredDocument
	raw, err := c.read(ctx, "/api/v1/measured")
	if err != nil {
		return d, err
	}
	if err := json.Unmarshal(raw, &d); err != nil {
		return d, fmt.Errorf("ask the agent at %s what it has measured: %w: %w", c.address, ErrNotAgent, err)
	}
	return d, nil
}
