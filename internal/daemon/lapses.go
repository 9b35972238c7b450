package daemon

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"moonwatch/failover"
	"moonwatch/internal/keeper"
	"moonwatch/internal/keeper/door"
	"moonwatch/member"
)

// lapses counts how often the lease of a slot ran out here under its present slot
// epoch, with the service's end as its consequence: stopped by the keeper, or gone
// with the machine. Each time has its number, on the disk: under it the service is
// started again once.
type lapses struct {
	path string
	all  map[member.SlotID]lapse
}

type lapse struct {
	Epoch member.SlotEpoch `json:"slot_epoch"`
	Boot  string           `json:"boot"`
	Stops int              `json:"stops"` // as the keeper counts them in this boot
	Nth   int              `json:"nth"`
	told  int              // by this life of the agent
}

func openLapses(path string) (*lapses, error) {
	x := &lapses{path: path, all: map[member.SlotID]lapse{}}
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return x, nil
	}
	if err == nil {
		err = json.Unmarshal(b, &x.all)
	}
	if err != nil {
		return nil, fmt.Errorf("read lapses %s: %w: remove it if no exclusive slot runs here", path, err)
	}
	return x, nil
}

// note takes what the keeper says of a slot that was started here at epoch. The
// result has an Nth if the service has to be started again: the slot has lapsed,
// nothing of it runs, and that was not told yet in this life.
func (x *lapses) note(slot member.SlotID, epoch member.SlotEpoch, st door.Status) (failover.Lapsed, error) {
	var s keeper.Standing
	for _, each := range st.Slots {
		if each.Slot == slot {
			s = each
		}
	}
	was, known := x.all[slot]
	now := lapse{Epoch: epoch, Boot: st.Boot, Nth: was.Nth, told: was.told}
	if s.Epoch == epoch {
		now.Stops = s.Stops
	}
	switch {
	case s.Epoch > epoch:
		return failover.Lapsed{}, nil // a newer one is about to be started
	case !known || was.Epoch != epoch:
		now.Nth, now.told = now.Stops, 0
	case was.Boot != now.Boot || now.Stops != was.Stops:
		now.Nth++
	}
	if now.Nth != was.Nth || now.Epoch != was.Epoch || now.Boot != was.Boot || now.Stops != was.Stops {
		x.all[slot] = now
		if err := x.save(); err != nil {
			x.all[slot] = was // and noted with the next look
			if !known {
				delete(x.all, slot)
			}
			return failover.Lapsed{}, err
		}
	}
	runs := s.Running > 0 || s.State == keeper.Stopping || s.State == keeper.Unknown
	if now.Nth == now.told || runs {
		return failover.Lapsed{}, nil
	}
	now.told = now.Nth
	x.all[slot] = now
	return failover.Lapsed{Slot: slot, Epoch: epoch, Nth: now.Nth}, nil
}

func (x *lapses) save() error {
	b, err := json.Marshal(x.all)
	if err != nil {
		return err
	}
	return writeFile(x.path, append(b, '\n'))
}
