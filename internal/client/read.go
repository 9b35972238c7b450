package client

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"time"

	"moonwatch/member"
	"moonwatch/status"
)

// Document is one of the lists that an agent shows.
type Document string

// The documents, as they stand in the address.
const (
	PageDocument      Document = "page"
	MembersDocument   Document = "members"
	SlotsDocument     Document = "slots"
	VerdictsDocument  Document = "verdicts"
	FailoversDocument Document = "failovers"
	FactsDocument     Document = "facts"
)

// Answer is a document as the agent sent it, and the part of it that this
// program understands: of a list, Page holds only that list, the time and the
// knowledge.
type Answer struct {
	Page status.Page
	Raw  json.RawMessage // with fields that a newer agent may have added
}

// Get asks for a document. One of a later schema than this program reads is
// refused: its fields may mean something else.
func (c *Client) Get(ctx context.Context, d Document) (Answer, error) {
	path := "/api/v1/" + string(d)
	raw, err := c.read(ctx, path)
	if err != nil {
		return Answer{}, err
	}
	var doc struct {
		status.Page
		Failovers []status.Case `json:"failovers"`
	}
	if err := json.Unmarshal(raw, &doc); err != nil {
		return Answer{}, fmt.Errorf("ask the agent at %s for %s: %w: %w", c.address, path, ErrNotAgent, err)
	}
	switch {
	case doc.Schema == 0:
		return Answer{}, fmt.Errorf("ask the agent at %s for %s: %w: it has no schema", c.address, path, ErrNotAgent)
	case doc.Schema > status.Schema:
		return Answer{}, fmt.Errorf("ask the agent at %s for %s: it speaks schema %d, this program reads %d: use the program of the agent's version",
			c.address, path, doc.Schema, status.Schema)
	}
	if d == FailoversDocument {
		doc.Cases = doc.Failovers
	}
	return Answer{Page: doc.Page, Raw: raw}, nil
}

// Explain asks why things stand as they do, for a verdict (V-12), a case (C-12)
// or a member. What the agent does not know is an [Unknown] that lists what it
// does know.
func (c *Client) Explain(ctx context.Context, id string) (status.Explanation, json.RawMessage, error) {
	raw, err := c.read(ctx, "/api/v1/explain/"+url.PathEscape(id))
	if err != nil {
		return status.Explanation{}, nil, err
	}
	var e status.Explanation
	if err := json.Unmarshal(raw, &e); err != nil {
		return status.Explanation{}, nil, fmt.Errorf("ask the agent at %s to explain %s: %w: %w", c.address, id, ErrNotAgent, err)
	}
	return e, raw, nil
}

// Fleet is the fleet.yaml that the ledger holds, with the fact that brought
// it. Before the first one, Fact is 0 and Fleet is nil.
type Fleet struct {
	Fact  uint64        `json:"fact"`
	At    time.Time     `json:"at,omitzero"`
	Fleet *member.Fleet `json:"fleet"`
}

// Fleet asks for the fleet that is in force. An agent that does not tell it is
// [ErrNotOffered].
func (c *Client) Fleet(ctx context.Context) (Fleet, error) {
	var f Fleet
	err := c.get(ctx, "/api/v1/fleet", &f)
	return f, err
}

// Ledger is an agent's whole ledger, and how far it can be trusted to be the
// present one.
type Ledger struct {
	Schema    int              `json:"schema"`
	Cluster   string           `json:"cluster"`
	Taken     time.Time        `json:"taken"`
	Knowledge status.Knowledge `json:"knowledge"`
	Ledger    json.RawMessage  `json:"ledger"` // as consensus.Ledger.Snapshot made it
}

// Ledger asks for the whole ledger. An agent that does not hand it out, as on
// its page's address, is [ErrNotOffered].
func (c *Client) Ledger(ctx context.Context) (Ledger, error) {
	var l Ledger
	err := c.get(ctx, "/api/v1/ledger", &l)
	return l, err
}
