package consensus

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"moonwatch/agent"
	"moonwatch/member"
)

// The columns of the analysis behind PROTOCOL 4: how many down votes decide,
// and how many fresh up votes turn the verdict into partial.
func TestTheVotesThatDecide(t *testing.T) {
	for _, c := range []struct {
		sizes  []int
		needed int
		veto   int
	}{
		{[]int{1, 1, 1}, 2, 1},
		{[]int{2, 1, 1}, 2, 1},
		{[]int{2, 2, 1}, 3, 1},
		{[]int{3, 2, 2}, 4, 2},
		{[]int{4, 3}, 4, 2},
		{[]int{4, 3, 3}, 6, 3},
	} {
		probe := newAssembly(t, c.sizes...)
		observers := len(probe.members) - 1
		for downs := range observers + 1 {
			for ups := range observers - downs + 1 {
				a := newAssembly(t, c.sizes...)
				by := a.observersOf("a1")
				a.all("a1", agent.Down, by[:downs]...)
				if downs == 0 {
					clear(a.thinks)
				}
				for _, id := range by[len(by)-ups:] {
					a.all("a1", agent.Up, id)
				}
				a.run(3 * time.Second)
				var want []string
				switch low := max(2, (observers+3)/4); {
				case downs >= c.needed && ups < c.veto:
					want = []string{"a1 down"}
				case downs >= low:
					want = []string{"a1 partial"}
				}
				if got := a.findings(); !slices.Equal(got, want) {
					t.Errorf("%v: %d down, %d up of %d: verdicts %q, want %q", c.sizes, downs, ups, observers, got, want)
				}
			}
		}
	}
}

func TestTwoMembersDecideNothing(t *testing.T) {
	a := newAssembly(t, 1, 1)
	a.all("b1", agent.Down)
	a.dead["b1"] = true
	a.run(10 * time.Second)
	a.expect()
}

// "dead at once and still condemned" of the analysis.
func TestSurvivorsCondemnHalfOfTheFleet(t *testing.T) {
	for _, c := range []struct {
		sizes []int
		dead  []member.ID
		want  string
	}{
		{[]int{1, 1, 1}, []member.ID{"c1"}, "c1 down"},
		{[]int{1, 1, 1}, []member.ID{"b1", "c1"}, ""},
		{[]int{2, 1}, []member.ID{"b1"}, "b1 down"}, // observers in one domain only, by declaration
		{[]int{2, 1, 1}, []member.ID{"a2", "b1"}, "a2 down, b1 down"},
		{[]int{2, 1, 1}, []member.ID{"a2", "b1", "c1"}, ""},
		{[]int{2, 2, 1}, []member.ID{"a2", "b2"}, "a2 down, b2 down"},
		{[]int{3, 2, 2}, []member.ID{"a2", "b2", "c2"}, "a2 down, b2 down, c2 down"},
		{[]int{4, 3, 3}, []member.ID{"a2", "a3", "b2", "b3", "c2"}, "a2 down, a3 down, b2 down, b3 down, c2 down"},
		{[]int{4, 3, 3}, []member.ID{"a2", "a3", "b1", "b2", "c1", "c2"}, ""},
	} {
		a := newAssembly(t, c.sizes...)
		for _, id := range c.dead {
			a.dead[id] = true
			a.all(id, agent.Down)
		}
		a.run(4 * time.Second)
		var want []string
		if c.want != "" {
			want = []string{c.want}
		}
		if got := a.findings(); !slices.Equal(got, want) {
			t.Errorf("%v without %v: verdicts %q, want %q", c.sizes, c.dead, got, want)
		}
	}
}

func TestOneFailureDomainAloneProvesNothing(t *testing.T) {
	a := newAssembly(t, 5, 2, 1)
	a.all("c1", agent.Down, "a1", "a2", "a3", "a4", "a5") // 5 of 7, all in a
	a.run(4 * time.Second)
	a.expect("c1 partial")
	if c := a.verdicts[0].Findings[0].Agent; !c.OneSided || c.Downs < c.Needed {
		t.Errorf("want enough votes and one-sided: %+v", c)
	}
}

func TestWithTheOtherDomainsCondemnedOneIsEnough(t *testing.T) {
	a := newAssembly(t, 4, 2)
	a.dead["b1"] = true
	a.all("b1", agent.Down)
	a.run(3 * time.Second)
	a.dead["b2"] = true
	a.all("b2", agent.Down)
	a.run(4 * time.Second)
	a.expect("b1 down", "b2 down")
}

func TestWhoAbstainsIsNotCounted(t *testing.T) {
	a := newAssembly(t, 2, 2, 1) // four observers: three needed
	a.doubts["a2"], a.doubts["b1"] = agent.Stalled, agent.Stalled
	a.all("a1", agent.Down, "b2", "c1")
	a.run(3 * time.Second)
	a.expect("a1 down")
	if c := a.verdicts[0].Findings[0].Agent; c.Eligible != 2 || c.Assigned != 4 {
		t.Errorf("two of four abstain: %+v", c)
	}
}

func TestBelowTheFloorNothingIsDecided(t *testing.T) {
	a := newAssembly(t, 3, 2, 2) // six observers: at least three must be eligible
	for _, id := range []member.ID{"a2", "a3", "b1", "b2"} {
		a.doubts[id] = agent.Stalled
	}
	a.all("a1", agent.Down, "c1", "c2")
	a.run(5 * time.Second)
	a.expect()
}

func TestUnansweredButHeardObserversCount(t *testing.T) {
	a := newAssembly(t, 3, 2, 2)
	for _, id := range []member.ID{"a2", "a3", "b1"} {
		a.mute[id] = true
	}
	a.all("a1", agent.Down, "b2", "c1", "c2")
	a.run(4 * time.Second)
	a.expect("a1 partial")
	if c := a.verdicts[0].Findings[0].Agent; c.Eligible != 6 {
		t.Errorf("heard and unanswered observers stay eligible: %+v", c)
	}
}

func TestSilentButUnaccusedObserversCount(t *testing.T) {
	a := newAssembly(t, 3, 2, 2)
	for _, id := range []member.ID{"a2", "a3", "b1"} {
		a.dead[id] = true // nobody accuses them
	}
	a.all("a1", agent.Down, "b2", "c1", "c2")
	a.run(4 * time.Second)
	a.expect("a1 partial")
}

func TestStandingUpVotesNeverCount(t *testing.T) {
	a := newAssembly(t, 2, 1, 1)
	a.all("a1", agent.Down, "a2", "b1")
	for range 30 {
		a.say("c1", a.vote("a1", agent.OfAgent, agent.Up, agent.RollID{}))
		a.run(100 * time.Millisecond)
	}
	a.expect("a1 down") // one fresh up would have been a veto
}

func TestAWithdrawnAccusationCountsNoMore(t *testing.T) {
	a := newAssembly(t, 2, 2, 1)
	a.all("a1", agent.Down, "b1", "c1")
	a.run(200 * time.Millisecond)
	clear(a.thinks)
	for _, id := range []member.ID{"b1", "c1"} {
		a.say(id, a.vote("a1", agent.OfAgent, agent.Up, agent.RollID{}))
	}
	if open := a.tally.Open(a.now.Add(1200 * time.Millisecond)); len(open) != 0 {
		t.Errorf("still open after the withdrawal: %v", open)
	}
}

func TestAnswersOfAnotherCallOrTermCountForNothing(t *testing.T) {
	a := newAssembly(t, 2, 1, 1)
	a.all("a1", agent.Down, "a2")
	a.mute["b1"], a.mute["c1"] = true, true
	a.run(200 * time.Millisecond)
	last := a.calls[len(a.calls)-1].Call.ID
	for _, id := range []agent.RollID{{Term: 0, N: last.N}, {Term: 2, N: last.N}, {Term: 1, N: last.N + 1}, {Term: 1, N: last.N - 1}} {
		a.mute["b1"], a.mute["c1"] = false, false
		a.say("b1", a.vote("a1", agent.OfAgent, agent.Down, id))
		a.say("c1", a.vote("a1", agent.OfAgent, agent.Up, id))
		a.mute["b1"], a.mute["c1"] = true, true
		s := a.tally.memory.subject("a1")
		if c := a.tally.count(a.now, s, agent.OfAgent, nil); c.Downs != 1 || c.Ups != 0 {
			t.Errorf("an answer to %v counts while %v is asked: %+v", id, last, c)
		}
	}
}

func TestANewLeaderStartsFromNothing(t *testing.T) {
	a := newAssembly(t, 2, 1, 1)
	a.all("a1", agent.Down)
	a.obeys = false
	a.run(150 * time.Millisecond)
	old := a.calls[0].Call.ID
	a.step(Elected{Term: 2})
	if open := a.tally.Open(a.now); len(open) != 0 {
		t.Errorf("votes of the term before: %v", open)
	}
	a.say("b1", a.vote("a1", agent.OfAgent, agent.Down, agent.RollID{}))
	a.run(20 * time.Millisecond)
	if id := a.calls[len(a.calls)-1].Call.ID; id.Term != 2 || id == old {
		t.Errorf("called as %v in term 2", id)
	}
}

// Campaign seed 611243: while nothing was agreed on, six members crossed the line one after
// the other, and each proposal carried everybody of those before it, 880 KB a second.
func TestWhoIsProposedAlreadyIsNotProposedWithTheNextOne(t *testing.T) {
	a := newAssembly(t, 3, 3, 3)
	a.obeys = false // nothing is agreed on
	for _, id := range []member.ID{"a1", "b1", "c1"} {
		a.all(id, agent.Down)
	}
	a.renew()
	a.run(200 * time.Millisecond) // it is not quiet yet
	cut := func(ids ...member.ID) string {
		var subjects []*subject
		for _, id := range ids {
			subjects = append(subjects, a.tally.memory.subject(id))
		}
		var said []string
		for _, f := range a.tally.verdict(a.now, subjects).Findings {
			said = append(said, string(f.Subject))
		}
		return strings.Join(said, " ")
	}
	for _, c := range []struct {
		after time.Duration
		cut   []member.ID
		want  string
	}{
		{0, []member.ID{"a1"}, "a1"},
		{100 * time.Millisecond, []member.ID{"a1", "b1"}, "b1"},
		{100 * time.Millisecond, []member.ID{"a1", "b1", "c1"}, "c1"},
		{100 * time.Millisecond, []member.ID{"a1", "b1", "c1"}, ""},
		{700 * time.Millisecond, []member.ID{"a1", "b1", "c1"}, "a1"}, // lost, maybe
	} {
		a.now = a.now.Add(c.after)
		if said := cut(c.cut...); said != c.want {
			t.Errorf("%v after the roll call, cut %v: proposed %q, want %q", a.now.Sub(noon), c.cut, said, c.want)
		}
	}
}

func TestOnlyTheLeaderTallies(t *testing.T) {
	a := newAssembly(t, 2, 1, 1)
	a.step(Deposed{})
	a.all("a1", agent.Down)
	a.renew()
	if len(a.calls) != 0 || a.tally.Open(a.now) != nil || !a.tally.Wake().Equal(asleep) {
		t.Errorf("a deposed tally is awake: %v", a.calls)
	}
}

func TestAnAnswerIsValidForOneSecond(t *testing.T) {
	a := newAssembly(t, 2, 1, 1)
	a.all("a1", agent.Down, "a2")
	a.run(150 * time.Millisecond)
	a.tally.cfg.RollAgain = time.Hour // no second call
	id := a.calls[0].Call.ID
	a.say("c1", a.vote("a1", agent.OfAgent, agent.Up, id))
	ups := func() int { return a.tally.count(a.now, a.tally.memory.subject("a1"), agent.OfAgent, nil).Ups }
	a.now = a.now.Add(900 * time.Millisecond)
	if ups() != 1 {
		t.Fatal("an answer counts for nothing after 900 ms")
	}
	a.say("c1", a.vote("a1", agent.OfAgent, agent.Up, id)) // said again
	a.now = a.now.Add(200 * time.Millisecond)
	if ups() != 0 {
		t.Error("an answer that was repeated lives longer than 1 s")
	}
}

// An observer that answers a roll call with its losses probes on, and takes the answer
// back when it was chance. A repeat of the older statement says nothing new.
func TestAnAnswerThatIsTakenBackCountsNoMore(t *testing.T) {
	a := newAssembly(t, 2, 1, 1)
	a.all("a1", agent.Down, "a2")
	a.run(150 * time.Millisecond)
	a.tally.cfg.RollAgain = time.Hour // no second call
	id := a.calls[0].Call.ID
	count := func() string {
		c := a.tally.count(a.now, a.tally.memory.subject("a1"), agent.OfAgent, nil)
		return fmt.Sprintf("%d down, %d up", c.Downs, c.Ups)
	}
	expect := func(after, want string) {
		t.Helper()
		if got := count(); got != want {
			t.Errorf("after %s: %s, want %s", after, got, want)
		}
	}
	before := a.tally.memory.entries[a.tally.memory.place("c1")].voice.seq
	said := agent.Statement{Observer: "c1", Incarnation: a.tally.memory.entries[a.tally.memory.place("c1")].voice.incarnation, Life: 3 * time.Second}
	say := func(seq uint64, stance agent.Stance) {
		st := said
		st.Seq, st.Votes = before+seq, []agent.Vote{a.vote("a1", agent.OfAgent, stance, id)}
		a.step(Heard{Statement: st})
	}
	expect("the accusation", "1 down, 0 up")
	say(1, agent.Down)
	expect("an answer", "2 down, 0 up")
	say(2, agent.Up)
	expect("the answer that takes it back", "1 down, 1 up")
	say(1, agent.Down)
	expect("a repeat of the first one", "1 down, 1 up")
	a.now = a.now.Add(time.Second)
	expect("a second since the first answer", "1 down, 0 up")
}

func TestOneLiarWithAHugeIncarnationVoidsNobodysVotes(t *testing.T) {
	a := newAssembly(t, 3, 2, 2)
	a.about["a1"] = 5
	a.all("a1", agent.Down)
	a.all("a1", agent.Abstain, "c2")
	a.say("c2", agent.Vote{Subject: "a1", Kind: agent.OfAgent, Stance: agent.Down, Incarnation: 1 << 60})
	a.run(2 * time.Second)
	a.expect("a1 down")
	if in := a.verdicts[0].Findings[0].Incarnation; in != 5 {
		t.Errorf("the verdict is about incarnation %d, want 5", in)
	}
}

func TestVotesAboutAnEarlierLifeAreVoid(t *testing.T) {
	a := newAssembly(t, 3, 2, 2)
	a.about["a1"] = 5
	a.all("a1", agent.Down, "a2", "a3", "b1", "b2")
	a.renew()
	a.about["a1"] = 6
	a.say("c1", a.vote("a1", agent.OfAgent, agent.Down, agent.RollID{}))
	a.say("c2", a.vote("a1", agent.OfAgent, agent.Down, agent.RollID{}))
	c := a.tally.count(a.now, a.tally.memory.subject("a1"), agent.OfAgent, nil)
	if c.Downs != 2 || c.Eligible != 6 {
		t.Errorf("two observers have seen a new life: %d down votes of %d count, want 2 of 6", c.Downs, c.Eligible)
	}
}

func TestAStrangersVoteIsNoVote(t *testing.T) {
	sizes := []int{10, 10, 10}
	a := newAssembly(t, sizes...)
	var stranger member.ID
	for _, id := range a.members {
		if id != "a1" && !a.ledger.Overlay().Assigned(id, "a1") {
			stranger = id
		}
	}
	a.say(stranger, a.vote("a1", agent.OfAgent, agent.Down, agent.RollID{}))
	a.say("nobody", a.vote("a1", agent.OfAgent, agent.Down, agent.RollID{}))
	a.run(20 * time.Millisecond)
	if len(a.tally.memory.spoken) > 0 || len(a.calls) != 0 {
		t.Errorf("%s does not observe a1, and the roll was called", stranger)
	}
}

func TestTheRollIsCalledAtTheFirstAccusationAndAsksEveryObserver(t *testing.T) {
	a := newAssembly(t, 3, 2, 2)
	a.say("b1", a.vote("a1", agent.OfAgent, agent.Down, agent.RollID{}))
	a.run(20 * time.Millisecond)
	if len(a.calls) != 1 || len(a.calls[0].To) != 6 || slices.Contains(a.calls[0].To, "a1") {
		t.Errorf("calls %v", a.calls)
	}
}

// Thousands of roll calls would only add to the trouble.
func TestCascadeAsksOneAfterTheOtherAndDelaysNoVerdict(t *testing.T) {
	a := newAssembly(t, 3, 2, 2)
	a.tally.Cascade(true)
	for _, id := range []member.ID{"a1", "b1", "c1"} {
		a.dead[id] = true
		a.all(id, agent.Down)
	}
	a.run(2 * time.Second)
	a.expect("a1 down, b1 down, c1 down")
	if d := a.decided[0]; d > 1500*time.Millisecond {
		t.Errorf("decided after %v", d)
	}
	if len(a.calls) > 3 {
		t.Errorf("%d roll calls within 2 s in cascade", len(a.calls))
	}
}

func TestCascadeDelaysNoVerdictOnAServiceThatFewCheck(t *testing.T) {
	a := newAssembly(t, 3, 2, 2)
	a.tally.Cascade(true)
	a.dead["a1"] = true
	a.all("a1", agent.Down)
	a.service("a1", agent.Down)
	a.run(3 * time.Second)
	a.expect("a1 down")
}

func TestOpenSubjects(t *testing.T) {
	a := newAssembly(t, 3, 2, 2)
	a.obeys = false
	open := func(want ...member.ID) {
		t.Helper()
		if got := a.tally.Open(a.now); !slices.Equal(got, want) {
			t.Errorf("open %v, want %v", got, want)
		}
	}
	a.all("a1", agent.Down, "b1")
	a.run(100 * time.Millisecond)
	open() // one accuser is noise
	a.all("a1", agent.Down, "b1", "b2")
	a.run(100 * time.Millisecond)
	open("a1")
	for _, id := range []member.ID{"c1", "c2"} {
		a.seq++
		a.step(Heard{Statement: agent.Statement{
			Observer: id, Incarnation: 1, Seq: a.seq, Life: 3 * time.Second, Abstains: agent.Smeared, Unreachable: []member.ID{"a3"},
		}})
	}
	open("a1", "a3") // named in two abstentions
	a.dead["b2"] = true
	a.run(2500 * time.Millisecond)
	if !slices.Contains(a.tally.Open(a.now), "b2") {
		t.Errorf("b2 was not heard for 2.5 s, open: %v", a.tally.Open(a.now))
	}
}

func TestAMemberUnderAVerdictIsNotOpenBesides(t *testing.T) {
	a := newAssembly(t, 3, 2, 2)
	a.dead["a1"] = true
	a.all("a1", agent.Down)
	a.run(3 * time.Second)
	a.expect("a1 down")
	a.run(time.Minute) // it stays dead, and everybody goes on saying so
	if open := a.tally.Open(a.now); len(open) > 0 {
		t.Errorf("open: %v, want nobody: the brake counts a1 until it is settled", open)
	}
}

// TestWhoComesBackFromACutOpensNobody: two members that stand condemned could not
// see anybody, and say so.
func TestWhoComesBackFromACutOpensNobody(t *testing.T) {
	a := newAssembly(t, 3, 2, 2)
	back := []member.ID{"a1", "b1"}
	for _, id := range back {
		a.dead[id] = true
		a.all(id, agent.Down)
	}
	a.run(3 * time.Second)
	for _, id := range back {
		if _, stands := a.ledger.Standing(id); !stands {
			t.Fatalf("%s is not condemned", id)
		}
		a.seq++
		a.step(Heard{Statement: agent.Statement{
			Observer: id, Incarnation: 1, Seq: a.seq, Life: 3 * time.Second, Abstains: agent.Smeared, Unreachable: []member.ID{"a2", "a3", "b2", "c1"},
		}})
	}
	if open := a.tally.Open(a.now); len(open) > 0 {
		t.Errorf("open: %v, want nobody", open)
	}
}

// TestALeaderThatStoodStillFindsNobodyUnheard: a stall of the leader and of so
// many councillors that nobody could take its office.
func TestALeaderThatStoodStillFindsNobodyUnheard(t *testing.T) {
	a := newAssembly(t, 3, 2, 2)
	a.run(time.Second)
	a.dead["b2"] = true
	a.now = a.now.Add(5 * time.Second) // nobody steps the tally meanwhile
	a.step(TallyWoken{})
	if open := a.tally.Open(a.now); len(open) > 0 {
		t.Errorf("open %v the moment it goes on, want none", open)
	}
	a.run(2500 * time.Millisecond)
	if open := a.tally.Open(a.now); !slices.Equal(open, []member.ID{"b2"}) {
		t.Errorf("open %v after 2.5 s, want b2, which is dead", open)
	}
}

// The joint table of PROTOCOL 4.
func TestAgentAndServiceAreJudgedTogether(t *testing.T) {
	const mixed = agent.Stance(99)
	word := map[agent.Stance]string{agent.Up: "answers", agent.Down: "silent", mixed: "mixed", agent.Abstain: "no check"}
	for _, c := range []struct {
		agent, service agent.Stance
		want           string
	}{
		{agent.Up, agent.Up, ""},
		{agent.Up, agent.Down, "a1 service-down"},
		{agent.Up, agent.Abstain, ""},
		{agent.Down, agent.Up, "a1 agent-lost"},
		{agent.Down, agent.Down, "a1 down"},
		{agent.Down, agent.Abstain, "a1 down"},
		{mixed, agent.Up, "a1 partial"},
		{mixed, agent.Down, "a1 partial"},
		{mixed, agent.Abstain, "a1 partial"},
		{agent.Up, mixed, "a1 partial"},
	} {
		a := newAssembly(t, 3, 2, 2)
		split := func(set func(member.ID, agent.Stance, ...member.ID), st agent.Stance) {
			if st != mixed {
				set("a1", st)
				return
			}
			by := a.observersOf("a1")
			set("a1", agent.Down, by[:3]...)
			set("a1", agent.Up, by[3:]...)
		}
		split(a.all, c.agent)
		if c.service != agent.Abstain {
			split(a.service, c.service)
		}
		a.run(4 * time.Second)
		var want []string
		if c.want != "" {
			want = []string{c.want}
		}
		if got := a.findings(); !slices.Equal(got, want) {
			t.Errorf("agent %s, service %s: verdicts %q, want %q", word[c.agent], word[c.service], got, want)
		}
	}
}

func TestADoorThatServesFromItTurnsDownIntoPartial(t *testing.T) {
	a := newAssembly(t, 3, 2, 2)
	a.service("a1", agent.Down)
	a.all("a1", agent.Down)
	a.renew()
	a.now = a.now.Add(50 * time.Millisecond)
	a.step(DoorAnswered{Subject: "a1"})
	a.run(700 * time.Millisecond)
	a.expect("a1 partial")
}

func TestADoorsAnswerFromBeforeTheAccusationProvesNothing(t *testing.T) {
	a := newAssembly(t, 3, 2, 2)
	a.step(Recall{Subject: "a1"}) // somebody is looking at it already
	a.step(DoorAnswered{Subject: "a1"})
	a.now = a.now.Add(time.Millisecond)
	a.service("a1", agent.Down)
	a.all("a1", agent.Down)
	a.run(2 * time.Second)
	a.expect("a1 down")
}

func TestAServiceDownMemberGoesOnVoting(t *testing.T) {
	a := newAssembly(t, 1, 1, 1)
	a.service("a1", agent.Down)
	a.all("a1", agent.Up)
	a.run(3 * time.Second)
	a.expect("a1 service-down")
	a.dead["b1"] = true
	a.all("b1", agent.Down)
	a.run(3 * time.Second)
	a.expect("a1 service-down", "b1 down")
}

// A spare whose start failed is under service-down and has no service any more.
func TestAServiceVerdictIsLiftedWhereThereIsNoServiceAnyMore(t *testing.T) {
	a := newAssembly(t, 1, 1, 1)
	a.service("a1", agent.Down)
	a.all("a1", agent.Up)
	a.run(3 * time.Second)
	a.expect("a1 service-down")
	a.services["a1"] = false
	a.run(time.Minute)
	a.expect("a1 service-down", "a1 up")
}

// TestAVoteTellsSinceWhenItIsSaid: saying it again, as standing votes are every second,
// does not make an accusation younger; an answer to the roll call is as old as it is.
func TestAVoteTellsSinceWhenItIsSaid(t *testing.T) {
	a := newAssembly(t, 2, 2)
	a.mute["b1"] = true // accuses and does not answer
	s := a.tally.memory.subject("a1")
	begun := a.now
	for ; a.now.Sub(begun) < 3*time.Second; a.now = a.now.Add(time.Second) {
		a.seq++
		for _, by := range []member.ID{"a2", "b1"} {
			a.step(Heard{agent.Statement{Observer: by, Incarnation: 1, Seq: a.seq, Life: 3 * time.Second, Votes: []agent.Vote{a.vote("a1", agent.OfAgent, agent.Down, agent.RollID{})}}})
		}
	}
	a.seq++
	a.step(Heard{agent.Statement{Observer: "a2", Incarnation: 1, Seq: a.seq, Life: 3 * time.Second, Votes: []agent.Vote{a.vote("a1", agent.OfAgent, agent.Down, s.roll)}}})
	count := a.tally.spell(a.now.Add(250*time.Millisecond), s, agent.OfAgent, nil)
	said := map[member.ID]int64{}
	for _, v := range count.Votes {
		said[v.Observer] = v.ForMS
	}
	if want := map[member.ID]int64{"a2": 250, "b1": 3250}; !maps.Equal(said, want) {
		t.Errorf("said for %v ms, want %v", said, want)
	}
}

func TestVerdictsNameTheBestGuessOfWhenItBegan(t *testing.T) {
	votes := func(silent ...time.Duration) []VoteCount {
		var out []VoteCount
		for i, d := range silent {
			out = append(out, VoteCount{
				Observer: member.ID(fmt.Sprint(i)), Stance: agent.Down, Evidence: agent.Evidence{SilentFor: d},
			})
		}
		return out
	}
	if got := silence(votes(time.Second, 2*time.Second, 1000*time.Hour)); got != 2*time.Second {
		t.Errorf("one observer bends the guess: %v", got)
	}
	if got := silence(nil); got != 0 {
		t.Errorf("nobody accuses: silent for %v", got)
	}
}
