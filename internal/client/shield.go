package client

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"

	"moonwatch/status"
)

// Shield asks what the agent's gateway sees and does about subdomains; about one
// host, if it is not empty. An agent without a gateway is [ErrUnknown].
func (c *Client) Shield(ctx context.Context, host string) (status.ShieldDocument, json.RawMessage, error) {
	path := "/api/v1/shield"
	if host != "" {
		path += "?host=" + url.QueryEscape(host)
	}
	var d status.ShieldDocument
	raw, err := c.read(ctx, path)
	if err != nil {
		return d, nil, err
	}
	if err := json.Unmarshal(raw, &d); err != nil {
		return d, nil, fmt.Errorf("ask the agent at %s for its shield: %w: %w", c.address, ErrNotAgent, err)
	}
	return d, raw, nil
}
