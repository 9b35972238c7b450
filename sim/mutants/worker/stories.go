package main

import (
	"fmt"
	"slices"
	"time"

	"moonwatch/member"
	"moonwatch/mind"
	"moonwatch/sim"
)

// story is one kind of world. What happens in it depends on the seed alone.
type story struct {
	about  string
	storm  time.Duration // all faults that end have ended by then
	swarm  int           // members of a swarm, whose faults the seed draws
	fleet  func() sim.Config
	faults []fault // where it is no swarm
}

// fault begins up to spread later than it says: seeds differ in what it meets.
type fault struct {
	sim.Fault
	spread time.Duration
}

// of gives a seed's world and its faults.
func (s story) of(seed uint64) (sim.Config, []sim.Fault) {
	if s.swarm > 0 {
		return sim.Swarm(seed, s.swarm, s.storm)
	}
	var faults []sim.Fault
	for i, f := range s.faults {
		if f.spread > 0 {
			f.At += time.Duration(draw(seed, uint64(i)) % uint64(f.spread))
		}
		faults = append(faults, f.Fault)
	}
	return s.fleet(), faults
}

// draw is chance by counting, as the simulator's own: a fault more or less in a
// story moves no other.
func draw(seed, n uint64) uint64 {
	x := seed*0x9e3779b97f4a7c15 + n*0xd1b54a32d192ed03
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}

const (
	s  = time.Second
	ms = time.Millisecond
)

// stories are the worlds that mutants are hunted in. A small swarm shows most of
// them; the others need a fleet or a moment that it seldom has.
var stories = map[string]story{
	"swarm":           {about: "twelve members, two minutes of faults", swarm: 12, storm: 120 * s},
	"swarm-of-thirty": {about: "thirty members, five minutes of faults", swarm: 30, storm: 300 * s},

	"exclusive": {
		about: "occupants of exclusive slots are out of reach, and go on running them",
		fleet: exclusive, storm: 150 * s,
		faults: []fault{
			{sim.Fault{At: 30 * s, Do: sim.Isolate, Whom: ids("web-4"), For: 40 * s}, 5 * s},
			{sim.Fault{At: 110 * s, Do: sim.Sicken, Whom: ids("web-3"), For: 30 * s}, 5 * s},
		},
	},
	"vacated": {
		about: "people take an exclusive slot away from a member that stands still just then, and want to fill it, and to remove it",
		fleet: exclusive, storm: 120 * s,
		faults: []fault{
			{sim.Fault{At: 30 * s, Do: sim.OrderDrain, Whom: ids("web-3")}, 0},
			{sim.Fault{At: 35 * s, Do: sim.OrderVacate, Whom: ids("web-3")}, 0},
			{sim.Fault{At: 34900 * ms, Do: sim.Pause, Whom: ids("web-3"), For: 40 * s}, 200 * ms},
			{sim.Fault{At: 36 * s, Do: sim.OrderFill, Whom: ids("web-3")}, s},
			{sim.Fault{At: 50 * s, Do: sim.OrderApply, Change: &sim.FleetChange{Pools: map[string]sim.PoolChange{"web": {RemoveSlots: []member.SlotID{"web-3"}}}}}, 5 * s},
		},
	},
	"leased": {
		about: "occupants of leased slots are cut off, lose their agent, or stand still",
		fleet: leased, storm: 250 * s,
		faults: []fault{
			{sim.Fault{At: 30 * s, Do: sim.Isolate, Whom: ids("web-4"), For: 40 * s}, 5 * s},
			{sim.Fault{At: 130 * s, Do: sim.KillAgent, Whom: ids("web-3"), For: 40 * s}, 5 * s},
			{sim.Fault{At: 200 * s, Do: sim.Pause, Whom: ids("web-2"), For: 30 * s}, 5 * s},
		},
	},
	"fast-leader": {
		about: "the councillors' clocks are as fast as the protocol bears, and an occupant is lost",
		fleet: leased, storm: 80 * s,
		faults: []fault{
			{sim.Fault{At: 20 * s, Do: sim.ClockDrift, Whom: ids("web-0", "web-1", "web-2", "web-3", "web-4"), Share: 0.01, For: 55 * s}, 0},
			{sim.Fault{At: 30 * s, Do: sim.Crash, Whom: ids("spare-0", "web-4"), For: 40 * s}, 5 * s},
		},
	},
	"deaf-to-its-observers": {
		about: "an occupant hears nobody, and goes on asking for its lease",
		fleet: leased, storm: 90 * s,
		faults: []fault{
			{sim.Fault{At: 30 * s, Do: sim.Deafen, Whom: ids("web-4"), For: 45 * s}, 5 * s},
		},
	},
	"cut-off-with-the-leader": {
		about: "two councillors are cut off together, one of them may lead, both occupy a slot",
		fleet: leased, storm: 100 * s,
		faults: []fault{
			{sim.Fault{At: 30 * s, Do: sim.Isolate, Whom: ids("web-0", "web-4"), For: 50 * s}, 5 * s},
		},
	},
	"office-handed-over": {
		about: "councillors whose clocks are off hand over their office just when an occupant is lost",
		fleet: leased, storm: 120 * s,
		faults: []fault{
			{sim.Fault{At: 20 * s, Do: sim.ClockJump, Whom: ids("web-0", "web-1"), Delay: 10 * s, For: 80 * s}, 0},
			{sim.Fault{At: 31 * s, Do: sim.Isolate, Whom: ids("web-4"), For: 50 * s}, 4 * s},
		},
	},
	"clocks-jump": {
		about: "two councillors' clocks jump an hour ahead, and a member dies before anybody has compared them",
		fleet: demo, storm: 120 * s,
		faults: []fault{
			{sim.Fault{At: 36 * s, Do: sim.ClockJump, Whom: ids("web-0", "web-1"), Delay: time.Hour, For: 80 * s}, 3 * s},
			{sim.Fault{At: 40 * s, Do: sim.Crash, Whom: ids("web-4"), For: 70 * s}, 5 * s},
		},
	},
	"wrong-clocks-after-a-blackout": {
		about: "the power is gone everywhere, and of the three councillors that are back two have clocks that are an hour ahead",
		fleet: demo, storm: 150 * s,
		faults: []fault{
			{sim.Fault{At: 30 * s, Do: sim.Crash, Whom: ids("spare-0", "spare-1", "web-0", "web-1", "web-2", "web-3", "web-4"), For: 20 * s}, 0},
			{sim.Fault{At: 30 * s, Do: sim.Crash, Whom: ids("web-0", "web-3"), For: 100 * s}, 0},
			{sim.Fault{At: 40 * s, Do: sim.ClockJump, Whom: ids("web-2", "web-4"), For: 100 * s, Delay: time.Hour}, 5 * s},
		},
	},
	"clocks-of-a-domain-jump": {
		about: "two councillors are cut off, and of the other three two have clocks that jump an hour ahead together",
		fleet: demo, storm: 120 * s,
		faults: []fault{
			{sim.Fault{At: 20 * s, Do: sim.Isolate, Whom: ids("web-2", "web-3"), For: 90 * s}, 0},
			{sim.Fault{At: 36 * s, Do: sim.ClockJump, Whom: ids("web-0", "web-1"), Delay: time.Hour, For: 80 * s}, 3 * s},
			{sim.Fault{At: 45 * s, Do: sim.Crash, Whom: ids("spare-1"), For: 60 * s}, 5 * s},
		},
	},
	"voter-restarts": {
		about: "of three councillors one leads and dies, one restarts, and one has not heard of the leader for a while",
		fleet: leasedByThree, storm: 100 * s,
		faults: []fault{
			{sim.Fault{At: 28 * s, Do: sim.Cut, Whom: ids("m-000"), Other: ids("m-002"), For: 60 * s}, 0},
			{sim.Fault{At: 31 * s, Do: sim.Crash, Whom: ids("m-000"), For: 50 * s}, 500 * ms},
			{sim.Fault{At: 31 * s, Do: sim.KillAgent, Whom: ids("m-001"), For: 10 * ms}, 500 * ms},
		},
	},
	"spares-do-not-answer": {
		about: "the spares start the service, and nobody hears of it",
		fleet: leased, storm: 200 * s,
		faults: []fault{
			{sim.Fault{At: 25 * s, Do: sim.UnknownActions, Whom: ids("spare-0", "spare-1"), For: 120 * s}, 0},
			{sim.Fault{At: 30 * s, Do: sim.Crash, Whom: ids("web-4"), For: 100 * s}, 5 * s},
		},
	},
	"two-cases-one-spare": {
		about: "two occupants of a fleet that may replace two at once die together, and one spare is left",
		fleet: oneSpareForSixty, storm: 90 * s,
		faults: []fault{
			{sim.Fault{At: 30 * s, Do: sim.Crash, Whom: ids("m-020"), For: 40 * s}, 1 * s},
			{sim.Fault{At: 30 * s, Do: sim.Crash, Whom: ids("m-031"), For: 40 * s}, 1 * s},
		},
	},
	"spare-hangs": {
		about: "the spares' programs hang while a slot waits for one of them",
		fleet: demo, storm: 240 * s,
		faults: []fault{
			{sim.Fault{At: 25 * s, Do: sim.HangActions, Whom: ids("spare-0", "spare-1"), For: 130 * s}, 0},
			{sim.Fault{At: 30 * s, Do: sim.Crash, Whom: ids("web-4"), For: 150 * s}, 5 * s},
		},
	},
	"spares-lie": {
		about: "the spares' programs say that they have started what they have not",
		fleet: demo, storm: 240 * s,
		faults: []fault{
			{sim.Fault{At: 20 * s, Do: sim.LyingActions, Whom: ids("spare-0", "spare-1"), For: 130 * s}, 0},
			{sim.Fault{At: 30 * s, Do: sim.Crash, Whom: ids("web-4"), For: 150 * s}, 5 * s},
		},
	},
	"frozen": {
		about: "a member dies while people have frozen it",
		fleet: demo, storm: 90 * s,
		faults: []fault{
			{sim.Fault{At: 20 * s, Do: sim.OrderFreeze, Whom: ids("web-4"), For: 60 * s}, 5 * s},
			{sim.Fault{At: 30 * s, Do: sim.Crash, Whom: ids("web-4"), For: 20 * s}, 5 * s},
		},
	},
	"two-in-a-guarded-fleet": {
		about: "two members die for good: one is replaced after the other",
		fleet: manySpares, storm: 90 * s,
		faults: []fault{
			{sim.Fault{At: 30 * s, Do: sim.Crash, Whom: ids("m-006")}, 1 * s},
			{sim.Fault{At: 30 * s, Do: sim.Crash, Whom: ids("m-007")}, 1 * s},
		},
	},
	"spares-disks-are-full": {
		about: "the disks of both spares are full, and they say so, when a slot wants one of them",
		fleet: demo, storm: 200 * s,
		faults: []fault{
			{sim.Fault{At: 15 * s, Do: sim.FullDisk, Whom: ids("spare-0", "spare-1"), For: 160 * s}, 0},
			{sim.Fault{At: 100 * s, Do: sim.Crash, Whom: ids("web-4"), For: 60 * s}, 20 * s},
		},
	},
	"spares-prepare-slowly": {
		about: "both spares prepare for so long that the second one begins beside the first",
		fleet: twoSteps, storm: 240 * s,
		faults: []fault{
			{sim.Fault{At: 25 * s, Do: sim.Slow, Whom: ids("spare-0", "spare-1"), Share: 60, For: 200 * s}, 0},
			{sim.Fault{At: 30 * s, Do: sim.Crash, Whom: ids("web-4"), For: 190 * s}, 5 * s},
		},
	},
	"borrowing": {
		about: "two machines of a pool without spares stand still until they may be lent one, and two die; the lender keeps the rest",
		fleet: borrowing, storm: 230 * s,
		faults: []fault{
			{sim.Fault{At: 25 * s, Do: sim.Pause, Whom: ids("m-004"), For: 2900 * ms}, 500 * ms},
			{sim.Fault{At: 50 * s, Do: sim.Pause, Whom: ids("m-005"), For: 3 * s}, 500 * ms},
			{sim.Fault{At: 75 * s, Do: sim.Crash, Whom: ids("m-006"), For: 140 * s}, 2 * s},
			{sim.Fault{At: 120 * s, Do: sim.Crash, Whom: ids("m-007"), For: 60 * s}, 2 * s},
		},
	},
	"reserve-kept": {
		about: "a pool that keeps its spares for worse loses a slot",
		fleet: reserving, storm: 90 * s,
		faults: []fault{{sim.Fault{At: 30 * s, Do: sim.Crash, Whom: ids("m-006"), For: 60 * s}, 10 * s}},
	},
	"forced-by-one": {
		about: "an operator asks to have a slot fail over whose occupant is well, and nobody approves it",
		fleet: fleetOfTwelve, storm: 90 * s,
		faults: []fault{{sim.Fault{At: 30 * s, Do: sim.OrderFailover, Whom: ids("m-006")}, 10 * s}},
	},
	"half-alive": {
		about: "a spare prepares for the slot of a member that comes back for half of its observers",
		fleet: twoSteps, storm: 180 * s,
		faults: []fault{
			{sim.Fault{At: 20 * s, Do: sim.Slow, Whom: ids("spare-0", "spare-1"), Share: 8, For: 150 * s}, 0},
			{sim.Fault{At: 30 * s, Do: sim.Crash, Whom: ids("web-3"), For: 7 * s, Serve: true}, 0},
			{sim.Fault{At: 36 * s, Do: sim.Cut, Whom: ids("web-3"), Other: ids("web-0", "web-1", "web-4"), For: 120 * s}, 500 * ms},
		},
	},
	"drills-and-a-cascade": {
		about: "spares do drills, slowly, and half of the fleet loses power",
		fleet: drilled, storm: 260 * s,
		faults: []fault{
			{sim.Fault{At: 20 * s, Do: sim.Slow, Whom: ids("m-009", "m-010", "m-011"), Share: 30, For: 230 * s}, 0},
			{sim.Fault{At: 100 * s, Do: sim.Crash, Whom: ids("m-003", "m-004", "m-005", "m-006", "m-007"), For: 100 * s, Serve: true}, 15 * s},
		},
	},
	"victim-is-the-last-spare": {
		about: "a victim comes back with an empty disk, and soon is the only spare",
		fleet: fleetOfTwelve, storm: 250 * s,
		faults: []fault{
			{sim.Fault{At: 45 * s, Do: sim.Wipe, Whom: ids("m-006"), For: 20 * s}, 5 * s},
			{sim.Fault{At: 200 * s, Do: sim.Crash, Whom: ids("m-007"), For: 30 * s}, 20 * s},
		},
	},
	"approved-by-who-asked": {
		about: "in a cascade an operator asks to go on with a case, and approves it too",
		fleet: demo, storm: 150 * s,
		faults: []fault{
			{sim.Fault{At: 30 * s, Do: sim.Crash, Whom: ids("spare-0", "web-2", "web-3"), For: 110 * s}, 2 * s},
			{sim.Fault{At: 60 * s, Do: sim.OrderOverride, Whom: ids("web-3")}, 5 * s},
			{sim.Fault{At: 70 * s, Do: sim.OrderApproveOwn, Whom: ids("web-3")}, 5 * s},
		},
	},
	"asked-alone": {
		about: "in a cascade an operator asks alone to go on with a case, and the machines are back before it takes effect",
		fleet: demo, storm: 150 * s,
		faults: []fault{
			{sim.Fault{At: 30 * s, Do: sim.Crash, Whom: ids("spare-0", "web-2", "web-3"), For: 110 * s}, 2 * s},
			{sim.Fault{At: 60 * s, Do: sim.OrderAlone, Whom: ids("web-3")}, 5 * s},
		},
	},
	"approved-slot-is-lost-again": {
		about: "two people let a case go on in a cascade, and the one who took the slot dies too",
		fleet: halfAreSpares, storm: 200 * s,
		faults: []fault{
			{sim.Fault{At: 30 * s, Do: sim.Crash, Whom: ids("m-003", "m-004", "m-005"), For: 160 * s}, 2 * s},
			{sim.Fault{At: 60 * s, Do: sim.OrderOverride, Whom: ids("m-005")}, 5 * s},
			{sim.Fault{At: 70 * s, Do: sim.OrderApprove, Whom: ids("m-005")}, 5 * s},
			{sim.Fault{At: 82 * s, Do: sim.Crash, Whom: ids("m-006"), For: 100 * s}, 2 * s},
		},
	},
	"victim-serves-on": {
		about: "a victim comes back, and its init starts the old service",
		fleet: demo, storm: 90 * s,
		faults: []fault{
			{sim.Fault{At: 30 * s, Do: sim.Crash, Whom: ids("web-4"), For: 30 * s, Serve: true}, 5 * s},
		},
	},
	"slow-council": {
		about: "the disks of most councillors stand still for a moment while a case is on its way",
		fleet: demo, storm: 100 * s,
		faults: []fault{
			{sim.Fault{At: 30 * s, Do: sim.Crash, Whom: ids("web-4"), For: 60 * s}, 0},
			{sim.Fault{At: 33 * s, Do: sim.StallDisk, Whom: ids("web-0", "web-1", "web-2", "web-3"), For: 1500 * ms}, 4 * s},
		},
	},
	"one-after-the-other": {
		about: "member after member dies and comes back, and there are spares for all of them",
		fleet: manySpares, storm: 160 * s,
		faults: []fault{
			{sim.Fault{At: 30 * s, Do: sim.Crash, Whom: ids("m-005"), For: 12 * s}, 5 * s},
			{sim.Fault{At: 80 * s, Do: sim.Crash, Whom: ids("m-006"), For: 12 * s}, 5 * s},
			{sim.Fault{At: 130 * s, Do: sim.Crash, Whom: ids("m-007"), For: 12 * s}, 5 * s},
		},
	},
	"two-services": {
		about: "two services of a pool are gone",
		fleet: fleetOfTwelve, storm: 60 * s,
		faults: []fault{
			{sim.Fault{At: 30 * s, Do: sim.KillService, Whom: ids("m-005")}, 3 * s},
			{sim.Fault{At: 30 * s, Do: sim.KillService, Whom: ids("m-006")}, 3 * s},
		},
	},
	"outage-without-a-council": {
		about: "a member is out of reach while the council stands still, and back before it goes on",
		fleet: fleetOfFifteen, storm: 90 * s,
		faults: []fault{
			{sim.Fault{At: 59 * s, Do: sim.Freeze, Whom: ids("m-000", "m-001", "m-002"), For: 20 * s}, 0},
			{sim.Fault{At: 60 * s, Do: sim.Isolate, Whom: ids("m-007"), For: 14 * s}, 2 * s},
		},
	},
	"blackout": {
		about: "the power of all councillors fails in the middle of a failover",
		fleet: demo, storm: 60 * s,
		faults: []fault{
			{sim.Fault{At: 30 * s, Do: sim.Crash, Whom: ids("web-4"), For: 20 * s}, 0},
			{sim.Fault{At: 31 * s, Do: sim.Crash, Whom: ids("web-0", "web-1", "web-2", "web-3"), For: 5 * s}, 5 * s},
		},
	},
	"services-in-a-cascade": {
		about: "a third of the fleet was dark for a moment, and while the cascade lasts four services end",
		fleet: fleetOfThirty, storm: 90 * s,
		faults: []fault{
			{sim.Fault{At: 30 * s, Do: sim.Crash, Whom: some(30, 10), For: 6 * s, Serve: true}, 1 * s},
			{sim.Fault{At: 66 * s, Do: sim.KillService, Whom: ids("m-001", "m-003", "m-004", "m-006")}, 12 * s},
		},
	},
	"deaf-third": {
		about: "nothing reaches a third of the fleet, and it accuses everybody",
		fleet: fleetOfThirty, storm: 150 * s,
		faults: []fault{
			{sim.Fault{At: 45 * s, Do: sim.Deafen, Whom: some(30, 12), For: 90 * s}, 5 * s},
			{sim.Fault{At: 60 * s, Do: sim.Weather, Share: 0.19, For: 70 * s}, 5 * s},
		},
	},
	"cut-between-domains": {
		about: "the link between a big failure domain and a member of another is severed, and all others reach it",
		fleet: oneBigDomain, storm: 80 * s,
		faults: []fault{
			{sim.Fault{At: 40 * s, Do: sim.Cut, Whom: ids("m-011"), Other: upTo(9), For: 30 * s}, 5 * s},
		},
	},
	"restarted-behind-a-cut": {
		about: "an agent restarts, and most of its observers are cut off and know its earlier life only",
		fleet: fleetOfTwelve, storm: 80 * s,
		faults: []fault{
			{sim.Fault{At: 40 * s, Do: sim.KillAgent, Whom: ids("m-011"), For: 300 * ms}, 0},
			{sim.Fault{At: 40 * s, Do: sim.Cut, Whom: ids("m-011"), Other: upTo(9), For: 30 * s}, 300 * ms},
		},
	},
	"lossy-member": {
		about: "most of what a member sends and hears is lost",
		fleet: fleetOfTwelve, storm: 100 * s,
		faults: []fault{
			{sim.Fault{At: 30 * s, Do: sim.Lossy, Whom: ids("m-006"), Share: 0.5, For: 60 * s}, 5 * s},
		},
	},
	"liar": {
		about: "an agent lies about everybody to the end, and a member dies and comes back",
		fleet: demo, storm: 70 * s,
		faults: []fault{
			{sim.Fault{At: 25 * s, Do: sim.Lie, Whom: ids("spare-0")}, 0},
			{sim.Fault{At: 30 * s, Do: sim.Crash, Whom: ids("web-4"), For: 30 * s}, 5 * s},
		},
	},
	"half-are-cut-off-from-one": {
		about: "three of an occupant's six observers reach it no more, and the others do",
		fleet: demo, storm: 80 * s,
		faults: []fault{
			{sim.Fault{At: 25 * s, Do: sim.Cut, Whom: ids("web-4"), Other: ids("web-3", "spare-0", "spare-1"), For: 30 * s}, 5 * s},
		},
	},
	"three-liars": {
		about: "three agents that lie about everybody, in a fleet in which not everybody observes everybody, and a member dies",
		fleet: fleetOfThirty, storm: 70 * s,
		faults: []fault{
			{sim.Fault{At: 25 * s, Do: sim.Lie, Whom: ids("m-010", "m-017", "m-023"), For: 40 * s}, 0},
			{sim.Fault{At: 30 * s, Do: sim.Crash, Whom: ids("m-005"), For: 30 * s}, 5 * s},
		},
	},
	"forger": {
		about: "an agent hands in verdicts of its own and answers raft in councillors' names, and a member dies",
		fleet: demo, storm: 80 * s,
		faults: []fault{
			{sim.Fault{At: 20 * s, Do: sim.Forge, Whom: ids("spare-0"), For: 50 * s}, 2 * s},
			{sim.Fault{At: 30 * s, Do: sim.Crash, Whom: ids("web-4"), For: 30 * s}, 5 * s},
		},
	},
	"forger-and-fence": {
		about: "an agent reports that the others' steps are done, while an ill occupant of an exclusive slot cannot stop it",
		fleet: exclusive, storm: 200 * s,
		faults: []fault{
			{sim.Fault{At: 20 * s, Do: sim.Forge, Whom: ids("spare-0"), For: 175 * s}, 2 * s},
			{sim.Fault{At: 28 * s, Do: sim.HangActions, Whom: ids("web-4"), For: 170 * s}, 0},
			{sim.Fault{At: 30 * s, Do: sim.Sicken, Whom: ids("web-4"), For: 165 * s}, 5 * s},
		},
	},
	"flooded": {
		about: "a subdomain is flooded until the doors have stopped it",
		fleet: voting, storm: 140 * s,
		faults: []fault{
			{sim.Fault{At: 60 * s, Do: sim.Flood, Host: "t-07.example.com", Share: 160, For: 60 * s}, 5 * s},
		},
	},
	"minority": {
		about: "a councillor and a spare are cut off, each alone",
		fleet: demo, storm: 80 * s,
		faults: []fault{
			{sim.Fault{At: 30 * s, Do: sim.Isolate, Whom: ids("web-4"), For: 40 * s}, 5 * s},
			{sim.Fault{At: 30 * s, Do: sim.Isolate, Whom: ids("spare-0"), For: 40 * s}, 5 * s},
		},
	},
	"no-spare": {
		about: "a member dies while there is no spare, and comes back",
		fleet: fleetOfTwelve, storm: 90 * s,
		faults: []fault{
			{sim.Fault{At: 28 * s, Do: sim.Crash, Whom: ids("m-011"), For: 50 * s}, 2 * s},
			{sim.Fault{At: 45 * s, Do: sim.Crash, Whom: ids("m-006"), For: 10 * s, Serve: true}, 5 * s},
		},
	},
	"restarts-in-a-case": {
		about: "agents restart from their snapshots in the middle of a case",
		fleet: oftenSnapped, storm: 80 * s,
		faults: []fault{
			{sim.Fault{At: 30 * s, Do: sim.Crash, Whom: ids("web-4"), For: 40 * s}, 0},
			{sim.Fault{At: 33 * s, Do: sim.KillAgent, Whom: ids("web-0", "web-1", "spare-1"), For: 300 * ms}, 4 * s},
		},
	},
	"back-before-the-spare": {
		about: "a member that fell twice is back and well before the spare is that its case waits for",
		fleet: demo, storm: 170 * s,
		faults: []fault{
			{sim.Fault{At: 30 * s, Do: sim.Crash, Whom: ids("spare-0"), For: 5 * s}, 0},
			{sim.Fault{At: 30 * s, Do: sim.Crash, Whom: ids("spare-1"), For: 130 * s}, 0},
			{sim.Fault{At: 50 * s, Do: sim.Crash, Whom: ids("web-4"), For: 8 * s, Serve: true}, 3 * s},
			{sim.Fault{At: 96 * s, Do: sim.Crash, Whom: ids("web-4"), For: 8 * s, Serve: true}, 20 * s},
		},
	},
	"councillor-lost-and-learners-behind": {
		about: "a councillor dies while nothing that the learners are sent reaches their disks",
		fleet: sevenWitnesses, storm: 160 * s,
		faults: []fault{
			{sim.Fault{At: 1200 * ms, Do: sim.SlowDisk, Whom: ids("c-5", "c-6"), Delay: 150 * s, For: 150 * s}, 300 * ms},
			{sim.Fault{At: 20 * s, Do: sim.Crash, Whom: ids("c-1"), For: 120 * s}, 5 * s},
		},
	},
	"two-councillors-lost": {
		about: "two of five councillors die together, and two learners are warm",
		fleet: sevenWitnesses, storm: 200 * s,
		faults: []fault{
			{sim.Fault{At: 30 * s, Do: sim.Crash, Whom: ids("c-1", "c-2"), For: 150 * s}, 5 * s},
		},
	},
	"council-founded-anew": {
		about: "three of five councillors die, people found a new council, and the old ones come back",
		fleet: sevenWitnesses, storm: 160 * s,
		faults: []fault{
			{sim.Fault{At: 30 * s, Do: sim.Crash, Whom: ids("c-0", "c-1", "c-2"), For: 100 * s}, 5 * s},
			{sim.Fault{At: 60 * s, Do: sim.OrderRefound, Whom: ids("c-3", "c-4", "c-5", "c-6")}, 5 * s},
		},
	},
	"small-cascade": {
		about: "a quarter of the fleet stands still for a moment",
		fleet: fleetOfTwelve, storm: 60 * s,
		faults: []fault{
			{sim.Fault{At: 30 * s, Do: sim.Pause, Whom: ids("m-005", "m-006", "m-007"), For: 1500 * ms}, 2 * s},
		},
	},
}

func ids(names ...member.ID) []member.ID { return names }

// some are k of the n members of a fleet, spread over its failure domains.
func some(n, k int) []member.ID {
	var out []member.ID
	for i := range k {
		out = append(out, member.ID(fmt.Sprintf("m-%03d", n-1-i*n/k)))
	}
	slices.Sort(out)
	return out
}

// upTo are the first n members of a fleet.
func upTo(n int) []member.ID {
	var out []member.ID
	for i := range n {
		out = append(out, member.ID(fmt.Sprintf("m-%03d", i)))
	}
	return out
}

// demo is the demo's fleet: five slots, two spares, short windows.
func demo() sim.Config {
	cfg := sim.Demo()
	cfg.Fleet.Profile = "demo"
	return cfg
}

// voting is the demo's fleet with three doors that may vote to stop.
func voting() sim.Config {
	cfg := demo()
	cfg.Shield = &sim.Shield{Pool: "web", Doors: 3, Bears: 200, Subdomains: 20, RPS: 600, Skew: 0.5, Highest: "stop"}
	return cfg
}

func exclusive() sim.Config {
	cfg := demo()
	cfg.Fleet.Pools[0].Exclusive = true
	cfg.Fleet.Pools[0].Fence = []string{"self"}
	return cfg
}

// leased is a fleet whose slots are exclusive, each with a keeper that ends its lease.
func leased() sim.Config { return sim.Exclusive(demo()) }

func leasedByThree() sim.Config {
	cfg := sim.Exclusive(sim.Fleet(6))
	cfg.Fleet.Profile = "demo"
	return cfg
}

func fleetOfTwelve() sim.Config {
	cfg := sim.Fleet(12)
	cfg.Fleet.Profile = "demo"
	return cfg
}

// oftenSnapped writes a snapshot after every second fact.
func oftenSnapped() sim.Config {
	cfg := demo()
	cfg.Mind = func(c mind.Config) mind.Config {
		c.SnapshotEvery = 2
		return c
	}
	return cfg
}

// twoSteps has spares that prepare before they go live.
func twoSteps() sim.Config {
	cfg := demo()
	cfg.Action = sim.Span{Min: 600 * ms, Max: 700 * ms}
	p := &cfg.Fleet.Pools[0]
	p.Actions.Prepare, p.Actions.Unprepare = "web-prepare", "web-unprepare"
	return cfg
}

// reserving keeps both of its spares.
func reserving() sim.Config {
	cfg := fleetOfTwelve()
	p := &cfg.Fleet.Pools[0]
	p.Slots, p.Spares.Reserve = p.Slots[:10:10], 2
	return cfg
}

// borrowing has two pools: web without a spare, and batch, which lends it one of four:
// a second one is within the budget, and below what batch keeps.
func borrowing() sim.Config {
	cfg := fleetOfFifteen()
	web := &cfg.Fleet.Pools[0]
	batch := *web
	web.Slots, web.Spares.BorrowFrom = web.Slots[:8:8], []string{"batch"}
	batch.Name, batch.Hosts, batch.Slots, batch.Spares.Floor = "batch", nil, []member.SlotID{"batch-0", "batch-1", "batch-2"}, 3
	batch.Actions = member.Actions{Activate: "batch-start", Stop: "batch-stop", Restart: "batch-restart"}
	for i := range cfg.Fleet.Members[8:] {
		cfg.Fleet.Members[8+i].Pool = "batch"
	}
	cfg.Fleet.Pools = append([]member.Pool{batch}, cfg.Fleet.Pools...)
	return cfg
}

// drilled has spares that do many drills.
func drilled() sim.Config {
	cfg := fleetOfTwelve()
	p := &cfg.Fleet.Pools[0]
	p.Slots = p.Slots[:9]
	p.Actions.Prepare, p.Actions.Unprepare = "web-prepare", "web-unprepare"
	p.Spares.DrillEvery = 70 * s
	return cfg
}

// oneBigDomain has nine of its twelve members in one failure domain.
func oneBigDomain() sim.Config {
	cfg := fleetOfTwelve()
	for i, m := range cfg.Fleet.Members {
		if i < 9 {
			m.Domain = "big"
		}
		cfg.Fleet.Members[i] = m
	}
	return cfg
}

// sevenWitnesses may sit in the council, five of them do; nine members hold slots.
func sevenWitnesses() sim.Config {
	cfg := sim.Fleet(16)
	cfg.Fleet.Profile = "demo"
	cfg.Council = nil
	for i := range cfg.Fleet.Members {
		m := &cfg.Fleet.Members[i]
		m.Council = i < 7
		if i < 7 {
			m.ID, m.Pool = member.ID(fmt.Sprintf("c-%d", i)), ""
		}
		if i < 5 {
			cfg.Council = append(cfg.Council, m.ID)
		}
	}
	cfg.Fleet.Pools[0].Slots = cfg.Fleet.Pools[0].Slots[:7]
	return cfg
}

func fleetOfFifteen() sim.Config {
	cfg := sim.Fleet(15)
	cfg.Fleet.Profile = "demo"
	return cfg
}

func fleetOfThirty() sim.Config {
	cfg := sim.Fleet(30)
	cfg.Fleet.Profile = "demo"
	return cfg
}

// manySpares has as many as four spares for twelve members.
func manySpares() sim.Config {
	cfg := fleetOfTwelve()
	p := &cfg.Fleet.Pools[0]
	p.Slots = p.Slots[:8]
	return cfg
}

func halfAreSpares() sim.Config {
	cfg := fleetOfTwelve()
	p := &cfg.Fleet.Pools[0]
	p.Slots = p.Slots[:6]
	return cfg
}

// oneSpareForSixty may replace three at once and has one spare.
func oneSpareForSixty() sim.Config {
	cfg := sim.Fleet(60)
	cfg.Fleet.Profile = "demo"
	last := cfg.Fleet.Members[len(cfg.Fleet.Members)-6:]
	for i := range last {
		last[i].Pool = "" // witnesses
	}
	return cfg
}
