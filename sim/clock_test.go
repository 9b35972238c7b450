package sim

import (
	"testing"
	"time"

	"moonwatch/member"
)

func TestATimeIsTwoClocks(t *testing.T) {
	wall := time.Date(2026, 3, 4, 5, 6, 7, 890, time.UTC)
	a, b := both(wall, 10*time.Second), both(wall.Add(-time.Hour), 11*time.Second)
	if !a.Round(0).Equal(wall) || a.UnixNano() != wall.UnixNano() || a.Location() != time.UTC {
		t.Errorf("the wall shows %v, want %v", a, wall)
	}
	if d := b.Sub(a); d != time.Second || !b.After(a) {
		t.Errorf("the steady clock says %v, want 1s, although the wall went back", d)
	}
	if d := b.Add(time.Minute).Sub(wall); d != -59*time.Minute {
		t.Errorf("against a time from elsewhere the wall counts: %v", d)
	}
	if now := time.Now(); both(now, 5).Round(0) != now.UTC().Round(0) {
		t.Errorf("got %v, want %v", both(now, 5), now)
	}
}

func TestAClockThatIsSetRightShowsTheRightTime(t *testing.T) {
	var c clock
	shown := map[time.Duration]time.Duration{}
	look := func(at time.Duration) { shown[at] = c.wall(at) }
	look(50 * time.Second)
	c.run(100*time.Second, 0.01)
	look(150 * time.Second)
	if off := c.wall(200*time.Second) - 200*time.Second; off != time.Second {
		t.Errorf("1 %% too fast for 100 s: %v ahead", off)
	}
	c.jump(200*time.Second, -time.Minute)
	look(270 * time.Second)
	c.run(300*time.Second, -0.01)
	look(305 * time.Second)
	if off := c.wall(310*time.Second) - 310*time.Second; off != -time.Minute {
		t.Errorf("%v ahead, want the jump alone", off)
	}
	if s := c.steady(310 * time.Second); s != 312*time.Second {
		t.Errorf("the steady clock shows %v: it is never set", s)
	}
	for at, wall := range shown {
		if got := c.showed(wall, 310*time.Second); (got-at).Abs() > time.Millisecond && at != 150*time.Second {
			t.Errorf("what the clock showed at %v it is said to have shown at %v", at, got)
		}
	}
	if got := c.showed(shown[150*time.Second], 310*time.Second); got < 200*time.Second {
		t.Errorf("what it showed twice it showed last at %v", got)
	}
}

func TestALeaderWithAWrongClockStepsDown(t *testing.T) {
	for _, f := range []Fault{
		{Do: ClockJump, Delay: time.Minute}, {Do: ClockJump, Delay: -time.Minute}, {Do: ClockDrift, Share: 0.08},
	} {
		w := demo(t, "lan", 21)
		leader := w.Leader()
		f.Whom = []member.ID{leader}
		w.Begin(f)
		within(t, w, 70*time.Second, f.String(), func() bool { return w.Leader() != leader && w.Leader() != "" })
		run(t, w, 40*time.Second)
		if w.Leader() == leader {
			t.Errorf("%v: %s leads again with a wrong clock", f, leader)
		}
		w.End(f)
		run(t, w, 40*time.Second)
		if x := w.Troubles(); len(x) > 0 {
			t.Error(x)
		}
	}
}

// TestAClockThatJumpsIsNoticedAtOnce: the councillors compare clocks twice a minute, and a
// leader whose clock has jumped does not go on until then.
func TestAClockThatJumpsIsNoticedAtOnce(t *testing.T) {
	w := demo(t, "lan", 21)
	run(t, w, 33*time.Second) // they have compared a moment ago
	leader := w.Leader()
	w.Begin(Fault{Do: ClockJump, Delay: time.Hour, Whom: []member.ID{leader}})
	within(t, w, 2*time.Second, "the clock of the leader has jumped", func() bool { return w.Leader() != leader && w.Leader() != "" })
}

func TestClocksThatRunOnePercentWrongHarmNobody(t *testing.T) {
	w := demo(t, "lan", 22)
	acts, before := destroyed(w), w.checker.Verdicts
	w.Begin(Fault{Do: ClockDrift, Whom: []member.ID{"web-0", "web-3"}, Share: 0.01})
	w.Begin(Fault{Do: ClockDrift, Whom: []member.ID{"web-1", "spare-0"}, Share: -0.01})
	run(t, w, 3*time.Minute)
	if n := acts(); n > 0 || w.checker.Verdicts > before {
		t.Errorf("%d verdicts and %d destructive actions, want none", w.checker.Verdicts-before, n)
	}
}
