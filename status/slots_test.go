package status

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"moonwatch/consensus"
	"moonwatch/failover"
	"moonwatch/member"
)

// grown has two more slots declared than there are spares that are well: spare-1 takes
// slot-5, and slot-6 stays vacant, for spare-2 is in its burn-in.
func (s *story) grown() {
	s.t.Helper()
	s.duty("spare-2", failover.BurnIn)
	f := fleet()
	f.Pools[0].Slots = append(f.Pools[0].Slots, "slot-5", "slot-6")
	s.must(consensus.KindFleet, "web-1", f)
}

// duty gives a member another one, as if facts had.
func (s *story) duty(id member.ID, d failover.Duty) {
	s.t.Helper()
	s.changed(func(x map[string]any) { x["uses"].(map[string]any)[string(id)].(map[string]any)["duty"] = d })
}

// started has spare-1 say how its start of slot-5 went.
func (s *story) started(done bool, detail string) {
	s.t.Helper()
	slot, _ := s.state.Slot("slot-5")
	s.must(failover.KindReport, "spare-1", failover.Report{Step: failover.StepActivate, Slot: "slot-5", Epoch: slot.Epoch, Done: done, Detail: detail})
}

func explained(t *testing.T, p Page, id string) string {
	t.Helper()
	e, err := p.Explain(id)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("> explain %s\n%s\nsee %s\n\n", id, strings.Join(e.Lines, "\n"), strings.Join(e.See, " "))
}

// TestASlotThatNobodyHoldsIsExplained: why nobody fills it, who could, and what to do.
func TestASlotThatNobodyHoldsIsExplained(t *testing.T) {
	s := newStory(t)
	s.grown()
	text := explained(t, s.page(), "slot-6")
	s.duty("spare-2", failover.Spare)
	golden(t, "explain-vacant.txt", text+explained(t, s.page(), "slot-6"))
	e, _ := s.page().Explain("slot-6")
	if e.Slot == nil || e.Slot.State != SlotVacant || e.Member != nil {
		t.Errorf("as values: %+v", e)
	}
}

// TestASlotThatNeverServedIsExplained: that its start failed, and that nobody takes it over.
func TestASlotThatNeverServedIsExplained(t *testing.T) {
	s := newStory(t)
	s.grown()
	before := explained(t, s.page(), "slot-5")
	s.after(time.Second)
	s.started(false, "exit status 3")
	golden(t, "explain-starting.txt", before+explained(t, s.page(), "slot-5"))
}

// TestSlotsThatNobodyWillFillAreToldOnce: vacant ones and those whose first start fails
// for ever are no verdict's matter, so nobody would hear of them.
func TestSlotsThatNobodyWillFillAreToldOnce(t *testing.T) {
	s := newStory(t)
	n := newNewsroom(t, "spare-1")
	s.grown()
	s.started(false, "exit status 3")
	s.now = n.during(slotPatience, s.at, s.now)
	if got := n.told(); strings.Contains(got, "vacant") || strings.Contains(got, "starting") {
		t.Errorf("told within %v of a first start: %s", slotPatience, got)
	}
	s.now = n.during(10*time.Second, s.at, s.now)
	s.started(true, "")
	f := fleet()
	f.Pools[0].Slots = append(f.Pools[0].Slots, "slot-5")
	s.must(consensus.KindFleet, "web-1", f)
	s.now = n.during(10*time.Second, s.at, s.now)
	var b strings.Builder
	for _, m := range n.got {
		if kind, _, _ := strings.Cut(m.Notice.ID, "/"); kind == "vacant" || kind == "starting" {
			b.WriteString(m.Text() + "\n")
		}
	}
	golden(t, "messages-slots.txt", b.String())
}

// TestAFirstStartIsNobodysTrouble: a fleet that is applied and serves within the patience
// is not told of.
func TestAFirstStartIsNobodysTrouble(t *testing.T) {
	s := newStory(t)
	f := fleet()
	f.Pools[0].Slots = append(f.Pools[0].Slots, "slot-5")
	n := newNewsroom(t, "spare-1")
	s.must(consensus.KindFleet, "web-1", f)
	s.now = n.during(30*time.Second, s.at, s.now)
	s.started(true, "")
	s.now = n.during(5*time.Minute, s.at, s.now)
	if strings.Contains(n.told(), "starting") {
		t.Errorf("told: %s", n.told())
	}
}
