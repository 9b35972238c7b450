package campaign

import (
	"bytes"
	"encoding/json"
	"fmt"
	"runtime"

	"moonwatch/sim/scenario"
)

// Play plays a task's plan in this process, which must be a worker's. Played
// twice, it is the second time given another number of processors to run on,
// and every byte of the results has to be the same.
func Play(t Task) (*scenario.Result, error) {
	p, err := scenario.DecodePlan("plan", t.Plan)
	if err != nil {
		return nil, err
	}
	opt := scenario.PlayOptions{Story: t.Story, Realise: t.Realise, Events: t.Most}
	first, err := scenario.Play(p, opt)
	if err != nil || !t.Twice {
		return first, err
	}
	processors := runtime.GOMAXPROCS(0)
	runtime.GOMAXPROCS(max(1, 3-processors)) // 1 and 2 in turn
	defer runtime.GOMAXPROCS(processors)
	again, err := scenario.Play(p, opt)
	if err != nil {
		return nil, err
	}
	a, errA := json.Marshal(first)
	b, errB := json.Marshal(again)
	if errA == nil && errB == nil && bytes.Equal(a, b) {
		return first, nil
	}
	first.Outcome, first.Promise = scenario.NotDeterministic, "same plan, same bytes"
	first.Broken = fmt.Sprintf("trace %s after %d events, and when it is played again %s after %d", first.Trace, first.Events, again.Trace, again.Events)
	if first.Trace == again.Trace {
		first.Broken = fmt.Sprintf("the traces are equal, the results are not: %s and %s", a, b)
	}
	return first, nil
}
