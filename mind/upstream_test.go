package mind

import (
	"fmt"
	"testing"

	"moonwatch/member"
)

// A thousand members find a place each where a councillor feeds sixteen, and so does
// everybody else, also if they all come at once and one councillor is left of five.
func TestEverybodyFindsAPlaceOnTheFeed(t *testing.T) {
	const most = 16
	for _, left := range []int{5, 1} {
		var council []member.ID
		for i := range left {
			council = append(council, member.ID(fmt.Sprint("c-", i)))
		}
		feeds, deep := map[member.ID][]member.ID{}, map[member.ID]int{}
		deepest := 0
		for i := range 1000 {
			self := member.ID(fmt.Sprint("f-", i))
			u := Upstream{Spread: uint64(i)}
			asked := 1
			at := u.Next(council)
			for ; len(feeds[at]) == most; asked++ {
				u.Full(self, feeds[at])
				at = u.Next(council)
			}
			feeds[at] = append(feeds[at], self)
			deep[self] = deep[at] + 1
			deepest = max(deepest, deep[self])
			if asked > 5 {
				t.Fatalf("%d councillors: %s had to ask %d", left, self, asked)
			}
		}
		if deepest > 4 {
			t.Errorf("%d councillors: the last one is fed over %d others", left, deepest)
		}
	}
}

func TestWhoIsAloneAsksNobody(t *testing.T) {
	var u Upstream
	if id := u.Next(nil); id != "" {
		t.Errorf("it asks %s", id)
	}
	u.Full("f-1", []member.ID{"f-1"})
	if id := u.Next([]member.ID{"c-1"}); id != "c-1" {
		t.Errorf("it asks %q, want somebody else than itself", id)
	}
}
