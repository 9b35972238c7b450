package sim

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"go.etcd.io/raft/v3/raftpb"

	"moonwatch/agent"
	"moonwatch/consensus"
	"moonwatch/failover"
	"moonwatch/member"
	"moonwatch/mind"
	"moonwatch/shield"
)

// canary plants one broken promise into a world at rest, and says which alarm is to ring
// with which text in it.
type canary struct {
	promise, name, text string
	plant               func(w *World)
}

// canaries are those of all promises; those of what cases and people do, and of the council
// and doors, stand in files of their own.
var canaries = []canary{
	{"S9", "a-flood-is-felt", "were served in 20s of flood, want 99 %", func(w *World) {
		g := guardedNow(w)
		g.story.flood(w.now-20*time.Second, Fault{Do: Flood, Host: "t-01.example.com", Share: 9}, true)
		g.story.flooding = served{asked: 1000, served: 900}
		g.story.tick(0, 1000)
	}},
	{"S9", "refused-below-its-limit", "and is given 100", func(w *World) {
		g := guardedNow(w)
		h, d := g.hosts[0], g.doors[0]
		d.acting = shield.NewMeasures([]shield.Measure{{Key: shield.KeyOf(7, h.name), Rung: shield.ShapeLocal, Limit: 100}})
		h.refused = 1
		g.story.refusals(h, d)
	}},
	{"S9", "challenged-below-its-limit", "and is given 100", func(w *World) {
		g := guardedNow(w)
		h, d := g.hosts[0], g.doors[0]
		d.begin()
		d.acting = shield.NewMeasures([]shield.Measure{{Key: shield.KeyOf(7, h.name), Rung: shield.Challenge, Limit: 100, Until: d.m.time().Add(time.Minute)}})
		g.visit(h, d, visitor{browser: true}, &owed{})
		g.story.refusals(h, d)
	}},
	{"S9", "a-vote-that-nobody-cast", "by the vote of web-1, which has not voted so", func(w *World) {
		s := &guardedNow(w).story
		x := shield.Throttle{Host: "t-01.example.com", Rung: shield.Stop, Doors: []member.ID{"web-0", "web-1"}}
		for _, rung := range []shield.Rung{shield.Drop, shield.Challenge} { // the first is one to stop as well
			s.book.says(w.now, shield.Report{Door: "web-1", Votes: []shield.Vote{{Rung: rung, Host: x.Host}}})
			s.proposed("web-0", x)
			if w.Broken() != nil && rung == shield.Drop {
				panic(w.Broken())
			}
			clear(s.book.said)
		}
	}},
	{"S9", "a-cap-that-leaks", "let 100 requests", func(w *World) {
		g := guardedNow(w)
		d := g.doors[0]
		d.acting = shield.NewMeasures([]shield.Measure{{Key: 9, Rung: shield.ShapeLocal, Cap: 10, Burst: 2}})
		d.buckets = map[shield.Key]*heldBucket{9: {passed: 100}}
		g.story.bounded(d)
	}},
	{"S1", "votes-that-nobody-cast", "has not cast", func(w *World) {
		accept(w, consensus.KindVerdict, verdictOn(w, "web-3", "web-0", "web-1", "web-2", "web-4"))
	}},
	{"S1", "too-few-votes", "with 1 down votes of 6", func(w *World) {
		wordsOf(w, "web-3", 0)
		accept(w, consensus.KindVerdict, verdictOn(w, "web-3", "web-0"))
	}},
	{"S1", "one-observer-counted-twice", "counts web-0 twice", func(w *World) {
		wordsOf(w, "web-3", 0)
		accept(w, consensus.KindVerdict, verdictOn(w, "web-3", "web-0", "web-0", "web-1", "web-2"))
	}},
	{"S1", "an-observer-without-an-edge", "does not observe it", func(w *World) {
		wordsOf(w, "web-3", 0)
		accept(w, consensus.KindVerdict, verdictOn(w, "web-3", "web-0", "web-1", "web-2", "web-3"))
	}},
	{"S1", "votes-about-an-earlier-life", "about life 1", func(w *World) {
		wordsOf(w, "web-3", 1)
		accept(w, consensus.KindVerdict, verdictOn(w, "web-3", "web-0", "web-1", "web-2", "web-4"))
	}},
	{"S1", "a-life-that-never-began", "which is in its life", func(w *World) {
		wordsOf(w, "web-3", 0)
		v := verdictOn(w, "web-3", "web-0", "web-1", "web-2", "web-4")
		v.Findings[0].Incarnation++
		accept(w, consensus.KindVerdict, v)
	}},
	{"S1", "a-roster-to-come", "under roster epoch", func(w *World) {
		wordsOf(w, "web-3", 0)
		v := verdictOn(w, "web-3", "web-0", "web-1", "web-2", "web-4")
		v.Roster += 100
		accept(w, consensus.KindVerdict, v)
	}},
	{"S1", "against-an-up-vote-in-four", "against 2 up votes", func(w *World) {
		wordsOf(w, "web-3", 0)
		v := verdictOn(w, "web-3", "web-0", "web-1", "web-2", "web-4")
		for _, id := range []member.ID{"spare-0", "spare-1"} {
			v.Findings[0].Agent.Votes = append(v.Findings[0].Agent.Votes, consensus.VoteCount{Observer: id, Stance: agent.Up})
		}
		accept(w, consensus.KindVerdict, v)
	}},
	{"S1", "one-failure-domain-alone", "by failure domain a alone", func(w *World) {
		wordsOf(w, "web-4", 0)
		v := verdictOn(w, "web-4", "web-0", "web-3", "spare-0")
		c := &v.Findings[0].Agent
		c.Eligible, c.Standing = 5, 5
		c.Votes = append(c.Votes, consensus.VoteCount{Observer: "web-1", Stance: agent.Up})
		accept(w, consensus.KindVerdict, v)
	}},
	{"S1", "an-observer-that-said-up-and-is-left-out", "leaves out that spare-0 had answered up", func(w *World) {
		v := verdictOn(w, "web-3", "web-0", "web-1", "web-2", "web-4")
		fell(w, "web-3")
		wordsOf(w, "web-3", 0)
		answers(w, "web-3", "spare-0", agent.Up) // its newest word
		w.checker.fact(proposed(w, v))
	}},
	{"S1", "observers-that-are-not-assigned", "has 2 observers assigned, the overlay 6", func(w *World) {
		v := verdictOn(w, "web-3", "web-0", "web-1")
		c := &v.Findings[0].Agent
		c.Assigned, c.Standing, c.Eligible, c.Needed = 2, 2, 2, 2
		agreed(w, v)
	}},
	{"S1", "observers-that-do-not-stand", "has 4 observers standing, of whom 6 to 6 do", func(w *World) {
		v := verdictOn(w, "web-3", "web-0", "web-1", "web-2")
		v.Findings[0].Agent.Standing, v.Findings[0].Agent.Eligible = 4, 4
		agreed(w, v)
	}},
	{"S1", "observers-that-have-no-say", "has 4 eligible, and 0 of 6 observers", func(w *World) {
		v := verdictOn(w, "web-3", "web-0", "web-1", "web-2", "web-4")
		v.Findings[0].Agent.Eligible = 4
		agreed(w, v)
	}},
	{"S1", "most-observers-have-no-say", "with 3 eligible of 8", func(w *World) {
		wordsOf(w, "web-3", 0)
		v := verdictOn(w, "web-3", "web-0", "web-1", "web-2")
		c := &v.Findings[0].Agent
		c.Assigned, c.Standing, c.Eligible = 8, 8, 3
		accept(w, consensus.KindVerdict, v)
	}},
	{"S1", "more-eligible-than-stand", "4 votes, 6 eligible, 5 standing", func(w *World) {
		wordsOf(w, "web-3", 0)
		v := verdictOn(w, "web-3", "web-0", "web-1", "web-2", "web-4")
		v.Findings[0].Agent.Standing = 5
		accept(w, consensus.KindVerdict, v)
	}},
	{"S1", "an-up-vote-that-answers-nothing", "of spare-0 that answers no roll call", func(w *World) {
		wordsOf(w, "web-3", 0)
		v := verdictOn(w, "web-3", "web-0", "web-1", "web-2", "web-4")
		v.Findings[0].Agent.Votes = append(v.Findings[0].Agent.Votes, consensus.VoteCount{Observer: "spare-0", Stance: agent.Up})
		accept(w, consensus.KindVerdict, v)
	}},
	{"S2", "verdict-on-the-healthy", "which is well", func(w *World) {
		wordsOf(w, "web-3", 0)
		accept(w, consensus.KindVerdict, verdictOn(w, "web-3", "web-0", "web-1", "web-2", "web-4"))
	}},
	{"S2", "verdict-on-who-was-healthy-when-it-was-proposed", "which was well when it was proposed", func(w *World) {
		v := verdictOn(w, "web-3", "web-0", "web-1", "web-2", "web-4")
		f := proposed(w, v)
		_ = w.Run(grace + time.Second)
		wordsOf(w, "web-3", 0)
		fell(w, "web-3") // who looks only now finds it in trouble
		w.checker.fact(f)
	}},
	{"S2", "restart-of-what-serves", "against web-3, which is well", func(w *World) {
		advance(w, open(w, "web-3"), failover.Restarting, "")
	}},
	{"S3", "two-leaders-in-a-term", "others by", func(w *World) {
		w.checker.led(w.machine("web-0"), mind.Led{Leader: "web-0", Term: 99, Quorum: true})
		w.checker.led(w.machine("web-1"), mind.Led{Leader: "web-1", Term: 99, Quorum: true})
	}},
	{"S3", "fact-that-differs", "others have", func(w *World) {
		f := w.facts[1]
		f.Hash[0]++
		w.checker.applied(w.machine("web-0"), f)
	}},
	{"S3", "fact-out-of-order", "the story ends with", func(w *World) {
		f := w.facts[len(w.facts)-1]
		f.Index += 2
		w.checker.applied(w.machine("web-0"), f)
	}},
	{"S3", "state-that-differs-under-the-same-facts", "differs from", func(w *World) {
		s, _ := w.checker.state.Slot("web-3") // the agents of a process share theirs
		s.Drained = true
		w.checker.sweeps.folded = 0
		for range compareEvery * len(w.machines) {
			w.checker.sweep()
		}
	}},
	{"S3", "snapshots-that-differ", "differ", func(w *World) {
		w.checker.keeps(w.machine("web-0"), mind.KeepSnapshot{Head: 4, Ledger: []byte(`{"state":{"head":4}}`)})
		w.checker.keeps(w.machine("web-1"), mind.KeepSnapshot{Head: 4, Ledger: []byte(`{"state":{"head":5}}`)})
	}},
	{"S4", "two-run-an-exclusive-slot", "runs exclusive slot", func(w *World) {
		w.checker.fold.Fleet().Pools[0].Exclusive = true
		w.checker.serves(w.machine("spare-0"), "web-3", 99)
	}},
	{"S4", "spare-in-two-cases", "which C-", func(w *World) {
		a, b := open(w, "web-3"), open(w, "web-4")
		advance(w, a, failover.Activating, "spare-0")
		advance(w, b, failover.Activating, "spare-0")
	}},
	{"S4", "spare-that-may-still-run-a-slot", "has not said", func(w *World) {
		c := open(w, "web-3")
		advance(w, c, failover.Activating, "spare-0")
		advance(w, c, failover.Claiming, "")
		advance(w, c, failover.Activating, "spare-0")
	}},
	{"S4", "occupant-as-spare", "occupies", func(w *World) {
		advance(w, open(w, "web-3"), failover.Activating, "web-4")
	}},
	{"S4", "slot-that-two-states-give-to-two", "the books say", func(w *World) {
		w.checker.books.slots["web-3"].occupant = "spare-0"
		w.checker.compareAll()
	}},
	{"S4", "service-on-a-spare", "the history of member spare-0", func(w *World) {
		w.machine("spare-0").running["web-3"] = &service{epoch: 2}
		w.tell(Happening{What: ServiceUp, Member: "spare-0", Slot: "web-3"})
		_ = w.Audit()
	}},
	{"S4", "claim-before-the-release-before-it-was-proposed", "the history of member spare-0", func(w *World) {
		h := &w.checker.past
		early, late := h.next(), h.next()
		h.book(call{tick: late}, []move{{what: claimed, who: "spare-0", slot: "web-3", epoch: 7}})
		h.book(call{tick: late}, []move{{what: released, who: "spare-0", slot: "web-3", epoch: 7}})
		h.add(early, late, entry{move: move{what: claimed, who: "spare-0", slot: "web-4", epoch: 9}})
		_ = w.Audit()
	}},
	{"S4", "slot-epoch-swapped-twice", "the history of slot web-3", func(w *World) {
		h := &w.checker.past
		from := w.checker.books.slots["web-3"].epoch
		h.add(h.next(), h.next(), entry{move: move{what: seated, slot: "web-3", from: from, epoch: 90}, bySlot: true})
		h.add(h.next(), h.next(), entry{move: move{what: seated, slot: "web-3", from: from, epoch: 91}, bySlot: true})
		_ = w.Audit()
	}},
	{"S5", "spare-again-under-a-verdict", "stands under down", func(w *World) {
		w.checker.books.verdict["spare-0"] = judgement{kind: consensus.VerdictDown}
		accept(w, failover.KindReturned, failover.Returned{Member: "spare-0"})
	}},
	{"S5", "spare-again-too-early", "it is watched for", func(w *World) {
		c := open(w, "web-3")
		advance(w, c, failover.Activating, "spare-0")
		advance(w, c, failover.Claiming, "")
		delete(w.checker.books.dirty, "spare-0")
		accept(w, failover.KindReturned, failover.Returned{Member: "spare-0"})
	}},
	{"S5", "spare-that-says-it-is-not-ready", "which says that it is not ready", func(w *World) {
		says(w, "spare-0", failover.Report{Step: failover.StepTest, Detail: "disk: read-only"})
		advance(w, open(w, "web-3"), failover.Activating, "spare-0")
	}},
	{"S5", "spare-that-has-long-said-nothing", "good for 15m", func(w *World) {
		w.checker.proofs["spare-0"] = proofBook{at: w.time().Add(-w.checker.proofLife()), good: true}
		accept(w, failover.KindPrepare, failover.PrepareOrdered{Case: open(w, "web-3"), Spare: "spare-0"})
	}},
	{"S5", "spare-that-has-failed-its-drill", "has failed its drill", func(w *World) {
		accept(w, failover.KindDrill, failover.DrillOrdered{Member: "spare-0"})
		says(w, "spare-0", failover.Report{Step: failover.StepPrepare, Detail: "exit status 1"})
		advance(w, open(w, "web-3"), failover.Activating, "spare-0")
	}},
	{"S5", "spare-that-vanishes", "the books say", func(w *World) {
		w.checker.books.aside["spare-0"] = true
		w.checker.compareAll()
	}},
	{"S5", "member-that-is-two-things", "is two of", func(w *World) {
		w.checker.books.claims["web-3"] = 1
		w.checker.compareAll()
	}},
	{"S5", "slot-that-vanishes", "slots of 6 are left", func(w *World) {
		w.checker.books.slots["web-9"] = &slotBook{pool: "web"}
		w.checker.compareAll()
	}},
	{"S6", "more-at-once-than-the-budget", "at once", func(w *World) {
		fell(w, "web-3", "web-4")
		a, b := open(w, "web-3"), open(w, "web-4")
		advance(w, a, failover.Fencing, "")
		advance(w, b, failover.Fencing, "")
	}},
	{"S6", "more-in-a-window-than-the-budget", "replacement 3 within", func(w *World) {
		fell(w, "web-3")
		now := w.time()
		w.checker.books.fences = []time.Time{now, now}
		advance(w, open(w, "web-3"), failover.Fencing, "")
	}},
	{"S6", "two-cases-when-guarded", "while fleet is guarded", func(w *World) {
		fell(w, "web-3", "web-4")
		for i := range 40 { // a larger fleet, whose budget allows both
			w.checker.books.pools[member.ID(fmt.Sprintf("web-%d", 100+i))] = "web"
		}
		brakes(w, failover.Fleet, failover.Guarded)
		a, b := open(w, "web-3"), open(w, "web-4")
		advance(w, a, failover.Fencing, "")
		advance(w, b, failover.Fencing, "")
	}},
	{"S6", "replacement-in-cascade", "while fleet is in cascade", func(w *World) {
		fell(w, "web-3")
		brakes(w, failover.Fleet, failover.Cascade)
		advance(w, open(w, "web-3"), failover.Fencing, "")
	}},
	{"S6", "replacement-in-a-domain-in-cascade", "while domain:a is in cascade", func(w *World) {
		fell(w, "web-3")
		brakes(w, failover.InDomain("a"), failover.Cascade)
		advance(w, open(w, "web-3"), failover.Fencing, "")
	}},
	{"S6", "replacement-in-a-cascade-that-nobody-declared", "cascade from 3", func(w *World) {
		fell(w, "web-2", "web-3", "web-4")
		for _, id := range []member.ID{"web-2", "web-3", "web-4"} {
			w.checker.books.verdict[id] = judgement{kind: consensus.VerdictDown}
		}
		advance(w, open(w, "web-3"), failover.Fencing, "")
	}},
	{"S6", "fourth-restart", "restart 4 of slot web-3", func(w *World) {
		now := w.time()
		w.checker.books.slots["web-3"].restarts = []time.Time{now, now, now}
		advance(w, open(w, "web-3"), failover.Restarting, "")
	}},
	{"S6", "two-restarts-at-once", "restart 2 at once", func(w *World) {
		fell(w, "web-3", "web-4")
		a, b := open(w, "web-3"), open(w, "web-4")
		advance(w, a, failover.Restarting, "")
		advance(w, b, failover.Restarting, "")
	}},
	{"S7", "fact-on-a-minority-of-disks", "councillors' disks", func(w *World) {
		loseDisks(w, 3)
		w.checker.agreed(w.facts[len(w.facts)-1])
	}},
	{"S7", "fact-of-councillors-that-lost-each-other", "had lost each other", func(w *World) {
		w.Hit(Isolate, "web-0")
		w.Hit(Isolate, "web-1")
		w.Hit(Isolate, "web-2")
		_ = w.Run(20 * time.Second)
		w.checker.agreed(w.facts[len(w.facts)-1])
	}},
	{"S7", "act-without-a-fact", "which nobody committed", func(w *World) {
		w.machine("web-3").carryOut(act(99, failover.StepActivate, "web-3", 2))
	}},
	{"S8", "old-verdict-on-a-new-life", "against web-3, which is well", func(w *World) {
		w.checker.books.verdict["web-3"] = judgement{kind: consensus.VerdictDown, life: 1}
		advance(w, open(w, "web-3"), failover.Fencing, "")
	}},
	{"S8", "cutover-from-an-older-slot-epoch", "which is at", func(w *World) {
		c := open(w, "web-3")
		advance(w, c, failover.Activating, "spare-0")
		w.checker.books.slots["web-3"].epoch += 50
		advance(w, c, failover.Cutover, "")
	}},
	{"S8", "slot-epoch-that-falls", "from slot epoch", func(w *World) {
		c := open(w, "web-3")
		advance(w, c, failover.Activating, "spare-0")
		w.checker.books.cases[c].executor[1] = order{"spare-0", failover.StepActivate, 1}
		advance(w, c, failover.Cutover, "")
	}},
	{"S8", "term-that-falls", "after term 9", func(w *World) {
		w.checker.led(w.machine("web-0"), mind.Led{Term: 9})
		w.checker.led(w.machine("web-0"), mind.Led{Term: 8})
	}},
	{"S8", "life-that-began-before", "after life", func(w *World) {
		w.checker.started(w.machine("web-0"))
	}},
	{"S8", "ledger-time-that-falls", "the one before", func(w *World) {
		f := w.facts[1]
		f.Time = f.Time.Add(-time.Hour)
		w.checker.aged(f)
	}},
	{"S10", "a-queue-without-a-bound", "commands in the ledger, at most", func(w *World) {
		w.checker.queued(w.machine("web-3"), mostWants+1)
	}},
	{"S10", "too-much-sent-in-calm", "at most 10000 in", func(w *World) {
		_ = w.Run(time.Minute)
		w.machine("spare-0").sentBytes += 200_000
		_ = w.Run(2 * sentOver)
	}},
	{"S10", "too-much-sent-in-a-storm", "at most 220000 in", func(w *World) {
		w.Hit(Isolate, "spare-1")
		_ = w.Run(time.Minute)
		w.machine("spare-0").sentBytes += 50_000_000
		_ = w.Run(2 * sentOver)
	}},
	{"S10", "too-many-messages-in-a-storm", "in 1200", func(w *World) {
		w.Hit(Isolate, "spare-1")
		_ = w.Run(time.Minute)
		w.machine("spare-0").sentMessages += 50_000
		_ = w.Run(2 * sentOver)
	}},
	{"S10", "the-same-facts-fed-again-and-again", "at most 220000 in", func(w *World) {
		w.Hit(Isolate, "spare-1")
		_ = w.Run(time.Minute)
		m, x := w.machine(w.Leader()), w.machine("spare-0")
		x.listenTo(m.id)
		for range 2000 {
			x.feed.sent = 0
			m.feedTo(x)
		}
		_ = w.Run(2 * sentOver)
	}},
	{"S11", "fact-that-disks-lost", "is left on 2 of 5", func(w *World) {
		loseDisks(w, 3)
		w.checker.sweep()
	}},
	{"S11", "old-fact-that-disks-lost", "is left on 2 of 5", func(w *World) {
		for _, id := range w.cfg.Council[:3] {
			d := w.machine(id).disk
			d.entries = slices.DeleteFunc(d.entries, func(e *raftpb.Entry) bool { return e.GetIndex() == w.facts[1].Raft })
		}
		_ = w.Audit()
	}},
	{"S11", "agent-that-cannot-start", "start of web-0", func(w *World) {
		m := w.machine("web-0")
		m.disk.entries = nil
		w.Hit(KillAgent, "web-0")
		w.Mend(KillAgent, "web-0")
		_ = w.Run(time.Second)
	}},
	{"S12", "fact-with-a-wrong-hash", "the hash of fact", func(w *World) {
		f := w.facts[len(w.facts)-1]
		f.Bytes = []byte("{}")
		w.checker.chain(f)
	}},
	{"S12", "facts-that-give-another-state", "give another state", func(w *World) {
		w.facts = w.facts[:len(w.facts)-1]
		w.checker.replay()
	}},
	{"promise 5", "two-cutovers", "cuts over twice", func(w *World) {
		w.machine("spare-0").running["web-3"] = &service{epoch: 99}
		c := open(w, "web-3")
		advance(w, c, failover.Activating, "spare-0")
		advance(w, c, failover.Cutover, "")
		advance(w, c, failover.Cutover, "")
	}},
	{"promise 5", "cutover-to-a-spare-that-does-not-serve", "which does not serve it", func(w *World) {
		c := open(w, "web-3")
		advance(w, c, failover.Activating, "spare-0")
		advance(w, c, failover.Cutover, "")
	}},
	{"promise 5", "step-done-twice", "and again by", func(w *World) {
		c := open(w, "web-3")
		advance(w, c, failover.Activating, "spare-0")
		e := act(c, failover.StepActivate, "web-3", member.SlotEpoch(len(w.facts)))
		w.machine("spare-0").carryOut(e)
		w.checker.acts(w.machine("spare-0"), e)
	}},
	{"promise 7", "act-that-the-ledger-gave-to-another", "the ledger says", func(w *World) {
		c := open(w, "web-3")
		advance(w, c, failover.Activating, "spare-0")
		w.machine("spare-1").carryOut(act(c, failover.StepActivate, "web-3", member.SlotEpoch(len(w.facts))))
	}},
	{"promise 7", "occupant-that-stops-itself", "which is its own", func(w *World) {
		w.machine("web-3").carryOut(act(0, failover.StepStop, "web-3", w.checker.books.slots["web-3"].epoch))
	}},
	{"hold", "fence-under-a-hold", "which people hold", func(w *World) {
		accept(w, failover.KindHold, failover.HoldGiven{Kind: failover.HoldOnly, Scope: failover.InPool("web"), Until: w.time().Add(time.Hour)})
		advance(w, open(w, "web-3"), failover.Fencing, "")
	}},
	{"hold", "claim-of-a-held-spare", "claims spare-0, which people hold", func(w *World) {
		accept(w, failover.KindHold, failover.HoldGiven{Kind: failover.Disarm, Scope: failover.HoldOf("spare-0")})
		advance(w, open(w, "web-3"), failover.Activating, "spare-0")
	}},
	{"two", "approved-by-who-asked", "who made it", func(w *World) {
		r := accept(w, failover.KindRequest, failover.Requested{Act: failover.ActOverride, Case: open(w, "web-3"), For: time.Hour})
		accept(w, failover.KindAnswer, failover.Answered{Request: r, Approve: true})
	}},
	{"two", "fence-that-nobody-proved", "who have not given it", func(w *World) {
		accept(w, failover.KindCaseStep, failover.CaseStep{Case: open(w, "web-3"), To: failover.Fenced, Proof: "people"})
	}},
	{"hold", "drain-of-what-is-frozen", "and people froze fleet", func(w *World) {
		accept(w, failover.KindHold, failover.HoldGiven{Kind: failover.Freeze, Scope: failover.Fleet, Until: w.time().Add(time.Hour)})
		s := w.checker.books.slots["web-3"]
		accept(w, failover.KindDrain, failover.DrainOrdered{Slot: "web-3", Subject: s.occupant, Epoch: s.epoch})
	}},
	{"promise 9", "drain-below-the-floor", "at least", func(w *World) {
		for _, id := range []member.SlotID{"web-0", "web-1", "web-2"} {
			w.checker.books.slots[id].drained = true
		}
		s, _ := w.checker.state.Slot("web-3")
		s.Drained = true
		w.checker.drain(failover.CaseOpened{Slot: "web-3"})
	}},
	{"promise 9", "drain-of-the-last", "no serving occupant", func(w *World) {
		for _, s := range w.checker.state.Slots() {
			s.Drained = true
		}
		w.checker.compareAll()
	}},
}

// guardedNow puts a shield into a world that had none.
func guardedNow(w *World) *guarded {
	w.cfg.Shield = &Shield{Pool: "web", Doors: 3, Bears: 200, Subdomains: 20, RPS: 600, Skew: 0.5}
	w.openShield()
	return w.shield
}

// TestEveryAlarmCanRing plants them one after the other. A checker that lets
// one pass is worth nothing.
func TestEveryAlarmCanRing(t *testing.T) {
	rung := map[string]bool{}
	for _, c := range slices.Concat(canaries, caseCanaries, councilCanaries) {
		rung[c.promise] = true
		t.Run(c.promise+"/"+c.name, func(t *testing.T) {
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
			b := w.Broken()
			if b == nil || b.Promise != c.promise || !strings.Contains(b.Text, c.text) {
				t.Fatalf("the checker says %v, want %s: %s", b, c.promise, c.text)
			}
			if !strings.HasSuffix(b.Error(), c.promise+": "+b.Text) {
				t.Fatalf("the error reads %q", b.Error())
			}
		})
	}
	for _, p := range Promises() {
		if !rung[p.Name] {
			t.Errorf("%s has no canary", p.Name)
		}
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

// proposed lets the leader write a verdict down, and gives the fact that it may become.
func proposed(w *World, v consensus.Verdict) consensus.Fact {
	c, err := consensus.NewCommand(consensus.KindVerdict, "planted", w.Leader(), w.time(), v)
	if err != nil {
		panic(err)
	}
	b, err := c.Encode()
	if err != nil {
		panic(err)
	}
	var e mind.Persist
	e.Entries = []*raftpb.Entry{{Data: consensus.Stamped(b, w.time())}}
	w.checker.persisting(w.machine(w.Leader()), e)
	return consensus.Fact{Index: uint64(len(w.facts) + 1), Time: w.time(), Accepted: true, Command: c, Bytes: b}
}

// agreed has the leader propose a verdict that everybody's words are behind, and the
// ledgers accept it.
func agreed(w *World, v consensus.Verdict) {
	subject := v.Findings[0].Subject
	fell(w, subject)
	wordsOf(w, subject, 0)
	w.checker.fact(proposed(w, v))
}

// answers lets the leader call the roll about a member, and an observer answer it a moment
// later and a moment ago.
func answers(w *World, subject, observer member.ID, stance agent.Stance) {
	leader, x := w.machine(w.Leader()), w.machine(observer)
	call := agent.RollCall{ID: agent.RollID{Term: 9, N: 1}, Subjects: []member.ID{subject}}
	w.checker.polls.asks(leader, call)
	st := agent.Statement{Observer: observer, Incarnation: x.born, Seq: 1 << 30, Votes: []agent.Vote{{
		Subject: subject, Incarnation: w.machine(subject).born, Stance: stance, Roll: call.ID,
	}}}
	w.checker.polls.hears(leader, st)
	w.now += 5 * time.Millisecond
}

// says lets a member report something.
func says(w *World, id member.ID, r failover.Report) {
	b, err := json.Marshal(r)
	if err != nil {
		panic(err)
	}
	f := consensus.Fact{Index: uint64(len(w.facts) + 1), Time: w.time(), Accepted: true}
	f.Command = consensus.Command{Kind: failover.KindReport, Proposer: id, Time: w.time(), Payload: b}
	w.facts = append(w.facts, f)
	w.checker.fact(f)
}

func open(w *World, slot member.SlotID) uint64 {
	s := w.checker.books.slots[slot]
	return accept(w, failover.KindCaseOpened, failover.CaseOpened{Slot: slot, Subject: s.occupant, Epoch: s.epoch})
}

func advance(w *World, c uint64, to failover.CaseState, spare member.ID) {
	accept(w, failover.KindCaseStep, failover.CaseStep{Case: c, To: to, Spare: spare})
}

func act(c uint64, step failover.StepKind, slot member.SlotID, epoch member.SlotEpoch) mind.DoStep {
	attempt := 0
	if c > 0 {
		attempt = 1
	}
	return mind.DoStep{DoStep: failover.DoStep{Key: failover.StepKey{Case: c, Attempt: attempt, Step: step, Slot: slot, Epoch: epoch}}}
}

func verdictOn(w *World, subject member.ID, by ...member.ID) consensus.Verdict {
	c := consensus.Count{Assigned: 6, Standing: 6, Eligible: 6, Needed: 4, Downs: len(by)}
	for _, id := range by {
		c.Votes = append(c.Votes, consensus.VoteCount{Observer: id, Stance: agent.Down})
	}
	return consensus.Verdict{Roster: w.checker.fold.Roster().Epoch, Findings: []consensus.Finding{{
		Subject: subject, Incarnation: w.machine(subject).born, Kind: consensus.VerdictDown, Agent: c,
	}}}
}

// wordsOf lets everybody have said down about a life of subject, 0: its present
// one.
func wordsOf(w *World, subject member.ID, life member.Incarnation) {
	if life == 0 {
		life = w.machine(subject).born
	}
	for _, m := range w.machines {
		w.checker.words[saying{m.id, subject, agent.OfAgent}] = spoken{w.now, life}
	}
}

// fell lets members be really in trouble.
func fell(w *World, ids ...member.ID) {
	for _, id := range ids {
		w.machine(id).ail()
	}
}

func brakes(w *World, s failover.Scope, m failover.Mode) {
	accept(w, failover.KindBrake, failover.Brakes{Modes: map[failover.Scope]failover.ScopeMode{s: {Mode: m}}})
}

func loseDisks(w *World, n int) {
	for _, id := range w.cfg.Council[:n] {
		w.machine(id).disk.entries = nil
	}
}
