package config

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
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
	o := r.object("shield", v, "mode", "unit", "capacity", "doors", "highest", "single_door", "weights")
	r.fleet.Shield.Mode = o.Text("mode", "", "off, shadow or enforce", oneOf(member.ShieldOff, member.ShieldShadow, member.ShieldEnforce))
	if r.fleet.Shield.Mode == member.ShieldShadow {
		r.fleet.Shield.Mode = "" // the default stays the default of the build
	}
	if r.fleet.Shield.Unit = o.Text("unit", "", "requests or "+member.ShieldTime, oneOf("requests", member.ShieldTime)); r.fleet.Shield.Unit == "requests" {
		r.fleet.Shield.Unit = ""
	}
	// In the file it is one capacity in the unit beside it; in the ledger each unit has its field.
	if capacity := o.Integer("capacity", 0, 1, member.MaxCapacity); r.fleet.Shield.Unit == member.ShieldTime {
		r.fleet.Shield.Concurrency = capacity
	} else {
		r.fleet.Shield.Capacity = capacity
	}
	rungs := strict.Words(member.ShieldRungs(), "or")
	if r.fleet.Shield.Highest = o.Text("highest", "", "shape, "+rungs, oneOf(append(member.ShieldRungs(), "shape")...)); r.fleet.Shield.Highest == "shape" {
		r.fleet.Shield.Highest = ""
	}
	r.fleet.Shield.TrustSingle = o.Text("single_door", "", "trust", oneOf("trust")) == "trust"
	r.doors(o)
	r.weights(o)
}

// weights are numbers by host.
func (r *fleetReader) weights(o object) {
	const want = "a mapping of DNS names to weights, such as shop.example.com: 4"
	v, ok := o.Get("weights", want)
	if !ok {
		return
	}
	if v.Shape != strict.Mapping {
		o.Bad("weights", v, want)
		return
	}
	if len(v.Pairs) > member.MaxWeights {
		r.Wrong(o.Where("weights"), "%s: %d of them, want at most %d", o.Join("weights"), len(v.Pairs), member.MaxWeights)
	}
	for _, p := range v.Pairs {
		path := o.Join("weights") + "." + p.Key
		w, err := strconv.ParseFloat(p.Value.Text, 64)
		switch {
		case !isHost(p.Key):
			r.Wrong(p.At, "%s: want a DNS name in lower case, or *.PARENT for the unknown names below it", path)
		case p.Value.Shape != strict.Number || err != nil || w < member.LeastWeight || w > member.MostWeight:
			r.Wrong(p.Value.At, "%s is %s, want a number from %v to %v", path, p.Value.Found(), member.LeastWeight, member.MostWeight)
		default:
			if r.fleet.Shield.Weights == nil {
				r.fleet.Shield.Weights = map[string]float64{}
			}
			r.fleet.Shield.Weights[p.Key] = w
		}
	}
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
	if p.Unit != "" {
		parts = append(parts, "unit: "+p.Unit)
	}
	if serves := p.Serves(); serves != 0 {
		parts = append(parts, fmt.Sprintf("capacity: %d", serves))
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
	if len(p.Weights) > 0 {
		parts = append(parts, "weights: {"+strings.Join(WeightTexts(p), ", ")+"}")
	}
	return "{" + strings.Join(parts, ", ") + "}"
}

// WeightTexts writes the weights of subdomains as in fleet.yaml, by host.
func WeightTexts(p member.ShieldPolicy) []string {
	var out []string
	for _, host := range slices.Sorted(maps.Keys(p.Weights)) {
		out = append(out, scalar(host)+": "+strconv.FormatFloat(p.Weights[host], 'f', -1, 64))
	}
	return out
}
