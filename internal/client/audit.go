package client

import (
	"context"
	"fmt"

	"moonwatch/internal/audit"
	"moonwatch/member"
)

// AuditFacts asks for the facts from one on, as they stand in the agent's ledger: as
// many as fit in one answer.
func (c *Client) AuditFacts(ctx context.Context, from uint64) (audit.Page, error) {
	var p audit.Page
	err := c.get(ctx, fmt.Sprintf("/api/v1/audit/facts?from=%d", from), &p)
	return p, err
}

// AuditHeads asks which heads between two facts the agent remembers, and which the
// other members that it reaches; of says that only one member is asked, empty: all.
func (c *Client) AuditHeads(ctx context.Context, of member.ID, from, to uint64) ([]audit.Heads, error) {
	var doc struct {
		Heads []audit.Heads `json:"heads"`
	}
	err := c.get(ctx, fmt.Sprintf("/api/v1/audit/heads?from=%d&to=%d&of=%s", from, to, of), &doc)
	return doc.Heads, err
}
