package main

import (
	"context"
	"fmt"
	"io"
	"net/netip"
	"os"

	"go.uber.org/zap"

	"moonwatch/internal/config"
	"moonwatch/internal/daemon"
	"moonwatch/internal/demo"
	"moonwatch/internal/sdnotify"
	"moonwatch/member"
	"moonwatch/sim/campaign"
)

// parts are the long-running pieces of the program behind narrow functions.
type parts struct {
	version     string
	agent       func(ctx context.Context, cfg *config.Agent, log *zap.Logger) error
	demo        func(ctx context.Context, o demo.Options) int
	demoControl func(ctx context.Context, dir, do string, id member.ID, out io.Writer) error
	demoService func(ctx context.Context, args []string, errw io.Writer) int
	freeMemory  func() uint64 // in bytes; 0: not known
}

// shipped are the parts as they are.
func shipped() parts {
	return parts{daemon.Version, runAgent, demo.Run, demo.Control, demo.RunService, campaign.FreeMemory}
}

// runAgent runs an agent until ctx ends. Where the demo's launcher started it,
// it has the demo's gate, and its actions may belong to its own user.
func runAgent(ctx context.Context, cfg *config.Agent, log *zap.Logger) error {
	gate, err := demo.Inherited(os.Getenv)
	if err != nil {
		return fmt.Errorf("agent %s: %w", cfg.Name, err)
	}
	c := daemon.Config{Agent: cfg, Log: log}
	c.Notify, c.NotifyEvery = sdnotify.From(os.Getenv)
	if gate != nil { // a nil gate in an interface would not be nil
		defer gate.Close() //nolint:errcheck // the process ends
		c.Gate, c.ActionsOfSelf = gate, true
	}
	d, err := daemon.New(c) //nolint:contextcheck // opening files and sockets waits for nobody
	if err != nil {
		return err
	}
	log.Info("agent listens", doors(d.Addresses())...)
	return d.Run(ctx)
}

// doors are the addresses that are open.
func doors(a daemon.Addresses) []zap.Field {
	var fields []zap.Field
	for _, x := range []struct {
		name string
		at   netip.AddrPort
	}{{"gossip", a.Gossip}, {"link", a.Link}, {"http", a.HTTP}, {"debug", a.Debug}, {"gateway", a.Gateway}, {"public", a.Public}} {
		if x.at.IsValid() {
			fields = append(fields, zap.Stringer(x.name, x.at))
		}
	}
	if a.Socket != "" {
		fields = append(fields, zap.String("socket", a.Socket))
	}
	return fields
}
