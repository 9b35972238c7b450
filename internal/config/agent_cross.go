package config

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"moonwatch/internal/strict"
)

// crossCheck looks at what is right alone and wrong beside something else.
func (r *agentReader) crossCheck(root *strict.Value) {
	for _, k := range agentKeys {
		if _, said := r.from[k.path]; k.must && !said {
			r.at(k.path, root, "%s is missing, want %s", k.path, k.want)
		}
	}
	a := &r.agent
	if a.Bind.Addr().IsUnspecified() && a.Advertise == (netip.Addr{}) && !r.refused["advertise"] {
		r.at("bind", root, "bind is %s and advertise says nothing, want in one of them the IP address under which others reach this member", a.Bind)
	}
	names := slices.Sorted(slices.Values(a.ExpectCouncillors))
	if n := len(names); n > 7 || n > 0 && n%2 == 0 {
		r.at("expect_councillors", root, "expect_councillors has %d names, want 1, 3, 5 or 7, or none: an even council survives no more than the odd one below it", n)
	}
	if len(slices.Compact(names)) < len(a.ExpectCouncillors) {
		r.at("expect_councillors", root, "expect_councillors names somebody twice")
	}
	r.oneDoor(root)
	if a.Public.Listen != "" && len(a.Public.Pools) == 0 {
		r.at("public.listen", root, "public.listen is %s and public.pools names none, want the pools that people outside may see", a.Public.Listen)
	}
	r.distinctDoors(root)
}

// oneDoor refuses two doors of the shield, and one that everybody of this machine may tell
// what to do.
func (r *agentReader) oneDoor(root *strict.Value) {
	a := &r.agent
	type door struct{ key, value string }
	first := door{}
	for _, x := range []door{{"gateway", a.Gateway}, {"haproxy.socket", a.HAProxy.Socket}, {"door.address", a.Door.Address}} {
		switch {
		case x.value == "":
		case first.value == "":
			first = x
		default:
			r.at(x.key, root, "%s is %s and %s is %s, want one of them: an agent's shield has one door", x.key, x.value, first.key, first.value)
		}
	}
	if at := a.Door.Address; at != "" && !strings.HasPrefix(at, "/") && a.Door.KeyFile == "" {
		r.at("door.key_file", root, "door.key_file is missing and door.address is %s, want a file with the key that the door asks for: every program of this machine reaches a port", at)
	}
}

// distinctDoors refuses one port of one address for two listeners; port 0 is
// any free one.
func (r *agentReader) distinctDoors(root *strict.Value) {
	a := &r.agent
	keys := []string{"bind", "link", "http", "debug", "gateway", "public.listen"}
	doors := []string{a.Bind.String(), a.Link, a.HTTP, a.Debug, a.Gateway, a.Public.Listen}
	for j := range doors {
		for i := range j {
			if sameDoor(doors[i], doors[j]) {
				r.at(keys[j], root, "%s is %s and %s is %s, want different ports", keys[j], doors[j], keys[i], doors[i])
			}
		}
	}
}

func sameDoor(a, b string) bool {
	hostA, portA, okA := hostPort(a)
	hostB, portB, okB := hostPort(b)
	if !okA || !okB || portA == 0 || portA != portB {
		return false
	}
	everywhere := func(host string) bool {
		ip, err := netip.ParseAddr(host)
		return host == "" || err == nil && ip.IsUnspecified()
	}
	return hostA == hostB || everywhere(hostA) || everywhere(hostB)
}

// at reports what is wrong with a key beside others, where the key was given:
// in the file or outside it. A key that is refused already is left alone.
func (r *agentReader) at(key string, root *strict.Value, format string, args ...any) {
	if r.refused[key] {
		return
	}
	from, said := r.from[key]
	if !said {
		from = origin{file: r.File, at: root.At}
		group, _, nested := strings.Cut(key, ".")
		if i := slices.IndexFunc(root.Pairs, func(p strict.Pair) bool { return nested && p.Key == group }); i >= 0 {
			from.at = root.Pairs[i].At
		}
	}
	r.Mistakes = append(r.Mistakes, strict.Mistake{File: from.file, Line: from.at.Line, Column: from.at.Column, Text: fmt.Sprintf(format, args...)})
}
