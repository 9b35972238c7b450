package consensus

import (
	"fmt"
	"slices"
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
			a.run(2 * time.Second) // its turn again, and nobody contradicts
			if got := a.findings(); got[len(got)-1] != "a1 down" {
				t.Errorf("after its turn: verdicts %q, want a1 down at last", got)
			}
		})
	}
}

// What stands accused for long is counted when its turn comes, and so before anybody can
// have answered: of ten, seven accuse, two have once said that they reach it (seed 611671).
func TestInCascadeATurnCondemnsNobodyBeforeAnswersCanCome(t *testing.T) {
	a := newAssembly(t, 4, 4, 3)
	a.tally.Cascade(true)
	by := a.observersOf("a1") // ten
	a.all("a1", agent.Up, by[:9]...)
	a.mute[by[9]] = true
	a.say(by[0], a.vote("a1", agent.OfAgent, agent.Down, agent.RollID{}))
	for _, other := range []member.ID{"a2", "b2", "c2"} {
		a.all(other, agent.Up)
		a.all(other, agent.Down, "b1")
	}
	a.run(1200 * time.Millisecond)
	for _, id := range by[:7] {
		a.say(id, a.vote("a1", agent.OfAgent, agent.Down, agent.RollID{}))
	}
	a.run(4 * time.Second) // its next turn has come, and been answered
	if called := a.tally.memory.subject("a1").calledAt.Sub(noon); called < 2*time.Second {
		t.Fatalf("a1 was called last after %v, want its second turn", called)
	}
	if got := a.findings(); slices.Contains(got, "a1 down") {
		t.Errorf("verdicts %q: all who were asked reach a1", got)
	}
}

// A member that dies in a cascade is condemned at a turn of its own, even if a quarter of
// its observers say nothing any more and had reached it when they were asked last.
func TestInCascadeOldAnswersKeepNobodyAlive(t *testing.T) {
	a := newAssembly(t, 6, 6, 4)
	a.tally.Cascade(true)
	a.obeys = true
	by := a.observersOf("c1") // fifteen
	a.all("c1", agent.Up)
	a.all("c1", agent.Down, by[0])
	for _, other := range []member.ID{"a2", "a3", "a4", "a5", "b2", "b3", "b4", "b5", "c2", "c3"} {
		a.all(other, agent.Up)
		a.all(other, agent.Down, "b1")
	}
	a.run(10 * time.Second)
	a.dead["c1"] = true
	accusers := (7*len(by) + 9) / 10
	for _, id := range by[accusers:] {
		a.mute[id] = true // heard, and says nothing about c1
	}
	a.all("c1", agent.Down, by[:accusers]...)
	a.run(20 * time.Second) // more than all eleven turns
	if got := a.findings(); !slices.Contains(got, "c1 down") {
		t.Errorf("verdicts %q, want c1 down: %d of %d accuse it, and nobody contradicts", got, accusers, len(by))
	}
}

// An observer answers the roll that a1 is down, takes its accusation back, and answers the
// same roll, 20 ms later, that it reaches it: that is its newest word.
func TestAnAnswerAfterAWithdrawalCounts(t *testing.T) {
	a := newAssembly(t, 3, 2, 2)
	a.obeys = false
	for _, id := range []member.ID{"b2", "c1"} {
		a.say(id, a.vote("a1", agent.OfAgent, agent.Down, agent.RollID{}))
	}
	a.run(50 * time.Millisecond)
	if len(a.calls) == 0 {
		t.Fatal("no roll call")
	}
	roll := a.calls[len(a.calls)-1].Call.ID
	a.say("b1", a.vote("a1", agent.OfAgent, agent.Down, agent.RollID{}))
	a.say("b1", a.vote("a1", agent.OfAgent, agent.Down, roll))
	a.run(200 * time.Millisecond)
	a.say("b1", a.vote("a1", agent.OfAgent, agent.Up, agent.RollID{}))
	a.run(20 * time.Millisecond)
	a.say("b1", a.vote("a1", agent.OfAgent, agent.Up, roll))
	a.run(20 * time.Millisecond)
	c := a.tally.count(a.now, a.tally.memory.subject("a1"), agent.OfAgent, nil)
	if c.Ups != 1 {
		t.Errorf("%d up votes of %d eligible, %d down: want b1's", c.Ups, c.Eligible, c.Downs)
	}
}

// A member's agent is back, and its service takes some tenths of a second longer: the second
// look gives it the time that a service has, and no more.
func TestALookWaitsForTheServiceOfWhoHasJustComeBack(t *testing.T) {
	for _, serves := range []bool{true, false} {
		a := newAssembly(t, 3, 2, 2)
		a.all("a1", agent.Down)
		a.service("a1", agent.Down)
		a.run(2 * time.Second)
		a.recover("a1")
		a.service("a1", agent.Down)
		a.step(Recall{Subject: "a1"})
		a.run(400 * time.Millisecond)
		if len(a.looked) > 0 {
			t.Fatalf("after 0.4 s the second look ended with %+v", a.looked[0])
		}
		if serves {
			a.service("a1", agent.Up)
			for _, id := range a.members[1:] {
				a.say(id, a.vote("a1", agent.OfService, agent.Up, a.calls[len(a.calls)-1].Call.ID))
			}
		}
		a.run(400 * time.Millisecond)
		if len(a.looked) != 1 || a.looked[0].Agent != agent.Up || (a.looked[0].Service == agent.Up) != serves {
			t.Fatalf("its service answers: %v, and the second look ended with %+v", serves, a.looked)
		}
		if serves {
			a.expect("a1 down", "a1 up")
		} else {
			a.expect("a1 down")
		}
	}
}
