package failover

import (
	"strings"
	"testing"
	"time"

	"moonwatch/consensus"
)

func TestASpareThatIsNotReadyIsNotChosen(t *testing.T) {
	x := newTale(t, webFleet(5, 3, 2, 2)).serving()
	x.tests["web-6"], x.findings["web-6"] = ResultFailed, "disk: no space left on device"
	x.run(2 * time.Minute)
	x.judge(consensus.VerdictDown, "web-3")
	x.run(30 * time.Second)
	if s := x.slot("slot-2"); s.Occupant != "web-7" {
		t.Errorf("slot-2 went to %s, and web-6's disk is full", s.Occupant)
	}
}

func TestTheLedgerRefusesToClaimASpareWithoutAProof(t *testing.T) {
	x := newTale(t, webFleet(5, 3, 2, 2)).serving()
	c := &Case{ID: 1, Pool: "web", Subject: "web-3", Slot: "slot-2"}
	if err := x.state.checkClaim(x.now, c, "web-6"); err != nil {
		t.Fatal(err)
	}
	x.state.s.Uses["web-6"].Proof = nil
	if err := x.state.checkClaim(x.now, c, "web-6"); err == nil || !strings.Contains(err.Error(), "has not proven yet") {
		t.Errorf("claimed without a proof: %v", err)
	}
}

func TestAProofExpires(t *testing.T) {
	x := newTale(t, webFleet(5, 3, 2, 2)).serving()
	delete(x.executors, "web-6") // its agent decides nothing any more, and answers probes
	x.run(x.state.ProofLife() - 2*time.Minute)
	if err := x.state.Ready(x.now, "web-6"); err != nil {
		t.Errorf("too soon: %v", err)
	}
	x.run(3 * time.Minute)
	if err := x.state.Ready(x.now, "web-6"); err == nil || !strings.Contains(err.Error(), "good for 15m0s") {
		t.Errorf("after %v: %v", x.state.ProofLife(), err)
	}
	if err := x.state.Ready(x.now, "web-7"); err != nil {
		t.Errorf("web-7 goes on proving: %v", err)
	}
}

// A fleet that is well writes nothing for hours but one proof per spare and renewal.
func TestAMemberReportsOnlyNews(t *testing.T) {
	x := newTale(t, webFleet(5, 3, 2, 2)).serving()
	before := x.ledger.Head()
	x.run(time.Hour)
	if n := int(x.ledger.Head() - before); n > 2*int(time.Hour/(proofRenew*3/4))+2 {
		t.Errorf("%d facts within an hour of two spares, want one per spare and %v", n, proofRenew)
	}
	x.tests["web-6"], x.findings["web-6"] = ResultFailed, "clock: off"
	x.run(testEvery + time.Second)
	if err := x.state.Ready(x.now, "web-6"); err == nil {
		t.Error("news takes longer than one test")
	}
	x.tests["web-6"], x.findings["web-6"] = ResultDone, ""
	x.run(testEvery + time.Second)
	if err := x.state.Ready(x.now, "web-6"); err != nil {
		t.Errorf("mended, and %v", err)
	}
}

func TestAnAccusedSpareIsTheLastChoice(t *testing.T) {
	x := newTale(t, webFleet(5, 3, 2, 2)).serving()
	x.accused = append(x.accused, "web-6")
	x.judge(consensus.VerdictDown, "web-3")
	x.run(30 * time.Second)
	if s := x.slot("slot-2"); s.Occupant != "web-7" {
		t.Errorf("slot-2 went to %s, and web-6 stands accused", s.Occupant)
	}
}
