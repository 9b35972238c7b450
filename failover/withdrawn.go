package failover

import (
	"encoding/hex"
	"fmt"

	"moonwatch/consensus"
)

// withdraw ends the requests that hang on an operator's key that is withdrawn: who took
// it may have asked for them or approved them, and they are not to take effect when
// their time comes (docs/adr/040).
func (st *State) withdraw(f consensus.Fact, x consensus.Revoke) {
	if x.Operator == "" {
		return
	}
	by, _ := signer(f.Command)
	key := hex.EncodeToString(x.Key)
	for _, r := range st.Requests() {
		if (r.Key == key || r.ApprovedKey == key) && r.Open(f.Time) {
			r.Rejected, r.RejectedBy = f.Time, by
			r.Why = fmt.Sprintf("the key of %s was withdrawn: %s", x.Operator, x.Reason)
		}
	}
}
