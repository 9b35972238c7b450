package daemon

import (
	"net/url"
	"path/filepath"
	"reflect"
	"slices"
	"sync/atomic"
	"time"

	"go.uber.org/zap"

	"moonwatch/failover"
	"moonwatch/failover/driver/vip"
	"moonwatch/member"
)

// addressFolder is where the marks of addresses stand, unless the agent was told
// otherwise: in memory, for the addresses are gone after a boot.
const addressFolder = "/run/moonwatch/addresses"

// leaveAgain is how long the agent waits when an address could not be taken away.
const leaveAgain = 10 * time.Second

// carrying is what this member may have of addresses that move with their slots. The
// drivers care for those that fleet.yaml names; what it named once, and was put here,
// would stay for ever.
type carrying struct {
	now  atomic.Pointer[[]failover.Carrying] // as the ledger has it
	left atomic.Pointer[[]failover.Carrying] // the last one by which all that is to go has gone
	next time.Time                           // when the next attempt may be made; owned by the loop
}

// noteCarrying tells those beside the loop what the ledger has.
func (d *Daemon) noteCarrying() {
	now := d.mind.State().Carrying(d.self)
	if was := d.carrying.now.Load(); was == nil || !reflect.DeepEqual(*was, now) {
		d.carrying.now.Store(&now)
	}
}

// addressMarks is where a door's marks stand.
func (d *Daemon) addressMarks(pool, driver string) string {
	root := d.cfg.Addresses
	if root == "" {
		root = addressFolder
	}
	return filepath.Join(root, url.PathEscape(pool+"/"+driver))
}

// leaveAddresses takes away what this member is not to have by any driver any more. As
// when an address is put, an old ledger decides nothing.
func (d *Daemon) leaveAddresses(now time.Time) {
	d.noteCarrying()
	wanted := d.carrying.now.Load()
	if wanted == d.carrying.left.Load() || now.Before(d.carrying.next) || !d.mind.Current() {
		return
	}
	d.carrying.next = now.Add(leaveAgain)
	d.deed(func() {
		left, err := vip.Leave(filepath.Dir(d.addressMarks("", "")), d.carries)
		for _, what := range left {
			d.log.Info("address taken away", zap.String("address", what))
		}
		if err != nil {
			d.log.Warn("addresses not taken away", zap.Error(err))
			return
		}
		d.carrying.left.Store(wanted)
	}, func() {})
}

// carries reports whether a driver of this member, by the folder of its marks, has an
// address for a slot, by the ledger at the moment of the question: it may have moved on
// since.
func (d *Daemon) carries(folder string, slot member.SlotID) bool {
	return slices.ContainsFunc(*d.carrying.now.Load(), func(c failover.Carrying) bool {
		return d.addressMarks(c.Pool, c.Driver) == folder && slices.Contains(c.Slots, slot)
	})
}
