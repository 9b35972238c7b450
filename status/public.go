package status

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"slices"
	"time"

	"moonwatch/member"
)

// PublicPolicy says what people outside may see. What it does not name is not mentioned
// to them at all: not members, not cases, not other pools.
type PublicPolicy struct {
	Title string   // of the page; empty: the cluster's name
	URL   string   // where people find it, for feeds; empty: nothing is said
	Pools []string // in the order in which they are shown; each is a component
	Slots bool     // each slot is a component as well, under its name
	// Key is of the cluster, the same at all of its agents: ids are made with it, so that
	// nobody without it can check a guess of what an id is of.
	Key []byte
}

// Condition is how a component does, in the words of status pages.
type Condition string

// The conditions. Statuspage has one more, degraded performance: a slot that is slow is
// served here, until its observers say that it is not.
const (
	Operational      Condition = "operational"
	UnderMaintenance Condition = "under_maintenance"
	PartialOutage    Condition = "partial_outage"
	MajorOutage      Condition = "major_outage"
	// UnknownCondition is that of a pool of which the ledger knows no slot. Statuspage
	// has no word for it, so its forms leave such a component out.
	UnknownCondition Condition = "unknown"
)

// Impact is how much of it all is hit.
type Impact string

// The impacts.
const (
	NoImpact       Impact = "none"
	MinorImpact    Impact = "minor"
	MajorImpact    Impact = "major"
	CriticalImpact Impact = "critical"
	// UnknownImpact is that of pools of which nobody can say that all is served, while
	// nothing is known to be lost. Statuspage has no word for it either.
	UnknownImpact Impact = "unknown"
)

// Public is what people outside see. A plain value, made from a Page and a Past.
type Public struct {
	Title      string
	ID         string // of the page
	URL        string
	Now, AsOf  time.Time
	Current    bool // what is shown is what stands
	Impact     Impact
	Components []Component
	Incidents  []Incident // newest first
	Cells      []Cell
	Past       Past // of what is shown alone
}

// Component is a pool, or a slot of one.
type Component struct {
	ID        string
	Name      string
	Pool      string // of a slot; empty: it is a pool
	Condition Condition
	Served    int // slots
	Slots     int
	Begun     time.Time
	Updated   time.Time
}

// Incident is a time in which slots that are shown were not served. Losses that overlap,
// or follow each other within a minute, are one.
type Incident struct {
	ID       string
	Begun    time.Time
	Resolved time.Time // zero: it goes on
	Impact   Impact
	Pools    []string
	Lost     int // different slots
}

// Open reports that it goes on.
func (i Incident) Open() bool { return i.Resolved.IsZero() }

// Took is how long it was, or is until now.
func (i Incident) Took(now time.Time) time.Duration {
	if !i.Open() {
		now = i.Resolved
	}
	return max(0, now.Sub(i.Begun))
}

// oneIncident is how soon after a loss another one belongs to it.
const oneIncident = time.Minute

// keptIncidents is how many are shown: as many as Statuspage tells.
const keptIncidents = 50

// PublicOf picks what people outside may see. The past is that of days.
func PublicOf(policy PublicPolicy, p Page, past Past) Public {
	out := Public{
		Title: policy.Title, ID: policy.opaque("page", p.Cluster), URL: policy.URL,
		Now: p.Now, AsOf: p.Knowledge.AsOf, Current: p.Knowledge.Current,
	}
	if out.Title == "" {
		out.Title = p.Cluster
	}
	out.Past = past
	out.Past.Cluster, out.Past.Slots, out.Past.Outages = "", nil, nil
	for _, s := range past.Slots {
		if slices.Contains(policy.Pools, s.Pool) {
			out.Past.Slots = append(out.Past.Slots, s)
		}
	}
	for _, o := range past.Outages {
		if slices.Contains(policy.Pools, o.Pool) {
			out.Past.Outages = append(out.Past.Outages, Outage{Slot: o.Slot, Pool: o.Pool, From: o.From, To: o.To, Removed: o.Removed})
		}
	}
	size := map[string]int{}
	for _, pool := range policy.Pools {
		c, slots := policy.componentsOf(p, past, pool)
		size[pool] = c.Slots
		out.Components = append(out.Components, c)
		if policy.Slots {
			out.Components = append(out.Components, slots...)
		}
	}
	out.Impact = impactOf(out.Components)
	out.Incidents = policy.incidentsOf(out.Past.Outages, size, p.Now)
	return out
}

// opaque is an id that tells nothing to whoever has no key.
func (policy PublicPolicy) opaque(parts ...string) string {
	mac := hmac.New(sha256.New, policy.Key)
	_, _ = fmt.Fprintf(mac, "moonwatch public %q", parts) // a hash takes everything
	return hex.EncodeToString(mac.Sum(nil)[:6])
}

func (policy PublicPolicy) componentsOf(p Page, past Past, pool string) (whole Component, slots []Component) {
	away := 0
	whole = Component{ID: policy.opaque("pool", p.Cluster, pool), Name: pool, Condition: Operational}
	for _, s := range p.Slots {
		if s.Pool != pool {
			continue
		}
		c := Component{ID: policy.opaque("slot", p.Cluster, string(s.ID)), Name: string(s.ID), Pool: pool, Slots: 1, Updated: s.Since}
		switch {
		case s.State == SlotServing:
			c.Condition, c.Served = Operational, 1
		case s.State == SlotDrained && s.Away != nil && s.Case == "", s.Vacated != nil:
			c.Condition = UnderMaintenance
			away++
		default:
			c.Condition = MajorOutage
		}
		for _, x := range past.Slots {
			if x.ID == s.ID {
				c.Begun = x.From
			}
		}
		if whole.Begun.IsZero() || !c.Begun.IsZero() && c.Begun.Before(whole.Begun) {
			whole.Begun = c.Begun
		}
		whole.Updated = latest(whole.Updated, c.Updated)
		whole.Slots++
		whole.Served += c.Served
		slots = append(slots, c)
	}
	switch lost := whole.Slots - whole.Served - away; {
	case lost > 0 && whole.Served == 0:
		whole.Condition = MajorOutage
	case lost > 0:
		whole.Condition = PartialOutage
	case away > 0:
		whole.Condition = UnderMaintenance
	case whole.Slots == 0:
		whole.Condition = UnknownCondition
	}
	return whole, slots
}

// impactOf weighs all pools: critical where none serves any more. It is never said that
// all is served while a pool is not known.
func impactOf(components []Component) Impact {
	hit, gone, unknown, pools := 0, 0, 0, 0
	for _, c := range components {
		if c.Pool != "" {
			continue
		}
		pools++
		switch c.Condition {
		case MajorOutage:
			hit++
			gone++
		case PartialOutage:
			hit++
		case UnknownCondition:
			unknown++
		default:
		}
	}
	switch {
	case hit == 0 && (unknown > 0 || pools == 0):
		return UnknownImpact
	case hit == 0:
		return NoImpact
	case gone == pools:
		return CriticalImpact
	case gone > 0:
		return MajorImpact
	default:
		return MinorImpact
	}
}

// incidentsOf puts outages together that people would call one.
func (policy PublicPolicy) incidentsOf(outages []Outage, size map[string]int, now time.Time) []Incident {
	var out []Incident
	for _, group := range together(outages, now) {
		x := incidentOf(group, size, now)
		x.ID = policy.opaque("incident", group[0].From.Format(time.RFC3339Nano), string(group[0].Slot))
		out = append(out, x)
	}
	slices.Reverse(out)
	return out[:min(len(out), keptIncidents)]
}

func until(o Outage, now time.Time) time.Time {
	if o.Open() {
		return now
	}
	return o.To
}

func incidentOf(outages []Outage, size map[string]int, now time.Time) Incident {
	first := outages[0]
	x := Incident{Begun: first.From, Impact: MinorImpact}
	slots := map[string]map[member.SlotID]bool{}
	open := false
	for _, o := range outages {
		if slots[o.Pool] == nil {
			slots[o.Pool] = map[member.SlotID]bool{}
			x.Pools = append(x.Pools, o.Pool)
		}
		slots[o.Pool][o.Slot] = true
		open = open || o.Open()
		x.Resolved = latest(x.Resolved, o.To)
	}
	if open {
		x.Resolved = time.Time{}
	}
	slices.Sort(x.Pools)
	whole := false
	for pool, lost := range slots {
		x.Lost += len(lost)
		// How large a pool was that is no more is not known: its past stays as it was told.
		whole = whole || size[pool] > 0 && len(lost) >= size[pool]
	}
	switch long := x.Took(now) > RecoveryGoal; {
	case whole && long:
		x.Impact = CriticalImpact
	case whole || long:
		x.Impact = MajorImpact
	}
	return x
}
