package client

import (
	"context"
	"encoding/json"
	"fmt"

	"moonwatch/status"
)

// Council asks who sits in the council and how they are.
func (c *Client) Council(ctx context.Context) (status.CouncilDocument, json.RawMessage, error) {
	raw, err := c.read(ctx, "/api/v1/council")
	if err != nil {
		return status.CouncilDocument{}, nil, err
	}
	var d status.CouncilDocument
	if err := json.Unmarshal(raw, &d); err != nil {
		return d, nil, fmt.Errorf("ask the agent at %s for its council: %w: %w", c.address, ErrNotAgent, err)
	}
	return d, raw, nil
}
