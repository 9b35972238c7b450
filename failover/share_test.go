package failover

import (
	"bytes"
	"testing"
	"time"

	"moonwatch/consensus"
)

// TestWhatWasSharedStaysAsItWas shares the state after every fact of a tale with
// restarts, failed activations, replacements and a way back, and looks at the end
// whether any of them has changed meanwhile.
func TestWhatWasSharedStaysAsItWas(t *testing.T) {
	type given struct {
		head   uint64
		shared any
		bytes  []byte
	}
	var all []given
	x := newTale(t, webFleet(5, 3, 2, 2))
	live := func(d time.Duration) {
		for end := x.now.Add(d); x.now.Before(end); x.run(100 * time.Millisecond) {
			b, err := x.state.Snapshot()
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, given{x.ledger.Head(), x.state.Share(), b})
		}
	}
	live(10 * time.Second)
	x.results["web-6"] = ResultFailed
	x.judge(consensus.VerdictServiceDown, "web-2")
	live(20 * time.Second)
	x.judge(consensus.VerdictDown, "web-3")
	live(30 * time.Second)
	x.judge(consensus.VerdictUp, "web-3")
	live(11 * time.Minute)
	if x.ledger.Head() < 15 {
		t.Fatalf("a tale of %d facts shows nothing", x.ledger.Head())
	}
	for _, g := range all {
		st := NewState()
		st.Adopt(g.shared)
		if b, err := st.Snapshot(); err != nil || !bytes.Equal(b, g.bytes) {
			t.Fatalf("the state shared after fact %d was\n%s\nand is now (%v)\n%s", g.head, g.bytes, err, b)
		}
	}
}
