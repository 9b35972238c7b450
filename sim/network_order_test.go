package sim

import (
	"slices"
	"testing"
	"time"
)

// TestAConnectionKeepsItsOrder: what is sent on one comes as it was sent, whatever the
// network does to each packet.
func TestAConnectionKeepsItsOrder(t *testing.T) {
	cfg := Demo()
	cfg.Net.Loss, cfg.Net.Jitter = 0.3, 80*time.Millisecond
	w, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	run(t, w, 10*time.Second)
	from, to := w.machines[0], w.machines[1]
	const sent = 200
	var came []int
	for i := range sent {
		w.stream(from, to.id, 100, func(*machine) { came = append(came, i) })
		run(t, w, 5*time.Millisecond)
	}
	run(t, w, 5*time.Second)
	if len(came) < sent*9/10 || !slices.IsSorted(came) {
		t.Errorf("%d of %d came: %v", len(came), sent, came)
	}
}
