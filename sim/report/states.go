package report

import (
	"slices"
	"strings"

	"moonwatch/failover"
)

// look is how a state is drawn. Its height tells as much as its colour: what
// needs attention is taller.
type look struct {
	Class string
	Y, H  int // within a strip of height stripHeight
	Calm  bool
}

// stripHeight is the height of a lane in the units of its drawing.
const stripHeight = 20

// The looks, from the quietest to the loudest.
var (
	lookUp      = look{"up", 9, 2, true}
	lookSpare   = look{"spare", 6, 8, true}
	lookServing = look{"serving", 6, 8, true}
	lookStill   = look{"still", 8, 4, false}
	lookWork    = look{"work", 4, 12, false}
	lookDoubt   = look{"doubt", 3, 14, false}
	lookDown    = look{"down", 1, 18, false}
	lookGone    = look{"gone", 9, 2, false}
	lookOther   = look{"other", 7, 6, false}
)

var looks = []look{lookUp, lookSpare, lookServing, lookStill, lookWork, lookDoubt, lookDown, lookGone, lookOther}

// lookOf picks a state's look. One that is not known here is drawn plainly, and
// the legend names it as all others.
func lookOf(state string) look {
	switch state {
	case "up", string(failover.Normal):
		return lookUp
	case "spare":
		return lookSpare
	case "serving":
		return lookServing
	case "standing still", "paused", "frozen", string(failover.Isolated), "quarantined", "burn-in", "drained":
		return lookStill
	case "claimed", "activating", "restarting", "stopping":
		return lookWork
	case "accused", "partial", "agent-lost", string(failover.Guarded):
		return lookDoubt
	case "down", "domain-cut", "service-down", string(failover.Cascade):
		return lookDown
	case "", "off", "gone":
		return lookGone
	default:
		return lookOther
	}
}

// lookOfCase picks the look of a case's state. A closed one is not drawn.
func lookOfCase(state string) look {
	switch failover.CaseState(strings.ToUpper(state)) {
	case failover.Closed:
		return look{}
	case failover.Settling:
		return lookUp
	case failover.Held, failover.Aborting:
		return lookDoubt
	case failover.Escalated:
		return lookDown
	default:
		return lookWork
	}
}

// key is one entry of a legend: a look, and the states that are drawn so.
type key struct {
	look
	States string
}

// legend explains the looks that a drawing uses.
func legend(used map[look][]string) []key {
	var keys []key
	for _, l := range looks {
		states := slices.Compact(slices.Sorted(slices.Values(used[l])))
		if len(states) == 0 {
			continue
		}
		keys = append(keys, key{l, strings.Join(states, ", ")})
	}
	return keys
}
