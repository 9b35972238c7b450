package failover

import (
	"encoding/hex"
	"strings"
	"testing"
	"time"

	"moonwatch/consensus"
)

// TestWhatAWithdrawnKeyHasSignedNeverTakesEffect: somebody took an operator's key and asked
// or approved with it, and people withdraw the key before the time has come.
func TestWhatAWithdrawnKeyHasSignedNeverTakesEffect(t *testing.T) {
	stolen := []byte(strings.Repeat("k", 32))
	key := hex.EncodeToString(stolen)
	for _, c := range []struct {
		name string
		ask  func(x *tale) *Request
		ends bool
	}{
		{"asked alone with it", func(x *tale) *Request {
			id := accepted(t, x.requests("mallory", Requested{Act: ActOverride, Case: x.theCase().ID, Alone: true}))
			x.state.s.Requests[id].Key = key
			return x.state.s.Requests[id]
		}, true},
		{"approved with it", func(x *tale) *Request {
			id := accepted(t, x.requests("alice", Requested{Act: ActOverride, Case: x.theCase().ID}))
			accepted(t, x.approves("mallory", id))
			x.state.s.Requests[id].ApprovedKey = key
			return x.state.s.Requests[id]
		}, true},
		{"asked with another one", func(x *tale) *Request {
			id := accepted(t, x.requests("alice", Requested{Act: ActOverride, Case: x.theCase().ID, Alone: true}))
			x.state.s.Requests[id].Key = hex.EncodeToString([]byte(strings.Repeat("a", 32)))
			return x.state.s.Requests[id]
		}, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			x := stopped(t)
			id := c.ask(x).ID
			accepted(t, x.commit(consensus.KindRevoked, "bob", consensus.Revoke{Operator: "mallory", Key: stolen, Reason: "stolen"}))
			r := x.state.s.Requests[id]
			if (r.State(x.now) == RequestRejected) != c.ends {
				t.Fatalf("the request is %s, %q", r.State(x.now), r.Why)
			}
			if c.ends && (r.RejectedBy != "bob" || r.Why != "the key of mallory was withdrawn: stolen") {
				t.Errorf("rejected by %q: %q", r.RejectedBy, r.Why)
			}
			x.run(AloneAfter + time.Minute)
			if r := x.state.s.Requests[id]; c.ends && r != nil && r.State(x.now) == RequestInForce {
				t.Error("it took effect")
			}
		})
	}
}
