package failover

import (
	"strings"
	"testing"
	"time"

	"moonwatch/agent"
	"moonwatch/consensus"
	"moonwatch/member"
)

// burn puts a failure domain of four of twenty-four under one verdict.
func burn(t *testing.T, change func(*member.Fleet)) *weigher {
	t.Helper()
	f := webFleet(19, 4, 5, 5, 5, 5)
	if change != nil {
		change(&f)
	}
	x := newTale(t, f).serving()
	w := &weigher{x, NewBrake(x.state)}
	w.judge(consensus.VerdictDomainCut, "web-1", "web-2", "web-3", "web-4")
	return w
}

// vigil weighs every 100 ms, answers every roll call, and commits what is news.
func (w *weigher) keep(d time.Duration, agreed bool, accused ...member.ID) {
	w.t.Helper()
	for end := w.now.Add(d); w.now.Before(end); w.now = w.now.Add(100 * time.Millisecond) {
		if b, news := w.brake.Weigh(w.now, accused); news {
			if f := w.commit(KindBrake, "web-1", b); !f.Accepted {
				w.t.Fatalf("the ledger refuses the brake: %s", f.Reason)
			}
		}
		if id, due := w.brake.Ask(w.now); due {
			w.brake.Looked(SecondLook{Subject: id, Called: w.now, Agreed: agreed})
		}
	}
}

func (w *weigher) fallen() bool { return w.state.Brake().Fallen != nil }

func TestALostDomainFallsAfterTwoQuietMinutesAndARollCall(t *testing.T) {
	w := burn(t, nil)
	w.keep(2*time.Minute, true)
	if w.fallen() || w.state.Brake().In(InDomain("a")).Mode != Cascade {
		t.Fatalf("too soon: %+v", w.state.Brake())
	}
	w.keep(time.Second, true)
	if m := w.state.Brake().In(InDomain("a")); !w.fallen() || m.Mode != Guarded {
		t.Fatalf("domain a is %+v, want it guarded and fallen", m)
	}
	w.keep(5*time.Minute, true)
	if m := w.state.Brake().In(InDomain("a")).Mode; m != Guarded {
		t.Errorf("its members are still unsettled, and it is %s", m)
	}
}

func TestWithoutAFreshAgreementALostDomainStaysInCascade(t *testing.T) {
	w := burn(t, nil)
	w.keep(10*time.Minute, false)
	if w.fallen() || w.state.Brake().ForPeople() != "" {
		t.Errorf("somebody reaches it, and the brake says %+v", w.state.Brake())
	}
}

func TestANewLeaderBeginsTheTwoMinutesAnew(t *testing.T) {
	w := burn(t, nil)
	w.keep(119*time.Second, true)
	w.brake = NewBrake(w.state)
	w.keep(119*time.Second, true)
	if w.fallen() {
		t.Error("it fell before any leader had watched it for two minutes")
	}
	w.keep(3*time.Second, true)
	if !w.fallen() {
		t.Error("it never falls")
	}
}

func TestTroubleElsewhereBeginsTheTwoMinutesAnew(t *testing.T) {
	w := burn(t, nil)
	w.keep(100*time.Second, true)
	w.keep(time.Second, true, "web-10")
	w.keep(3*time.Minute-2*time.Second, true) // a minute of memory, and not quite two of quiet
	if w.fallen() {
		t.Error("the rest was not clean for two minutes")
	}
	w.keep(4*time.Second, true)
	if !w.fallen() {
		t.Error("it never falls")
	}
}

func TestTroubleElsewhereVoidsTheFall(t *testing.T) {
	w := burn(t, nil)
	w.keep(2*time.Minute+time.Second, true)
	w.keep(200*time.Millisecond, true, "web-10")
	if w.fallen() || w.state.Brake().In(InDomain("a")).Mode != Cascade {
		t.Errorf("the rest is not clean any more: %+v", w.state.Brake())
	}
}

func TestPeopleDecideAboutALostDomain(t *testing.T) {
	for name, c := range map[string]struct {
		change func(*member.Fleet)
		want   string
	}{
		"that is more than a fifth": {
			func(f *member.Fleet) { f.Members[4].Domain = "a" }, "failure domain a is 5 of 24 members, more than a fifth",
		},
		"with an exclusive slot that only a lease fences": {
			func(f *member.Fleet) { f.Pools[0].Exclusive, f.Pools[0].Fence = true, []string{"lease"} }, "prove no more than a lease",
		},
		"for which there are too few spares elsewhere": {
			func(f *member.Fleet) { f.Pools[0].Slots = append(f.Pools[0].Slots, "slot-x", "slot-y") },
			"3 free spares outside of failure domain a, and 4 slots to fill",
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := burn(t, c.change)
			if strings.HasPrefix(c.want, "failure domain") {
				w.judge(consensus.VerdictDomainCut, "web-5")
			}
			w.keep(10*time.Minute, true)
			if w.fallen() {
				t.Error("it fell")
			}
			if why := w.state.Brake().ForPeople(); !strings.Contains(why, c.want) {
				t.Errorf("people are told %q, want %q", why, c.want)
			}
		})
	}
}

func TestAnExclusiveSlotWithAStrongerFenceFalls(t *testing.T) {
	w := burn(t, func(f *member.Fleet) { f.Pools[0].Exclusive, f.Pools[0].Fence = true, []string{"lease", "power"} })
	for _, m := range w.ledger.Roster().Members {
		w.commit(KindEnforcer, m.ID, Enforcer{Kind: "keeper"})
	}
	w.keep(3*time.Minute, true)
	if !w.fallen() {
		t.Errorf("it waits for %q", w.state.Brake().ForPeople())
	}
}

func TestTheLedgerItselfRefusesAFallThatIsNone(t *testing.T) {
	w := burn(t, nil)
	w.judge(consensus.VerdictDown, "web-9")
	for _, members := range [][]member.ID{
		{"web-1", "web-2", "web-3", "web-4"}, // web-9 is in trouble besides
		{"web-1", "web-9"},
	} {
		b := Brakes{Over: w.state.Brake().Weighing, Fallen: &Fallen{Domain: "a", Members: members}}
		if f := w.commit(KindBrake, "web-1", b); f.Accepted {
			t.Errorf("%v may fall", members)
		}
	}
}

func TestNobodyOfALostDomainIsCondemnedAloneBeforeItFalls(t *testing.T) {
	w := burn(t, nil)
	down := consensus.Verdict{Term: 1}
	count := consensus.Count{Eligible: 2}
	for _, by := range w.ledger.Overlay().ObserversOf("web-1") {
		count.Votes = append(count.Votes, consensus.VoteCount{Observer: by, Stance: agent.Down})
	}
	count.Eligible = len(count.Votes)
	down.Findings = []consensus.Finding{{Subject: "web-1", Kind: consensus.VerdictDown, Agent: count}}
	if f := w.commit(consensus.KindVerdict, "web-1", down); f.Accepted || !strings.Contains(f.Reason, "out of reach as a whole") {
		t.Error("web-1 is down, and its failure domain out of reach as a whole")
	}
	w.keep(2*time.Minute+time.Second, true)
	if f := w.commit(consensus.KindVerdict, "web-1", down); !f.Accepted {
		t.Errorf("it has fallen, and yet: %s", f.Reason)
	}
	if n := w.ledger.Record("web-1").Downs; n != 1 {
		t.Errorf("it fell once, and %d falls are booked", n)
	}
}
