package main

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"moonwatch/internal/config"
	"moonwatch/member"
	"moonwatch/status"
)

// item is a member, a pool or the rest of fleet.yaml, as lines to compare.
type item struct {
	name  string // "member web-1"
	attrs [][2]string
}

// fleetItem is what is neither member nor pool.
const fleetItem = "fleet"

func (i item) attr(key string) (string, bool) {
	for _, a := range i.attrs {
		if a[0] == key {
			return a[1], true
		}
	}
	return "", false
}

func (i item) describe() string {
	var parts []string
	for _, a := range i.attrs {
		if a[1] != "" {
			parts = append(parts, a[0]+" "+few(strings.Split(a[1], ",")))
		}
	}
	return i.name + " (" + strings.Join(parts, ", ") + ")"
}

// diff lists what differs. Where the old item is not known as a whole, only
// what is known of it is compared.
func (i item) diff(n item, whole bool) string {
	var parts []string
	for _, a := range n.attrs {
		was, known := i.attr(a[0])
		if was != a[1] && (known || whole) {
			parts = append(parts, a[0]+" "+change(was, a[1]))
		}
	}
	for _, a := range i.attrs {
		if _, stays := n.attr(a[0]); !stays {
			parts = append(parts, fmt.Sprintf("%s %s -> nothing", a[0], orNothing(a[1])))
		}
	}
	return strings.Join(parts, ", ")
}

// change tells two values apart; of a list, what comes and what goes.
func change(was, is string) string {
	if !strings.Contains(was+is, ",") {
		return orNothing(was) + " -> " + orNothing(is)
	}
	old, now := strings.Split(was, ","), strings.Split(is, ",")
	var parts []string
	if come := without(now, old); len(come) > 0 {
		parts = append(parts, "+"+few(come))
	}
	if gone := without(old, now); len(gone) > 0 {
		parts = append(parts, "-"+few(gone))
	}
	if parts == nil {
		return "in another order"
	}
	return strings.Join(parts, " ")
}

func without(list, other []string) []string {
	return slices.DeleteFunc(slices.Clone(list), func(s string) bool { return s == "" || slices.Contains(other, s) })
}

// few lists names, the ends of the list if they are many.
func few(names []string) string {
	if n := len(names); n > 8 {
		return fmt.Sprintf("%s..%s (%d)", names[0], names[n-1], n)
	}
	return strings.Join(names, ",")
}

func orNothing(s string) string {
	if s == "" {
		return "nothing"
	}
	return s
}

// items takes a fleet apart.
func items(f *member.Fleet) []item {
	if f == nil {
		return nil
	}
	var all []item
	for _, m := range f.Members {
		council := ""
		if m.Council {
			council = "allowed"
		}
		attrs := [][2]string{{"failure_domain", string(m.Domain)}, {"pool", m.Pool}, {"council", council}}
		if m.Retired {
			attrs = append(attrs, [2]string{"retired", "true"})
		}
		all = append(all, item{"member " + string(m.ID), attrs})
	}
	for _, p := range f.Pools {
		all = append(all, poolItem(p))
	}
	share := func(t member.Threshold) string { return fmt.Sprintf("min %d share %g%%", t.Min, t.Share*100) }
	return append(all, item{fleetItem, [][2]string{
		{"profile", f.Profile},
		{"brake.guarded", share(f.Brake.Guarded)},
		{"brake.cascade", share(f.Brake.Cascade)},
		{"never_stop", join(f.NeverStop)},
		{"lease", leaseText(f)},
		{"notify.on", join(f.Notify.On)},
		{"notify.receivers", strings.Join(config.ReceiverTexts(f.Notify), ",")},
		{"shield.mode", f.Shield.Doing()},
		{"shield.unit", cmp.Or(f.Shield.Unit, "requests")},
		{"shield.capacity", shieldCapacity(f)},
		{"shield.doors", join(f.Shield.Doors)},
		{"shield.highest", cmp.Or(f.Shield.Highest, "shape")},
		{"shield.single_door", map[bool]string{true: "trust"}[f.Shield.TrustSingle]},
		{"shield.weights", strings.Join(config.WeightTexts(f.Shield), ", ")},
	}})
}

func poolItem(p member.Pool) item {
	drivers := make([]string, len(p.Drivers))
	for i, d := range p.Drivers {
		drivers[i] = d.Kind
		if d.Port != 0 {
			drivers[i] += ":" + strconv.Itoa(d.Port)
		}
		if d.Told() {
			drivers[i] = "{" + config.DriverText(d) + "}"
		}
	}
	return item{"pool " + p.Name, [][2]string{
		{"armed", strconv.FormatBool(p.Armed)},
		{"exclusive", strconv.FormatBool(p.Exclusive)},
		{"slots", join(p.Slots)},
		{"spares.warm", strconv.Itoa(p.Spares.Warm)},
		{"spares.floor", strconv.Itoa(p.Spares.Floor)},
		{"spares.reserve", unlessZero(p.Spares.Reserve)},
		{"spares.early_after", unlessZero(p.Spares.EarlyAfter)},
		{"spares.borrow_from", join(p.Spares.BorrowFrom)},
		{"spares.drill_every", unlessZero(p.Spares.DrillEvery)},
		{"hosts", join(p.Hosts)},
		{"fence", join(p.Fence)},
		{"checks", p.Checks.String()},
		{"actions.activate", p.Actions.Activate},
		{"actions.prepare", p.Actions.Prepare},
		{"actions.unprepare", p.Actions.Unprepare},
		{"actions.stop", p.Actions.Stop},
		{"actions.restart", p.Actions.Restart},
		{"drivers", join(drivers)},
	}}
}

// unlessZero is a number or a time, or nothing where it is not set.
func unlessZero[T comparable](x T) string {
	var zero T
	if x == zero {
		return ""
	}
	return fmt.Sprint(x)
}

// reordered reports that the members that stay stand in another order.
func reordered(old, now *member.Fleet) bool {
	if old == nil {
		return false
	}
	return !slices.Equal(common(old.Members, now.Members), common(now.Members, old.Members))
}

func common(list, other []member.Member) []member.ID {
	known := map[member.ID]bool{}
	for _, m := range other {
		known[m.ID] = true
	}
	var ids []member.ID
	for _, m := range list {
		if known[m.ID] {
			ids = append(ids, m.ID)
		}
	}
	return ids
}

// itemsOfPage are what the page tells of the fleet in force: the members and
// the frame of the pools.
func itemsOfPage(page status.Page) []item {
	all := []item{{name: fleetItem}} // there is one; what it holds is not told
	for _, m := range page.Members {
		all = append(all, item{"member " + string(m.ID), [][2]string{{"failure_domain", string(m.Domain)}, {"pool", m.Pool}}})
	}
	for _, x := range page.Pools {
		var ids []member.SlotID
		for _, s := range page.Slots {
			if s.Pool == x.Name {
				ids = append(ids, s.ID)
			}
		}
		all = append(all, item{"pool " + x.Name, [][2]string{
			{"armed", strconv.FormatBool(x.Armed)},
			{"exclusive", strconv.FormatBool(x.Exclusive)},
			{"slots", join(ids)},
			{"spares.warm", strconv.Itoa(x.Warm)},
			{"spares.floor", strconv.Itoa(x.Floor)},
		}})
	}
	return all
}

func shieldCapacity(f *member.Fleet) string {
	if f.Shield.Serves() == 0 {
		return "learned"
	}
	return strconv.Itoa(f.Shield.Serves())
}

// leaseText is how the terms of a fleet's leases are shown; nothing where no slot
// is exclusive.
func leaseText(f *member.Fleet) string {
	if !f.Exclusive() {
		return ""
	}
	t := f.Leases()
	return fmt.Sprintf("length %s renew %s stop %s within %s watchdog %s round_trip %s", t.Length, t.Renew, t.Stop, t.Within, t.Watchdog, t.RoundTrip)
}
