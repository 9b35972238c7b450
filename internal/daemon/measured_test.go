package daemon

import (
	"testing"
	"time"

	"moonwatch/agent"
)

// TestProbesToMembersThatAreDownAreNoLoss unless they are answered; all others are.
func TestProbesToMembersThatAreDownAreNoLoss(t *testing.T) {
	var f flights
	m := agent.Measured{}
	begin := time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)
	for i := range 1000 { // of ten probes one is lost on a way, five go to a member that is down
		now, down := begin.Add(time.Duration(i)*100*time.Millisecond), i%10 < 5
		f.sent(uint64(i), now, down)
		m.Sent++
		if m.Lost++; i%10 < 6 {
			continue
		}
		if _, ok := f.landed(uint64(i)); !ok {
			t.Fatal("a probe that was sent just now is not known")
		}
		m.Lost--
		m.Trips.Add(time.Millisecond)
	}
	if x := without(m, f.inVain()); x.Sent != 500 || x.Lost != 100 || x.Trips.N() != 400 {
		t.Errorf("of 500 probes to members that are up 100 were lost: %d, %d, %d answered", x.Sent, x.Lost, x.Trips.N())
	}
	f.landed(994) // late, and it is back: no verdict knows yet
	if n := f.inVain(); n != 499 {
		t.Errorf("%d are in vain", n)
	}
	if x := without(agent.Measured{Sent: 3, Lost: 1}, 3); x.Sent != 0 || x.Lost != 0 {
		t.Errorf("%d, %d: probes that are under way are no loss yet", x.Sent, x.Lost)
	}
}
