package sim

import (
	"crypto/sha256"
	"fmt"

	"moonwatch/consensus"
	"moonwatch/member"
)

// OrderRevoke is an operator who withdraws members' certificates. What an agent then does
// is its adapters' work, and modelled here: it takes nothing from whoever's key its own
// ledger says is withdrawn, and neither makes nor keeps a connection with it, and it
// counts what that one's service answers as no answer.
const OrderRevoke FaultKind = "order-revoke"

// key is what stands for the key of a machine's certificate.
func (m *machine) key() []byte {
	sum := sha256.Sum256(fmt.Appendf(nil, "%s/%d", m.id, m.certified))
	return sum[:]
}

func (w *World) orderRevoke(f Fault) {
	w.revokes = true
	for _, m := range w.those(f.Whom) {
		w.order(operator, consensus.KindRevoked, fmt.Sprintf("revoke/%s/%d/%d", m.id, m.certified, w.now), consensus.Revoke{
			Member: m.id, Key: m.key(), Reason: "the scenario wants it",
		})
	}
}

// certifyAnew gives some machines certificates with keys of their own, with which their
// agents start again.
func (w *World) certifyAnew(ids []member.ID) {
	for _, m := range w.those(ids) {
		m.certified++
		m.ail()
		if m.mind != nil {
			m.endAgent()
			m.startSoon()
		}
	}
}

// strangers reports that one of two machines refuses the other one's key.
func (w *World) strangers(a, b int) bool {
	return w.revokes && (w.machines[a].refuses(w.machines[b]) || w.machines[b].refuses(w.machines[a]))
}

func (m *machine) refuses(x *machine) bool {
	if m.mind == nil {
		return false
	}
	_, is := m.mind.Ledger().Refuses(x.key())
	return is
}
