package main

import (
	"context"
	"errors"
	"os"
	"sync"

	"github.com/spf13/cobra"
	"go.uber.org/zap"
)

func (a *app) agentCommand() *cobra.Command {
	var o agentFile
	c := &cobra.Command{
		Use:   "agent",
		Short: "Run the agent of this machine",
		Long: `Run the agent of this machine until SIGTERM or Ctrl-C, which stop it in order;
a second signal stops it at once. Services that it started go on: stopping or
upgrading an agent never touches them.

Its log goes to standard error. Every key of agent.yaml can be overridden by a
variable (data_dir: MOONWATCH_DATA_DIR) and by a flag (--data-dir).`,
		Example: `  moonwatch agent --config /etc/moonwatch/agent.yaml
  moonwatch agent --config agent.yaml --log-level debug`,
		Args: exactly(),
		RunE: func(c *cobra.Command, _ []string) error {
			cfg, err := o.load(c)
			if err != nil {
				return err
			}
			log := newLog(a.errw, cfg.Log).With(zap.String("member", string(cfg.Name)))
			defer log.Sync() //nolint:errcheck // standard error has nobody to tell
			ctx, stop := context.WithCancel(c.Context())
			var tuning sync.WaitGroup
			defer tuning.Wait()
			defer stop()
			if os.Getenv("GOGC") == "" {
				tuning.Go(func() { tuneCollector(ctx) })
			}
			log.Info("agent starts", zap.String("version", a.parts.version), zap.String("cluster", cfg.Cluster), zap.Int("pid", os.Getpid()))
			err = a.parts.agent(ctx, cfg, log)
			if err != nil && !errors.Is(err, context.Canceled) {
				return err
			}
			log.Info("agent stopped")
			return nil
		},
	}
	o.addTo(c)
	o.addOverridesTo(c)
	return c
}
