package consensus

import (
	"slices"
	"testing"
	"time"

	"moonwatch/agent"
	"moonwatch/member"
)

// b1 loses the call, or is dead; everybody else answers within 100 ms.
func TestOnlyWhoHasNotSpokenIsAskedOnceMore(t *testing.T) {
	a := newAssembly(t, 3, 3)
	a.dead["b1"] = true
	a.all("a1", agent.Up, "a2", "a3", "b2", "b3")
	a.thinks[opinion{"a2", "a1", agent.OfAgent}] = agent.Down // an accusation, and so a call
	a.run(600 * time.Millisecond)
	if len(a.calls) < 3 {
		t.Fatalf("%d calls, want one and two repeats", len(a.calls))
	}
	first := a.calls[0]
	for i, c := range a.calls[1:3] {
		if c.Call.ID != first.Call.ID || !slices.Equal(c.Call.Subjects, first.Call.Subjects) {
			t.Errorf("repeat %d is %+v, want the call %+v", i+1, c.Call, first.Call)
		}
	}
	if last := a.calls[2].To; !slices.Equal(last, []member.ID{"b1"}) {
		t.Errorf("the second repeat went to %v, want b1 alone", last)
	}
	for _, c := range a.calls[3:] {
		if c.Call.ID == first.Call.ID {
			t.Errorf("repeated once more: %+v", c)
		}
	}
}

func TestInACascadeNobodyIsAskedTwice(t *testing.T) {
	a := newAssembly(t, 3, 3)
	a.tally.Cascade(true)
	a.dead["b1"] = true
	a.all("a1", agent.Down, "a2")
	a.run(2 * time.Second)
	seen := map[agent.RollID]bool{}
	for _, c := range a.calls {
		if seen[c.Call.ID] {
			t.Fatalf("call %+v was repeated", c.Call.ID)
		}
		seen[c.Call.ID] = true
	}
	if len(seen) == 0 {
		t.Fatal("nobody was asked at all")
	}
}
