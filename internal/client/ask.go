package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"mime"
	"net/http"
	"strings"
	"syscall"
	"time"
)

// maxAnswer bounds one answer. The page of a thousand members, each with
// sixteen observers, and of a hundred verdicts with their votes is 2 MB.
const maxAnswer = 64 << 20

// answer is what came back.
type answer struct {
	code int
	body []byte
	kind string // media type
}

// ask sends one request and reads the whole answer.
func (c *Client) ask(ctx context.Context, method, path string, body []byte) (answer, error) {
	req, err := http.NewRequestWithContext(ctx, method, c.base+path, bytes.NewReader(body))
	if err != nil {
		return answer{}, fmt.Errorf("ask the agent at %s: %w", c.address, err)
	}
	if body != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return answer{}, c.unreachable(ctx, err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	if err != nil {
		return answer{}, fmt.Errorf("ask the agent at %s: the answer broke off: %w: ask again", c.address, err)
	}
	if len(b) > maxAnswer {
		return answer{}, fmt.Errorf("ask the agent at %s: %w: it is longer than %d bytes", c.address, ErrNotAgent, maxAnswer)
	}
	kind, _, _ := mime.ParseMediaType(resp.Header.Get("Content-Type"))
	return answer{resp.StatusCode, b, kind}, nil
}

// unreachable says why nobody answered and what to do about it. What the
// context says comes first: who pressed Ctrl-C knows why.
func (c *Client) unreachable(ctx context.Context, err error) error {
	if ctx.Err() != nil && errors.Is(ctx.Err(), context.Canceled) {
		return fmt.Errorf("ask the agent at %s: %w", c.address, context.Canceled)
	}
	next := "is it running, and is this its address? Another one is named with --agent"
	switch {
	case c.socket != "" && errors.Is(err, fs.ErrNotExist):
		next = "there is no such socket. Start the agent (moonwatch agent --config FILE), or name another one with --agent"
	case c.socket != "" && errors.Is(err, fs.ErrPermission):
		next = "this user may not use the socket. Be root, or a member of the socket's group, or ask its page address with --agent"
	case errors.Is(err, syscall.ECONNREFUSED):
		next = "nobody listens there. Start the agent (moonwatch agent --config FILE), or name another one with --agent"
	case errors.Is(err, context.DeadlineExceeded):
		next = "it took too long. Is the agent's machine well?"
	}
	return fmt.Errorf("ask the agent at %s: %w: %s", c.address, ErrUnreachable, next)
}

// get asks for one document and decodes it.
func (c *Client) get(ctx context.Context, path string, into any) error {
	b, err := c.read(ctx, path)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(b, into); err != nil {
		return fmt.Errorf("ask the agent at %s for %s: %w: %w", c.address, path, ErrNotAgent, err)
	}
	return nil
}

// read asks for one document and checks that it is one of ours.
func (c *Client) read(ctx context.Context, path string) ([]byte, error) {
	a, err := c.ask(ctx, http.MethodGet, path, nil)
	if err != nil {
		return nil, err
	}
	if a.code != http.StatusOK {
		return nil, c.refused(path, a)
	}
	if a.kind != "application/json" {
		return nil, c.stranger(a)
	}
	return a.body, nil
}

// refused turns an answer that is no success into an error.
func (c *Client) refused(path string, a answer) error {
	said, ours := problem(a)
	switch {
	case !ours && a.code == http.StatusNotFound, !ours && a.code == http.StatusMethodNotAllowed:
		return c.notOffered(path)
	case !ours:
		return c.stranger(a)
	case a.code == http.StatusServiceUnavailable:
		return fmt.Errorf("ask the agent at %s: %w: %s: ask again in a moment", c.address, ErrStarting, said)
	case a.code == http.StatusTooManyRequests:
		return fmt.Errorf("ask the agent at %s: %s", c.address, said)
	case a.code == http.StatusNotFound && strings.HasPrefix(said, "no such path"):
		return c.notOffered(path)
	case a.code == http.StatusNotFound:
		return &Unknown{Said: said}
	default:
		return fmt.Errorf("ask the agent at %s: it answers %d: %s", c.address, a.code, said)
	}
}

// notOffered says where else to ask.
func (c *Client) notOffered(path string) error {
	next := "its program may be older than this one ('moonwatch version')"
	if !c.Local() {
		next = "ask at its socket (--agent unix:PATH), or its program is older than this one"
	}
	return fmt.Errorf("ask the agent at %s: %s: %w: %s", c.address, path, ErrNotOffered, next)
}

// Unknown is an agent's answer that it does not know what was asked for, in
// its own words; it is [ErrUnknown].
type Unknown struct{ Said string }

func (e *Unknown) Error() string { return e.Said }

// Is makes it ErrUnknown.
func (e *Unknown) Is(target error) bool { return target == ErrUnknown }

func (c *Client) stranger(a answer) error {
	return fmt.Errorf("ask the agent at %s: %w (status %d, %s): is this the agent's page address or socket, such as 127.0.0.1:7980?",
		c.address, ErrNotAgent, a.code, orNothing(a.kind))
}

func orNothing(s string) string {
	if s == "" {
		return "of no type"
	}
	return s
}

// problem reads an error as agents write it.
func problem(a answer) (string, bool) {
	var p struct {
		Error string `json:"error"`
	}
	if a.kind != "application/json" || json.Unmarshal(a.body, &p) != nil || p.Error == "" {
		return "", false
	}
	return p.Error, true
}

// pause waits between two questions, or until ctx ends.
func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
