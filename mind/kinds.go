package mind

import (
	"encoding/json"
	"fmt"
	"slices"

	"moonwatch/consensus"
	"moonwatch/failover"
	"moonwatch/member"
)

// LaterKinds are the kinds of facts that this build knows and an older one may not:
// what it tells the others.
func LaterKinds() []consensus.FactKind {
	l, _ := Read(Boot{}) // an empty ledger cannot fail
	return l.LaterKinds()
}

// kinds is what the others' builds know.
type kinds struct {
	told map[member.ID][]consensus.FactKind
	said map[string]bool // notes that were made, by kind
}

func newKinds() kinds {
	return kinds{told: map[member.ID][]consensus.FactKind{}, said: map[string]bool{}}
}

// of is what a member's build knows.
func (m *Mind) kindsOf(id member.ID) (kinds []consensus.FactKind, heard bool) {
	if id == m.cfg.Self || m.cfg.SameBuild {
		return m.ledger.LaterKinds(), true
	}
	kinds, heard = m.kinds.told[id]
	return kinds, heard
}

// admits keeps a command out of this leader's log while a councillor's build would stop
// deciding at it. Whoever wants it hands it in again.
func (m *Mind) admits(command []byte) bool {
	var c struct {
		Kind    consensus.FactKind `json:"kind"`
		Payload json.RawMessage    `json:"payload"`
	}
	if json.Unmarshal(command, &c) != nil {
		return false
	}
	wanted := []consensus.FactKind{c.Kind}
	if c.Kind == consensus.KindFleet {
		wanted = append(wanted, fleetWants(c.Payload)...)
	}
	if c.Kind == failover.KindRequest {
		wanted = append(wanted, requestWants(c.Payload)...)
	}
	for _, kind := range wanted {
		stops, ok := m.ledger.MayPropose(kind, m.kindsOf)
		if ok {
			continue
		}
		key, why := string(kind), fmt.Sprintf("facts of kind %s wait until all agents' builds know them: %s has not said so yet", kind, stops)
		if stops == "" { // anybody may make up kinds: they are told of once
			key, why = "", fmt.Sprintf("a command of kind %s is not proposed: this build does not know it, upgrade it", kind)
		}
		if !m.kinds.said[key] {
			m.kinds.said[key] = true
			m.out = append(m.out, Noted{Text: why})
		}
		return false
	}
	return true
}

// requestWants are the later kinds that have to be known where people ask for an act that
// came with them: an older build would refuse what the others let stand.
func requestWants(payload []byte) []consensus.FactKind {
	var r failover.Requested
	if json.Unmarshal(payload, &r) != nil || !slices.Contains(failover.LaterActs(), r.Act) {
		return nil
	}
	return []consensus.FactKind{failover.KindForced}
}

// fleetWants are the later kinds that a fleet's policy brings about. A build without
// them does not read that policy, and would judge the steps of a case otherwise than the
// rest: the policy waits like the kinds.
func fleetWants(payload []byte) (kinds []consensus.FactKind) {
	var f member.Fleet
	if json.Unmarshal(payload, &f) != nil {
		return nil // every ledger refuses it
	}
	if len(f.Shield.Doors) > 0 || f.Shield.Highest != "" || f.Shield.TrustSingle {
		kinds = append(kinds, consensus.KindThrottle)
	}
	for _, p := range f.Pools {
		if p.Actions.Prepare != "" {
			kinds = append(kinds, failover.KindPrepare)
		}
		if slices.ContainsFunc(p.Drivers, member.Driver.Carried) {
			kinds = append(kinds, failover.KindCarried)
		}
		if p.Spares.Reserve > 0 || p.Spares.EarlyAfter > 0 {
			kinds = append(kinds, failover.KindEarly)
		}
		if len(p.Spares.BorrowFrom) > 0 {
			kinds = append(kinds, failover.KindFits, failover.KindBorrowed)
		}
	}
	return kinds
}
