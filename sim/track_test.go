package sim

import (
	"slices"
	"testing"
	"time"

	"moonwatch/member"
	"moonwatch/mind"
)

// TestTheSeedsThatFoundSomethingStayMended plays the stories that once broke a
// promise. Fifteen minutes of a world are cheap; the bug is not.
func TestTheSeedsThatFoundSomethingStayMended(t *testing.T) {
	for _, c := range []struct {
		seed  uint64
		found string
	}{
		{3, "silent checks of a lossy network condemned a healthy service"},
		{4, "an agent back after an outage stood accused of loss, and was condemned after its return"},
		{28, "a member that the council does not reach was held to be well"},
		{33, "one observer of sixteen kept a verdict standing in lossy weather"},
		{45, "a cascade never ended: without a roll call three checkers decide nothing about a service"},
		{112, "a verdict that was proposed before the council lost its quorum was committed after it"},
		{1116, "two observers that lost four probes of five condemned a healthy member"},
		{5482, "two observers that lost nine probes of ten each condemned a healthy member, their outages forgotten"},
		{1130, "partial silenced the healthy, and the deaf third condemned them all"},
	} {
		t.Run(c.found, func(t *testing.T) {
			cfg, faults := firstSwarm(c.seed, swarmMembers, swarmStorm)
			if _, troubles, err := tale(cfg, faults, false); err != nil || len(troubles) > 0 {
				t.Errorf("%v %q", err, troubles)
			}
		})
	}
}

// firstSwarm drew those stories. It stays as it was: a seed is a story only
// together with what draws from it.
func firstSwarm(seed uint64, members int, quiet time.Duration) (Config, []Fault) {
	d := diceOf(newChance(seed))
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
	kinds := firstKinds[:0:0]
	for _, k := range firstKinds {
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
		faults = append(faults, d.firstFault(kinds, ids, at, quiet))
	}
	slices.SortStableFunc(faults, func(a, b Fault) int { return int(a.At - b.At) })
	return cfg, faults
}

var firstKinds = []FaultKind{
	Crash, KillAgent, KillService, Sicken, Pause, Freeze, StallDisk, Lossy, Weather, Isolate, Deafen,
}

func (d dice) firstFault(kinds []FaultKind, ids []member.ID, at, quiet time.Duration) Fault {
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
	if rule, _ := RuleOf(f.Do); !rule.Ends {
		f.For = 0
	}
	f.Serve = f.Serve && f.Do == Crash
	if f.Do == KillService {
		f.For = 0 // it never ended anything
	}
	return f
}
