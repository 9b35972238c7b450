package config

import (
	"fmt"
	"slices"
	"strings"

	"moonwatch/internal/strict"
	"moonwatch/member"
)

// shield reads what the doors do about a flooded subdomain.
func (r *fleetReader) shield(top object) {
	v, ok := top.Get("shield", "mode, capacity, doors and so on")
	if !ok {
		return
	}
	o := r.object("shield", v, "mode", "capacity", "doors", "highest", "single_door")
	r.fleet.Shield.Mode = o.Text("mode", "", "off, shadow or enforce", oneOf(member.ShieldOff, member.ShieldShadow, member.ShieldEnforce))
	if r.fleet.Shield.Mode == member.ShieldShadow {
		r.fleet.Shield.Mode = "" // the default stays the default of the build
	}
	r.fleet.Shield.Capacity = o.Integer("capacity", 0, 1, member.MaxCapacity)
	rungs := strict.Words(member.ShieldRungs(), "or")
	if r.fleet.Shield.Highest = o.Text("highest", "", "shape, "+rungs, oneOf(append(member.ShieldRungs(), "shape")...)); r.fleet.Shield.Highest == "shape" {
		r.fleet.Shield.Highest = ""
	}
	r.fleet.Shield.TrustSingle = o.Text("single_door", "", "trust", oneOf("trust")) == "trust"
	r.doors(o)
}

// doors are members, each of them once.
func (r *fleetReader) doors(o object) {
	names := o.texts("doors", "the names of members that open a gateway", isName)
	slices.Sort(names)
	if len(names) > member.MaxDoors {
		r.Wrong(o.Where("doors"), "%s: %d doors, want at most %d", o.Join("doors"), len(names), member.MaxDoors)
	}
	for _, n := range names {
		if !slices.ContainsFunc(r.fleet.Members, func(m member.Member) bool { return string(m.ID) == n }) {
			r.Wrong(o.Where("doors"), "%s: %s is no member", o.Join("doors"), n)
		}
		r.fleet.Shield.Doors = append(r.fleet.Shield.Doors, member.ID(n))
	}
}

// shieldText writes a shield on one line as it stands in fleet.yaml.
func shieldText(p member.ShieldPolicy) string {
	parts := []string{"mode: " + p.Doing()}
	if p.Capacity != 0 {
		parts = append(parts, fmt.Sprintf("capacity: %d", p.Capacity))
	}
	if len(p.Doors) > 0 {
		names := make([]string, len(p.Doors))
		for i, d := range p.Doors {
			names[i] = string(d)
		}
		parts = append(parts, "doors: ["+strings.Join(names, ", ")+"]")
	}
	if p.Highest != "" {
		parts = append(parts, "highest: "+p.Highest)
	}
	if p.TrustSingle {
		parts = append(parts, "single_door: trust")
	}
	return "{" + strings.Join(parts, ", ") + "}"
}
