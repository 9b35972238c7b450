package mind

import (
	"testing"
	"time"

	"moonwatch/consensus"
	"moonwatch/failover"
	"moonwatch/member"
)

// spareOf has web-2 follow the council of web-1 as a spare that pool batch may borrow. It
// hears nobody from now on.
func spareOf(t *testing.T) *host {
	t.Helper()
	leader := found(t, "web-1", "web-1")
	leader.run(3 * time.Second)
	fleet := webFleet("web-1", "web-2")
	fleet.Pools = append(fleet.Pools, member.Pool{Name: "batch", Fence: []string{"none"}, Armed: true, Spares: member.Spares{BorrowFrom: []string{"web"}}})
	leader.submit(consensus.KindFleet, "fleet/1", fleet)
	leader.run(time.Second)
	var facts []consensus.Fact
	for _, a := range all[Applied](leader) {
		facts = append(facts, a.Facts...)
	}
	return wake(t, "web-2", Boot{Facts: facts})
}

// tested answers every test of itself that an agent has begun since it was asked last.
func (h *host) tested(seen int, detail string) int {
	steps := all[DoStep](h)
	for _, s := range steps[seen:] {
		if s.Key.Step == failover.StepTest {
			h.step(StepEnded{Done: failover.StepDone{Key: s.Key, Result: failover.ResultDone, Detail: detail}})
		}
	}
	return len(steps)
}

func TestASpareThatNobodyHearsHasOneWordAboutItself(t *testing.T) {
	h := spareOf(t)
	seen := 0
	for range 3 * 60 {
		seen = h.tested(seen, "ready")
		h.run(time.Minute)
	}
	if n := h.mind.Wants(); seen < 300 || n != 2 {
		t.Errorf("after three hours and %d tests it wants %d commands in the ledger, want one about its own pool and one about batch", seen, n)
	}
	h.did = nil
	h.step(QuorumHeard{Leader: "web-1", Term: 2, Head: h.mind.Ledger().Head()})
	h.run(time.Second)
	newest := h.now.Add(-2 * time.Minute)
	handed := map[consensus.FactKind]bool{}
	for _, s := range all[Submit](h) {
		c, err := consensus.DecodeCommand(s.Command)
		if err != nil {
			t.Fatal(err)
		}
		handed[c.Kind] = true
		if c.Time.Before(newest) {
			t.Errorf("%s of %v is handed in, at %v", c.ID, c.Time, h.now)
		}
	}
	if !handed[failover.KindReport] || !handed[failover.KindFits] {
		t.Errorf("handed in: %v, want both words", handed)
	}
}

// What is done for a case is no word about the agent itself: each stands for itself.
func TestReportsOfStepsDoNotReplaceEachOther(t *testing.T) {
	h := spareOf(t)
	h.run(time.Second)
	n := h.mind.Wants()
	for attempt := range 3 {
		h.mind.execute([]failover.ExecutorEffect{failover.SendReport{
			ID: string(rune('a' + attempt)), Report: failover.Report{Case: 7, Attempt: attempt, Step: failover.StepStop, Slot: "slot-0"},
		}})
	}
	if got := h.mind.Wants() - n; got != 3 {
		t.Errorf("%d reports wait, want 3", got)
	}
}
