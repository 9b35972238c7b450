package whatif

import (
	"slices"
	"strings"
	"testing"
	"time"

	"moonwatch/member"
	"moonwatch/sim"
	"moonwatch/sim/scenario"
)

// answer plays a question in this process.
func answer(t *testing.T, q Question) *Answer {
	t.Helper()
	p, err := Pose(q)
	if err != nil {
		t.Fatal(err)
	}
	b, err := p.Plan.Encode()
	if err != nil {
		t.Fatal(err)
	}
	plan, err := scenario.DecodePlan("question", b) // as a worker gets it
	if err != nil {
		t.Fatal(err)
	}
	r, err := scenario.Play(plan, scenario.PlayOptions{Story: true})
	if err != nil {
		t.Fatal(err)
	}
	a, err := p.Read(r)
	if err != nil {
		t.Fatal(err)
	}
	t.Log(a.Text())
	return a
}

func demoFleet() member.Fleet {
	f := sim.Demo().Fleet
	f.Pools[0].Hosts = []string{"www.example.com"}
	return f
}

func TestALostMemberUsesOneSpareAndItsSlotIsServedAgain(t *testing.T) {
	a := answer(t, Question{Fleet: demoFleet(), Says: []string{"kill web-2"}, Seed: 1, For: time.Minute})
	if !a.OK || len(a.Spares) != 1 || a.Left != 1 || len(a.Held) > 0 || len(a.Modes) > 0 {
		t.Errorf("got %+v, want one of two spares used and nothing held", a)
	}
	if len(a.Slots) != 1 || a.Slots[0].Slot != "web-2" || a.Slots[0].ServedMS == nil || *a.Slots[0].ServedMS > 6000 || a.Slots[0].By != a.Spares[0] {
		t.Errorf("slots %+v, want web-2 served again by the spare within 6 s", a.Slots)
	}
	if !strings.Contains(strings.Join(a.Assumed, "\n"), "bears any load, the shield is not played, and actions take 200ms to 900ms and work") {
		t.Errorf("assumed %q", a.Assumed)
	}
	if len(a.Requests) != 1 || a.Requests[0].Total < 5000 || a.Requests[0].Failed > 2 {
		t.Errorf("requests %+v, want 100/s and at most two failures", a.Requests)
	}
}

func TestHalfOfTheFleetIsHeldByTheBrake(t *testing.T) {
	a := answer(t, Question{Fleet: demoFleet(), Says: []string{"kill web-1 and web-2 and spare-0"}, Seed: 1, For: time.Minute})
	if a.OK || len(a.Spares) > 0 || !slices.Contains(a.Modes, "cascade") || len(a.Held) == 0 {
		t.Errorf("got %+v, want nothing done and the brake named", a)
	}
}

// TestAQuestionGoesOnFromALedger asks about the fleet as it stands after a
// failover: who was lost stays lost, and the spare that is left is used.
func TestAQuestionGoesOnFromALedger(t *testing.T) {
	cfg := sim.Demo()
	cfg.Seed = 3
	w, err := sim.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	w.Strike(sim.Fault{At: 30 * time.Second, Do: sim.Crash, Whom: []member.ID{"web-2"}})
	if err := w.Run(time.Minute); err != nil {
		t.Fatal(err)
	}
	ledger, err := w.State().Ledger().Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	a := answer(t, Question{
		Begin: &sim.Snapshot{Ledger: ledger, At: time.Date(2026, 1, 1, 0, 1, 0, 0, time.UTC)},
		Says:  []string{"kill slot web-3"}, Seed: 4, For: time.Minute,
	})
	if !a.OK || len(a.Spares) != 1 || a.Left != 0 {
		t.Errorf("got %+v, want the last spare used", a)
	}
	if x := strings.Join(a.Assumed, "; "); !strings.Contains(x, "web-2 stands under a verdict (down)") {
		t.Errorf("assumed %q, want the verdict named", x)
	}
}

// TestASlotThatWasLostBeforeIsNotForgotten asks about a fleet that serves all but
// one slot: that nothing happens to the others does not make it well.
func TestASlotThatWasLostBeforeIsNotForgotten(t *testing.T) {
	cfg := sim.Demo()
	cfg.Seed = 3
	w, err := sim.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	w.Strike(sim.Fault{At: 30 * time.Second, Do: sim.Crash, Whom: []member.ID{"spare-0", "spare-1"}},
		sim.Fault{At: 4 * time.Minute, Do: sim.Crash, Whom: []member.ID{"web-2"}})
	if err := w.Run(5 * time.Minute); err != nil {
		t.Fatal(err)
	}
	ledger, err := w.State().Ledger().Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	a := answer(t, Question{
		Begin: &sim.Snapshot{Ledger: ledger, At: time.Date(2026, 1, 1, 0, 5, 0, 0, time.UTC)}, Old: 31 * time.Second,
		Says: []string{"stall web-1 for 1s"}, Seed: 4, For: time.Minute,
	})
	if a.OK || len(a.Slots) == 0 || a.Slots[0].Slot != "web-2" || !a.Slots[0].Before || a.Slots[0].ServedMS != nil {
		t.Errorf("slots %+v, want web-2 lost before and not served again", a.Slots)
	}
	if x := strings.Join(a.Assumed, "; "); !strings.Contains(x, "that ledger is 31s old") {
		t.Errorf("assumed %q, want the age of the ledger", x)
	}
}

func TestWhyNothingIsDoneIsSaid(t *testing.T) {
	for says, want := range map[string]string{
		"lose failure domain b":          "its failure domain is out of reach",
		"kill a majority of the council": "nobody leads the council",
		"kill web-1, web-2 and spare-0":  "waits (brake)",
		"isolate web-1, web-2 and web-4": "members in trouble; no case is open",
		"kill web-2 at 59s":              "no verdict condemns web-2 within the time",
		"kill web-2 at 56s":              "it was not over when the time was, last: C-",
	} {
		a := answer(t, Question{Fleet: demoFleet(), Says: []string{says}, Seed: 1, For: time.Minute})
		if a.OK || len(a.Slots) == 0 || !strings.Contains(a.Slots[0].Why, want) {
			t.Errorf("%s: slots %+v, want one that is not served again, and %q", says, a.Slots, want)
		}
		if (a.Leader == "") != (want == "nobody leads the council") {
			t.Errorf("%s: %q leads in the end", says, a.Leader)
		}
		if strings.Contains(a.Text(), "brake: holds nothing") && want == "nobody leads the council" {
			t.Errorf("%s: nobody leads, and the brake holds nothing", says)
		}
	}
}

func TestAMachineThatStandsStillServesNothing(t *testing.T) {
	for says, within := range map[string]int64{"stall web-2 for 30s": 6000, "stall web-2 for 2s": 2000} {
		a := answer(t, Question{Fleet: demoFleet(), Says: []string{says}, Seed: 1, For: time.Minute})
		if len(a.Slots) != 1 || a.Slots[0].Slot != "web-2" || a.Slots[0].ServedMS == nil || *a.Slots[0].ServedMS > within || !a.OK {
			t.Errorf("%s: slots %+v, want web-2 lost and served again within %d ms", says, a.Slots, within)
		}
		if text := a.Text(); strings.Count(text, "slot web-2 is not served any more") != 1 || strings.Count(text, "slot web-2 is served again by "+string(a.Slots[0].By)+", after") != 1 {
			t.Errorf("%s: the story does not tell once that the slot is not served, and is again", says)
		}
	}
}

// TestWhoIsCutOffServesNobody asks about members that clients reach no more than
// other members do.
func TestWhoIsCutOffServesNobody(t *testing.T) {
	a := answer(t, Question{Fleet: demoFleet(), Says: []string{"isolate web-2"}, Seed: 1, For: time.Minute})
	if len(a.Slots) != 1 || a.Slots[0].Slot != "web-2" || len(a.Spares) != 1 || a.Slots[0].By != a.Spares[0] || !a.OK {
		t.Errorf("slots %+v, want web-2 lost and served again by %v", a.Slots, a.Spares)
	}
	if a := answer(t, Question{Fleet: demoFleet(), Says: []string{"isolate failure domain b"}, Seed: 1, For: time.Minute}); a.OK || len(a.Slots) != 2 {
		t.Errorf("slots %+v, want the two of b lost for good", a.Slots)
	}
}

func TestTheDeadAreNoSpares(t *testing.T) {
	if a := answer(t, Question{Fleet: demoFleet(), Says: []string{"kill 100% of the fleet"}, Seed: 1, For: time.Minute}); a.Left != 0 {
		t.Errorf("%d spares are left of a fleet without power", a.Left)
	}
}

func TestAQuestionThatCannotBeAskedIsRefused(t *testing.T) {
	for _, c := range []struct {
		q    Question
		want string
	}{
		{Question{Fleet: demoFleet()}, "nothing was said"},
		{Question{Fleet: demoFleet(), Says: []string{"explode", "kill web-9"}}, "web-9"},
		{Question{Fleet: demoFleet(), Says: []string{"kill web-1 at 1h"}}, "it begins after the end"},
		{Question{Begin: &sim.Snapshot{Ledger: []byte("{}")}, Says: []string{"kill web-1"}}, "no fleet"},
	} {
		if _, err := Pose(c.q); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("got %v, want %q", err, c.want)
		}
	}
}

func TestTheCouncilIsSpreadOverFailureDomains(t *testing.T) {
	got := councilOf(demoFleet())
	if want := []member.ID{"web-0", "web-1", "web-2", "web-3", "web-4"}; !slices.Equal(got, want) {
		t.Errorf("council %v, want %v", got, want)
	}
	f := demoFleet()
	f.Members[3].Council = false
	if got := councilOf(f); len(got) != 3 {
		t.Errorf("of four that may be, %v are chosen, want three", got)
	}
}
