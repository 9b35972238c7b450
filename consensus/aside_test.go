package consensus

import (
	"testing"
	"time"

	"moonwatch/agent"
)

// All processes of a machine die: its port is closed at once, and that its agent is
// silent takes half a second to find out. It is no service-down.
func TestAServiceIsNotDownAloneBeforeItsAgentWasHeard(t *testing.T) {
	a := newAssembly(t, 3, 2, 2)
	a.service("a1", agent.Down)
	a.run(500 * time.Millisecond)
	if a.expect(); t.Failed() {
		return
	}
	a.all("a1", agent.Down)
	a.run(2 * time.Second)
	a.expect("a1 down")
}

// An agent that answers makes it one without waiting, and so does one of which nobody
// has said anything in all the time that they had.
func TestAServiceIsDownWhenItsAgentAnswersOrNobodyKnows(t *testing.T) {
	for _, says := range []agent.Stance{agent.Up, agent.Abstain} {
		a := newAssembly(t, 3, 2, 2)
		a.service("a1", agent.Down)
		a.all("a1", says)
		a.run(450 * time.Millisecond)
		early := len(a.findings())
		a.run(2 * time.Second)
		if a.expect("a1 service-down"); says == agent.Up && early == 0 {
			t.Error("an agent that answers was waited for")
		}
	}
}
