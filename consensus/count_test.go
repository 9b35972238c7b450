package consensus

import (
	"testing"
	"time"

	"moonwatch/agent"
)

// With three members, one of them condemned, each of the others has one observer
// left: its word decides nothing, and a look tells it all the same.
func TestALookTellsWhatTheOnlyObserverThatIsLeftSays(t *testing.T) {
	for service, want := range map[agent.Stance]bool{agent.Up: true, agent.Down: false} {
		a := newAssembly(t, 1, 1, 1)
		a.dead["a1"] = true
		a.all("a1", agent.Down)
		a.run(3 * time.Second)
		a.service("b1", service)
		a.step(Recall{Subject: "b1"})
		a.run(6 * time.Second) // an accusation has the roll called again and again
		if len(a.looked) != 1 || a.looked[0].Service != agent.Abstain || a.looked[0].Alone != want {
			t.Errorf("%s: the look ended with %+v", service, a.looked)
		}
		a.expect("a1 down")
	}
}

func TestALookIsNotOfOneObserverWhereThereAreTwo(t *testing.T) {
	a := newAssembly(t, 1, 1, 1)
	a.dead["c1"] = true // unanswered, and not condemned
	a.step(Recall{Subject: "b1"})
	a.run(2 * time.Second)
	if len(a.looked) != 1 || a.looked[0].Alone {
		t.Errorf("the look ended with %+v", a.looked)
	}
}
