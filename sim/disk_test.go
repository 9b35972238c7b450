package sim

import (
	"strings"
	"testing"
	"time"

	"moonwatch/consensus"
	"moonwatch/member"
)

// councillor is one that does not lead.
func councillor(w *World) *machine {
	for _, id := range w.cfg.Council {
		if id != w.Leader() {
			return w.machine(id)
		}
	}
	return nil
}

func TestACrashKeepsWhatWasSyncedAndLosesTheRest(t *testing.T) {
	for _, do := range []FaultKind{Crash, TornTail, LostTail, KillAgent} {
		w := demo(t, "lan", 30)
		m := councillor(w)
		synced, told := len(m.disk.facts), 0
		m.keep([]consensus.Fact{{Index: 1 << 20}})
		w.after(flushAfter/2, func() {
			if len(m.disk.facts) != synced {
				t.Errorf("%s: a fact is on the disk before its time", do)
			}
			w.Hit(do, m.id)
		})
		m.write(write{true, func() { told++ }, nil})
		run(t, w, 20*time.Millisecond)
		if told != 1 || len(m.disk.facts) != synced+1 {
			t.Fatalf("%s: a durable write takes along what waits: %d, %d facts", do, told, len(m.disk.facts)-synced)
		}
		synced++
		m.keep([]consensus.Fact{{Index: 1<<20 + 1}})
		run(t, w, time.Second)
		if n := len(m.disk.facts); n != synced {
			t.Errorf("%s: %d facts, want %d: what was synced, and nothing that waited", do, n, synced)
		}
	}
}

func TestATornOrLostTailIsNoRecord(t *testing.T) {
	for do, kept := range map[FaultKind]bool{Crash: true, TornTail: false, LostTail: false} {
		landed := 0
		for seed := range uint64(8) {
			w := demo(t, "lan", 30+seed)
			m := councillor(w)
			for m.writer.busy {
				run(t, w, time.Millisecond)
			}
			m.write(write{true, func() { landed++ }, func() { t.Error("the agent was told of a write that it did not see end") }})
			w.Hit(do, m.id)
			run(t, w, time.Second)
		}
		if kept != (landed > 0) || landed == 8 {
			t.Errorf("%s: the write under way was whole %d times of 8", do, landed)
		}
	}
}

func TestAFullDiskHoldsAWriteUntilThereIsSpace(t *testing.T) {
	w := demo(t, "lan", 31)
	m, done := councillor(w), false
	f := Fault{Do: FullDisk, Whom: []member.ID{m.id}, For: 10 * time.Second}
	w.Begin(f)
	m.write(write{true, func() {}, func() { done = true }})
	run(t, w, 9*time.Second)
	if done || !m.up() {
		t.Fatalf("written %v, up %v: want the agent alive and waiting", done, m.up())
	}
	w.Begin(Fault{Do: KillAgent, Whom: []member.ID{m.id}, For: 100 * time.Millisecond})
	run(t, w, 800*time.Millisecond)
	if m.up() {
		t.Error("an agent started that cannot write its incarnation")
	}
	within(t, w, 5*time.Second, "start with space", m.up)
	within(t, w, 3*time.Minute, "all well", func() bool { return len(w.Troubles()) == 0 })
}

func TestWritesOfASlowOrStalledDiskEndLaterAndInOrder(t *testing.T) {
	took := func(f Fault) time.Duration {
		w := demo(t, "lan", 32)
		m := councillor(w)
		f.Whom = []member.ID{m.id}
		w.Begin(f)
		var order []int
		for i := range 3 {
			m.write(write{i == 1, func() { order = append(order, i) }, nil})
		}
		d := within(t, w, time.Minute, f.String(), func() bool { return len(order) == 3 })
		if order[0] != 0 || order[1] != 1 || order[2] != 2 {
			t.Errorf("%v: written in the order %v", f, order)
		}
		return d
	}
	if d := took(Fault{Do: SlowDisk, Delay: 2 * time.Second}); d < 2*time.Second || d > 5*time.Second {
		t.Errorf("slow: %v", d)
	}
	if d := took(Fault{Do: StallDisk, For: 7 * time.Second}); d < 7*time.Second || d > 8*time.Second {
		t.Errorf("stalled: %v", d)
	}
}

func TestAWipedCouncillorFollowsFromThenOn(t *testing.T) {
	w := demo(t, "lan", 33)
	m := councillor(w)
	w.Begin(Fault{Do: Wipe, Whom: []member.ID{m.id}, For: 2 * time.Second})
	run(t, w, time.Second)
	head := w.State().Ledger().Head()
	run(t, w, 5*time.Second)
	if !m.up() || m.mind.Councillor() || m.mind.Ledger().Head() < head {
		t.Fatalf("up %v, councillor %v, %d facts: want a follower that was fed", m.up(), m.mind.Councillor(), m.mind.Ledger().Head())
	}
	w.Begin(Fault{Do: KillAgent, Whom: []member.ID{m.id}, For: time.Second})
	run(t, w, 5*time.Second)
	if !m.up() || m.mind.Councillor() {
		t.Errorf("up %v: want it to follow in its next life too: it has forgotten its vote", m.up())
	}
}

func TestABitFlipIsFoundAndNamed(t *testing.T) {
	w := demo(t, "lan", 34)
	m, said := councillor(w), ""
	w.Watch(func(h Happening) {
		if h.What == AgentRefused && h.Member == m.id {
			said = h.Text
		}
	})
	w.Begin(Fault{Do: BitFlip, Whom: []member.ID{m.id}, For: 10 * time.Second})
	run(t, w, 9*time.Second)
	if m.mind != nil || !strings.Contains(said, "ledger.db: damaged") {
		t.Fatalf("want an agent that does not run and says why: %q", said)
	}
	run(t, w, 5*time.Second)
	if !m.up() || m.mind.Councillor() {
		t.Error("want a follower once people emptied its disk")
	}
}

func TestAMachineThatIsSlowDoesEverythingLater(t *testing.T) {
	w := demo(t, "lan", 35)
	m := councillor(w)
	came := time.Duration(0)
	w.Begin(Fault{Do: Slow, Whom: []member.ID{m.id}, Delay: time.Second, Share: 5})
	sent := w.Now()
	w.datagram(w.machine(w.Leader()), m.id, 0, func(*machine) { came = w.Now() })
	run(t, w, 2*time.Second)
	if came < sent+time.Second {
		t.Errorf("a datagram came after %v", came-sent)
	}
	within(t, w, 20*time.Second, "condemned", func() bool { return w.Verdict(m.id) != "" })
}
