package middleware

import (
	"context"
	"log/slog"
	"maps"
	"slices"
	"time"

	"moonwatch/shield"
)

const (
	// tick is how often the guard looks at what it counted. Two ticks above its share hold
	// a subdomain, so a flood is felt for about 100 ms.
	tick = 50 * time.Millisecond
	// window is the stretch of time over which rates are measured, as at the gateway:
	// longer, and a small flood is felt later; shorter, and more is chance.
	window = 400 * time.Millisecond
	// listed hosts are counted in every tick, those that became known first, so that in a
	// small fleet what each usually asks for is known also if that is a few a second.
	listed = 48
	// late is how many ticks one may take before this machine must have stood still: what
	// was late then was late because of that, and what waited comes all at once.
	late = 4
)

// alone decides by what this server counts itself.
func (g *Guard) alone(ctx context.Context) error {
	cfg := shield.DefaultConfig("this-server")
	cfg.Shadow, cfg.Window, cfg.Capacity.Configured = g.cfg.Shadow, window, g.cfg.Capacity
	s, err := shield.New(cfg)
	if err != nil {
		return err
	}
	g.done.Go(func() { g.decide(ctx, s) })
	return nil
}

// decide closes a tick of what was counted, asks the shield what comes of it, and does
// that.
func (g *Guard) decide(ctx context.Context, s *shield.Shield) {
	ticker := time.NewTicker(tick)
	defer ticker.Stop()
	names := map[shield.Key]string{} // of those that are counted in every tick
	last := time.Now()
	idle := last
	for {
		select {
		case <-ctx.Done():
			return
		case host := <-g.gate.Learned():
			if len(names) < listed {
				names[shield.KeyOf(g.salt, []byte(host))] = host
			}
			continue
		case <-ticker.C:
		}
		now := time.Now()
		passed := now.Sub(last)
		if now.Before(idle) || passed < tick/2 { // a ticker that was late catches up
			continue
		}
		last = now
		trouble := g.strain.Take()
		if passed > late*tick {
			trouble = false
			idle = now.Add(min(passed, time.Second) - tick/2) // together with the next one it tells what was asked for
		}
		total, counts := g.counter.Rotate(s.LearnAtMost())
		for _, k := range append(s.Wanted(), slices.Sorted(maps.Keys(names))...) {
			x := g.counter.Read(k)
			x.Name = names[k]
			counts = append(counts, x)
		}
		g.do(s.Step(now, shield.Counted{
			Tick: min(passed, time.Minute), Counts: counts, Subdomains: g.counter.Known(), Trouble: trouble,
			Asked: total.Asked, Refused: total.Refused, Served: total.Served, Cost: total.Cost,
		}))
	}
}

func (g *Guard) do(effects []shield.Effect) {
	for _, e := range effects {
		switch e := e.(type) {
		case shield.Enforce:
			g.gate.Enforce(e.Measures)
		case shield.Note:
			g.cfg.Log.Info("shield", slog.String("what", e.What.String()), slog.String("host", e.Host), slog.String("text", e.Text))
		default: // words for other doors, of which there are none
		}
	}
}
