package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"moonwatch/consensus"
	"moonwatch/failover"
)

// pollEvery is how often Wait asks. A command is committed within a few
// milliseconds while the council has a leader, and within seconds after it
// lost one.
const pollEvery = 100 * time.Millisecond

// State says what became of a command.
type State string

// The states of a command.
const (
	Pending  State = "pending" // on its way to the council
	Accepted State = "accepted"
	Refused  State = "refused" // by the rules of the ledger; the refusal is a fact too
)

// Outcome is what became of a command.
type Outcome struct {
	State  State  `json:"state"`
	Fact   uint64 `json:"fact,omitempty"`
	Reason string `json:"reason,omitempty"` // of a refusal, one line each
}

// Submit hands in a signed command. When it returns nil, the command is on its
// way and nothing more; handing it in again is harmless.
func (c *Client) Submit(ctx context.Context, command consensus.Command) error {
	b, err := command.Encode()
	if err != nil {
		return fmt.Errorf("submit: %w", err)
	}
	const path = "/api/v1/commands"
	a, err := c.ask(ctx, http.MethodPost, path, b)
	switch {
	case err != nil:
		return err
	case a.code == http.StatusAccepted:
		return nil
	}
	err = c.refused(path, a)
	if errors.Is(err, ErrNotOffered) {
		return fmt.Errorf("ask the agent at %s: %w: commands go through the agent's unix socket, named with --agent unix:PATH", c.address, ErrNotOffered)
	}
	return fmt.Errorf("submit %s: %w", command.ID, err)
}

// Command asks once what became of a command. An agent that has not seen it
// answers [ErrUnknown].
func (c *Client) Command(ctx context.Context, id string) (Outcome, error) {
	path := "/api/v1/commands/" + url.PathEscape(id)
	b, err := c.read(ctx, path)
	if err != nil {
		return Outcome{}, err
	}
	var o Outcome
	if err := json.Unmarshal(b, &o); err != nil {
		return Outcome{}, fmt.Errorf("ask the agent at %s for %s: %w: %w", c.address, path, ErrNotAgent, err)
	}
	switch o.State {
	case Pending, Accepted, Refused:
		return o, nil
	default:
		return Outcome{}, fmt.Errorf("ask the agent at %s for command %s: %w: state %q", c.address, id, ErrNotAgent, o.State)
	}
}

// Wait asks until the command is accepted or refused, or ctx ends. An agent
// that restarts meanwhile is asked again when it is back; it then may not know
// the command any more, although the council decided it, which is
// [ErrUnknown].
func (c *Client) Wait(ctx context.Context, id string) (Outcome, error) {
	for {
		o, err := c.Command(ctx, id)
		passing := errors.Is(err, ErrUnreachable) || errors.Is(err, ErrStarting)
		switch {
		case ctx.Err() != nil:
			return Outcome{State: Pending}, fmt.Errorf("wait for command %s: %w", id, context.Cause(ctx))
		case err != nil && !passing:
			return Outcome{}, err
		case err == nil && o.State != Pending:
			return o, nil
		}
		if err := pause(ctx, pollEvery); err != nil {
			return Outcome{State: Pending}, fmt.Errorf("wait for command %s: %w", id, err)
		}
	}
}

// Hold has the agent give a hold in its own name, which needs no operator's key:
// it can only stop things. What came of it is asked for by the id.
func (c *Client) Hold(ctx context.Context, h failover.HoldGiven) (id string, err error) {
	b, err := json.Marshal(h)
	if err != nil {
		return "", fmt.Errorf("hold: %w", err)
	}
	const path = "/api/v1/holds"
	a, err := c.ask(ctx, http.MethodPost, path, b)
	if err != nil {
		return "", err
	}
	if a.code != http.StatusAccepted {
		if err = c.refused(path, a); errors.Is(err, ErrNotOffered) {
			return "", fmt.Errorf("ask the agent at %s: %w: a hold goes through the agent's unix socket, named with --agent unix:PATH", c.address, ErrNotOffered)
		}
		return "", err
	}
	var said struct {
		ID string `json:"id"`
	}
	if err := json.Unmarshal(a.body, &said); err != nil || said.ID == "" {
		return "", fmt.Errorf("ask the agent at %s for %s: %w", c.address, path, ErrNotAgent)
	}
	return said.ID, nil
}

// Rehearse asks what an order ("drain", "switchover") would lead to. It hands in
// nothing and needs no signature.
func (c *Client) Rehearse(ctx context.Context, what string, order any) (failover.Rehearsal, error) {
	b, err := json.Marshal(order)
	if err != nil {
		return failover.Rehearsal{}, fmt.Errorf("rehearse: %w", err)
	}
	path := "/api/v1/rehearse/" + what
	a, err := c.ask(ctx, http.MethodPost, path, b)
	if err != nil {
		return failover.Rehearsal{}, err
	}
	if a.code != http.StatusOK {
		return failover.Rehearsal{}, c.refused(path, a)
	}
	var r failover.Rehearsal
	if err := json.Unmarshal(a.body, &r); err != nil {
		return failover.Rehearsal{}, fmt.Errorf("ask the agent at %s for %s: %w: %w", c.address, path, ErrNotAgent, err)
	}
	return r, nil
}
