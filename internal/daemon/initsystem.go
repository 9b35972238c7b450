package daemon

import (
	"context"
	"time"
)

// statusEvery is how often the init system hears what the agent sees, where it does not
// ask more often whether it is alive.
const statusEvery = 10 * time.Second

// tellInit tells the init system that the agent is there, how the fleet looks from here,
// and for as long as the loop makes progress that it does: one that is stuck is not
// vouched for.
func (d *Daemon) tellInit(ctx context.Context) error {
	d.cfg.Notify("READY=1")
	every := statusEvery
	if d.cfg.NotifyEvery > 0 {
		// A machine that stands still at one of these moments is no reason to be ended.
		every = min(every, d.cfg.NotifyEvery/5)
	}
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			d.cfg.Notify("STOPPING=1")
			return nil
		case <-tick.C:
			said := ""
			if p := d.page.Load(); p != nil {
				said = "STATUS=Mode " + string(p.Mode.Name) + ". " + p.Headline
			}
			if d.cfg.NotifyEvery > 0 && d.healthy() == nil {
				said += "\nWATCHDOG=1"
			}
			if said != "" {
				d.cfg.Notify(said)
			}
		}
	}
}
