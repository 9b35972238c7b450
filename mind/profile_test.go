package mind

import (
	"testing"

	"moonwatch/failover"
	"moonwatch/member"
)

// Whoever asks the observers once more voids what they have answered so far: the
// conductor must leave the tally the time to say that a roll call was not clear.
func TestALookIsNotRepeatedBeforeItsAnswer(t *testing.T) {
	for _, name := range member.Profiles() {
		tally, timing := ForProfile(name, "a", 1).Tally, failover.TimingOf(name)
		if timing.LookAgain < tally.RollValid {
			t.Errorf("%s looks again after %v, and a roll call is undecided after %v", name, timing.LookAgain, tally.RollValid)
		}
		if timing.LookFresh < 2*timing.LookAgain {
			t.Errorf("%s looks again after %v, and a look is old after %v", name, timing.LookAgain, timing.LookFresh)
		}
		if timing.LookAhead > timing.LookFresh || timing.LookAhead >= timing.ReplaceAfter {
			t.Errorf("%s looks %v ahead", name, timing.LookAhead)
		}
	}
}
