package main

import (
	"time"

	"moonwatch/member"
	"moonwatch/sim"
)

// story is one kind of world: what happens in it depends on the seed alone.
type story struct {
	storm time.Duration // all faults have ended by then
	of    func(seed uint64) (sim.Config, []sim.Fault)
}

// stories are the worlds that mutants are hunted in. A small swarm shows most of
// them; the others need a fleet or a moment that it does not have.
var stories = map[string]story{
	"swarm":               {2 * time.Minute, func(seed uint64) (sim.Config, []sim.Fault) { return sim.Swarm(seed, 12, 2*time.Minute) }},
	"swarm-of-thirty":     {5 * time.Minute, func(seed uint64) (sim.Config, []sim.Fault) { return sim.Swarm(seed, 30, 5*time.Minute) }},
	"exclusive":           {3 * time.Minute, exclusive},
	"two-cases-one-spare": {2 * time.Minute, twoCasesOneSpare},
	"spare-dies":          {4 * time.Minute, spareDies},
	"slow-council":        {2 * time.Minute, slowCouncil},
}

// demo is the demo's fleet under its own profile.
func demo() sim.Config {
	cfg := sim.Demo()
	cfg.Fleet.Profile = "demo"
	return cfg
}

// moment spreads what happens over some seconds, so that seeds differ in what
// it meets.
func moment(seed uint64, from time.Duration) time.Duration {
	return from + time.Duration(seed%40)*125*time.Millisecond
}

// exclusive: an occupant of an exclusive slot is out of reach, and goes on
// running it.
func exclusive(seed uint64) (sim.Config, []sim.Fault) {
	cfg := demo()
	cfg.Fleet.Pools[0].Exclusive = true
	cfg.Fleet.Pools[0].Fence = []string{"self"}
	return cfg, []sim.Fault{
		{At: moment(seed, 30*time.Second), Do: sim.Isolate, Whom: []member.ID{"web-4"}, For: 40 * time.Second},
		{At: moment(seed, 110*time.Second), Do: sim.Sicken, Whom: []member.ID{"web-3"}, For: 30 * time.Second},
	}
}

// twoCasesOneSpare: two occupants of a fleet that may replace two at once die
// together, and one spare is left.
func twoCasesOneSpare(seed uint64) (sim.Config, []sim.Fault) {
	cfg := sim.Fleet(60)
	cfg.Fleet.Profile = "demo"
	spares := cfg.Fleet.Members[len(cfg.Fleet.Members)-6:]
	for i := range spares {
		spares[i].Pool = "" // witnesses
	}
	at := moment(seed, 30*time.Second)
	return cfg, []sim.Fault{
		{At: at, Do: sim.Crash, Whom: []member.ID{"m-020"}, For: 40 * time.Second},
		{At: at + 200*time.Millisecond, Do: sim.Crash, Whom: []member.ID{"m-031"}, For: 40 * time.Second},
	}
}

// spareDies: of two occupants that die one after the other, the first one's
// spare dies in the middle of its activation.
func spareDies(seed uint64) (sim.Config, []sim.Fault) {
	cfg := demo()
	cfg.Action = sim.Span{Min: 2 * time.Second, Max: 6 * time.Second}
	at := 30 * time.Second
	return cfg, []sim.Fault{
		{At: at, Do: sim.Crash, Whom: []member.ID{"web-4"}, For: 2 * time.Minute},
		{At: at + 4*time.Second + time.Duration(seed%16)*250*time.Millisecond, Do: sim.Crash, Whom: []member.ID{"spare-0", "spare-1"}[:1+seed/16%2], For: 8 * time.Second},
	}
}

// slowCouncil: the disks of most councillors stand still for a moment while a
// case is on its way.
func slowCouncil(seed uint64) (sim.Config, []sim.Fault) {
	cfg := demo()
	at := 30 * time.Second
	return cfg, []sim.Fault{
		{At: at, Do: sim.Crash, Whom: []member.ID{"web-4"}, For: time.Minute},
		{
			At: at + 3*time.Second + time.Duration(seed%60)*50*time.Millisecond, Do: sim.StallDisk,
			Whom: []member.ID{"web-0", "web-1", "web-2", "web-3"}, For: 1500 * time.Millisecond,
		},
	}
}
