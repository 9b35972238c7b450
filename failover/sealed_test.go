package failover

import (
	"slices"
	"testing"
	"time"

	"moonwatch/agent"
	"moonwatch/consensus"
	"moonwatch/member"
)

// offer proposes a step to the ledger, which must not panic.
func (x *tale) offer(p CaseStep) (f consensus.Fact, panics any) {
	defer func() { panics = recover() }()
	return x.commit(KindCaseStep, "web-4", p), nil
}

func TestNoPromotionBeforeFenceProof(t *testing.T) {
	fleet := webFleet(5, 3, 2, 2)
	fleet.Pools[0].Exclusive, fleet.Pools[0].Fence = true, []string{"self"}
	x := newTale(t, fleet).serving()
	x.results["web-3"] = ResultUnknown
	x.judge(consensus.VerdictServiceDown, "web-3")
	x.run(10 * time.Second)
	c := x.theCase()
	if c.State != Escalated || c.Proof != "" {
		t.Fatalf("%s, proof %q", c.State, c.Proof)
	}
	if f, _ := x.offer(CaseStep{Case: c.ID, Version: c.Version, To: Activating, Spare: "web-6"}); f.Accepted {
		t.Error("the ledger activates a second occupant of an exclusive slot without fence proof")
	}
}

func TestARestartRoundLeadsOnlyToItsOwnSteps(t *testing.T) {
	for _, to := range []CaseState{Cutover, Claiming} {
		x := newTale(t, webFleet(5, 3, 2, 2)).serving()
		x.judge(consensus.VerdictServiceDown, "web-3")
		x.run(1100 * time.Millisecond)
		c := x.theCase()
		if c.State != Verifying || !c.Restart {
			t.Fatalf("%s", c.State)
		}
		if f, p := x.offer(CaseStep{Case: c.ID, Version: c.Version, To: to}); p != nil || f.Accepted {
			t.Errorf("verifying a restart leads to %s: accepted %v, panic %v", to, f.Accepted, p)
		}
	}
}

func TestAReplacementRoundIsNotClosedBeforeItsCutover(t *testing.T) {
	for _, to := range []CaseState{Closed, Draining} {
		x := newTale(t, webFleet(5, 3, 2, 2)).serving()
		x.judge(consensus.VerdictDown, "web-3")
		x.run(3100 * time.Millisecond)
		c := x.theCase()
		if c.State != Verifying {
			t.Fatalf("%s", c.State)
		}
		if f, _ := x.offer(CaseStep{Case: c.ID, Version: c.Version, To: to}); f.Accepted {
			t.Errorf("%s before the cutover: its spare stays claimed for ever", to)
		}
	}
}

func TestAClaimedSpareIsNotTakenOutOfTheFleet(t *testing.T) {
	for name, spoil := range map[string]func(*member.Member){
		"retired": func(m *member.Member) { m.Retired = true },
		"moved":   func(m *member.Member) { m.Pool = "" },
	} {
		x := newTale(t, webFleet(5, 3, 2, 2)).serving()
		x.judge(consensus.VerdictDown, "web-3")
		x.run(2500 * time.Millisecond)
		f := *x.ledger.Fleet()
		f.Members = slices.Clone(f.Members)
		spoil(&f.Members[5])
		if got := x.commit(consensus.KindFleet, "web-1", f); got.Accepted {
			t.Errorf("web-6 is activating slot-2, and was %s", name)
		}
	}
}

func TestAServiceThatCannotBeRestartedIsReplaced(t *testing.T) {
	fleet := webFleet(5, 3, 2, 2)
	fleet.Pools[0].Actions.Restart = ""
	x := newTale(t, fleet).serving()
	x.judge(consensus.VerdictServiceDown, "web-3")
	x.run(20 * time.Second)
	if s := x.slot("slot-2"); s.Occupant != "web-6" {
		t.Errorf("%s", walk(x.theCase()))
	}
}

func TestAServiceThatARestartHealedIsNotRestartedAgain(t *testing.T) {
	x := newTale(t, webFleet(5, 3, 2, 2)).serving()
	x.judge(consensus.VerdictServiceDown, "web-3") // the second one of the day: up again after 30 clean seconds
	x.looks["web-3"] = [2]agent.Stance{agent.Up, agent.Up}
	x.run(20 * time.Second)
	if n := x.stepped["web-3"] - 1; n != 1 { // the first step was its start
		t.Errorf("a service that answers was restarted %d times", n)
	}
}
