package scenario

import (
	"slices"

	"moonwatch/member"
	"moonwatch/sim"
)

// mostMembers bounds a fleet: the size up to which the promises were computed.
const mostMembers = 10_000

const wantFleet = "demo, a mapping of its numbers, or members and pools as in fleet.yaml"

// fleet reads which fleet the story happens to.
func (r *reader) fleet(top object) {
	v, ok := top.get("fleet", wantFleet)
	switch {
	case r.s.ground != nil && ok:
		r.wrong(top.pairs["fleet"].at, "fleet: the fleet is given already, leave this key out")
	case r.s.ground != nil:
	case !ok:
		r.s.ground = demo()
	case v.shape == text && v.text == "demo":
		r.s.ground = demo()
	case v.shape != mapping:
		top.bad("fleet", v, wantFleet)
	case named(v):
		r.writtenOut(v)
	default:
		r.shaped(v)
	}
}

// named reports whether every member stands in the file with its name.
func named(v *node) bool {
	for _, p := range v.pairs {
		if p.key == "members" {
			return p.value.shape == mapping
		}
	}
	return false
}

// shaped reads a fleet that is described by its numbers.
func (r *reader) shaped(v *node) {
	before := len(r.mistakes)
	o := r.object("fleet", v, "members", "failure_domains", "spares", "council", "profile", "pools", "hosts", "exclusive", "fence", "armed")
	s := layout{profile: o.word("profile", "lan", "demo")}
	if o.has("pools") {
		r.shapedPools(o, &s)
		for _, key := range []string{"spares", "hosts", "exclusive", "fence", "armed"} {
			if o.has(key) {
				r.wrong(o.pairs[key].at, "fleet.%s stands beside fleet.pools, want it within a pool", key)
			}
		}
		if n := o.integer("members", s.members, 2, mostMembers); n != s.members && len(r.mistakes) == before {
			r.wrong(o.where("members"), "fleet.members is %d, and its pools have %d slots and spares: want the same, or leave it out", n, s.members)
		}
	} else {
		if !o.has("members") {
			o.missing("members", "how many there are, or use pools")
		}
		s.members = o.integer("members", 7, 2, mostMembers)
		p := poolShape{name: "web", spares: sparesOf(s.members)}
		r.pool(o, &p)
		p.spares = o.integer("spares", p.spares, 0, s.members-1)
		p.slots = s.members - p.spares
		s.pools = []poolShape{p}
	}
	n := max(1, s.members)
	s.domains = o.integer("failure_domains", min(n, max(3, n/10)), 1, n)
	s.council = o.integer("council", councilOf(n), 1, min(n, 9))
	if s.council%2 == 0 {
		r.wrong(o.where("council"), "fleet.council is %d, want an odd number: an even one survives no more losses", s.council)
	}
	if len(r.mistakes) > before {
		return
	}
	f, council := s.build()
	r.s.layout, r.s.ground = &s, newGround(f, council)
}

// shapedPools reads pools by their numbers.
func (r *reader) shapedPools(o object, s *layout) {
	const want = "pools by name, each with slots and spares"
	v, ok := o.get("pools", want)
	if !ok {
		return
	}
	if v.shape != mapping || len(v.pairs) == 0 {
		o.bad("pools", v, want)
		return
	}
	for _, x := range v.pairs {
		p := r.object("fleet.pools."+x.key, x.value, "slots", "spares", "hosts", "exclusive", "fence", "armed")
		p.at = x.at
		if !isName(x.key) {
			r.wrong(x.at, "fleet.pools: %q is no name of a pool", x.key)
			continue
		}
		if !p.has("slots") && x.value.shape == mapping {
			p.missing("slots", "how many there are")
		}
		pool := poolShape{name: x.key, slots: p.integer("slots", 1, 1, mostMembers), spares: p.integer("spares", 1, 0, mostMembers)}
		r.pool(p, &pool)
		s.members += pool.slots + pool.spares
		s.pools = append(s.pools, pool)
	}
	if s.members > mostMembers {
		r.wrong(v.at, "fleet.pools have %d slots and spares, want at most %d", s.members, mostMembers)
	}
}

// pool reads what a pool has besides its numbers.
func (r *reader) pool(o object, p *poolShape) {
	for _, h := range o.texts("hosts", "DNS names") {
		if !isHost(h.text) {
			r.wrong(h.at, "%s has %q, want a DNS name", o.join("hosts"), h.text)
		}
		p.hosts = append(p.hosts, h.text)
	}
	p.exclusive = o.truth("exclusive")
	levels := []string{"none", "self", "lease", "watchdog", "power"}
	for _, l := range o.texts("fence", words(levels, "or")) {
		if !slices.Contains(levels, l.text) {
			r.wrong(l.at, "%s has %q, %s", o.join("fence"), l.text, meant(l.text, levels))
		}
		p.fence = append(p.fence, l.text)
	}
	p.disarmed = o.has("armed") && !o.truth("armed")
}

// writtenOut reads a fleet whose members have names.
func (r *reader) writtenOut(v *node) {
	before := len(r.mistakes)
	o := r.object("fleet", v, "members", "pools", "profile")
	f := member.Fleet{Version: 1, Profile: o.word("profile", "lan", "demo")}
	s := layout{}
	if !o.has("pools") {
		o.missing("pools", "pools by name")
	}
	r.shapedPoolsOf(o, &f, &s)
	var council []member.ID
	for _, x := range o.pairs["members"].value.pairs {
		m := r.object("fleet.members."+x.key, x.value, "failure_domain", "pool", "council")
		m.at = x.at
		if !isName(x.key) || len(x.key) > member.MaxNameLength {
			r.wrong(x.at, "fleet.members: %s is no name of a member", quoted(x.key))
		}
		if !m.has("failure_domain") && x.value.shape == mapping {
			m.missing("failure_domain", "the name of what fails together with it")
		}
		line := member.Member{
			ID: member.ID(x.key), Domain: member.FailureDomain(m.text("failure_domain", "", "a name", isName)),
			Pool:    m.text("pool", "", "the name of a pool", isName),
			Council: m.word("council", "allowed") != "",
		}
		if names := poolNames(f); line.Pool != "" && !slices.Contains(names, line.Pool) {
			r.wrong(m.where("pool"), "fleet.members.%s.pool is %q, which is not in the fleet: %s", x.key, line.Pool, meant(line.Pool, names))
		}
		if line.Council && len(council) < 5 {
			council = append(council, line.ID)
		}
		f.Members = append(f.Members, line)
	}
	if len(f.Members) < 2 || len(f.Members) > mostMembers {
		r.wrong(o.where("members"), "fleet.members has %d, want 2 to %d", len(f.Members), mostMembers)
	}
	if len(council) == 0 {
		r.wrong(o.where("members"), "fleet.members: nobody may sit in the council, want council: allowed at three or five")
	}
	if len(r.mistakes) > before {
		return
	}
	if err := f.Validate(); err != nil {
		r.wrong(v.at, "fleet: %v", err) // the ledger has the last word
		return
	}
	r.s.ground = newGround(f, oddly(council))
}

// oddly leaves the last of an even number out.
func oddly(council []member.ID) []member.ID { return council[:(len(council)-1)/2*2+1] }

// shapedPoolsOf reads the pools of a fleet whose members are written out: their
// spares are who is left over.
func (r *reader) shapedPoolsOf(o object, f *member.Fleet, s *layout) {
	v, ok := o.get("pools", "pools by name, each with slots")
	if !ok || v.shape != mapping {
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
