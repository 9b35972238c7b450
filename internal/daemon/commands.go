package daemon

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"sync"

	"moonwatch/consensus"
	"moonwatch/mind"
)

// commands remembers what became of the commands that came through this agent
// or that it has seen applied.
type commands struct {
	mu    sync.Mutex
	ends  map[string]commandState
	order []string
}

type commandState struct {
	State  string `json:"state"` // pending, accepted, refused
	Fact   uint64 `json:"fact,omitempty"`
	Reason string `json:"reason,omitempty"`
}

const rememberedEnds = 1024

func (c *commands) set(id string, s commandState) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.ends == nil {
		c.ends = map[string]commandState{}
	}
	if _, known := c.ends[id]; !known {
		c.order = append(c.order, id)
		if len(c.order) > rememberedEnds {
			delete(c.ends, c.order[0])
			c.order = c.order[1:]
		}
	} else if s.State == "pending" {
		return
	}
	c.ends[id] = s
}

func (c *commands) settled(f consensus.Fact) {
	s := commandState{State: "accepted", Fact: f.Index}
	if !f.Accepted {
		s.State, s.Reason = "refused", f.Reason
	}
	c.set(f.Command.ID, s)
}

func (c *commands) state(id string) (commandState, bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	s, ok := c.ends[id]
	return s, ok
}

// Submit hands an encoded command to the council through this agent. It
// returns when the command is on its way; what became of it stands in the
// ledger.
func (d *Daemon) Submit(ctx context.Context, command []byte) error {
	if len(command) > consensus.MaxCommand {
		return fmt.Errorf("submit: %d bytes, want at most %d", len(command), consensus.MaxCommand)
	}
	c, err := consensus.DecodeCommand(command)
	if err != nil {
		return fmt.Errorf("submit: %w", err)
	}
	select {
	case <-d.ready:
	case <-ctx.Done():
		return fmt.Errorf("submit %s: this agent has no ledger yet: %w", c.ID, context.Cause(ctx))
	}
	d.commands.set(c.ID, commandState{State: "pending"})
	select {
	case d.events <- mind.Submitted{Command: command}:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("submit %s: %w", c.ID, context.Cause(ctx))
	}
}

// warranted refuses a warrant where nobody looks at it: with a made-up one a command
// could be handed in in somebody else's name.
func warranted(c consensus.Command) error {
	if c.Warrant != nil && c.Kind != consensus.KindFleet && !mind.OfPeople(c.Kind) {
		return fmt.Errorf("%s %s: no operator gives such a command", c.Kind, c.ID)
	}
	return nil
}

// serveSubmit takes a command over the socket. Only what an operator signed has
// any effect; the ledger looks.
func (d *Daemon) serveSubmit(w http.ResponseWriter, r *http.Request) {
	b, err := io.ReadAll(http.MaxBytesReader(w, r.Body, consensus.MaxCommand+1))
	if err != nil {
		refuse(w, http.StatusRequestEntityTooLarge, err)
		return
	}
	c, err := consensus.DecodeCommand(b)
	if err == nil && c.Warrant == nil {
		err = consensus.ErrNoWarrant
	}
	if err == nil {
		err = warranted(c)
	}
	if err != nil {
		refuse(w, http.StatusBadRequest, err)
		return
	}
	if err := d.Submit(r.Context(), b); err != nil {
		refuse(w, http.StatusServiceUnavailable, err)
		return
	}
	reply(w, http.StatusAccepted, map[string]string{"id": c.ID})
}

func (d *Daemon) serveCommand(w http.ResponseWriter, r *http.Request) {
	id := r.PathValue("id")
	s, ok := d.commands.state(id)
	if !ok {
		refuse(w, http.StatusNotFound, fmt.Errorf("command %s: not seen by this agent", id))
		return
	}
	reply(w, http.StatusOK, s)
}

func refuse(w http.ResponseWriter, code int, err error) {
	reply(w, code, map[string]string{"error": err.Error()})
}

func reply(w http.ResponseWriter, code int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(v) // the client is gone, or it is not
}
