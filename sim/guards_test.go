package sim

import (
	"strings"
	"testing"
	"time"

	"moonwatch/agent"
	"moonwatch/consensus"
	"moonwatch/failover"
)

// TestTheGuardsThatMutantsAskedForRing plants what a mutant got away with before
// somebody looked for it.
func TestTheGuardsThatMutantsAskedForRing(t *testing.T) {
	for _, c := range []struct {
		promise, name, text string
		plant               func(w *World)
	}{
		{"S1", "an-up-vote-that-nobody-asked-for", "answers no roll call", func(w *World) {
			wordsOf(w, "web-3", 0)
			v := verdictOn(w, "web-3", "web-0", "web-1", "web-2", "web-4")
			v.Findings[0].Agent.Votes = append(v.Findings[0].Agent.Votes, consensus.VoteCount{Observer: "spare-0", Stance: agent.Up})
			accept(w, consensus.KindVerdict, v)
		}},
		{"S6", "a-cascade-that-ends-at-once", "leaves cascade after", func(w *World) {
			in := failover.Brakes{Modes: map[failover.Scope]failover.ScopeMode{failover.Fleet: {Mode: failover.Cascade}}}
			accept(w, failover.KindBrake, in)
			accept(w, failover.KindBrake, failover.Brakes{})
		}},
		{"S7", "an-agent-that-does-not-know-that-it-is-alone", "believes in a council quorum", func(w *World) {
			w.checker.unheard["spare-1"] = w.now - time.Minute
			w.machine("spare-1").heard = w.now - time.Minute
			w.Hit(Isolate, "spare-1")
			w.checker.abandoned()
		}},
		{"promise 5", "a-command-that-stands-twice", "which stands as fact", func(w *World) {
			f := w.facts[len(w.facts)-1]
			f.Index++
			w.checker.once(f)
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := demo(t, "lan", 31)
			c.plant(w)
			if b := w.Broken(); b == nil || b.Promise != c.promise || !strings.Contains(b.Text, c.text) {
				t.Fatalf("the checker says %v, want %s: %s", b, c.promise, c.text)
			}
		})
	}
}

func TestAServiceThatOutlivesItsSlotIsATrouble(t *testing.T) {
	w := demo(t, "lan", 32)
	m := w.machine("spare-0")
	m.running["web-3"], m.disk.journal.holding["web-3"] = &service{epoch: 2}, 2
	if got := strings.Join(w.Troubles(), "\n"); !strings.Contains(got, "spare-0 runs slot web-3, which is not its own") {
		t.Fatalf("the troubles are %q, want the service of web-3", got)
	}
}

func TestACaseThatWaitsForNothingIsATrouble(t *testing.T) {
	w := demo(t, "lan", 33)
	id, _ := ordinary(w)
	w.Hit(Crash, id)
	within(t, w, 10*time.Second, "case", func() bool { return len(w.State().OpenCases()) > 0 })
	w.State().OpenCases()[0].Subject = "spare-1" // as if nothing were held against its member
	if got := strings.Join(w.Troubles(), "\n"); !strings.Contains(got, "spare-1 is under no verdict") {
		t.Fatalf("the troubles are %q, want the case that waits", got)
	}
}

// TestAForgerChangesNothing lets an agent hand in what is not its to decide, while
// a member dies and is replaced.
func TestAForgerChangesNothing(t *testing.T) {
	w := demo(t, "lan", 34)
	w.Hit(Forge, "spare-1")
	run(t, w, 10*time.Second)
	if n := w.checker.Verdicts; n > 0 {
		t.Fatalf("%d verdicts, want none", n)
	}
	refused := 0
	for _, f := range w.Facts() {
		if strings.HasPrefix(f.Command.ID, "forged/") && !f.Accepted {
			refused++
		}
	}
	if refused < 3 {
		t.Fatalf("%d forged commands are refused in the ledger, want one every two seconds", refused)
	}
	id, slot := ordinary(w)
	w.Hit(Crash, id)
	within(t, w, 10*time.Second, "service", replaced(w, slot, id))
	w.Mend(Forge, "spare-1")
	w.Mend(Crash, id)
	within(t, w, 5*time.Minute, "all well", func() bool { return len(w.Troubles()) == 0 })
}
