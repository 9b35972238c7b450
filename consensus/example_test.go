package consensus_test

import (
	"fmt"
	"time"

	"moonwatch/agent"
	"moonwatch/consensus"
	"moonwatch/member"
)

func exampleLedger(now time.Time) *consensus.Ledger {
	l := consensus.NewLedger()
	if _, err := l.Found(consensus.Genesis{Cluster: "harvest", Council: []member.ID{"web-1"}, Unsigned: true}); err != nil {
		panic(err)
	}
	c, err := consensus.NewCommand(consensus.KindFleet, "fleet/1", "web-1", now, member.Fleet{Version: 1, Members: []member.Member{
		{ID: "web-1", Domain: "a"}, {ID: "web-2", Domain: "b"}, {ID: "web-3", Domain: "c"},
	}})
	if err != nil {
		panic(err)
	}
	b, err := c.Encode()
	if err != nil {
		panic(err)
	}
	if _, _, err := l.Commit(2, b); err != nil {
		panic(err)
	}
	return l
}

// A Ledger folds agreed commands into facts. The same command a second time
// leaves no fact.
func ExampleLedger() {
	l := exampleLedger(time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC))
	fmt.Println("facts:", l.Head(), "members:", l.Roster().Len())
	fmt.Println("web-1 is observed by", l.Overlay().ObserversOf("web-1"))
	// Output:
	// facts: 2 members: 3
	// web-1 is observed by [web-2 web-3]
}

// A Tally hears accusations, asks for a roll call, and decides when it has been
// quiet for 300 ms.
func ExampleTally() {
	now := time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)
	l := exampleLedger(now)
	t := consensus.NewTally(consensus.DefaultTally(), l, func(member.ID) bool { return false })
	t.Step(now, consensus.Elected{Term: 1})

	down := []agent.Vote{{Subject: "web-3", Kind: agent.OfAgent, Stance: agent.Down}}
	for _, id := range []member.ID{"web-1", "web-2"} {
		t.Step(now, consensus.Heard{Statement: agent.Statement{Observer: id, Seq: 1, Life: 3 * time.Second, Votes: down}})
	}
	decided := false
	for end := now.Add(2 * time.Second); now.Before(end) && !decided; now = t.Wake() {
		for _, e := range t.Step(now, consensus.TallyWoken{}) {
			if d, ok := e.(consensus.Decided); ok {
				f := d.Verdict.Findings[0]
				fmt.Printf("%s: %s, %d of %d observers\n", f.Subject, f.Kind, f.Agent.Downs, f.Agent.Assigned)
				decided = true
			}
		}
	}
	// Output:
	// web-3: down, 2 of 2 observers
}
