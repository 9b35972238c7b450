package mind

import (
	"encoding/json"
	"fmt"

	"moonwatch/consensus"
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
	said map[string]bool // notes that were made
}

func newKinds() kinds {
	return kinds{told: map[member.ID][]consensus.FactKind{}, said: map[string]bool{}}
}

// of is what a member's build knows.
func (m *Mind) kindsOf(id member.ID) []consensus.FactKind {
	if id == m.cfg.Self || m.cfg.SameBuild {
		return m.ledger.LaterKinds()
	}
	return m.kinds.told[id]
}

// admits keeps a command out of this leader's log while a councillor's build would stop
// deciding at it. Whoever wants it hands it in again.
func (m *Mind) admits(command []byte) bool {
	var c struct {
		Kind consensus.FactKind `json:"kind"`
	}
	if json.Unmarshal(command, &c) != nil {
		return false
	}
	stops, ok := m.ledger.MayPropose(c.Kind, m.kindsOf)
	if !ok {
		why := fmt.Sprintf("facts of kind %s wait until all councillors' builds know them: %s has not said so yet", c.Kind, stops)
		if stops == "" {
			why = fmt.Sprintf("a command of kind %s is not proposed: this build does not know it, upgrade it", c.Kind)
		}
		if !m.kinds.said[why] {
			m.kinds.said[why] = true
			m.out = append(m.out, Noted{Text: why})
		}
	}
	return ok
}
