package scenario

import "moonwatch/sim"

// sometimes are the names under which a world counts what rarely happens and
// has to.
func sometimes() []string {
	var names []string
	for _, r := range sim.Rarities() {
		names = append(names, r.Name)
	}
	return names
}
