package sim

import (
	"slices"
	"time"

	"moonwatch/member"
	"moonwatch/mind"
)

// Swarm draws a whole story from a seed: the fleet's size, the weather, which
// faults may happen and how often. The faults are of the kinds that must not
// break a promise, and all of them end by quiet: after that everything has to
// come right.
//
// Not every kind is in every story: a world with everything in it at once hides
// what one kind alone would show.
func Swarm(seed uint64, members int, quiet time.Duration) (Config, []Fault) {
	d := dice{newChance(seed, 0)}
	cfg := Fleet(members)
	cfg.Seed = seed
	if !d.one(4) {
		cfg.Fleet.Profile = "demo" // calm comes sooner, so more stories fit
	}
	if d.one(3) {
		cfg.Net.Loss = d.unit() * 0.15
	}
	if d.one(6) {
		cfg.Net.Delay = d.span(time.Millisecond, 10*time.Millisecond)
		cfg.Net.Jitter = cfg.Net.Delay / 2
	}
	if d.one(3) {
		cfg.Disk.Sync.Max = d.span(10*time.Millisecond, 80*time.Millisecond)
	}
	if d.one(3) {
		cfg.Action.Max = d.span(time.Second, 10*time.Second)
	}
	if d.one(2) {
		every, keep := 30+d.next()%200, d.next()%20
		cfg.Mind = func(c mind.Config) mind.Config {
			c.SnapshotEvery, c.KeepEntries = every, keep
			return c
		}
	}
	kinds := swarmKinds[:0:0]
	for _, k := range swarmKinds {
		if d.one(2) {
			kinds = append(kinds, k)
		}
	}
	if len(kinds) == 0 {
		kinds = []FaultKind{Crash}
	}
	var ids []member.ID
	for _, m := range cfg.Fleet.Members {
		ids = append(ids, m.ID)
	}
	const warm = 30 * time.Second
	var faults []Fault
	for range 1 + d.next()%12 {
		at := d.span(warm, quiet-10*time.Second)
		faults = append(faults, d.fault(kinds, ids, at, quiet))
	}
	slices.SortStableFunc(faults, func(a, b Fault) int { return int(a.At - b.At) })
	return cfg, faults
}

var swarmKinds = []FaultKind{
	Crash, KillAgent, KillService, Sicken, Pause, Freeze, StallDisk, Lossy, Weather, Isolate, Deafen,
}

// dice draws what a story is made of.
type dice struct{ c *chance }

func (d dice) next() uint64   { return d.c.next(streamWeather, 0, 0) }
func (d dice) unit() float64  { return d.c.unit(streamWeather, 0, 0) }
func (d dice) one(n int) bool { return d.next()%uint64(n) == 0 }

func (d dice) span(from, to time.Duration) time.Duration {
	return d.c.span(Span{from, to}, streamWeather, 0)
}

// some draws k different members.
func (d dice) some(ids []member.ID, k int) []member.ID {
	rest := slices.Clone(ids)
	var out []member.ID
	for range min(k, len(rest)) {
		i := int(d.next() % uint64(len(rest)))
		out = append(out, rest[i])
		rest = slices.Delete(rest, i, i+1)
	}
	slices.Sort(out)
	return out
}

func (d dice) fault(kinds []FaultKind, ids []member.ID, at, quiet time.Duration) Fault {
	f := Fault{At: at, Do: kinds[d.next()%uint64(len(kinds))], Serve: d.one(2)}
	most := 1
	switch d.next() % 8 {
	case 0:
		most = len(ids) // all at once
	case 1, 2:
		most = max(1, len(ids)/3)
	case 3, 4:
		most = 3
	}
	f.Whom = d.some(ids, 1+int(d.next()%uint64(most)))
	short, long := 200*time.Millisecond, quiet-at
	switch f.Do {
	case Pause, Freeze, StallDisk:
		long = min(long, 20*time.Second)
	case Weather:
		f.Whom, f.Share = nil, 0.05+0.25*d.unit()
	case Lossy:
		f.Share = 0.1 + 0.8*d.unit()
	default: // as long as the calm allows
	}
	f.For = d.span(short, max(long, 2*short))
	return f
}
