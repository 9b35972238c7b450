package daemon

import (
	"context"
	"maps"
	"slices"
	"time"

	"go.uber.org/zap"

	"moonwatch/failover/driver"
	"moonwatch/failover/driver/fenceagent"
	"moonwatch/internal/config"
	"moonwatch/internal/program"
	"moonwatch/member"
	"moonwatch/mind"
)

// fencing is what this member can switch off.
type fencing struct {
	folder program.Folder
	fences config.Fences
}

// checkFencesEvery is how often the devices are asked whether they answer: a fence
// that is needed once a year has to be known to work before.
const (
	checkFencesEvery = 10 * time.Minute
	checkFenceWithin = time.Minute
)

func (d *Daemon) openFencing(owners program.Owners) error {
	fences, err := config.LoadFences(d.cfg.Agent.FencesFile)
	d.fencing = fencing{folder: program.Folder{Path: d.cfg.Agent.FenceAgentsDir, Owners: owners}, fences: fences}
	return err
}

// devices are those of one level against one member.
func (f fencing) devices(id member.ID, level string) []fenceagent.Device {
	var all []fenceagent.Device
	for _, x := range f.fences[id][level] {
		all = append(all, fenceagent.Device{Agent: x.Agent, Options: x.Options, Files: x.Files})
	}
	return all
}

// fence is the driver that switches a member off.
func (d *Daemon) fence(e mind.DoStep) driver.Driver {
	return fenceagent.New(e.Action, d.fencing.folder, d.fencing.devices(e.Subject, e.Action), fenceagent.Defaults())
}

// watchFences tells the mind whom this member can fence, as far as the devices
// answer.
func (d *Daemon) watchFences(ctx context.Context) {
	tick := time.NewTicker(checkFencesEvery)
	defer tick.Stop()
	for {
		can := map[member.ID][]string{}
		for _, id := range slices.Sorted(maps.Keys(d.fencing.fences)) {
			for _, level := range slices.Sorted(maps.Keys(d.fencing.fences[id])) {
				if d.reaches(ctx, id, level) {
					can[id] = append(can[id], level)
				}
			}
		}
		if ctx.Err() != nil {
			return
		}
		d.tell(ctx, mind.FencerTold{Can: can})
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// reaches asks every device of a level; one that does not answer makes the level
// no fence.
func (d *Daemon) reaches(ctx context.Context, id member.ID, level string) bool {
	devices := d.fencing.devices(id, level)
	for _, x := range devices {
		ctx, cancel := context.WithTimeout(ctx, checkFenceWithin)
		err := x.Check(ctx, d.fencing.folder)
		cancel()
		if err != nil {
			d.log.Warn("fence device does not work", zap.String("subject", string(id)), zap.String("level", level), zap.Error(err))
			return false
		}
	}
	return len(devices) > 0
}
