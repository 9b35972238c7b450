package consensus

import (
	"slices"
	"strings"
	"testing"
	"time"

	"moonwatch/agent"
	"moonwatch/member"
)

func TestADomainThatIsHeardAndWellAmongItselfIsPartial(t *testing.T) {
	a := newAssembly(t, 3, 2, 2)
	for _, id := range []member.ID{"b1", "b2"} {
		a.all(id, agent.Down, "a1", "a2", "a3", "c1", "c2")
	}
	a.all("b1", agent.Up, "b2")
	a.all("b2", agent.Up, "b1")
	for _, id := range []member.ID{"a1", "a2", "a3", "c1", "c2"} {
		a.all(id, agent.Up)
		a.all(id, agent.Down, "b1", "b2") // the cut is seen from both sides
	}
	a.run(4 * time.Second)
	for _, got := range a.findings() {
		if !strings.HasSuffix(got, " partial") {
			t.Errorf("verdict %q, want partial or nothing", got)
		}
	}
	if _, told := a.ledger.Standing("b1"); !told {
		t.Error("nobody was told about b1")
	}
}

func TestAFeudOfTwoHeardMembersNeverCondemnsThem(t *testing.T) {
	// Everybody says that a1 and b1 are down, and each of them is heard and says
	// so of the other.
	a := newAssembly(t, 3, 2, 2)
	a.all("a1", agent.Down)
	a.all("b1", agent.Down)
	a.run(4 * time.Second)
	got := a.findings()
	slices.Sort(got)
	if !slices.Equal(got, []string{"a1 partial", "b1 partial"}) {
		t.Errorf("verdicts %q, want both partial", got)
	}
}

func TestAFeudKeepsNoVerdictOnOthersBack(t *testing.T) {
	a := newAssembly(t, 3, 2, 2)
	a.all("a1", agent.Down) // a1 and b1 accuse each other, and are heard
	a.all("b1", agent.Down)
	a.all("c1", agent.Down, "a2", "b2") // 2 of 6; 2 of 3 without c2 and the feud
	a.all("c2", agent.Down)             // c2 is simply dead
	a.dead["c2"] = true
	a.run(2 * time.Second)
	if _, stands := a.ledger.Standing("c2"); !stands {
		t.Errorf("c2 is dead, all say so, and no verdict stands: %q", a.findings())
	}
}

func TestARestartedObserverIsHeardAtOnce(t *testing.T) {
	a := newAssembly(t, 3, 2, 2)
	a.obeys = false
	a.seq = 5000
	a.all("a1", agent.Down, "b2") // keeps the subject in mind
	a.say("b1", a.vote("a1", agent.OfAgent, agent.Down, agent.RollID{}))
	a.run(200 * time.Millisecond)
	a.step(Heard{Statement: agent.Statement{ // a new life counts from 1
		Observer: "b1", Incarnation: 2, Seq: 1, Life: 3 * time.Second,
		Votes: []agent.Vote{a.vote("a1", agent.OfAgent, agent.Up, agent.RollID{})},
	}})
	if slices.Contains(a.tally.Open(a.now), member.ID("a1")) {
		t.Error("a withdrawal of the observer's new life is ignored")
	}
}

func TestALeaderElectedInCascadeKnowsIt(t *testing.T) {
	a := newAssembly(t, 3, 2, 2)
	a.tally.Cascade(true)
	a.step(Elected{Term: 2})
	if !a.tally.cascade {
		t.Error("the new term calls rolls as if it were calm")
	}
}

func TestWhoIsUnderAVerdictOpensNobody(t *testing.T) {
	a := newAssembly(t, 3, 2, 2)
	for _, id := range []member.ID{"b1", "b2"} {
		a.all(id, agent.Down)
		a.dead[id] = true
	}
	a.run(3 * time.Second)
	if _, stands := a.ledger.Standing("b1"); !stands {
		t.Fatalf("b1 is not condemned: %q", a.findings())
	}
	// They come back and accuse all whom they could not see meanwhile.
	delete(a.dead, "b1")
	delete(a.dead, "b2")
	for _, id := range []member.ID{"a1", "a2", "c1"} {
		a.say("b1", a.vote(id, agent.OfAgent, agent.Down, agent.RollID{}))
		a.say("b2", a.vote(id, agent.OfAgent, agent.Down, agent.RollID{}))
	}
	a.run(100 * time.Millisecond)
	for _, id := range a.tally.Open(a.now) {
		if id != "b1" && id != "b2" {
			t.Errorf("%s is open because two condemned members accuse it", id)
		}
	}
}
