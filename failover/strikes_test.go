package failover

import (
	"strings"
	"testing"
	"time"

	"moonwatch/consensus"
)

// fall lets a spare fall and come back, and gives when its burn-in began.
func (x *tale) fallsAndComesBack() time.Time {
	x.t.Helper()
	x.judge(consensus.VerdictDown, "web-6")
	x.run(time.Minute)
	x.judge(consensus.VerdictUp, "web-6")
	if d := x.state.Use("web-6").Duty; d != BurnIn {
		x.t.Fatalf("web-6 is %s, want it in burn-in", d)
	}
	return x.now
}

func TestEachStrikeDoublesTheBurnIn(t *testing.T) {
	x := newTale(t, webFleet(5, 3, 2, 2)).serving()
	for n, want := range []time.Duration{10 * time.Minute, 20 * time.Minute} {
		began := x.fallsAndComesBack()
		x.run(want - time.Second)
		if d := x.state.Use("web-6").Duty; d != BurnIn {
			t.Fatalf("strike %d: %s before %v are over", n+1, d, want)
		}
		x.run(2 * time.Second)
		if d := x.state.Use("web-6").Duty; d != Spare {
			t.Errorf("strike %d: %s %v after its burn-in began", n+1, d, x.now.Sub(began))
		}
	}
}

func TestTheThirdStrikeWaitsForPeopleOrForTheFirstToBeForgotten(t *testing.T) {
	x := newTale(t, webFleet(5, 3, 2, 2)).serving()
	for range StrikesOut {
		x.fallsAndComesBack()
		x.run(time.Hour)
	}
	if err := x.state.BurntIn(x.now, "web-6"); err == nil || !strings.Contains(err.Error(), "people have to look at it") {
		t.Errorf("web-6 waits because of %v", err)
	}
	if x.state.Use("web-7").Duty != Spare {
		t.Error("web-7 has done nothing, and is no spare")
	}
	x.now = x.now.Add(x.state.timing().StrikeWindow - 2*time.Hour)
	x.conduct(ConductorWoken{})
	if d := x.state.Use("web-6").Duty; d != Spare {
		t.Errorf("the first strike is out of the window, and web-6 is %s: %v", d, x.state.BurntIn(x.now, "web-6"))
	}
}

func TestWhoFallsInItsBurnInBeginsAnew(t *testing.T) {
	x := newTale(t, webFleet(5, 3, 2, 2)).serving()
	x.fallsAndComesBack()
	x.run(9 * time.Minute)
	began := x.fallsAndComesBack()
	x.run(2 * time.Minute)
	if d := x.state.Use("web-6").Duty; d != BurnIn {
		t.Errorf("web-6 fell in its burn-in, and is %s %v later", d, x.now.Sub(began))
	}
}

func TestTheLedgerRefusesAReturnBeforeTheBurnInIsOver(t *testing.T) {
	x := newTale(t, webFleet(5, 3, 2, 2)).serving()
	x.fallsAndComesBack()
	x.now = x.now.Add(time.Minute)
	if f := x.commit(KindReturned, "web-1", Returned{Member: "web-6"}); f.Accepted {
		t.Error("a leader's word is enough")
	}
}
