package sim

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"moonwatch/agent"
	"moonwatch/consensus"
	"moonwatch/failover"
	"moonwatch/member"
	"moonwatch/mind"
)

// TestEveryAlarmCanRing plants one broken promise after the other into a world
// at rest. A checker that lets it pass is worth nothing.
func TestEveryAlarmCanRing(t *testing.T) {
	for _, c := range []struct {
		name, want string
		plant      func(w *World)
	}{
		{"verdict-on-the-healthy", "which is well", func(w *World) {
			w.checker.words = wordsOf(w, "web-3", agent.OfAgent)
			accept(w, consensus.KindVerdict, verdictOn("web-3", "web-0", "web-1", "web-2", "web-4"))
		}},
		{"votes-that-nobody-cast", "promise 1", func(w *World) {
			accept(w, consensus.KindVerdict, verdictOn("web-3", "web-0", "web-1", "web-2", "web-4"))
		}},
		{"too-few-votes", "promise 1", func(w *World) {
			w.checker.words = wordsOf(w, "web-3", agent.OfAgent)
			accept(w, consensus.KindVerdict, verdictOn("web-3", "web-0"))
		}},
		{"fact-on-a-minority-of-disks", "promise 2", func(w *World) {
			for _, id := range w.cfg.Council[:3] {
				w.machine(id).disk.entries = nil
			}
			w.checker.agreed(w.facts[len(w.facts)-1])
		}},
		{"act-without-a-fact", "promise 2", func(w *World) {
			w.machine("web-3").carryOut(act(99, failover.StepActivate, "web-3", 2))
		}},
		{"two-run-an-exclusive-slot", "promise 3", func(w *World) {
			w.checker.fold.Fleet().Pools[0].Exclusive = true
			w.checker.serves(w.machine("spare-0"), "web-3", 99)
		}},
		{"spare-in-two-cases", "promise 4", func(w *World) {
			a, b := open(w, "web-3"), open(w, "web-4")
			advance(w, a, failover.Fencing, "")
			advance(w, a, failover.Activating, "spare-0")
			w.checker.books.fences = nil
			advance(w, b, failover.Activating, "spare-0")
		}},
		{"spare-that-may-still-run-a-slot", "promise 4", func(w *World) {
			c := open(w, "web-3")
			advance(w, c, failover.Activating, "spare-0")
			advance(w, c, failover.Claiming, "")
			advance(w, c, failover.Activating, "spare-0")
		}},
		{"occupant-as-spare", "promise 4", func(w *World) {
			advance(w, open(w, "web-3"), failover.Activating, "web-4")
		}},
		{"two-cutovers", "promise 5", func(w *World) {
			c := open(w, "web-3")
			advance(w, c, failover.Activating, "spare-0")
			advance(w, c, failover.Cutover, "")
			advance(w, c, failover.Cutover, "")
		}},
		{"step-done-twice", "promise 5", func(w *World) {
			c := open(w, "web-3")
			advance(w, c, failover.Activating, "spare-0")
			e := act(c, failover.StepActivate, "web-3", member.SlotEpoch(len(w.facts)))
			w.machine("spare-0").carryOut(e)
			w.checker.acts(w.machine("spare-0"), e)
		}},
		{"more-at-once-than-the-budget", "promise 6", func(w *World) {
			a, b := open(w, "web-3"), open(w, "web-4")
			advance(w, a, failover.Fencing, "")
			advance(w, b, failover.Fencing, "")
		}},
		{"more-in-a-window-than-the-budget", "promise 6", func(w *World) {
			now := w.time()
			w.checker.books.fences = []time.Time{now, now}
			advance(w, open(w, "web-3"), failover.Fencing, "")
		}},
		{"act-in-cascade", "promise 6", func(w *World) {
			accept(w, failover.KindBrake, failover.Brakes{Modes: map[failover.Scope]failover.ScopeMode{
				failover.Fleet: {Mode: failover.Cascade},
			}})
			advance(w, open(w, "web-3"), failover.Fencing, "")
		}},
		{"act-that-the-ledger-gave-to-another", "promise 7", func(w *World) {
			c := open(w, "web-3")
			advance(w, c, failover.Activating, "spare-0")
			w.machine("spare-1").carryOut(act(c, failover.StepActivate, "web-3", member.SlotEpoch(len(w.facts))))
		}},
		{"occupant-that-stops-itself", "promise 7", func(w *World) {
			w.machine("web-3").carryOut(act(0, failover.StepStop, "web-3", w.checker.books.slots["web-3"].epoch))
		}},
		{"fact-that-differs", "promise 8", func(w *World) {
			f := w.facts[1]
			f.Hash[0]++
			w.checker.applied(w.machine("web-0"), f)
		}},
		{"fact-with-a-wrong-hash", "promise 8", func(w *World) {
			f := w.facts[len(w.facts)-1]
			f.Bytes = []byte("{}")
			w.checker.chain(f)
		}},
		{"fact-out-of-order", "promise 8", func(w *World) {
			f := w.facts[len(w.facts)-1]
			f.Index += 2
			w.checker.applied(w.machine("web-0"), f)
		}},
		{"drain-below-the-floor", "promise 9", func(w *World) {
			for _, id := range []member.SlotID{"web-0", "web-1", "web-2"} {
				w.checker.books.slots[id].drained = true
			}
			s, _ := w.checker.state.Slot("web-3")
			s.Drained = true
			w.checker.drain(failover.CaseOpened{Slot: "web-3"})
		}},
		{"drain-of-the-last", "promise 9", func(w *World) {
			for _, s := range w.checker.state.Slots() {
				s.Drained = true
			}
			w.checker.compare()
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			cfg := Demo()
			cfg.Seed = 1
			w, err := New(cfg)
			if err != nil {
				t.Fatal(err)
			}
			if err := w.Run(40 * time.Second); err != nil {
				t.Fatal(err)
			}
			c.plant(w)
			if err := w.checker.broken; err == nil || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("the checker says %v, want %s", err, c.want)
			}
		})
	}
}

// accept has the checker book a fact as if every ledger had accepted it.
func accept(w *World, kind consensus.FactKind, payload any) uint64 {
	b, err := json.Marshal(payload)
	if err != nil {
		panic(err)
	}
	f := consensus.Fact{Index: uint64(len(w.facts) + 1), Time: w.time(), Accepted: true}
	f.Command = consensus.Command{Kind: kind, Proposer: w.Leader(), Time: w.time(), Payload: b}
	w.facts = append(w.facts, f)
	w.checker.fact(f)
	return f.Index
}

func open(w *World, slot member.SlotID) uint64 {
	s := w.checker.books.slots[slot]
	return accept(w, failover.KindCaseOpened, failover.CaseOpened{Slot: slot, Subject: s.occupant, Epoch: s.epoch})
}

func advance(w *World, c uint64, to failover.CaseState, spare member.ID) {
	accept(w, failover.KindCaseStep, failover.CaseStep{Case: c, To: to, Spare: spare})
}

func act(c uint64, step failover.StepKind, slot member.SlotID, epoch member.SlotEpoch) mind.DoStep { //nolint:unparam // reads as what it does
	attempt := 0
	if c > 0 {
		attempt = 1
	}
	return mind.DoStep{DoStep: failover.DoStep{Key: failover.StepKey{Case: c, Attempt: attempt, Step: step, Slot: slot, Epoch: epoch}}}
}

func verdictOn(subject member.ID, by ...member.ID) consensus.Verdict {
	c := consensus.Count{Assigned: 6, Standing: 6, Eligible: 6, Needed: 4, Downs: len(by)}
	for _, id := range by {
		c.Votes = append(c.Votes, consensus.VoteCount{Observer: id, Stance: agent.Down})
	}
	return consensus.Verdict{Findings: []consensus.Finding{{Subject: subject, Kind: consensus.VerdictDown, Agent: c}}}
}

func wordsOf(w *World, subject member.ID, kind agent.Kind) map[saying]time.Duration {
	out := map[saying]time.Duration{}
	for _, m := range w.machines {
		out[saying{m.id, subject, kind}] = w.now
	}
	return out
}
