package config_test

import (
	"fmt"

	"moonwatch/internal/config"
)

// All mistakes come at once, each with its place.
func ExampleParseFleet() {
	_, _, err := config.ParseFleet("fleet.yaml", []byte(`version: 1
members:
  web-1: {failure_domain: a, pool: web, counsil: allowed}
pools:
  web:
    slots: {web: 2}
    armed: yes
`))
	fmt.Println(err)
	// Output:
	// fleet.yaml:3:41: unknown key members.web-1.counsil, did you mean council?
	// fleet.yaml:6:5: pools.web has 2 slots and 1 member, want at least as many members as slots
	// fleet.yaml:7:12: pools.web.armed is "yes", want true or false
}
