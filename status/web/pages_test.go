package web

import (
	"fmt"
	"time"

	"moonwatch/agent"
	"moonwatch/consensus"
	"moonwatch/failover"
	"moonwatch/member"
	"moonwatch/status"
)

var noon = time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)

// fleetPage is a calm page of n members in three failure domains, a fifth of
// them spares.
func fleetPage(n int) status.Page {
	p := status.Page{
		Schema: status.Schema, Now: noon.Add(24 * time.Second), Cluster: "demo",
		Self: status.Self{Name: "web-1", Version: "0.1.0", Listed: true, Councillor: true},
		Mode: status.Mode{Name: failover.Normal, Means: "lost slots are replaced within the budget", Since: noon.Add(-time.Hour)},
		Council: status.Council{
			Councillors: []member.ID{"web-1", "web-2", "web-3", "web-4", "web-5"}, Leader: "web-2", Term: 2, Quorum: true,
		},
		Knowledge: status.Knowledge{Head: 412, Hash: "7b7abc552fb2afeb", LastFact: noon, Current: true, AsOf: noon.Add(24 * time.Second)},
		Budget:    status.Budget{MayFly: max(1, n/20), MaySpend: max(2, n/10), WindowSeconds: 600},
		Verdicts:  []status.Verdict{},
		Facts: []status.FactLine{
			{Index: 2, At: noon.Add(-time.Hour), Kind: consensus.KindFleet, Accepted: true, Line: fmt.Sprintf("fleet applied by mia: %d members, 1 pool, %d slots", n, n-n/5)},
			{Index: 1, Kind: consensus.KindGenesis, Accepted: true, Line: "cluster demo founded, council web-1, web-2, web-3, web-4, web-5"},
		},
		Stats: []status.Stat{{Name: "memory", Value: "18 MiB"}},
	}
	for i := range n {
		m := member.ID(fmt.Sprintf("web-%d", i+1))
		x := status.Member{
			ID: m, Domain: member.FailureDomain(rune('a' + i*3/n)), Pool: "web", Duty: failover.Spare, InView: true,
			Addr: fmt.Sprintf("10.0.%d.%d:7946", i/250, i%250+1), Councillor: i < 5, Leader: i == 1,
		}
		if i >= n/5 {
			x.Duty, x.Slot = failover.Occupant, member.SlotID(fmt.Sprintf("slot-%d", i-n/5))
			p.Slots = append(p.Slots, status.Slot{ID: x.Slot, Pool: "web", State: status.SlotServing, Occupant: m, Epoch: 2, Since: noon.Add(-time.Hour)})
		}
		p.Members = append(p.Members, x)
	}
	p.Pools = []status.Pool{{Name: "web", Armed: true, Slots: len(p.Slots), Serving: len(p.Slots), Free: n / 5, Floor: 1, Warm: n / 5}}
	p.Headline = fmt.Sprintf("All %d slots are served.", len(p.Slots))
	return p
}

// vacantPage is a page of a fleet with a slot that nobody holds, one that never served, a
// spare that is not ready, and agents that are in no roster.
func vacantPage() status.Page {
	p := fleetPage(7)
	p.Slots[0].State = status.SlotStarting
	p.Facts = append([]status.FactLine{{
		Index: 3, At: noon, Kind: failover.KindReport, By: p.Slots[0].Occupant, Accepted: true,
		Line: fmt.Sprintf("%s says: activate of %s at slot epoch 2 failed: exit status 3", p.Slots[0].Occupant, p.Slots[0].ID),
	}}, p.Facts...)
	p.Slots = append(p.Slots, status.Slot{ID: "slot-9", Pool: "web", State: status.SlotVacant})
	for i := range p.Members {
		if p.Members[i].Duty == failover.Spare {
			p.Members[i].NotReady = "is not ready: no action"
		}
	}
	p.Pools[0].Free, p.Pools[0].Unready = 0, 1
	p.Unlisted = []status.Unlisted{{ID: "stray-1", Addr: "10.0.0.77:7946"}, {ID: "old-1", Retired: true}, {ID: "old-2", Addr: "10.0.0.78:7946", Retired: true}}
	p.Headline = "5 of 7 slots are served: slot-0 starting, slot-9 vacant."
	return p
}

// verdictOn is a verdict about the members named, each with k votes.
func verdictOn(index uint64, k int, subjects ...member.ID) status.Verdict {
	v := status.Verdict{ID: fmt.Sprintf("V-%d", index), Index: index, At: noon.Add(12 * time.Second), Term: 2, Roster: 2}
	for _, id := range subjects {
		t := status.Tally{Of: "agent", Assigned: k, Eligible: k, Needed: (k*6 + 9) / 10, Downs: k - 1, Ups: 1}
		for i := range k {
			x := status.Vote{
				Observer: member.ID(fmt.Sprintf("web-%d", i+1)), Domain: member.FailureDomain(rune('a' + i%3)),
				Stance: "down", Reason: agent.Silence, Fresh: i%4 != 0, Evidence: fmt.Sprintf("silent for 1.%ds, %d in a row lost", i%7, 4+i%5),
			}
			if i == k-1 {
				x.Stance, x.Reason, x.Evidence, x.Fresh = "up", agent.Answered, "", true
			}
			t.Votes = append(t.Votes, x)
		}
		v.Findings = append(v.Findings, status.Finding{
			Subject: id, Kind: consensus.VerdictDown, SilentSince: noon.Add(10 * time.Second), Tallies: []status.Tally{t},
		})
	}
	return v
}

// caseOn is the case of a lost slot, as far as it has come.
func caseOn(index uint64, slot member.SlotID, subject member.ID, state failover.CaseState) status.Case {
	at := noon.Add(12 * time.Second)
	c := status.Case{
		ID: fmt.Sprintf("C-%d", index), Index: index, Slot: slot, Pool: "web", Subject: subject, Kind: consensus.VerdictDown,
		Verdict: "V-411", State: state, Open: state != failover.Closed, Drained: true, Epoch: 2,
		Passages: []status.Passage{
			{State: failover.Opened, At: at, Fact: index, Detail: "down"},
			{State: failover.Draining, At: at, Fact: index, Detail: "traffic goes elsewhere"},
		},
	}
	step := func(s failover.CaseState, after time.Duration, detail string) {
		c.Passages = append(c.Passages, status.Passage{State: s, At: at.Add(after), Fact: index + 1, Detail: detail})
	}
	switch state {
	case failover.Held:
		c.Held, c.Runbook, c.HeldBy = failover.HeldBrake, status.Runbook(failover.HeldBrake), "too many members are in trouble: it waits until the brake lets go"
		c.Why, c.Gate = "fleet is in cascade: 3 of 7 members in trouble", "brake: fleet is in cascade: 3 of 7 members in trouble"
		c.Next = "goes on by itself when the reason is gone"
		step(failover.Held, 2*time.Second, c.Why)
	case failover.Activating:
		c.Spare, c.NewEpoch, c.Attempt, c.Proof, c.Executor, c.Step = "web-1", member.SlotEpoch(index+2), 1, "none", "web-1", failover.StepActivate
		c.Next, c.Deadline = "web-1 starts the service and says how it went", at.Add(time.Minute)
		step(failover.Ready, 3*time.Second, "silent for 3.1s, and the second roll call agrees")
		step(failover.Fencing, 3*time.Second, "")
		step(failover.Fenced, 3*time.Second, "no proof wanted")
		step(failover.Claiming, 3200*time.Millisecond, "web-1")
		step(failover.Activating, 3200*time.Millisecond, fmt.Sprintf("web-1 at slot epoch %d", index+2))
	case failover.Closed:
		c.Spare, c.Outcome, c.Next = "web-1", failover.OutcomeReplaced, "nothing: it is closed"
		step(failover.Cutover, 4800*time.Millisecond, "")
		step(failover.Closed, 14800*time.Millisecond, "")
	default:
		panic("no such page: " + state)
	}
	c.Since = c.Passages[len(c.Passages)-1].At
	return c
}

// lostPage is a page of seven with one slot being replaced.
func lostPage() status.Page {
	p := fleetPage(7)
	p.Members[6].Verdict, p.Members[6].VerdictID, p.Members[6].InView, p.Members[6].Case = consensus.VerdictDown, "V-411", false, "C-412"
	p.Members = append([]status.Member{p.Members[6]}, p.Members[:6]...)
	p.Slots[5].State, p.Slots[5].Drained, p.Slots[5].Case = status.SlotDrained, true, "C-412"
	p.Headline = "5 of 6 slots are served: slot-5 drained (C-412)."
	p.Pools[0].Free, p.Pools[0].Claimed = 0, 1
	p.Budget.Spent, p.Budget.InFlight = 1, 1
	p.Verdicts = []status.Verdict{verdictOn(411, 6, "web-7"), verdictOn(398, 6, "web-5")}
	p.Verdicts[1].Findings[0].Kind = consensus.VerdictAgentLost
	p.Cases = []status.Case{caseOn(412, "slot-5", "web-7", failover.Activating), caseOn(380, "slot-2", "web-4", failover.Closed)}
	p.Facts = append([]status.FactLine{
		{Index: 414, At: noon.Add(15200 * time.Millisecond), Accepted: true, Line: "C-412 ACTIVATING web-1"},
		{Index: 413, At: noon.Add(15 * time.Second), Line: "refused: case-step of web-2: case C-412: replace held: stale-evidence: silent for 2.9s, replaced after 3s"},
		{Index: 412, At: noon.Add(12 * time.Second), Accepted: true, Line: "C-412 case web-7 slot slot-5: DRAINING after V-411"},
		{Index: 411, At: noon.Add(12 * time.Second), Accepted: true, Line: "V-411 verdict down web-7: 5 of 6 observers, needed 4"},
	}, p.Facts...)
	return p
}

// orderedPage is a page of seven with everything that people forbid and allow.
func orderedPage() status.Page {
	p := fleetPage(7)
	p.Holds = []status.Hold{
		{ID: "H-401", Key: "hold-a", Kind: failover.Maintenance, Means: "people work there: nothing destructive is done, and what falls there is no news to the brake", Scope: failover.InDomain("b"), Reason: "new power supplies", By: "alice", Signed: true, Given: noon, Until: noon.Add(2 * time.Hour), Fact: 401},
		{ID: "hold-b", Key: "hold-b", Kind: failover.HoldOnly, Means: "nothing destructive is done; drains go on", Scope: failover.HoldOf("web-3"), Reason: "looking at its disk", By: "carol", Given: noon, Until: noon.Add(time.Hour)},
		{ID: "H-403", Key: "hold-c", Kind: failover.Disarm, Means: "nothing is done until somebody arms it again", Scope: failover.InPool("web"), Reason: "new release", By: "bob", Signed: true, Given: noon, Fact: 403},
	}
	p.Requests = []status.Request{
		{ID: "R-408", Index: 408, Act: failover.ActOverride, About: "C-406", Asks: "go on with C-406 in spite of brake and budget", Reason: "both racks were moved", By: "alice", State: failover.RequestWaiting, Open: true, Ends: noon.Add(9 * time.Minute)},
		{ID: "R-407", Index: 407, Act: failover.ActOverride, About: "fleet", Asks: "go on with what is open in fleet in spite of the brake", Reason: "nobody is awake", By: "bob", Alone: true, State: failover.RequestAnnounced, Open: true, Ends: noon.Add(14 * time.Minute)},
		{ID: "R-405", Index: 405, Act: failover.ActFenced, About: "C-404", Asks: "take it as proven that the old occupant of C-404 is off", Reason: "plug pulled", By: "alice", AnsweredBy: "bob", State: failover.RequestOver},
	}
	return p
}

// stormPage is the largest page that there is: 200 members, a third of them
// condemned at once, all lists full.
func stormPage() status.Page {
	const n = 200
	p := fleetPage(n)
	p.Mode = status.Mode{
		Name: failover.Cascade, Means: "nothing destructive is done; watching, telling and draining go on", Since: noon.Add(13 * time.Second),
		Why: fmt.Sprintf("%d of %d members in trouble: guarded from 10, cascade from 40", n/3, n), Ends: "fewer than 20 in trouble for 2m0s",
		Scopes: []status.Scope{{Scope: failover.InDomain("c"), Name: failover.Cascade, Since: noon, Why: "66 of 66", Ends: "calm"}},
	}
	var lost []member.ID
	for i := range n / 3 {
		m := &p.Members[i]
		m.Verdict, m.VerdictID, m.InView = consensus.VerdictDown, "V-411", false
		lost = append(lost, m.ID)
		p.Slots[i].State, p.Slots[i].Case = status.SlotDrained, fmt.Sprintf("C-%d", 420+i)
		if i < 40 {
			p.Cases = append(p.Cases, caseOn(uint64(420+i), p.Slots[i].ID, m.ID, failover.Held))
		}
	}
	p.Headline = fmt.Sprintf("%d of %d slots are served.", len(p.Slots)-n/3, len(p.Slots))
	p.Mode.Open = lost
	for i := range 100 {
		p.Verdicts = append(p.Verdicts, verdictOn(uint64(411-i), 16, lost...))
	}
	p.Facts = nil
	for i := range 500 {
		p.Facts = append(p.Facts, status.FactLine{
			Index: uint64(900 - i), At: noon.Add(-time.Duration(i) * 1300 * time.Millisecond), Accepted: i%5 != 0,
			Line: fmt.Sprintf("C-%d HELD by brake: fleet is in cascade: %d of %d members in trouble", 420+i, n/3+i%7, n),
		})
	}
	return p
}

// councilPage is a page of a fleet whose council has lost two seats and of which one holder is
// in no roster any more, with a learner, in the middle of a swap.
func councilPage() status.Page {
	p := fleetPage(7)
	p.Members[3].Verdict, p.Members[3].VerdictID, p.Members[3].InView = consensus.VerdictDown, "V-411", false
	p.Council = status.Council{
		Councillors: []member.ID{"gone-1", "web-1", "web-2", "web-4", "web-5"}, Leader: "web-2", Term: 2, Quorum: true,
		Learners: []member.ID{"web-6"}, Swapping: true,
		Lost: []status.LostSeat{
			{Member: "gone-1", Seat: 3, Why: "it may not sit in the council any more"},
			{Member: "web-4", Seat: 4, Why: string(consensus.VerdictDown), Since: noon.Add(12 * time.Second)},
		},
		Waits:    "councillor web-4 is lost (down): no learner has caught up",
		OneSided: "3 of 5 councillors are in failure domain a: its loss stops the council, and with it exclusive slots everywhere; add a witness in a third failure domain",
	}
	return p
}

// alonePage is what an agent shows that hears nobody: old knowledge, everything that it can
// warn of.
func alonePage() status.Page {
	p := lostPage()
	p.Mode = status.Mode{
		Name: failover.Isolated, Means: "nothing is decided here; only self-fencing and local reflexes go on", Since: noon,
		Why: "this agent hears of no council quorum", Ends: "a council quorum is heard again, and its roll calls agree",
	}
	p.Knowledge.Current, p.Knowledge.AsOf = false, noon.Add(-3*time.Minute)
	p.Knowledge.Blocked = "fact 413 is of kind thing, format 9; this agent knows format 3 and not that kind: upgrade it"
	p.Headline = "5 of 6 slots are served: slot-5 drained (C-412). So it stood at 2026-05-04 11:57:00.0 UTC."
	p.Council.Leader, p.Council.Quorum = "", false
	p.Self.Listed = false
	p.Cases[0].State, p.Cases[0].Why, p.Cases[0].Next = failover.Escalated, "fence: no proof within 10s", "people are told; it goes on with a proof that the old occupant has stopped"
	p.Pools[0].Armed = false
	p.Unlisted = []status.Unlisted{{ID: "web-12", Addr: "10.0.0.12:7946"}, {ID: "web-13", Addr: "10.0.0.13:7946", Retired: true}, {ID: "web-14", Retired: true}}
	return p
}
