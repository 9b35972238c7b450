package mind

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"moonwatch/failover"
)

// enforcer is what this agent last heard about its enforcer. It is a fact for the
// others when it has changed, and when its self-test is much newer than the one that
// they know: a lease is a proof only with an enforcer that was tested lately.
type enforcer struct {
	said   EnforcerTold
	tested time.Time
	heard  bool
}

// tellEvery is how much newer a self-test has to be: it is valid for 15 min, and a
// fact may be late.
const tellEvery = 5 * time.Minute

func (e *enforcer) told(now time.Time, ev EnforcerTold) {
	e.said, e.tested, e.heard = ev, now.Add(-ev.Age), true
}

// tellEnforcer hands in what the others should know about this member's enforcer.
func (m *Mind) tellEnforcer() {
	e := &m.enforcer
	if !e.heard {
		return
	}
	self, listed := m.ledger.Roster().Member(m.cfg.Self)
	pool, _ := m.ledger.Fleet().Pool(self.Pool)
	if !listed || !pool.Exclusive {
		return
	}
	known, has := m.state.Enforcer(m.cfg.Self)
	same := known.Kind == e.said.Kind && known.Watchdog == e.said.Watchdog && (e.said.Kind != "" || known.Detail == e.said.Detail)
	if same && (!has || e.tested.Sub(known.Tested) < tellEvery) {
		return
	}
	const name = "enforcer/"
	id := fmt.Sprintf("%s%s/%d/%s/%d", name, m.cfg.Self, m.cfg.Incarnation, e.said.Kind, e.tested.UnixMilli())
	if slices.ContainsFunc(m.wants.list, func(w want) bool { return w.id == id }) {
		return
	}
	m.wants.list = slices.DeleteFunc(m.wants.list, func(w want) bool { return strings.HasPrefix(w.id, name+string(m.cfg.Self)+"/") })
	m.want(failover.KindEnforcer, id, failover.Enforcer{
		Kind: e.said.Kind, Watchdog: e.said.Watchdog, Detail: e.said.Detail, Age: max(0, m.now.Sub(e.tested)),
	}, 0)
}
