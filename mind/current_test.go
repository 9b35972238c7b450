package mind

import (
	"testing"
	"time"

	"moonwatch/consensus"
)

// hears has an agent hear of a quorum every 100 ms, from somebody with this head.
func (h *host) hears(d time.Duration, head uint64) {
	for end := h.now.Add(d); h.now.Before(end); {
		h.step(QuorumHeard{Leader: "web-1", Term: 2, Head: head})
		h.run(100 * time.Millisecond)
	}
}

func (h *host) wantCurrent(want bool, when string) {
	h.t.Helper()
	if got := h.mind.Current(); got != want {
		h.t.Errorf("%s: current %t, want %t", when, got, want)
	}
}

// An agent that comes back has a ledger of before, and hears of a quorum sooner than
// of what it has missed.
func TestALedgerIsCurrentWhenItsAgentHasBeenInTouchForAWhileAndHasWhatOthersHave(t *testing.T) {
	leader := found(t, "web-1", "web-1")
	leader.run(3 * time.Second)
	leader.wantCurrent(true, "a lone councillor that leads")
	leader.submit(consensus.KindFleet, "fleet/1", webFleet("web-2", "web-1"))
	leader.run(time.Second)
	var facts []consensus.Fact
	for _, a := range all[Applied](leader) {
		facts = append(facts, a.Facts...)
	}
	head := uint64(len(facts))

	h := wake(t, "web-2", Boot{Facts: facts[:1]})
	h.run(10 * time.Second)
	h.wantCurrent(false, "nobody was heard of")
	h.hears(5*time.Second, head)
	h.wantCurrent(false, "others have more")
	h.step(FactsFed{Facts: facts[1:]})
	h.wantCurrent(true, "it has what others have")
	h.run(5 * time.Second)
	h.wantCurrent(false, "nobody was heard of for a while")
	h.hears(500*time.Millisecond, head)
	h.wantCurrent(false, "in touch again, just now")
	h.hears(time.Second, head)
	h.wantCurrent(true, "in touch for a while")

	// Whoever feeds it came back itself, and may lack what both do not know of.
	h.step(QuorumHeard{Leader: "web-1", Term: 2, Head: head, Behind: true})
	h.wantCurrent(false, "its feeder is not current")
	h.step(QuorumHeard{Leader: "web-1", Term: 2, Head: head})
	h.wantCurrent(true, "its feeder is current again")

	// It stood still. What it hears first was sent before, and waited.
	h.now = h.now.Add(time.Minute)
	h.step(QuorumHeard{Leader: "web-1", Term: 2, Head: head})
	h.wantCurrent(false, "it stood still for a minute")
	h.hears(1100*time.Millisecond, head)
	h.wantCurrent(true, "in touch for a while after it")
}
