package mind

import (
	"slices"

	"moonwatch/member"
)

// Upstream is whom an agent asks to feed it: the councillors in turn, and where one
// feeds as many as it may, one of those that it feeds. So the followers become a
// tree, and whoever looks for a place finds a branch that has one. The zero value
// is ready.
type Upstream struct {
	Spread uint64 // one for each agent: those that look at the same time go to different ones

	turn  uint64
	below []member.ID // fed by the last one that was asked, which had no place left
}

// Next is whom to ask now, of some peers; empty if there are none.
func (u *Upstream) Next(peers []member.ID) member.ID {
	u.turn++
	if below := u.below; len(below) > 0 {
		u.below = nil
		return below[u.dice()%uint64(len(below))]
	}
	if len(peers) == 0 {
		return ""
	}
	return peers[(u.Spread+u.turn)%uint64(len(peers))]
}

// dice are another number for each agent and turn, so that those who start at the
// same place do not all go the same way down (the finisher of splitmix64).
func (u *Upstream) dice() uint64 {
	x := u.Spread + u.turn*0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

// Full tells that the one that was asked feeds as many as it may, and whom.
func (u *Upstream) Full(self member.ID, feeds []member.ID) {
	u.below = slices.DeleteFunc(slices.Clone(feeds), func(id member.ID) bool { return id == self })
}
