package report

import (
	"fmt"

	"moonwatch/sim/scenario"
)

// Crashed is the outcome of a seed that has no result: its worker crashed or
// hung.
const Crashed scenario.Outcome = "crashed"

// ending is an outcome in words.
type ending struct {
	Outcome scenario.Outcome
	Code    int    // the exit code of a command that ends so
	Tone    string // good, mind or bad: picks colour and shape together
	Means   string
}

// endings are all outcomes, the gravest last.
var endings = []ending{
	{scenario.Ok, 0, "good", "every promise and every expectation was kept"},
	{scenario.Void, 8, "mind", "the plan left what the protocol assumes, so the run proves nothing"},
	{scenario.Missed, 3, "mind", "an expectation of the scenario was missed"},
	{scenario.LivenessBroken, 6, "bad", "the fleet did not come to rest in time"},
	{Crashed, 1, "bad", "the simulator itself crashed or hung"},
	{scenario.NotDeterministic, 9, "bad", "the same plan came out differently the second time"},
	{scenario.SafetyBroken, 7, "bad", "a promise was broken"},
}

// endingOf describes an outcome. One that this program does not know is grave.
func endingOf(o scenario.Outcome) ending {
	for _, e := range endings {
		if e.Outcome == o {
			return e
		}
	}
	return ending{Outcome: o, Code: 1, Tone: "bad", Means: "an outcome that this program does not know"}
}

// gravest is the outcome by which a campaign is judged. Void seeds decide
// nothing as long as there are others.
func gravest(by map[scenario.Outcome]int) ending {
	worst := endings[0]
	for _, e := range endings {
		if by[e.Outcome] > 0 && (e.Outcome != scenario.Void || by[scenario.Ok] == 0) {
			worst = e
		}
	}
	return worst
}

// headline is one run in a sentence.
func headline(r scenario.Result) string {
	seed := fmt.Sprintf("Seed %d", r.Seed)
	switch r.Outcome {
	case scenario.Ok:
		return seed + " kept every promise"
	case scenario.Missed:
		return seed + " missed an expectation"
	case scenario.LivenessBroken:
		return seed + " did not come to rest"
	case scenario.SafetyBroken:
		return seed + " broke a promise"
	case scenario.Void:
		return seed + " proves nothing"
	case Crashed:
		return seed + " crashed the simulator"
	case scenario.NotDeterministic:
		return seed + " came out differently the second time"
	default:
		return fmt.Sprintf("%s ended %s", seed, r.Outcome)
	}
}

// headlineOf is a campaign in a sentence.
func headlineOf(c *Campaign) string {
	ok := c.Outcomes[scenario.Ok]
	broken := c.Seeds - ok - c.Outcomes[scenario.Void]
	switch {
	case c.Seeds == 0:
		return "No seed has run"
	case broken > 0:
		return fmt.Sprintf("%s of %s broke something", count(broken), many(c.Seeds, "seed", "seeds"))
	case ok == 0:
		return "The seeds prove nothing: all are void"
	default:
		return many(ok, "seed", "seeds") + " kept every promise"
	}
}
