package driver

import (
	"strings"
	"testing"

	"pgregory.net/rapid"

	"moonwatch/member"
)

func TestAMarkIsOneWordAndReadsBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := Route{
			Slot: "web-0", SlotEpoch: member.SlotEpoch(rapid.Uint64().Draw(t, "slot epoch")),
			Member: member.ID(rapid.String().Draw(t, "member")), Drained: rapid.Bool().Draw(t, "drained"),
		}
		mark := want.Mark()
		if strings.ContainsAny(mark, " ;\"'\\\n\t<") {
			t.Errorf("%q is not one word", mark)
		}
		if got, err := ParseMark("web-0", mark); got != want || err != nil {
			t.Errorf("%q reads as %v, %v", mark, got, err)
		}
	})
}

func TestAMarkThatIsNotOursIsAnError(t *testing.T) {
	for _, mark := range []string{"", "57", "/spare-1", "057/spare-1", "-1/a", "57/a/Drained", "57/a/drained/", "57/a b", "18446744073709551616/a"} {
		if r, err := ParseMark("web-0", mark); err == nil {
			t.Errorf("%q reads as %v", mark, r)
		}
	}
}
