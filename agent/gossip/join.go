package gossip

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
)

// A joinCause is what the engine says when a join fails, and what it most
// likely means. The engine keeps no errors to compare with, only their text.
type joinCause struct {
	result string // of the metric
	text   []string
	means  string
}

var joinCauses = []joinCause{
	{
		"wrong_key",
		[]string{"no installed keys could decrypt"},
		"the gossip key here is not the one there: compare gossip_key_file",
	},
	{
		"not_encrypted",
		[]string{"remote state is not encrypted", "encryption is not configured"},
		"the agent there runs without a gossip key, and cannot be let in",
	},
	{
		"other_cluster",
		[]string{"EOF", "connection reset", "broken pipe"},
		"closed without an answer: the agent there belongs to another cluster, or is isolated; its log has the reason",
	},
	{
		"nobody",
		[]string{"connection refused"},
		"nobody listens there: the agent does not run, or listens elsewhere",
	},
	{
		"silent",
		[]string{"i/o timeout", "no route to host", "network is unreachable"},
		"no answer: the machine is off, or a firewall drops tcp",
	},
	{
		"unknown_name",
		[]string{"no such host"},
		"the name has no address",
	},
	{
		"gate",
		[]string{errShut.Error()},
		"this agent is isolated",
	},
}

func joinResults() []string {
	results := []string{"ok", "other"}
	for _, c := range joinCauses {
		results = append(results, c.result)
	}
	return results
}

// explain puts the likely cause before what the engine said.
func explain(err error) (result string, explained error) {
	text := err.Error()
	for _, c := range joinCauses {
		for _, t := range c.text {
			if strings.Contains(text, t) {
				return c.result, fmt.Errorf("%s: %w", c.means, oneLine(err))
			}
		}
	}
	return "other", oneLine(err)
}

// oneLine unwraps the engine's list of errors, which has one entry for one
// address and is printed as a paragraph.
func oneLine(err error) error {
	var list interface{ WrappedErrors() []error }
	if errors.As(err, &list) && len(list.WrappedErrors()) == 1 {
		return list.WrappedErrors()[0]
	}
	return err
}

// Join makes one round over addrs (address:port or name:port) and returns how
// many of them are in touch with us after it: each that took us in, and each
// that the view shows alive already, which is not asked again. Our own address
// is passed over. Every address that failed is in the error, one line each,
// with its likely cause, also when n > 0. When ctx ends the round stops; the
// attempt that is under way ends by itself within seconds.
//
// A second agent with our name is let in by the engine without an error; see
// Conflicts.
func (g *Gossip) Join(ctx context.Context, addrs []string) (n int, err error) {
	var failed []error
	for _, addr := range addrs {
		at, _ := netip.ParseAddrPort(addr) // zero for a name
		at = unmap(at)
		switch {
		case at == g.Addr():
			continue
		case g.inTouch(at):
			n++
			continue
		}
		err := g.call(ctx, func() error {
			_, err := g.engine.Join([]string{addr}, true)
			return err
		})
		if ctx.Err() != nil || errors.Is(err, ErrClosed) {
			failed = append(failed, fmt.Errorf("join %s: %w", addr, err))
			break
		}
		result := "ok"
		if err != nil {
			result, err = explain(err)
			failed = append(failed, fmt.Errorf("join %s: %w", addr, err))
		} else {
			n++
		}
		g.metrics.joins.WithLabelValues(result).Inc()
	}
	return n, errors.Join(failed...)
}

func (g *Gossip) inTouch(at netip.AddrPort) bool {
	for _, alive := range g.aliveAt() {
		if alive == at {
			return true
		}
	}
	return false
}
