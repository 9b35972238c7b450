package config

import (
	"fmt"
	"slices"

	"moonwatch/internal/strict"
	"moonwatch/member"
)

// UnknownPublicPools says which pools the public page of an agent is to show and the
// fleet does not have, one warning each. The page shows them as not known, so it is no
// error: a pool may come with the next fleet, and each file is changed alone.
func UnknownPublicPools(a *Agent, f *member.Fleet) []string {
	if a.Public.Listen == "" {
		return nil
	}
	known := make([]string, len(f.Pools))
	for i, p := range f.Pools {
		known[i] = p.Name
	}
	var out []string
	for _, name := range a.Public.Pools {
		if slices.Contains(known, name) {
			continue
		}
		hint := "fleet.yaml has no pool"
		if meant := strict.Nearest(name, known); meant != "" {
			hint = "did you mean " + meant + "?"
		} else if len(known) > 0 {
			hint = "fleet.yaml has " + strict.Words(known, "and")
		}
		out = append(out, fmt.Sprintf("public.pools names %s, which is no pool of the fleet: the public page shows it as not known; %s", strict.Quoted(name), hint))
	}
	return out
}
