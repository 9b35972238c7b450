package agent_test

import (
	"fmt"
	"time"

	"moonwatch/agent"
	"moonwatch/member"
)

// An Observer is told the time with every Step. Here web-2 never answers: after
// the patience of a new edge there is something to say about it.
func ExampleObserver() {
	now := time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)
	o := agent.NewObserver(agent.Default(), "web-1", 1, now)

	event := agent.Event(agent.Watch{
		Roster:      member.NewRoster(2, []member.Member{{ID: "web-1", Domain: "a"}, {ID: "web-2", Domain: "b"}}),
		Subjects:    []agent.Subject{{ID: "web-2"}},
		Councillors: []member.ID{"web-1"},
	})
	for end := now.Add(2100 * time.Millisecond); now.Before(end); now = o.Wake() {
		for _, e := range o.Step(now, event) {
			p, ok := e.(agent.Publish)
			if !ok {
				continue // probes to send; a daemon would
			}
			for _, v := range p.Statement.Votes {
				fmt.Println(v.Subject, v.Kind, v.Stance, "because of", v.Reason)
			}
		}
		event = agent.Woken{}
	}
	// Output:
	// web-2 agent down because of silence
}
