package sim

import (
	"slices"
	"time"

	"moonwatch/agent"
	"moonwatch/consensus"
	"moonwatch/failover"
	"moonwatch/member"
	"moonwatch/shield"
)

// councilCanaries are those of the council's seats, of ledger time, of leases, of the brake
// and of the shield's doors.
var councilCanaries = []canary{
	{"S8", "fact-that-is-ahead-of-the-world", "ahead of what most councillors' clocks have shown", func(w *World) {
		f := w.facts[len(w.facts)-1]
		f.Time = w.time().Add(aheadMost + time.Second)
		w.checker.aged(f)
	}},
	{"S8", "roster-epoch-that-falls", "roster epoch", func(w *World) {
		w.checker.growth.roster += 9
		w.checker.aged(w.facts[len(w.facts)-1])
	}},
	{"S8", "two-seats-change-at-once", "more than one at once", func(w *World) {
		old := seatsBefore(w)
		old.Voters = old.Voters[2:]
		w.checker.seated(w.facts[1], old)
	}},
	{"S8", "swap-during-a-swap", "while another swap is under way", func(w *World) {
		old := seatsBefore(w)
		old.Outgoing = slices.Clone(old.Voters)
		w.checker.seated(w.facts[1], old)
	}},
	{"S8", "seat-of-an-empty-disk", "whose disk has nothing of raft's log", func(w *World) {
		old := seatsBefore(w)
		w.machine("web-0").disk.seat = 0
		w.checker.seated(w.facts[1], old)
	}},
	{"S8", "seat-of-who-lags", "which lacks fact", func(w *World) {
		old := seatsBefore(w)
		for len(w.facts) <= lagBehind {
			w.facts = append(w.facts, w.facts[len(w.facts)-1])
		}
		w.machine("web-0").disk.entries = nil
		w.checker.seated(w.facts[1], old)
	}},
	{"S4", "lease-of-what-was-given-away", "which was given away at", func(w *World) {
		s, b := w.checker.books.slots["web-3"], &w.checker.leases
		r := agent.Renewal{Holder: "web-3", Life: 1, Seq: 1, Slot: "web-3", Epoch: s.epoch - 1}
		b.sent[renewalID{r.Holder, r.Life, r.Seq}] = w.now
		b.given[leaseKey{r.Slot, r.Epoch}] = w.now
		w.checker.grants(w.machine("web-0"), agent.Grant{Renewal: r, Terms: member.LeaseLan()})
	}},
	{"S4", "given-away-while-a-lease-lasts", "lasts from", func(w *World) {
		c := open(w, "web-3")
		x := w.checker.books.cases[c]
		x.fence = order{id: "web-3", step: failover.StepStop, epoch: x.epoch}
		w.checker.leases.begun[leaseKey{"web-3", x.epoch}] = begun{at: w.now, length: time.Second, by: "web-0"}
		w.checker.leaseOver(call{at: w.now}, failover.CaseStep{Case: c, Proof: "lease"}, x)
	}},

	{"S6", "domain-that-is-too-large-falls", "failure domain a falls with 3 of 7 members", func(w *World) {
		falls(w, "a", "web-0")
	}},
	{"S6", "domain-that-falls-with-others", "failure domain z falls, and web-3 of a with it", func(w *World) {
		fell(w, "web-3")
		falls(w, "z", "web-3")
	}},
	{"S2", "domain-that-falls-and-is-well", "failure domain z falls, and web-4 is well", func(w *World) {
		moves(w, "web-4", "z")
		falls(w, "z", "web-4")
	}},
	{"S6", "domain-that-falls-and-not-alone", "and web-3, which is down, is not one of it", func(w *World) {
		moves(w, "web-4", "z")
		fell(w, "web-4")
		w.checker.books.verdict["web-3"] = judgement{kind: consensus.VerdictDown}
		falls(w, "z", "web-4")
	}},

	{"S9", "stop-that-no-fact-allows", "and no fact of the last", func(w *World) {
		g := guardedNow(w)
		d := holding(g, shield.Stop)
		g.story.votes([]*shieldDoor{d})
	}},
	{"S9", "severed-door-that-shapes-for-all", "is severed from most doors, and has", func(w *World) {
		g := guardedNow(w)
		g.story.alone(holding(g, shield.ShapeFleet))
	}},
}

// seatsBefore is the council as it was before web-0 sat in it.
func seatsBefore(w *World) consensus.Seats {
	old := w.checker.fold.Seats()
	old.Voters = slices.Clone(old.Voters)
	i := slices.IndexFunc(old.Voters, func(s consensus.Seat) bool { return s.Member == "web-0" })
	old.Voters[i] = consensus.Seat{ID: 99, Member: "spare-0"}
	return old
}

func falls(w *World, d member.FailureDomain, ids ...member.ID) {
	accept(w, failover.KindBrake, failover.Brakes{Fallen: &failover.Fallen{Domain: d, Members: ids}})
}

// moves gives a member a failure domain of its own.
func moves(w *World, id member.ID, d member.FailureDomain) {
	r := w.checker.fold.Roster()
	r.Members[r.Index(id)].Domain = d
}

// holding is a door that holds a subdomain on a rung.
func holding(g *guarded, r shield.Rung) *shieldDoor {
	d := g.doors[0]
	d.acting = shield.NewMeasures([]shield.Measure{{Host: "t-01.example.com", Rung: r, Until: d.m.time().Add(time.Minute)}})
	return d
}
