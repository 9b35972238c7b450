package status

import (
	"maps"
	"slices"
	"time"

	"moonwatch/member"
)

// Frozen is a Chronicle as it was at one moment, as far back as it is shown. It can be
// read while the Chronicle goes on.
type Frozen struct {
	c         *Chronicle
	now, asOf time.Time
	shown     map[Grain]int
}

// Freeze hands out what is needed to show so many of the last roll-ups of each grain. To
// make a Past of them takes tens of milliseconds in a large fleet; to freeze costs a small
// part of that, for roll-ups are not copied before they change, and few ever do.
func (c *Chronicle) Freeze(now, asOf time.Time, shown map[Grain]int) Frozen {
	out := &Chronicle{c: c.c, rolls: map[Grain]map[time.Time]*Roll{}, sights: slices.Clip(c.sights)}
	for g, count := range shown {
		out.rolls[g] = make(map[time.Time]*Roll, count)
		for _, begin := range c.begins(now, c.upTo(asOf), g, count) {
			if r := c.rolls[g][begin]; r != nil {
				r.frozen = true
				out.rolls[g][begin] = r
			}
		}
	}
	lives := make([]life, 0, len(c.c.Slots))
	out.c.Slots = make(map[member.SlotID]*life, len(c.c.Slots))
	for id, x := range c.c.Slots {
		lives = append(lives, *x)
		out.c.Slots[id] = &lives[len(lives)-1]
	}
	outages := make([]Outage, len(c.outages))
	out.outages = make([]*Outage, len(c.outages))
	for i, o := range c.outages {
		outages[i] = *o
		out.outages[i] = &outages[i]
	}
	return Frozen{c: out, now: now, asOf: asOf, shown: maps.Clone(shown)}
}

// Past is what is shown of a grain.
func (f Frozen) Past(cluster string, g Grain) Past {
	return f.c.Past(cluster, f.now, f.asOf, g, f.shown[g])
}

// Sights is what was seen.
func (f Frozen) Sights() Sights { return f.c.Sights(f.asOf) }
