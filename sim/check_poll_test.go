package sim

import (
	"testing"
	"time"

	"moonwatch/agent"
	"moonwatch/member"
)

// TestAnAnswerCountsFromItsFirstCopyOn: datagrams overtake each other, so the leader may
// count an answer whose statement came after a newer one, and it has lapsed as an answer a
// second later, whatever came of it in between (seed 612705 of the swarm).
func TestAnAnswerCountsFromItsFirstCopyOn(t *testing.T) {
	for _, late := range []bool{false, true} {
		w, err := New(Demo())
		if err != nil {
			t.Fatal(err)
		}
		if err := w.Run(40 * time.Second); err != nil {
			t.Fatal(err)
		}
		v := verdictOn(w, "web-3", "web-0", "web-1", "web-2", "web-4")
		fell(w, "web-3")
		wordsOf(w, "web-3", 0)
		leader, from := w.machine(w.Leader()), w.machine("spare-0")
		call := agent.RollCall{ID: agent.RollID{Term: 9, N: 1}, Subjects: []member.ID{"web-3"}}
		w.checker.polls.asks(leader, call)
		hears := func(seq uint64, votes ...agent.Vote) {
			w.checker.polls.hears(leader, agent.Statement{Observer: from.id, Incarnation: from.born, Seq: 1<<30 + seq, Votes: votes})
		}
		up := agent.Vote{Subject: "web-3", Incarnation: w.machine("web-3").born, Stance: agent.Up, Roll: call.ID}
		hears(2)
		if late {
			hears(1, up)
		}
		w.now += 80 * time.Millisecond
		hears(3, up)
		w.now += 950 * time.Millisecond
		w.checker.fact(proposed(w, v))
		if b := w.Broken(); (b == nil) != late {
			t.Errorf("a first copy came: %v; the checker says %v", late, b)
		}
	}
}
