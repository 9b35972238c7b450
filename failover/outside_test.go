package failover

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"moonwatch/consensus"
	"moonwatch/member"
)

// Who is ordered to fence web-3, one order after the other, by whom each level reaches.
func TestLevelsFromOutsideHaveTurns(t *testing.T) {
	five := []member.ID{"web-1", "web-2", "web-4", "web-5", "web-6"}
	for _, x := range []struct {
		fence          []string
		network, power []member.ID
		want           string // a letter and the member's number for each order
	}{
		{[]string{"network", "power"}, five[:1], five[1:2], "n1 n1 p2 p2 n1 n1 p2 p2"},
		{[]string{"power", "network"}, five[:1], five[1:3], "p2 p4 n1 n1 p2 p4"},
		{[]string{"self", "network", "power"}, five[:2], five[4:], "n1 n2 p6 p6 n1"},
		{[]string{"network", "power"}, five, five[:1], "n1 n2 n4 p1 p1 n5 n6 n1 p1 p1 n2"}, // three of five, and others the next time
		{[]string{"network", "power"}, nil, five[:2], "p1 p2 p1 p2"},                       // nobody reaches the switch
		{[]string{"power"}, five, five, "p1 p2 p4 p5 p6 p1"},
		{[]string{"network", "power"}, nil, nil, ""},
	} {
		t.Run(strings.Join(x.fence, " "), func(t *testing.T) {
			fleet := webFleet(5, 3, 2, 2)
			fleet.Pools[0].Fence = x.fence
			s := newTale(t, fleet).serving()
			for _, id := range five {
				can := Fencer{Can: map[member.ID][]string{}}
				for level, by := range map[string][]member.ID{"network": x.network, "power": x.power} {
					if slices.Contains(by, id) {
						can.Can["web-3"] = append(can.Can["web-3"], level)
					}
				}
				slices.Sort(can.Can["web-3"])
				s.commit(KindFencer, id, can)
			}
			s.judge(consensus.VerdictDown, "web-3")
			c := &Case{Pool: fleet.Pools[0].Name, Subject: "web-3", Fencee: "web-3", State: Fencing}
			var got []string
			for turn := range max(1, len(strings.Fields(x.want))) {
				level, by, due := s.state.outsideTurn(c, turn)
				if due {
					got = append(got, fmt.Sprintf("%c%s", level[0], strings.TrimPrefix(string(by), "web-")))
				}
			}
			if strings.Join(got, " ") != x.want {
				t.Errorf("%s, want %s", strings.Join(got, " "), x.want)
			}
		})
	}
}
