package sim

import (
	"testing"
	"time"

	"moonwatch/agent"
	"moonwatch/consensus"
	"moonwatch/member"
)

// TestAnEndEndsItsOwnFaultAlone lets a second, longer fault begin while the first one
// of its sort lasts: at the first one's end nothing is over but that, and at the
// second one's everything is.
func TestAnEndEndsItsOwnFaultAlone(t *testing.T) {
	slow := func(d time.Duration) func(f *Fault) { return func(f *Fault) { f.Delay = d } }
	share := func(s float64) func(f *Fault) { return func(f *Fault) { f.Share = s } }
	for _, c := range []struct {
		name          string
		first, second FaultKind
		number        [2]func(*Fault) // of the first and of the second
		held          func(*machine) bool
	}{
		{name: "crash", first: Crash, second: Crash, held: func(m *machine) bool { return !m.on }},
		{name: "lost tail of a machine without power", first: Crash, second: LostTail, held: func(m *machine) bool { return !m.on }},
		{name: "wipe", first: Wipe, second: Crash, held: func(m *machine) bool { return !m.on }},
		{name: "agent", first: KillAgent, second: KillAgent, held: func(m *machine) bool { return m.mind == nil }},
		{name: "bit flip", first: BitFlip, second: BitFlip, held: func(m *machine) bool { return m.mind == nil }},
		{name: "sick", first: Sicken, second: Sicken, held: func(m *machine) bool { return m.running["web-3"].sick }},
		{
			name: "slow", first: Slow, second: Slow, held: func(m *machine) bool { return m.slow.more == 150*time.Millisecond },
			number: [2]func(*Fault){slow(50 * time.Millisecond), slow(150 * time.Millisecond)},
		},
		{
			name: "less slow", first: SlowDisk, second: SlowDisk, held: func(m *machine) bool { return m.writer.slow.more == time.Millisecond },
			number: [2]func(*Fault){slow(2 * time.Millisecond), slow(time.Millisecond)},
		},
		{name: "pause", first: Pause, second: Pause, held: func(m *machine) bool { return !m.up() }},
		{name: "freeze", first: Freeze, second: Freeze, held: func(m *machine) bool { return !m.up() }},
		{name: "stalled disk", first: StallDisk, second: StallDisk, held: func(m *machine) bool { return m.w.now < m.writer.stalled }},
		{name: "full disk", first: FullDisk, second: FullDisk, held: func(m *machine) bool { return m.w.now < m.writer.full }},
		{
			name: "actions", first: FailActions, second: FailActions, held: func(m *machine) bool { return len(m.lasting) == 1 && m.lasting[0].Share == 0.5 },
			number: [2]func(*Fault){share(0.25), share(0.5)},
		},
		{name: "fence device", first: LyingFence, second: FailingFence, held: func(m *machine) bool { return m.fence() == FailingFence }},
		{name: "liar", first: Lie, second: Lie, held: func(m *machine) bool { return m.against("web-0") }},
		{name: "forger", first: Forge, second: Forge, held: func(m *machine) bool { return m.lasting.holds(Forge) }},
		{
			name: "loss", first: Lossy, second: Lossy, held: func(m *machine) bool { return len(m.w.links.faults) == 1 && m.w.links.faults[0].f.Share == 0.5 },
			number: [2]func(*Fault){share(0.25), share(0.5)},
		},
	} {
		for _, open := range []bool{false, true} {
			name := c.name
			if open {
				name += ", mended by hand"
			}
			t.Run(name, func(t *testing.T) {
				w := demo(t, "lan", 31)
				m := w.machine("web-3")
				begin := func(do FaultKind, which int, length time.Duration) (f Fault) {
					f = Fault{Do: do, Whom: []member.ID{"web-3"}}
					if change := c.number[which]; change != nil {
						change(&f)
					}
					if !open {
						f.For = length
					}
					w.Begin(f)
					return f
				}
				first := begin(c.first, 0, 300*time.Millisecond)
				run(t, w, 100*time.Millisecond)
				second := begin(c.second, 1, 500*time.Millisecond)
				run(t, w, 300*time.Millisecond)
				if open {
					w.End(first)
					run(t, w, 150*time.Millisecond)
				}
				if !c.held(m) {
					t.Error("the second one is over with the first")
				}
				run(t, w, 100*time.Millisecond)
				if open {
					w.End(second)
				}
				run(t, w, 500*time.Millisecond)
				if c.held(m) {
					t.Error("the second one goes on without end")
				}
				if len(m.lasting) > 0 {
					t.Errorf("%d faults last", len(m.lasting))
				}
			})
		}
	}
}

// TestAKilledAgentStaysDeadWhileThatLasts lets other faults of the machine end meanwhile,
// each of which starts an agent.
func TestAKilledAgentStaysDeadWhileThatLasts(t *testing.T) {
	for _, other := range []FaultKind{Crash, TornTail, Lie, OrderRevoke} {
		t.Run(string(other), func(t *testing.T) {
			w := demo(t, "lan", 31)
			m := w.machine("web-3")
			w.Hit(other, "web-3")
			run(t, w, 200*time.Millisecond)
			w.Hit(KillAgent, "web-3")
			w.Mend(other, "web-3")
			run(t, w, 5*time.Second)
			if m.mind != nil {
				t.Errorf("the end of %s starts it", other)
			}
			w.Mend(KillAgent, "web-3")
			run(t, w, time.Second)
			if m.mind == nil {
				t.Error("it never starts again")
			}
		})
	}
}

// TestALiarThatIsRestartedLies goes on with lies and forgeries in its agent's next life: it
// is the machine that is in wrong hands.
func TestALiarThatIsRestartedLies(t *testing.T) {
	w := demo(t, "lan", 31)
	w.Hit(Lie, "spare-0")
	w.Hit(Forge, "spare-0")
	w.Hit(KillAgent, "spare-0")
	w.Mend(KillAgent, "spare-0")
	run(t, w, 3*time.Second)
	begun := w.now
	run(t, w, 5*time.Second)
	if said, ok := w.checker.words[saying{"spare-0", "web-3", agent.OfAgent}]; !ok || said.at < begun {
		t.Errorf("it last lied at %v: %v", said.at, ok)
	}
	forged := false
	for _, f := range w.facts {
		forged = forged || f.Command.Kind == consensus.KindVerdict && f.Command.Proposer == "spare-0" && f.Time.After(w.epoch.Add(begun))
	}
	if !forged {
		t.Error("it hands in nothing any more that is not its to decide")
	}
}
