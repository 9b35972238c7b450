package scenario

import (
	"slices"
	"time"

	"moonwatch/internal/strict"
	"moonwatch/member"
	"moonwatch/sim"
)

// noPools says in borrow_from that a pool borrows nowhere any more.
const noPools = "none"

// change reads what an order-apply changes about the fleet that stands.
func (r *reader) change(step object, s *Step) {
	const want = "what changes: profile, brake, pools by name, or members for those in whom"
	v, ok := step.Get("change", want)
	if !ok {
		return
	}
	switch {
	case v.Shape != strict.Mapping:
		step.Bad("change", v, want)
		return
	case len(v.Pairs) == 0:
		r.Wrong(v.At, "%s is empty, want %s", step.Join("change"), want)
		return
	}
	o := r.object(step.Join("change"), v, "profile", "brake", "pools", "members")
	c := sim.FleetChange{Profile: o.word("profile", member.Profiles()...)}
	if b, ok := o.Get("brake", "guarded and cascade"); ok {
		x := r.object(o.Join("brake"), b, "guarded", "cascade")
		c.Guarded, c.Cascade = r.threshold(x, "guarded"), r.threshold(x, "cascade")
	}
	for _, p := range o.pairs("pools", "pools by name, each with what changes about it") {
		if g := r.s.ground; g != nil && !slices.Contains(poolNames(g.fleet), p.Key) {
			r.Wrong(p.At, "%s has %s, which is not in the fleet: %s", o.Join("pools"), p.Key, strict.Meant(p.Key, poolNames(g.fleet)))
			continue
		}
		if c.Pools == nil {
			c.Pools = map[string]sim.PoolChange{}
		}
		if p.Value.Shape == strict.Mapping && len(p.Value.Pairs) == 0 {
			r.Wrong(p.Value.At, "%s.%s is empty, want what changes about the pool", o.Join("pools"), p.Key)
		}
		c.Pools[p.Key] = r.poolChange(r.object(o.Join("pools")+"."+p.Key, p.Value,
			"exclusive", "armed", "prepare", "restart", "fence", "drill_every", "early_after", "reserve", "floor", "borrow_from", "add_slots", "remove_slots"))
	}
	if m, ok := o.Get("members", "retired or pool"); ok {
		x := r.object(o.Join("members"), m, "retired", "pool")
		c.Members.Retired = x.truth("retired")
		if x.Has("pool") && r.s.ground != nil {
			c.Members.Pool = x.word("pool", poolNames(r.s.ground.fleet)...)
		}
	}
	switch {
	case o.Has("members") && !step.Has("whom"):
		r.Wrong(o.Pairs["members"].At, "%s stands without whom: whose line of the fleet changes", o.Join("members"))
	case !o.Has("members") && step.Has("whom"):
		r.Wrong(step.Pairs["whom"].At, "%s stands without change.members: nothing changes about members", step.Join("whom"))
	}
	s.Change = &c
}

// threshold reads {min: 3, share: 20%} of the brake.
func (r *reader) threshold(o object, key string) *member.Threshold {
	v, ok := o.Get(key, "min and share")
	if !ok {
		return nil
	}
	x := r.object(o.Join(key), v, "min", "share")
	return &member.Threshold{Min: x.Integer("min", 1, 1, mostMembers), Share: x.ratio("share", 0, 0.001, 1)}
}

// poolChange reads what changes about one pool.
func (r *reader) poolChange(o object) sim.PoolChange {
	c := sim.PoolChange{
		Exclusive: o.truth("exclusive"), Armed: o.truth("armed"), Prepare: o.truth("prepare"), Restart: o.truth("restart"),
		Reserve: o.number("reserve", mostMembers), Floor: o.number("floor", mostMembers),
		Fence: r.fenceLevels(o), DrillEvery: o.length("drill_every", 90*24*time.Hour), EarlyAfter: o.length("early_after", 24*time.Hour),
	}
	if from := o.texts("borrow_from", "the names of other pools, or none"); from != nil {
		names := []string{}
		c.BorrowFrom = &names
		for _, x := range from {
			if x.Text == noPools && len(from) == 1 {
				break
			}
			if g := r.s.ground; g != nil && !slices.Contains(poolNames(g.fleet), x.Text) {
				r.Wrong(x.At, "%s has %q, which is not in the fleet: %s", o.Join("borrow_from"), x.Text, strict.Meant(x.Text, append(poolNames(g.fleet), noPools)))
			}
			names = append(names, x.Text)
		}
	}
	for _, x := range o.texts("remove_slots", "names of slots") {
		r.there(x.At, o.Join("remove_slots"), Selector{kind: bySlot, name: x.Text})
		c.RemoveSlots = append(c.RemoveSlots, member.SlotID(x.Text))
	}
	for _, x := range o.texts("add_slots", "names of slots") {
		if !isName(x.Text) {
			r.Wrong(x.At, "%s has %s, want a name of letters, digits and dashes", o.Join("add_slots"), strict.Quoted(x.Text))
			continue
		}
		c.AddSlots = append(c.AddSlots, member.SlotID(x.Text))
		if r.s.ground != nil {
			r.s.ground.added = append(r.s.ground.added, member.SlotID(x.Text))
		}
	}
	return c
}

// truth is true or false, nil where the key does not stand.
func (o object) truth(key string) *bool {
	if !o.Has(key) {
		return nil
	}
	yes := o.Truth(key)
	return &yes
}

// number is a whole number from 0, nil where the key does not stand.
func (o object) number(key string, most int) *int {
	if !o.Has(key) {
		return nil
	}
	n := o.Integer(key, 0, 0, most)
	return &n
}

// length is a time from 1 s, nil where the key does not stand.
func (o object) length(key string, most time.Duration) *time.Duration {
	if !o.Has(key) {
		return nil
	}
	d := o.Duration(key, 0, time.Second, most, time.Minute)
	return &d
}
