package demo

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"time"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"moonwatch/consensus"
	"moonwatch/internal/config"
	"moonwatch/internal/daemon"
	"moonwatch/shield/gateway"
	"moonwatch/status"
)

// console is the launcher's own agent: it follows the ledger, shows the page
// and opens the gateway, and is none of the members.
type console struct {
	agent *daemon.Daemon
	gate  *Gate
	log   *os.File
	stop  context.CancelFunc
	ended chan error // its one value: how Run ended
}

// openConsole starts the agent. It goes on until close, also after ctx.
func openConsole(ctx context.Context, k *kit, e ears) (*console, error) {
	path := k.config(launcherName)
	conf, err := config.LoadAgent(path, nil, nil)
	if err != nil {
		return nil, err
	}
	log, err := os.OpenFile(filepath.Join(filepath.Dir(path), "agent.log"), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return nil, err
	}
	level, err := zapcore.ParseLevel(conf.Log.Level)
	if err != nil {
		return nil, errors.Join(err, log.Close())
	}
	c := &console{gate: newGate(), log: log, ended: make(chan error, 1)}
	c.agent, err = daemon.New(daemon.Config{ //nolint:contextcheck // it has a life of its own, ended by close
		Agent: conf, Console: true, ActionsOfSelf: true, GatewayDebug: true, Gate: c.gate,
		Log: zap.New(zapcore.NewCore(zapcore.NewJSONEncoder(zap.NewProductionEncoderConfig()), zapcore.AddSync(log), level)),
		// The moment is taken here: the result's times are those at which the
		// launcher came to know.
		Facts:  func(f consensus.Fact) { e.fact(time.Now(), f) },
		Pages:  func(p status.Page) { e.page(time.Now(), p) },
		Routes: func(t gateway.Table) { e.table(time.Now(), t) },
	})
	if err != nil {
		return nil, errors.Join(err, log.Close())
	}
	ctx, stop := context.WithCancel(context.WithoutCancel(ctx))
	c.stop = stop
	go func() { c.ended <- c.agent.Run(ctx) }() // awaited by close
	return c, nil
}

// addresses of page and gateway.
func (c *console) addresses() (page, door netip.AddrPort) {
	a := c.agent.Addresses()
	return a.HTTP, a.Gateway
}

// submit hands in a command; what became of it stands in the ledger.
func (c *console) submit(ctx context.Context, command []byte) error {
	return c.agent.Submit(ctx, command)
}

// closeTime bounds the wait for the embedded agent. Nothing of it outlives this
// process, so a longer wait would only keep people waiting.
const closeTime = 3 * time.Second

func (c *console) close() error {
	c.stop()
	select {
	case err := <-c.ended:
		if errors.Is(err, context.Canceled) {
			err = nil
		}
		return errors.Join(err, c.log.Close())
	case <-time.After(closeTime):
		return fmt.Errorf("close the launcher's agent: it still runs after %v", closeTime)
	}
}
