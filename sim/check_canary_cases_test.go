package sim

import (
	"time"

	"moonwatch/consensus"
	"moonwatch/failover"
	"moonwatch/member"
	"moonwatch/mind"
)

// caseCanaries are those of what cases, spares and people do.
var caseCanaries = []canary{
	{"promise 5", "step-of-a-case-that-was-never-opened", "a step of C-99, which was never opened", func(w *World) {
		advance(w, 99, failover.Activating, "spare-0")
	}},
	{"promise 5", "prepares-for-a-case-that-was-never-opened", "prepares for C-99, which was never opened", func(w *World) {
		accept(w, failover.KindPrepare, failover.PrepareOrdered{Case: 99, Spare: "spare-0"})
	}},
	{"S4", "goes-live-unprepared", "lets spare-0 go live, which is ready: false", func(w *World) {
		c := open(w, "web-3")
		accept(w, failover.KindPrepare, failover.PrepareOrdered{Case: c, Spare: "spare-0"})
		advance(w, c, failover.Activating, "spare-0")
	}},
	{"S4", "two-go-live", "lets spare-1 go live, and spare-0 does", func(w *World) {
		c := open(w, "web-3")
		advance(w, c, failover.Activating, "spare-0")
		advance(w, c, failover.Activating, "spare-1")
	}},
	{"S4", "three-prepare", "lets 3 spares prepare", func(w *World) {
		c := open(w, "web-3")
		delete(w.checker.books.seats, "web-2")
		w.checker.proofs["web-2"] = proofBook{at: w.time(), good: true}
		for _, id := range []member.ID{"spare-0", "spare-1", "web-2"} {
			accept(w, failover.KindPrepare, failover.PrepareOrdered{Case: c, Spare: id})
		}
	}},
	{"S4", "condemned-spare", "claims spare-0, which stands under down", func(w *World) {
		w.checker.books.verdict["spare-0"] = judgement{kind: consensus.VerdictDown}
		advance(w, open(w, "web-3"), failover.Activating, "spare-0")
	}},
	{"S4", "spare-of-another-pool", "of pool db, which is not lent to it", func(w *World) {
		w.checker.books.pools["spare-0"] = "db"
		advance(w, open(w, "web-3"), failover.Activating, "spare-0")
	}},
	{"S4", "occupant-of-two-slots", "web-4 is in slots", func(w *World) {
		w.checker.books.seats["web-4"] = "web-3"
		w.checker.compareAll()
	}},
	{"S5", "spare-that-never-said-that-it-is-ready", "has never said that it is ready", func(w *World) {
		delete(w.checker.proofs, "spare-0")
		advance(w, open(w, "web-3"), failover.Activating, "spare-0")
	}},
	{"S5", "spare-again-early", "wants the whole burn-in", func(w *World) {
		accept(w, failover.KindEarly, failover.ReturnedEarly{Member: "spare-0"})
	}},
	{"S6", "last-spare-of-a-reserve", "has one of the last 2 spares of pool web, whose reserve is 2", func(w *World) {
		w.checker.fold.Fleet().Pools[0].Spares.Reserve = 2
		fell(w, "web-3")
		advance(w, open(w, "web-3"), failover.Fencing, "")
	}},

	{"S7", "prepares-without-a-case", "prepares for C-99, which nobody committed", func(w *World) {
		w.machine("spare-0").carryOut(act(99, failover.StepPrepare, "web-3", 2))
	}},
	{"promise 7", "prepares-unasked", "and the ledger does not say so", func(w *World) {
		w.machine("spare-0").carryOut(act(open(w, "web-3"), failover.StepPrepare, "web-3", 2))
	}},
	{"promise 7", "act-on-a-slot-that-nobody-declared", "which nobody declared", func(w *World) {
		w.machine("spare-0").carryOut(act(0, failover.StepActivate, "web-99", 2))
	}},
	{"promise 7", "drill-that-nobody-ordered", "the ledger orders no such drill", func(w *World) {
		w.machine("spare-0").carryOut(act(0, failover.StepPrepare, "web-3", 2))
	}},
	{"promise 7", "start-by-who-never-had-the-slot", "without having been its occupant", func(w *World) {
		w.machine("spare-0").carryOut(act(0, failover.StepActivate, "web-3", 2))
	}},
	{"promise 7", "door-that-is-told-what-nobody-agreed", "which nobody agreed", func(w *World) {
		w.checker.tells(w.machine("web-0"), mind.TellDoor{TellDoor: failover.TellDoor{Slot: "web-3", Occupant: "spare-0", Epoch: 99}})
	}},
	{"promise 9", "drain-of-people-below-the-floor", "that people ordered leaves 1 serving", func(w *World) {
		for _, id := range []member.SlotID{"web-0", "web-1", "web-2"} {
			w.checker.books.slots[id].drained = true
		}
		w.checker.drainOrdered(failover.DrainOrdered{Slot: "web-3"})
	}},

	{"promise 5", "loan-to-no-case", "is lent to C-99, which is not open", func(w *World) {
		lend(w, 99, "spare-0")
	}},
	{"S4", "loan-of-an-occupant", "and is no free spare of it", func(w *World) {
		mayBorrow(w, "web-4")
		lend(w, open(w, "web-3"), "web-4")
	}},
	{"S4", "loan-given-back-that-was-none", "goes back from C-", func(w *World) {
		accept(w, failover.KindLoanEnded, failover.LoanEnded{Case: open(w, "web-3"), Spare: "spare-0"})
	}},
	{"S5", "loan-that-no-fleet-allows", "which does not borrow there", func(w *World) {
		lend(w, open(w, "web-3"), "spare-0")
	}},
	{"S5", "loan-of-who-does-not-fit", "has not said lately that it fits", func(w *World) {
		mayBorrow(w, "spare-1")
		lend(w, open(w, "web-3"), "spare-0")
	}},
	{"S5", "loan-of-who-fitted-long-ago", "has not said lately that it fits", func(w *World) {
		mayBorrow(w, "spare-0")
		w.checker.fits[fitting{"spare-0", "web"}] = fitted{good: true, at: w.time().Add(-2 * w.checker.proofLife())}
		lend(w, open(w, "web-3"), "spare-0")
	}},
	{"S5", "loan-of-what-a-pool-wants-itself", "leaves pool web 1 spares, wanted 2", func(w *World) {
		mayBorrow(w, "spare-0")
		w.checker.fold.Fleet().Pools[0].Spares.Floor = 2
		lend(w, open(w, "web-3"), "spare-0")
	}},
	{"hold", "loan-of-who-is-held", "and people hold it", func(w *World) {
		mayBorrow(w, "spare-0")
		accept(w, failover.KindHold, failover.HoldGiven{Kind: failover.HoldOnly, Scope: failover.HoldOf("spare-0"), Until: w.time().Add(time.Hour)})
		lend(w, open(w, "web-3"), "spare-0")
	}},

	{"S6", "two-drills", "spare-1 does a drill while spare-0 does one", func(w *World) {
		accept(w, failover.KindDrill, failover.DrillOrdered{Member: "spare-0"})
		accept(w, failover.KindDrill, failover.DrillOrdered{Member: "spare-1"})
	}},
	{"S6", "drill-beside-a-case", "while the case of slot web-3 goes on", func(w *World) {
		open(w, "web-3")
		accept(w, failover.KindDrill, failover.DrillOrdered{Member: "spare-0"})
	}},
	{"S6", "drill-in-a-cascade", "while fleet is in mode cascade", func(w *World) {
		brakes(w, failover.Fleet, failover.Cascade)
		accept(w, failover.KindDrill, failover.DrillOrdered{Member: "spare-0"})
	}},
	{"S6", "drill-of-an-occupant", "it is no free spare", func(w *World) {
		accept(w, failover.KindDrill, failover.DrillOrdered{Member: "web-3"})
	}},
	{"hold", "drill-under-a-hold", "does a drill, and people hold", func(w *World) {
		accept(w, failover.KindHold, failover.HoldGiven{Kind: failover.HoldOnly, Scope: failover.Fleet, Until: w.time().Add(time.Hour)})
		accept(w, failover.KindDrill, failover.DrillOrdered{Member: "spare-0"})
	}},

	{"two", "answer-to-nothing", "R-99 is answered, and nobody made it", func(w *World) {
		accept(w, failover.KindAnswer, failover.Answered{Request: 99, Approve: true})
	}},
	{"two", "approved-after-it-was-rejected", "is approved after it was rejected", func(w *World) {
		r, _ := wanted(w)
		accept(w, failover.KindAnswer, failover.Answered{Request: r})
		accept(w, failover.KindAnswer, failover.Answered{Request: r, Approve: true})
	}},
	{"two", "approved-too-late", "after it was made", func(w *World) {
		r, a := wanted(w)
		a.at = w.time().Add(-failover.AnswerWithin)
		accept(w, failover.KindAnswer, failover.Answered{Request: r, Approve: true})
	}},
	{"two", "another-plan-approved", "and plan another is approved", func(w *World) {
		r, _ := wanted(w)
		accept(w, failover.KindAnswer, failover.Answered{Request: r, Approve: true, Plan: "another"})
	}},
	{"two", "forced-by-nobody", "nobody has asked for one", func(w *World) {
		accept(w, failover.KindForced, failover.Forced{Request: 99})
	}},
	{"two", "forced-without-approval", "which no two people stand behind now", func(w *World) {
		r, _ := wanted(w)
		accept(w, failover.KindForced, failover.Forced{Request: r})
	}},
	{"two", "forced-after-the-approval-has-lapsed", "which no two people stand behind now", func(w *World) {
		r, a := wanted(w)
		a.approved = w.time().Add(-a.For)
		accept(w, failover.KindForced, failover.Forced{Request: r})
	}},
	{"two", "forced-after-a-rejection", "which was rejected", func(w *World) {
		r, a := wanted(w)
		a.approved, a.rejected = w.time(), true
		accept(w, failover.KindForced, failover.Forced{Request: r})
	}},
	{"two", "forced-on-a-slot-that-moved", "and slot web-3 has moved on", func(w *World) {
		r, a := wanted(w)
		a.approved = w.time()
		w.checker.books.slots["web-3"].epoch++
		accept(w, failover.KindForced, failover.Forced{Request: r})
	}},
	{"two", "forced-twice", "has done so", func(w *World) {
		r, a := wanted(w)
		a.approved = w.time()
		accept(w, failover.KindForced, failover.Forced{Request: r})
		accept(w, failover.KindForced, failover.Forced{Request: r})
	}},
	{"two", "taken-back-what-was-not-forced", "is no forced failover that may be", func(w *World) {
		accept(w, failover.KindTakenBack, failover.TakenBack{Case: open(w, "web-3")})
	}},
	{"two", "taken-back-what-two-want", "and two people want it", func(w *World) {
		r, a := wanted(w)
		a.approved = w.time()
		accept(w, failover.KindTakenBack, failover.TakenBack{Case: accept(w, failover.KindForced, failover.Forced{Request: r})})
	}},
}

// wanted has alice ask for a failover of web-3, for an hour.
func wanted(w *World) (uint64, *askBook) {
	r := accept(w, failover.KindRequest, failover.Requested{Act: failover.ActFailover, Slot: "web-3", For: time.Hour})
	a := w.checker.books.asked[r]
	a.by = "alice"
	return r, a
}

// mayBorrow lets the pool borrow, of itself, a member that says that it fits.
func mayBorrow(w *World, id member.ID) {
	w.checker.fold.Fleet().Pools[0].Spares.BorrowFrom = []string{"web"}
	w.checker.fits[fitting{id, "web"}] = fitted{good: true, at: w.time()}
}

func lend(w *World, c uint64, id member.ID) {
	accept(w, failover.KindBorrowed, failover.SpareBorrowed{Case: c, Spare: id, From: "web"})
}
