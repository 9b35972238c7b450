package mind

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"moonwatch/failover"
	"moonwatch/member"
)

// FencerTold tells whom this member can fence from outside, by level, as far as its
// devices answered.
type FencerTold struct{ Can map[member.ID][]string }

func (FencerTold) isEvent() {}

// fencer is what this agent last heard about its fence devices. It becomes a fact
// when it differs from what the ledger knows.
type fencer struct {
	can   map[member.ID][]string
	heard bool
}

// tellFencer hands in whom this member can fence, of those that the roster knows.
func (m *Mind) tellFencer() {
	if !m.fencer.heard {
		return
	}
	roster := m.ledger.Roster()
	if _, listed := roster.Member(m.cfg.Self); !listed {
		return
	}
	can := map[member.ID][]string{}
	var names []string
	for _, id := range slices.Sorted(maps.Keys(m.fencer.can)) {
		if _, in := roster.Member(id); in && id != m.cfg.Self && len(m.fencer.can[id]) > 0 {
			can[id] = m.fencer.can[id]
			names = append(names, fmt.Sprintf("%s=%s", id, strings.Join(can[id], "+")))
		}
	}
	known := m.state.Fencer(m.cfg.Self).Can
	if maps.EqualFunc(known, can, func(a, b []string) bool { return slices.Equal(a, b) }) {
		return
	}
	prefix := "fencer/" + string(m.cfg.Self) + "/"
	id := fmt.Sprintf("%s%d/%d/%s", prefix, m.cfg.Incarnation, m.ledger.Head(), strings.Join(names, ","))
	if slices.ContainsFunc(m.wants.list, func(w want) bool { return strings.HasPrefix(w.id, prefix) }) {
		return // the one before is under way
	}
	m.want(failover.KindFencer, id, failover.Fencer{Can: can}, 0)
}
