package consensus

import (
	"testing"
	"time"

	"moonwatch/agent"
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
