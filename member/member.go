// Package member holds the words that all parts of Moonwatch share: who is in
// the fleet, which slots it has, and which version of that list is meant.
//
// It decides nothing and imports nothing of ours, so every other package may
// use it without bending the direction of imports.
package member

import (
	"cmp"
	"slices"
)

// ID names one member (one machine). It is the name in fleet.yaml, in the
// member's certificate and in every fact about it.
type ID string

// Incarnation says which life of a member is meant. An agent takes a higher
// one at each start, so that word about an earlier life cannot hit a later one.
type Incarnation uint64

// FailureDomain names what one fault can take down together: a host, a rack, a
// zone.
type FailureDomain string

// SlotID names a place in the cluster that outlives its occupants, for example
// web-0.
type SlotID string

// SlotEpoch is the fencing token of a slot: the ledger index of the fact that
// made this occupant the slot's occupant. It only grows.
type SlotEpoch uint64

// RosterEpoch is the ledger index of the roster's last change. It is used in
// votes and in the overlay, and nowhere else.
type RosterEpoch uint64

// Member is one line of the roster.
type Member struct {
	ID      ID            `json:"id"`
	Domain  FailureDomain `json:"failure_domain"`
	Pool    string        `json:"pool,omitempty"`
	Council bool          `json:"council,omitempty"` // may sit in the council
	Retired bool          `json:"retired,omitempty"` // out of overlay, council and gossip
}

// Roster is the committed list of members. It is a value that is shared and
// never changed: a new roster is a new value with a higher Epoch.
type Roster struct {
	Epoch   RosterEpoch
	Members []Member // sorted by ID
	index   map[ID]int
}

// NewRoster builds the roster of one epoch. The members may come in any order;
// retired ones are left out, for they are neither observed nor counted.
func NewRoster(epoch RosterEpoch, members []Member) *Roster {
	r := &Roster{Epoch: epoch, index: make(map[ID]int, len(members))}
	for _, m := range members {
		if !m.Retired {
			r.Members = append(r.Members, m)
		}
	}
	slices.SortFunc(r.Members, func(a, b Member) int { return cmp.Compare(a.ID, b.ID) })
	for i, m := range r.Members {
		r.index[m.ID] = i
	}
	return r
}

// Len is the number of members. A nil roster has none: an agent that has not
// yet heard of a roster observes nobody.
func (r *Roster) Len() int {
	if r == nil {
		return 0
	}
	return len(r.Members)
}

// Member finds one member by its ID.
func (r *Roster) Member(id ID) (Member, bool) {
	i := r.Index(id)
	if i < 0 {
		return Member{}, false
	}
	return r.Members[i], true
}

// Index is the place of id in Members, or -1 for a stranger.
func (r *Roster) Index(id ID) int {
	if r == nil {
		return -1
	}
	i, ok := r.index[id]
	if !ok {
		return -1
	}
	return i
}

// Domain is the failure domain of id, empty for a stranger.
func (r *Roster) Domain(id ID) FailureDomain {
	m, _ := r.Member(id)
	return m.Domain
}
