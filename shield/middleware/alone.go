package middleware

import (
	"context"
	"log/slog"
	"time"

	"moonwatch/shield"
	"moonwatch/shield/admit"
)

const (
	// tick is how often the guard looks at what it counted. Two ticks above its share hold
	// a subdomain, so a flood is felt for about 100 ms.
	tick = 50 * time.Millisecond
	// late is how many ticks one may take before this machine must have stood still: what
	// was late then was late because of that, and what waited comes all at once.
	late = 4
)

// alone decides by what this server counts itself.
func (g *Guard) alone(ctx context.Context) error {
	cfg := shield.DefaultConfig("this-server")
	cfg.Shadow, cfg.Capacity.Configured, cfg.Salt = g.cfg.Shadow, g.cfg.Capacity, g.salt
	door, err := admit.NewAlone(admit.Config{Counter: g.counter, Client: g.cfg.Client}, cfg)
	if err != nil {
		return err
	}
	g.gate, g.strain = door.Gate, &door.Strain
	g.done.Go(func() { g.decide(ctx, door) })
	return nil
}

// decide ends the ticks, until it is told to stop.
func (g *Guard) decide(ctx context.Context, door *admit.Alone) {
	ticker := time.NewTicker(tick)
	defer ticker.Stop()
	last := time.Now()
	idle := last
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		now := time.Now()
		passed := now.Sub(last)
		if now.Before(idle) || passed < tick/2 { // a ticker that was late catches up
			continue
		}
		last = now
		still := passed > late*tick
		if still {
			idle = now.Add(min(passed, time.Second) - tick/2) // together with the next one it tells what was asked for
		}
		for _, e := range door.Tick(now, passed, still) {
			if n, is := e.(shield.Note); is {
				g.cfg.Log.Info("shield", slog.String("what", n.What.String()), slog.String("host", n.Host), slog.String("text", n.Text))
			}
		}
	}
}
