package sim

import (
	"fmt"
	"time"

	"moonwatch/failover"
	"moonwatch/member"
)

// journal is what failover/driver's journal keeps on a member's disk: the
// highest slot epoch that was acted on, the step under way, and how the others
// ended. A step is recorded before it begins, so that none has its effect twice.
type journal struct {
	holding failover.Holding // what was last started here, and not stopped
	highest map[member.SlotID]member.SlotEpoch
	begun   map[member.SlotID]*deed // one step of a slot at a time
	done    map[string]failover.StepDone
}

// deed is a step under way: its program lives on when the agent dies.
type deed struct {
	name     string
	key      failover.StepKey
	life     uint64        // of the agent that began it
	boots    uint64        // of the machine
	deadline time.Duration // in the world's time
	runs     bool          // the program has not ended
}

func newJournal() journal {
	return journal{
		holding: failover.Holding{}, highest: map[member.SlotID]member.SlotEpoch{},
		begun: map[member.SlotID]*deed{}, done: map[string]failover.StepDone{},
	}
}

// nameOf is the idempotency key of one attempt.
func nameOf(k failover.StepKey, try int) string {
	return fmt.Sprintf("%d/%d/%s/%s/%d/%d", k.Case, k.Attempt, k.Step, k.Slot, k.Epoch, try)
}

// begin answers a request from memory, or says that its program may run now.
func (m *machine) beginDeed(k failover.StepKey, name string) (known failover.StepDone, run bool) {
	j := &m.disk.journal
	if k.Epoch < j.highest[k.Slot] {
		return failover.StepDone{Key: k, Result: failover.ResultRefused, Detail: "this member has acted at a later slot epoch"}, false
	}
	if d, ok := j.done[name]; ok {
		return d, false
	}
	if b := j.begun[k.Slot]; b != nil {
		m.settle(k, b)
		if d, ok := j.done[name]; ok {
			return d, false
		}
		if j.begun[k.Slot] != nil {
			return failover.StepDone{Key: k, Result: failover.ResultAgain, Detail: "another step of this slot is under way"}, false
		}
	}
	if m.w.now < m.writer.full || m.w.now < m.writer.stalled {
		return failover.StepDone{Key: k, Result: failover.ResultAgain, Detail: "not run: the journal cannot be written"}, false
	}
	j.highest[k.Slot] = k.Epoch
	return failover.StepDone{}, true
}

// settle closes the account of a step that an earlier life of the agent began:
// how it ended nobody saw. Until its deadline its program may go on; then it is
// killed.
func (m *machine) settle(k failover.StepKey, b *deed) {
	if b.life == m.life || b.runs && b.boots == m.boots && m.w.now < b.deadline {
		return
	}
	b.runs = false
	delete(m.disk.journal.begun, k.Slot)
	d := failover.StepDone{Key: k, Result: failover.ResultUnknown, Detail: "the agent ended before the step did"}
	m.disk.journal.done[b.name] = d
}
