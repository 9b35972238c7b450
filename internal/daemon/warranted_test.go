package daemon

import (
	"testing"

	"moonwatch/consensus"
	"moonwatch/failover"
)

// With a made-up warrant nobody speaks for others where no ledger looks at it.
func TestAWarrantIsNoWayToSpeakForOthers(t *testing.T) {
	junk := &consensus.Warrant{Operator: "nobody"}
	for kind, fine := range map[consensus.FactKind]bool{
		failover.KindReport: false, failover.KindCaseStep: false, consensus.KindVerdict: false, failover.KindAnnounced: false, consensus.KindDisk: false,
		consensus.KindFleet: true, failover.KindHold: true, failover.KindRequest: true, failover.KindAnswer: true, failover.KindCleared: true,
	} {
		if err := warranted(consensus.Command{Kind: kind, ID: "x", Proposer: "vm-1", Warrant: junk}); (err == nil) != fine {
			t.Errorf("%s: %v, want it to pass: %v", kind, err, fine)
		}
	}
	if err := warranted(consensus.Command{Kind: failover.KindReport, Proposer: "vm-1"}); err != nil {
		t.Errorf("without a warrant: %v", err)
	}
}
