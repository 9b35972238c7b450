package client

import (
	"context"
	"encoding/json"
	"fmt"

	"moonwatch/status"
)

// History asks what an agent knows of the past, in roll-ups of a grain.
func (c *Client) History(ctx context.Context, g status.Grain) (status.Past, error) {
	path := "/api/v1/history/" + string(g)
	raw, err := c.read(ctx, path)
	if err != nil {
		return status.Past{}, err
	}
	var p status.Past
	if err := json.Unmarshal(raw, &p); err != nil {
		return status.Past{}, fmt.Errorf("ask the agent at %s for %s: %w: %w", c.address, path, ErrNotAgent, err)
	}
	switch {
	case p.Schema == 0:
		return status.Past{}, fmt.Errorf("ask the agent at %s for %s: %w: it has no schema", c.address, path, ErrNotAgent)
	case p.Schema > status.Schema:
		return status.Past{}, fmt.Errorf("ask the agent at %s for %s: it speaks schema %d, this program reads %d: use the program of the agent's version",
			c.address, path, p.Schema, status.Schema)
	}
	return p, nil
}
