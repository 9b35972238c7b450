package scenario

import (
	"slices"
	"time"

	"moonwatch/internal/strict"
	"moonwatch/member"
	"moonwatch/sim"
)

// mostMembers bounds a fleet: the size up to which the promises were computed.
const mostMembers = 10_000

const wantFleet = "demo, a mapping of its numbers, or members and pools as in fleet.yaml"

// fleet reads which fleet the story happens to.
func (r *reader) fleet(top object) {
	v, ok := top.Get("fleet", wantFleet)
	switch {
	case !ok:
		r.s.ground = demo()
	case v.Shape == strict.Text && v.Text == "demo":
		r.s.ground = demo()
	case v.Shape != strict.Mapping:
		top.Bad("fleet", v, wantFleet)
	case named(v):
		r.writtenOut(v)
	default:
		r.shaped(v)
	}
}

// named reports whether every member stands in the file with its name.
func named(v *strict.Value) bool {
	for _, p := range v.Pairs {
		if p.Key == "members" {
			return p.Value.Shape == strict.Mapping
		}
	}
	return false
}

// shaped reads a fleet that is described by its numbers.
func (r *reader) shaped(v *strict.Value) {
	before := len(r.Mistakes)
	o := r.object("fleet", v, "members", "failure_domains", "spares", "council", "profile", "pools", "hosts", "exclusive", "fence", "armed", "prepare", "drill_every", "reserve", "early_after", "floor", "borrow_from")
	s := layout{profile: o.word("profile", member.Profiles()...)}
	if o.Has("pools") {
		r.shapedPools(o, &s)
		for _, key := range []string{"spares", "hosts", "exclusive", "fence", "armed", "prepare", "drill_every", "reserve", "early_after", "floor", "borrow_from"} {
			if o.Has(key) {
				r.Wrong(o.Pairs[key].At, "fleet.%s stands beside fleet.pools, want it within a pool", key)
			}
		}
		if n := o.Integer("members", s.members, 2, mostMembers); n != s.members && len(r.Mistakes) == before {
			r.Wrong(o.Where("members"), "fleet.members is %d, and its pools have %d slots and spares: want the same, or leave it out", n, s.members)
		}
	} else {
		if !o.Has("members") {
			o.Missing("members", "how many there are, or use pools")
		}
		s.members = o.Integer("members", 7, 2, mostMembers)
		p := poolShape{name: "web", spares: sparesOf(s.members)}
		r.pool(o, &p)
		p.spares = o.Integer("spares", p.spares, 0, s.members-1)
		p.slots = s.members - p.spares
		s.pools = []poolShape{p}
	}
	n := max(1, s.members)
	s.domains = o.Integer("failure_domains", min(n, max(3, n/10)), 1, n)
	s.council = o.Integer("council", councilOf(n), 1, min(n, 9))
	if s.council%2 == 0 {
		r.Wrong(o.Where("council"), "fleet.council is %d, want an odd number: an even one survives no more losses", s.council)
	}
	if len(r.Mistakes) > before {
		return
	}
	f, council := s.build()
	for _, p := range f.Pools {
		for _, err := range f.CheckLoans(p) {
			r.Wrong(v.At, "fleet: %v", err)
		}
	}
	r.s.layout, r.s.ground = &s, newGround(f, council)
}

// shapedPools reads pools by their numbers.
func (r *reader) shapedPools(o object, s *layout) {
	const want = "pools by name, each with slots and spares"
	v, ok := o.Get("pools", want)
	if !ok {
		return
	}
	if v.Shape != strict.Mapping || len(v.Pairs) == 0 {
		o.Bad("pools", v, want)
		return
	}
	for _, x := range v.Pairs {
		p := r.object("fleet.pools."+x.Key, x.Value, "slots", "spares", "hosts", "exclusive", "fence", "armed", "prepare", "drill_every", "reserve", "early_after", "floor", "borrow_from")
		p.At = x.At
		if !isName(x.Key) {
			r.Wrong(x.At, "fleet.pools: %q is no name of a pool", x.Key)
			continue
		}
		if !p.Has("slots") && x.Value.Shape == strict.Mapping {
			p.Missing("slots", "how many there are")
		}
		pool := poolShape{name: x.Key, slots: p.Integer("slots", 1, 1, mostMembers), spares: p.Integer("spares", 1, 0, mostMembers)}
		r.pool(p, &pool)
		s.members += pool.slots + pool.spares
		s.pools = append(s.pools, pool)
	}
	if s.members > mostMembers {
		r.Wrong(v.At, "fleet.pools have %d slots and spares, want at most %d", s.members, mostMembers)
	}
}

// pool reads what a pool has besides its numbers.
func (r *reader) pool(o object, p *poolShape) {
	for _, h := range o.texts("hosts", "DNS names") {
		if !isHost(h.Text) {
			r.Wrong(h.At, "%s has %q, want a DNS name", o.Join("hosts"), h.Text)
		}
		p.hosts = append(p.hosts, h.Text)
	}
	p.exclusive = o.Truth("exclusive")
	p.fence = r.fenceLevels(o)
	p.disarmed = o.Has("armed") && !o.Truth("armed")
	p.prepare = o.Truth("prepare")
	p.reserve = o.Integer("reserve", 0, 0, mostMembers)
	p.early = o.Duration("early_after", 0, time.Second, 24*time.Hour, time.Minute)
	p.floor = o.Integer("floor", 0, 0, mostMembers)
	for _, x := range o.texts("borrow_from", "the names of other pools") {
		p.borrow = append(p.borrow, x.Text)
	}
	p.drills = o.Duration("drill_every", 0, time.Second, 90*24*time.Hour, time.Minute)
}

// fenceLevels reads the fence levels of a pool, of those that the simulator has a model of.
func (r *reader) fenceLevels(o object) []string {
	levels := []string{"none", "self", "lease", "watchdog", "power"}
	var fence []string
	for _, l := range o.texts("fence", strict.Words(levels, "or")) {
		if !slices.Contains(levels, l.Text) {
			r.Wrong(l.At, "%s has %q, %s", o.Join("fence"), l.Text, strict.Meant(l.Text, levels))
		}
		fence = append(fence, l.Text)
	}
	return fence
}

// writtenOut reads a fleet whose members have names.
func (r *reader) writtenOut(v *strict.Value) {
	before := len(r.Mistakes)
	o := r.object("fleet", v, "members", "pools", "profile")
	f := member.Fleet{Version: 1, Profile: o.word("profile", member.Profiles()...)}
	s := layout{}
	if !o.Has("pools") {
		o.Missing("pools", "pools by name")
	}
	r.shapedPoolsOf(o, &f, &s)
	var council []member.ID
	for _, x := range o.Pairs["members"].Value.Pairs {
		m := r.object("fleet.members."+x.Key, x.Value, "failure_domain", "pool", "council")
		m.At = x.At
		if !isName(x.Key) || len(x.Key) > member.MaxNameLength {
			r.Wrong(x.At, "fleet.members: %s is no name of a member", strict.Quoted(x.Key))
		}
		if !m.Has("failure_domain") && x.Value.Shape == strict.Mapping {
			m.Missing("failure_domain", "the name of what fails together with it")
		}
		line := member.Member{
			ID: member.ID(x.Key), Domain: member.FailureDomain(m.Text("failure_domain", "", "a name", isName)),
			Pool:    m.Text("pool", "", "the name of a pool", isName),
			Council: m.word("council", "allowed") != "",
		}
		if names := poolNames(f); line.Pool != "" && !slices.Contains(names, line.Pool) {
			r.Wrong(m.Where("pool"), "fleet.members.%s.pool is %q, which is not in the fleet: %s", x.Key, line.Pool, strict.Meant(line.Pool, names))
		}
		if line.Council && len(council) < 5 {
			council = append(council, line.ID)
		}
		f.Members = append(f.Members, line)
	}
	if len(f.Members) < 2 || len(f.Members) > mostMembers {
		r.Wrong(o.Where("members"), "fleet.members has %d, want 2 to %d", len(f.Members), mostMembers)
	}
	if len(council) == 0 {
		r.Wrong(o.Where("members"), "fleet.members: nobody may sit in the council, want council: allowed at three or five")
	}
	if len(r.Mistakes) > before {
		return
	}
	if err := f.Validate(); err != nil {
		r.Wrong(v.At, "fleet: %v", err) // the ledger has the last word
		return
	}
	r.s.ground = newGround(f, oddly(council))
}

// oddly leaves the last of an even number out.
func oddly(council []member.ID) []member.ID { return council[:(len(council)-1)/2*2+1] }

// shapedPoolsOf reads the pools of a fleet whose members are written out: their
// spares are who is left over.
func (r *reader) shapedPoolsOf(o object, f *member.Fleet, s *layout) {
	v, ok := o.Get("pools", "pools by name, each with slots")
	if !ok || v.Shape != strict.Mapping {
		return
	}
	r.shapedPools(o, s)
	for _, p := range s.pools {
		f.Pools = append(f.Pools, p.build())
	}
}

// config is the world that a scenario begins with.
func (s *Scenario) config(g *ground, seed uint64) sim.Config {
	return sim.Config{Seed: seed, Fleet: g.fleet, Council: g.council, Net: s.Net, Disk: s.Disk, Action: s.Action}
}
