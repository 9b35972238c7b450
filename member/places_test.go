package member

import (
	"slices"
	"testing"
)

func TestASetOfPlacesNamesItsMembers(t *testing.T) {
	var members []Member
	for c := 'a'; c <= 'z'; c++ {
		members = append(members, Member{ID: ID(c)})
	}
	r := NewRoster(7, members)
	for _, ids := range [][]ID{{}, {"a"}, {"a", "h", "i", "z"}} {
		if got := r.In(r.Places(ids)); !slices.Equal(got, ids) {
			t.Errorf("%v became %v", ids, got)
		}
	}
	if got := r.In(r.Places([]ID{"b", "b", "stranger", "a"})); !slices.Equal(got, []ID{"a", "b"}) {
		t.Errorf("got %v", got)
	}
	if got := r.In(Places{Roster: 7, First: 24, Bits: []byte{0xff, 0xff}}); !slices.Equal(got, []ID{"y", "z"}) {
		t.Errorf("beyond the end of the roster: %v", got)
	}
}

func TestASetOfAnotherRosterSaysNothing(t *testing.T) {
	r := NewRoster(7, []Member{{ID: "a"}})
	var none *Roster
	if got := NewRoster(8, []Member{{ID: "b"}}).In(r.Places([]ID{"a"})); got != nil {
		t.Errorf("got %v", got)
	}
	if got := none.In(none.Places([]ID{"a"})); got != nil {
		t.Errorf("nobody's roster: %v", got)
	}
}
