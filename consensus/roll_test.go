package consensus

import (
	"fmt"
	"testing"
	"time"

	"moonwatch/agent"
	"moonwatch/member"
)

// An observer that is asked again begins anew: the longest run that it may want has to
// fit between two calls.
func TestAnAnswerToTheRollComesBeforeTheNextCall(t *testing.T) {
	for _, profile := range []string{"lan", "fast"} {
		a, c := agent.ForProfile(profile), TallyForProfile(profile)
		if took := time.Duration(a.RollDownsMax-1)*a.RollPace + a.TimeoutMax; took >= c.RollAgain {
			t.Errorf("%s: %d losses take %v, and the next call comes after %v", profile, a.RollDownsMax, took, c.RollAgain)
		}
		if c.ServiceWait >= c.RollAgain || c.RollAgain >= c.RollValid {
			t.Errorf("%s: service_wait %v, roll_again %v, roll_valid %v, want them in this order", profile, c.ServiceWait, c.RollAgain, c.RollValid)
		}
	}
}

// In cascade it is one member's turn after the other. When the answers to its own call
// have lapsed, whoever accuses it goes on saying so and nobody else is asked: 60 % of
// those that may vote are then no verdict until its next turn, and nearly all are.
func TestInCascadeLapsedAnswersCondemnOnlyWhereNoAnswerCouldHelp(t *testing.T) {
	for accusers, waits := range map[int]bool{6: true, 7: true, 8: false} {
		t.Run(fmt.Sprint(accusers), func(t *testing.T) {
			a := newAssembly(t, 4, 4, 3)
			a.tally.Cascade(true)
			by := a.observersOf("a1") // ten
			a.all("a1", agent.Up, by[:accusers]...)
			a.say(by[0], a.vote("a1", agent.OfAgent, agent.Down, agent.RollID{}))
			for _, other := range []member.ID{"a2", "b2", "c2"} { // three turns of others before its next
				a.all(other, agent.Up)
				a.all(other, agent.Down, "b1")
			}
			a.run(1200 * time.Millisecond)
			a.all("a1", agent.Down, by[:accusers]...)
			a.run(1300 * time.Millisecond)
			if fell := len(a.verdicts) > 0; fell == waits {
				t.Errorf("2.5 s after the call of a1, %d of 10 accuse it: verdicts %q", accusers, a.findings())
			}
			a.run(time.Second) // its turn again
			a.expect("a1 down")
		})
	}
}
