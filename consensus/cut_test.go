package consensus

import (
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"moonwatch/agent"
	"moonwatch/member"
)

func TestWhatFallsWithin300MsIsOneVerdict(t *testing.T) {
	a := newAssembly(t, 3, 2, 2)
	a.dead["a1"], a.dead["b1"] = true, true
	a.all("a1", agent.Down)
	a.run(290 * time.Millisecond) // a1 alone would be cut 300 ms after its votes
	a.all("b1", agent.Down)
	a.run(3 * time.Second)
	a.expect("a1 down, b1 down")
}

func TestWhatFallsLaterIsAnotherVerdict(t *testing.T) {
	a := newAssembly(t, 3, 2, 2)
	a.dead["a1"], a.dead["b1"] = true, true
	a.all("a1", agent.Down)
	a.run(700 * time.Millisecond)
	a.all("b1", agent.Down)
	a.run(3 * time.Second)
	a.expect("a1 down", "b1 down")
}

func TestACutOfOneWaitsForQuietToo(t *testing.T) {
	a := newAssembly(t, 3, 2, 2)
	a.all("a1", agent.Down)
	a.run(2 * time.Second)
	if d := a.decided[0]; d < 300*time.Millisecond || d > 400*time.Millisecond {
		t.Errorf("all vote at once, decided after %v, want 300 ms of quiet", d)
	}
}

func TestOneUnsteadySubjectHoldsUpOthersForOneSecond(t *testing.T) {
	a := newAssembly(t, 4, 3, 3)
	a.obeys = false
	a.all("a1", agent.Down)
	for range 30 { // b1 goes to and fro over the low watermark
		a.all("b1", agent.Down, "a2", "c1", "c2")
		a.run(100 * time.Millisecond)
		a.all("b1", agent.Abstain)
		for _, id := range []member.ID{"a2", "c1", "c2"} {
			a.say(id, a.vote("b1", agent.OfAgent, agent.Up, agent.RollID{}))
		}
		a.run(100 * time.Millisecond)
	}
	if len(a.decided) == 0 {
		t.Fatal("one unsteady subject keeps the verdict on another one back for ever")
	}
	if d := a.decided[0]; d > 1700*time.Millisecond {
		t.Errorf("held up for %v, want 1 s and the quiet", d)
	}
}

func TestVotesOfThoseInTheCutAreTakenOut(t *testing.T) {
	// b1 and c1 are dying: a1 is reached by nobody but them, while they are
	// reached by nobody at all. Their up votes must not save a1.
	a := newAssembly(t, 3, 2, 2)
	for _, id := range []member.ID{"a1", "b1", "c1"} {
		a.all(id, agent.Down)
	}
	a.all("a1", agent.Up, "b1", "c1")
	a.all("b1", agent.Abstain, "a1", "c1")
	a.all("c1", agent.Abstain, "a1", "b1")
	a.run(2 * time.Second)
	a.expect("a1 down, b1 down, c1 down")
}

func TestAVoteThatFallsWithItsVoterBearsNoVerdict(t *testing.T) {
	// Two of nine reach a1, which is less than a quarter. One of the others falls
	// together with it: two of eight are a quarter.
	a := newAssembly(t, 4, 3, 3)
	a.dead["c3"] = true
	a.all("a1", agent.Down)
	a.all("a1", agent.Up, "a2", "b2")
	a.all("c3", agent.Down)
	a.all("c3", agent.Abstain, "a1")
	a.run(4 * time.Second)
	for _, f := range a.findings() {
		if strings.Contains(f, "a1 down") {
			t.Errorf("verdict %q, want none on a1", f)
		}
	}
}

func TestAFeudCondemnsNeither(t *testing.T) {
	// Everybody says that a1 and b1 are down, and each of them is heard and says
	// so of the other.
	a := newAssembly(t, 3, 2, 2)
	a.all("a1", agent.Down)
	a.all("b1", agent.Down)
	a.run(2500 * time.Millisecond)
	got := a.findings()
	slices.Sort(got)
	if !slices.Equal(got, []string{"a1 partial", "b1 partial"}) {
		t.Errorf("verdicts %q, want both partial", got)
	}
}

func TestAFeudNeedsTwoVoices(t *testing.T) {
	a := newAssembly(t, 3, 2, 2)
	a.all("a1", agent.Down)
	a.all("b1", agent.Down)
	a.dead["b1"] = true
	a.run(4 * time.Second)
	a.expect("a1 down, b1 down")
}

// What the fleet thinks decides, and not in which order it says so.
func TestTheOrderOfVotesDoesNotMatter(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		type view struct {
			by, of member.ID
			stance agent.Stance
		}
		var views []view
		ids := []member.ID{"a1", "a2", "a3", "b1", "b2", "c1", "c2"}
		for _, of := range ids {
			// Members as they are: mostly well, gone, or half seen.
			kind := rapid.SampledFrom([]string{"well", "well", "gone", "seen by some"}).Draw(rt, string(of))
			for _, by := range ids {
				st := agent.Up
				if kind == "gone" || kind == "seen by some" && rapid.Bool().Draw(rt, "sees") {
					st = agent.Down
				}
				if by != of {
					views = append(views, view{by, of, st})
				}
			}
		}
		dead := rapid.SliceOfDistinct(rapid.SampledFrom(ids), rapid.ID).Draw(rt, "dead")
		play := func(order []member.ID) []string {
			a := newAssembly(t, 3, 2, 2)
			a.obeys = false // what is proposed is compared, again and again
			for _, v := range views {
				a.thinks[opinion{v.by, v.of, agent.OfAgent}] = v.stance
			}
			for _, id := range dead {
				a.dead[id] = true
			}
			a.order = func(to []member.ID) {
				slices.SortFunc(to, func(x, y member.ID) int { return slices.Index(order, x) - slices.Index(order, y) })
			}
			a.run(4 * time.Second)
			out := a.findings()
			slices.Sort(out)
			return slices.Compact(out)
		}
		one := play(ids)
		two := play(rapid.Permutation(ids).Draw(rt, "order"))
		if !slices.Equal(one, two) {
			rt.Fatalf("in order:\n%s\nin another order:\n%s", strings.Join(one, "\n"), strings.Join(two, "\n"))
		}
	})
}

func TestADarkFailureDomainIsOneWord(t *testing.T) {
	a := newAssembly(t, 3, 2, 2)
	a.dead["b1"], a.dead["b2"] = true, true
	a.run(time.Second)
	a.all("b1", agent.Down)
	a.all("b2", agent.Down)
	a.run(4 * time.Second)
	a.expect("b1 domain-cut, b2 domain-cut")
	if a.verdicts[0].Domain != "b" || !a.ledger.DomainCut("b") || a.ledger.DomainCut("a") {
		t.Errorf("the verdict is about domain %q", a.verdicts[0].Domain)
	}
}

func TestADomainThatWasHeardAMomentAgoIsWaitedForUntilItIsSilent(t *testing.T) {
	a := newAssembly(t, 3, 2, 2)
	a.dead["b1"], a.dead["b2"] = true, true
	a.run(200 * time.Millisecond) // everybody is accused before the council can call anybody silent
	a.all("b1", agent.Down)
	a.all("b2", agent.Down)
	a.run(4 * time.Second)
	a.expect("b1 domain-cut, b2 domain-cut")
	if d := a.decided[0]; d > 1300*time.Millisecond {
		t.Errorf("decided after %v, want it as soon as they are silent for a second", d)
	}
}

func TestADarkDomainIsWaitedForAlsoWhenItIsToldLateThatItWasHeard(t *testing.T) {
	a := newAssembly(t, 3, 2, 2)
	a.dead["b1"], a.dead["b2"] = true, true
	a.run(200 * time.Millisecond)
	a.all("b1", agent.Down)
	a.all("b2", agent.Down)
	a.run(300 * time.Millisecond)
	a.step(Present{Members: []member.ID{"b1", "b2"}}) // a councillor's news of half a second, which began before they died
	a.run(4 * time.Second)
	a.expect("b1 domain-cut, b2 domain-cut")
}

func TestADomainThatIsHeardOnAndOnIsNotDark(t *testing.T) {
	a := newAssembly(t, 3, 2, 2)
	a.dead["b1"], a.dead["b2"] = true, true
	a.all("b1", agent.Down)
	a.all("b2", agent.Down)
	for range 10 {
		a.run(500 * time.Millisecond)
		a.step(Present{Members: []member.ID{"b1", "b2"}})
	}
	a.expect("b1 down, b2 down")
	if d := a.decided[0]; d > 2*time.Second {
		t.Errorf("decided after %v, want it when it is sure that they are heard", d)
	}
}

func TestADarkDomainsMembersGetNoDownOfTheirOwn(t *testing.T) {
	a := newAssembly(t, 3, 2, 2)
	a.dead["b1"], a.dead["b2"] = true, true
	a.run(time.Second)
	a.all("b1", agent.Down)
	a.all("b2", agent.Down)
	a.run(30 * time.Second)
	a.expect("b1 domain-cut, b2 domain-cut")
}

func TestADomainOfOneIsPlainlyDown(t *testing.T) {
	a := newAssembly(t, 2, 2, 1)
	a.dead["c1"] = true
	a.run(time.Second) // silent to the council as well
	a.all("c1", agent.Down)
	a.run(3 * time.Second)
	a.expect("c1 down")
}

func TestHalfADomainIsPlainlyDown(t *testing.T) {
	a := newAssembly(t, 2, 3, 2)
	a.dead["b1"], a.dead["b2"] = true, true
	a.all("b1", agent.Down)
	a.all("b2", agent.Down)
	a.run(3 * time.Second)
	a.expect("b1 down, b2 down")
}

func TestAFleetOfOneDomainHasNoDomainCut(t *testing.T) {
	a := newAssembly(t, 5)
	a.dead["a1"], a.dead["a2"] = true, true
	a.all("a1", agent.Down)
	a.all("a2", agent.Down)
	a.run(3 * time.Second)
	a.expect("a1 down, a2 down")
}

// recover has a condemned member come back.
func (a *assembly) recover(id member.ID) { //nolint:unparam // reads as whom it is about
	delete(a.dead, id)
	a.all(id, agent.Up)
	if a.services[id] {
		a.service(id, agent.Up)
	}
	for _, by := range a.members {
		if by != id {
			a.say(by, a.vote(id, agent.OfAgent, agent.Up, agent.RollID{}))
		}
	}
}

func TestThirtyCleanSecondsLiftAVerdict(t *testing.T) {
	a := newAssembly(t, 3, 2, 2)
	a.dead["a1"] = true
	a.all("a1", agent.Down)
	a.run(3 * time.Second)
	a.recover("a1")
	from := a.now
	a.run(29 * time.Second)
	a.expect("a1 down")
	a.run(3 * time.Second)
	if a.expect("a1 down", "a1 up"); t.Failed() {
		return
	}
	if d := a.decided[1] - from.Sub(noon); d < 30*time.Second || d > 31*time.Second {
		t.Errorf("lifted after %v clean", d)
	}
	if a.verdicts[1].Findings[0].Withdrawn {
		t.Error("a verdict that was right is not withdrawn")
	}
}

func TestTwoAccusationsStartTheCleanTimeAnewAndOneDoesNot(t *testing.T) {
	for _, accusers := range [][]member.ID{{"b1"}, {"b1", "b2"}} {
		a := newAssembly(t, 3, 2, 2)
		a.all("a1", agent.Down)
		a.run(3 * time.Second)
		a.recover("a1")
		a.run(20 * time.Second)
		a.all("a1", agent.Down, accusers...)
		a.run(time.Second)
		a.all("a1", agent.Up, accusers...)
		for _, id := range accusers {
			a.say(id, a.vote("a1", agent.OfAgent, agent.Up, agent.RollID{}))
		}
		a.run(25 * time.Second)
		if len(accusers) > 1 {
			a.expect("a1 down")
			a.run(8 * time.Second)
		}
		a.expect("a1 down", "a1 up")
	}
}

func TestAMemberThatNobodyHearsIsNotClean(t *testing.T) {
	a := newAssembly(t, 3, 2, 2)
	a.dead["a1"] = true
	a.all("a1", agent.Down)
	a.run(3 * time.Second)
	clear(a.thinks) // the accusers are gone, say, and no one took their place
	a.run(60 * time.Second)
	a.expect("a1 down")
}

func TestASecondLookThatFindsItWellWithdrawsTheVerdict(t *testing.T) {
	a := newAssembly(t, 3, 2, 2)
	a.all("a1", agent.Down)
	a.run(2 * time.Second)
	a.recover("a1")
	a.step(Recall{Subject: "a1"})
	a.run(time.Second)
	if a.expect("a1 down", "a1 up"); t.Failed() {
		return
	}
	if !a.verdicts[1].Findings[0].Withdrawn {
		t.Error("want the verdict withdrawn")
	}
	if len(a.looked) != 1 || a.looked[0].Agent != agent.Up {
		t.Errorf("the second look ended with %+v", a.looked)
	}
}

func TestWhoKeepsFallingIsNotWithdrawnAtOnce(t *testing.T) {
	a := newAssembly(t, 3, 2, 2)
	for range 2 {
		a.all("a1", agent.Down)
		a.run(2 * time.Second)
		a.recover("a1")
		a.step(Recall{Subject: "a1"})
		a.run(time.Second)
	}
	a.expect("a1 down", "a1 up", "a1 down")
}

func TestAServiceThatOneReachesIsNotDownBecauseOthersAreSlowToSay(t *testing.T) {
	a := newAssembly(t, 3, 2, 2)
	a.service("a1", agent.Up, "b1") // the others have no answer yet
	a.all("a1", agent.Down)
	a.run(2 * time.Second)
	if a.expect(); t.Failed() {
		return
	}
	a.service("a1", agent.Up)
	a.run(time.Second)
	a.expect("a1 agent-lost")
}

// Who crossed the line with it waits for its own service, and not for a slow one.
func TestASlowServiceHoldsUpNoOtherVerdict(t *testing.T) {
	a := newAssembly(t, 3, 2, 2)
	a.service("a1", agent.Up, "b1") // the others have no answer yet
	a.all("a1", agent.Down)
	a.service("c1", agent.Down)
	a.all("c1", agent.Down)
	a.dead["a1"], a.dead["c1"] = true, true
	a.run(2 * time.Second)
	if a.expect("c1 down"); t.Failed() {
		return
	}
	a.run(5 * time.Second)
	a.expect("c1 down", "a1 down")
}

// A failure domain that is gone is one word also if an answer of one of its services,
// given before, comes late: its members wait for that one, and nobody else does.
func TestALostDomainIsNotTakenApartByASlowService(t *testing.T) {
	a := newAssembly(t, 4, 2, 3)
	for _, id := range []member.ID{"b1", "c1", "c2", "c3"} {
		a.dead[id] = true
	}
	a.run(time.Second)
	for id := range a.dead {
		a.all(id, agent.Down)
		a.service(id, agent.Down)
	}
	a.service("c1", agent.Abstain)
	a.service("c1", agent.Up, "a1") // the others have no answer yet
	a.run(1500 * time.Millisecond)
	if a.expect("b1 down"); t.Failed() {
		return
	}
	a.service("c1", agent.Down)
	a.run(3 * time.Second)
	a.expect("b1 down", "c1 domain-cut, c2 domain-cut, c3 domain-cut")
}

// Whoever falls while such a domain is waited for is not held up by its services either,
// which are asked again and again.
func TestWhoFallsBesideAWaitingDomainDoesNotWaitForIt(t *testing.T) {
	a := newAssembly(t, 4, 2, 3)
	for _, id := range []member.ID{"c1", "c2", "c3"} {
		a.dead[id] = true
	}
	a.run(time.Second)
	a.service("c1", agent.Up, "a1")
	for _, id := range []member.ID{"c1", "c2", "c3"} {
		a.services[id] = true // whose silence takes its time to tell
		a.all(id, agent.Down)
		a.run(250 * time.Millisecond) // they are not asked at once
	}
	a.dead["b2"] = true
	a.all("b2", agent.Down)
	a.service("b2", agent.Down)
	began := a.now
	for range 30 {
		if a.run(100 * time.Millisecond); len(a.verdicts) > 0 {
			break
		}
	}
	if a.expect("b2 down"); a.now.Sub(began) > 1100*time.Millisecond {
		t.Errorf("after %v, want its own time in the roll call alone", a.now.Sub(began))
	}
}

// A failure domain of which somebody reaches a service is not out of reach as a whole.
func TestASlowServiceIsNotLeftOutOfItsFailureDomain(t *testing.T) {
	a := newAssembly(t, 3, 2, 2)
	a.service("c1", agent.Up, "a1")
	a.all("c1", agent.Down)
	a.all("c2", agent.Down)
	a.service("c2", agent.Down)
	a.dead["c1"], a.dead["c2"] = true, true
	a.run(1500 * time.Millisecond)
	if a.expect(); t.Failed() {
		return
	}
	a.service("c1", agent.Up)
	a.run(2 * time.Second)
	a.expect("c1 agent-lost, c2 down")
}

func TestOneWhoAloneReachesAServiceHoldsUpNothingForLong(t *testing.T) {
	a := newAssembly(t, 3, 2, 2)
	a.service("a1", agent.Up, "b1")
	a.all("a1", agent.Down)
	a.run(6 * time.Second)
	a.expect("a1 down")
}

func TestAFallWithTwoVerdictsIsOneFall(t *testing.T) {
	a := newAssembly(t, 3, 2, 2)
	a.service("a1", agent.Down) // the first of it to be missed
	a.all("a1", agent.Up)
	a.run(2 * time.Second)
	a.all("a1", agent.Down)
	a.run(2 * time.Second)
	a.recover("a1")
	a.service("a1", agent.Up)
	a.step(Recall{Subject: "a1"})
	a.run(time.Second)
	a.expect("a1 service-down", "a1 down", "a1 up")
	if n := a.ledger.Record("a1").Downs; n != 1 {
		t.Errorf("%d falls, want 1", n)
	}
}

func TestASecondLookNeedsTheServiceToo(t *testing.T) {
	a := newAssembly(t, 3, 2, 2)
	a.service("a1", agent.Down)
	a.all("a1", agent.Up)
	a.run(2 * time.Second)
	a.step(Recall{Subject: "a1"})
	a.run(2 * time.Second)
	a.expect("a1 service-down")
	if len(a.looked) != 1 || a.looked[0].Agent != agent.Up || a.looked[0].Service != agent.Down {
		t.Errorf("the second look ended with %+v", a.looked)
	}
}

func TestALookThatNobodyAnswersEndsUndecided(t *testing.T) {
	a := newAssembly(t, 3, 2, 2)
	a.step(Recall{Subject: "a1"})
	a.run(1500 * time.Millisecond)
	if len(a.looked) != 1 || a.looked[0].Agent != agent.Abstain {
		t.Errorf("the look ended with %+v", a.looked)
	}
	a.step(Recall{Subject: "nobody"})
}

func TestAGraverVerdictFollowsAMilderOne(t *testing.T) {
	a := newAssembly(t, 3, 2, 2)
	a.service("a1", agent.Down)
	a.all("a1", agent.Up)
	a.run(2 * time.Second)
	a.dead["a1"] = true
	a.all("a1", agent.Down)
	a.run(3 * time.Second)
	a.expect("a1 service-down", "a1 down")
}

func TestARetiredMembersVotesAndVerdictEnd(t *testing.T) {
	a := newAssembly(t, 3, 2, 2)
	a.dead["a1"] = true
	a.all("a1", agent.Down)
	a.run(3 * time.Second)
	fleet := *a.ledger.Fleet()
	fleet.Members = slices.Clone(fleet.Members)
	fleet.Members[0].Retired = true
	a.commit(KindFleet, fleet)
	a.run(time.Second)
	if _, stands := a.ledger.Standing("a1"); stands || slices.Contains(a.tally.Open(a.now), "a1") {
		t.Error("a1 is retired and still in trouble")
	}
}
