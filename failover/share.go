package failover

import (
	"maps"
	"slices"

	"moonwatch/member"
)

// Share gives the state as it is now to other states of this process; see
// consensus.Folds.
func (st *State) Share() any {
	st.shared = true
	return st.s
}

// Adopt takes over what another state has shared.
func (st *State) Adopt(shared any) { st.s, st.shared = shared.(folded), true }

// own makes the state its own before it is changed.
func (st *State) own() {
	if st.shared {
		st.s, st.shared = st.s.clone(), false
	}
}

// clone copies everything that Apply changes in place. Lists that it only
// replaces, as those of times and the brake, are shared.
func (s folded) clone() folded {
	s.Slots, s.Uses, s.Cases, s.Holds = copied(s.Slots), copied(s.Uses), copied(s.Cases), copied(s.Holds)
	s.Requests, s.Signed = copied(s.Requests), maps.Clone(s.Signed)
	s.Enforcers, s.Fencers = maps.Clone(s.Enforcers), maps.Clone(s.Fencers) // what they hold is replaced
	s.Took = maps.Clone(s.Took)                                             // what it holds is replaced
	s.Doors = maps.Clone(s.Doors)                                           // what it holds is replaced
	s.Retired = copied(s.Retired)
	for _, uses := range []map[member.ID]*Use{s.Uses, s.Retired} {
		for _, u := range uses {
			u.Leftover, u.Shadow = maps.Clone(u.Leftover), maps.Clone(u.Shadow)
		}
	}
	for _, c := range s.Cases {
		c.History = slices.Clip(c.History) // what is appended goes elsewhere
	}
	return s
}

func copied[K comparable, V any](m map[K]*V) map[K]*V {
	out := make(map[K]*V, len(m))
	values := make([]V, 0, len(m))
	for k, v := range m {
		values = append(values, *v)
		out[k] = &values[len(values)-1]
	}
	return out
}
