package failover

import (
	"testing"
	"time"

	"moonwatch/consensus"
)

// Who kept what an operator signed hands it in again when the ledger has forgotten its
// name and the operator has long thought otherwise.
func TestAnOrderIsNotTakenASecondTime(t *testing.T) {
	x := stopped(t)
	ask := Requested{Act: ActOverride, Case: x.theCase().ID, Alone: true}
	first := x.requests("alice", ask)
	accepted(t, first)
	x.run(time.Minute)
	accepted(t, x.commit(KindAnswer, "bob", Answered{Request: first.Index, Reason: "not so"}))
	again := func(f consensus.Fact) error {
		f.Index, f.Time = 0, x.now
		return x.state.newest(f)
	}
	if err := again(first); err == nil {
		t.Error("the same bytes are taken again")
	}
	x.run(time.Minute)
	accepted(t, x.requests("alice", ask)) // anew, she may
	if err := again(first); err == nil {
		t.Error("what was signed before the newest order is taken")
	}
	other := first
	other.Command.Proposer = "carol"
	if err := again(other); err != nil {
		t.Errorf("another operator has given no order: %v", err)
	}
}
