package config

import (
	"fmt"

	"moonwatch/member"
)

// shield reads what the doors do about a flooded subdomain.
func (r *fleetReader) shield(top object) {
	v, ok := top.Get("shield", "mode and capacity")
	if !ok {
		return
	}
	o := r.object("shield", v, "mode", "capacity")
	r.fleet.Shield.Mode = o.Text("mode", "", "off, shadow or enforce", oneOf(member.ShieldOff, member.ShieldShadow, member.ShieldEnforce))
	if r.fleet.Shield.Mode == member.ShieldShadow {
		r.fleet.Shield.Mode = "" // the default stays the default of the build
	}
	r.fleet.Shield.Capacity = o.Integer("capacity", 0, 1, member.MaxCapacity)
}

// shieldText writes a shield on one line as it stands in fleet.yaml.
func shieldText(p member.ShieldPolicy) string {
	if p.Capacity == 0 {
		return fmt.Sprintf("{mode: %s}", p.Doing())
	}
	return fmt.Sprintf("{mode: %s, capacity: %d}", p.Doing(), p.Capacity)
}
