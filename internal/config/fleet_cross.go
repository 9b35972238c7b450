package config

import (
	"fmt"
	"slices"
	"strings"

	"moonwatch/internal/strict"
	"moonwatch/member"
)

// crossCheck looks at what is right alone and wrong beside something else.
func (r *fleetReader) crossCheck() {
	r.checkMembersOfPools()
	r.checkHosts()
	r.checkSlots()
	r.checkTellers()
	r.checkLoans()
	r.warnOfFleet()
	for _, p := range r.fleet.Pools {
		r.warnOfPool(p)
	}
}

func (r *fleetReader) checkMembersOfPools() {
	known := make([]string, len(r.fleet.Pools))
	in := map[string]int{}
	for i, p := range r.fleet.Pools {
		known[i] = p.Name
	}
	for _, m := range r.fleet.Members {
		if !m.Retired {
			in[m.Pool]++
		}
		if m.Pool == "" || slices.Contains(known, m.Pool) {
			continue
		}
		switch meant := strict.Nearest(m.Pool, known); {
		case meant != "":
			r.Wrong(r.lines[m.ID], "members.%s.pool is %q, did you mean %s?", m.ID, m.Pool, meant)
		case len(known) > 0:
			r.Wrong(r.lines[m.ID], "members.%s.pool is %q, want %s", m.ID, m.Pool, strict.Words(known, "or"))
		default:
			r.Wrong(r.lines[m.ID], "members.%s.pool is %q, want the name of a pool: there is none", m.ID, m.Pool)
		}
	}
	for _, p := range r.fleet.Pools {
		slots, have := len(p.Slots), in[p.Name]
		at := r.pools[p.Name]
		switch {
		case slots > have:
			r.Wrong(at.Where("slots"), "pools.%s has %s and %s, want at least as many members as slots",
				p.Name, plural(slots, "slot"), plural(have, "member"))
		case slots+p.Spares.Warm > have:
			r.warn(at.Where("spares"), "pools.%s wants %s ready and has %s without a slot: people are told when fewer than floor (%d) are free",
				p.Name, plural(p.Spares.Warm, "spare"), plural(have-slots, "member"), p.Spares.Floor)
		}
	}
}

// checkHosts refuses a name that two pools claim: which one serves it would be
// chance. A gateway pool without hosts takes every name that no other has, so
// there is at most one.
func (r *fleetReader) checkHosts() {
	owner := map[string]string{}
	all := ""
	for _, p := range r.fleet.Pools {
		at := r.pools[p.Name]
		if v, ok := at.Pairs["hosts"]; ok && v.Value.Shape == strict.List {
			for _, e := range v.Value.Items {
				if first, taken := owner[e.Text]; taken && first != p.Name {
					r.Wrong(e.At, "pools.%s.hosts: %s belongs to pool %s already", p.Name, strict.Quoted(e.Text), first)
				} else if e.Shape == strict.Text {
					owner[e.Text] = p.Name
				}
			}
		}
		gateway := slices.ContainsFunc(p.Drivers, func(d member.Driver) bool { return d.Kind == "gateway" })
		if !gateway || at.Has("hosts") && len(p.Hosts) > 0 {
			continue
		}
		if all != "" {
			r.Wrong(at.Where("drivers"), "pools.%s has a gateway and no hosts, as pool %s has: want hosts in one of them", p.Name, all)
		}
		all = p.Name
	}
}

// checkSlots refuses one slot in two pools.
func (r *fleetReader) checkSlots() {
	owner := map[member.SlotID]string{}
	for _, p := range r.fleet.Pools {
		for _, s := range p.Slots {
			if first, taken := owner[s]; taken {
				r.Wrong(r.pools[p.Name].Where("slots"), "pools.%s.slots: %s is a slot of pool %s already", p.Name, s, first)
				break // its neighbours follow from it
			}
			owner[s] = p.Name
		}
	}
}

// checkLoans asks the rule of the ledger, which knows no lines.
func (r *fleetReader) checkLoans() {
	for _, p := range r.fleet.Pools {
		for _, err := range r.fleet.CheckLoans(p) {
			r.Wrong(r.pools[p.Name].Where("spares"), "%v", err)
		}
	}
}

func (r *fleetReader) warnOfFleet() {
	active := slices.DeleteFunc(slices.Clone(r.fleet.Members), func(m member.Member) bool { return m.Retired })
	if len(r.fleet.Members) == 0 {
		return
	}
	top := r.roster
	if n := len(active); n <= 2 {
		r.warn(top, "%s in all: a failure is unprovable, so nothing is ever decided; add a witness", plural(n, "member"))
	}
	var domains []string
	council := 0
	for _, m := range active {
		if d := string(m.Domain); !slices.Contains(domains, d) {
			domains = append(domains, d)
		}
		if m.Council {
			council++
		}
	}
	switch len(domains) {
	case 1:
		r.warn(top, "one failure domain only (%s): its loss takes the council quorum along, and nobody outside could tell", domains[0])
	case 2:
		r.warn(top, "two failure domains only (%s): loss of the one that holds most councillors stops exclusive slots everywhere; add a witness in a third domain",
			strings.Join(domains, ", "))
	}
	if council < 3 {
		r.warn(top, "%s may sit in the council (council: allowed), want 3 or more: with fewer, the loss of one ends every decision", plural(council, "member"))
	}
}

func (r *fleetReader) warnOfPool(p member.Pool) {
	at := r.pools[p.Name]
	if len(p.Slots) > 0 && !p.Checks.Outside() {
		what := "no check"
		if p.Checks.Exec != nil {
			what = "an exec check only, which runs on the member itself"
		}
		r.warn(at.Where("checks"), "pools.%s has %s: cannot tell agent-lost from down", p.Name, what)
	}
	r.warnOfAddresses(at, p)
}

// warnOfAddresses says what a fence other than power leaves behind. An address stays
// in the kernel of a machine that is out of our reach and not out of the clients', as
// VRRP's does: people who put up with that there may here, and have to know it.
func (r *fleetReader) warnOfAddresses(at object, p member.Pool) {
	carried := slices.ContainsFunc(p.Drivers, member.Driver.Carried)
	if first := append(slices.Clone(p.Fence), "none")[0]; carried && first != "power" && first != "network" {
		r.warn(at.Where("drivers"), "pools.%s gives its slots addresses and is fenced by %s first: an occupant that only we cannot reach keeps its address "+
			"beside the one who replaces it, until its agent hears of that; want fence: [power] or [network] where that does harm", p.Name, first)
	}
}

func plural(n int, word string) string {
	if n == 1 {
		return "1 " + word
	}
	return fmt.Sprintf("%d %ss", n, word)
}
