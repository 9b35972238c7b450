package scenario

import (
	"slices"
	"strings"

	"moonwatch/internal/strict"
	"moonwatch/member"
	"moonwatch/sim"
)

// ShieldWanted is what a scenario expects of the shield. What is not set is not
// asked.
type ShieldWanted struct {
	OthersServed      float64  `json:"others_served,omitempty"`       // part of the requests for subdomains that nobody floods, at least
	OthersWorstSecond float64  `json:"others_worst_second,omitempty"` // in the worst second, at least
	Innocents         *Range   `json:"innocents,omitempty"`           // subdomains that nobody flooded and that were refused
	FirstRejectMax    Duration `json:"first_reject_max,omitempty"`    // after the begin of a flood
	FleetShapedMax    Duration `json:"fleet_shaped_max,omitempty"`    // at every door
	ReleasedMax       Duration `json:"released_max,omitempty"`        // after the end of a flood
	Comings           *Range   `json:"comings,omitempty"`             // of one subdomain onto the ladder
	Overloads         *Range   `json:"overloads,omitempty"`           // said by doors
	BrowsersServed    float64  `json:"browsers_served,omitempty"`     // part of the visits of browsers to challenged subdomains, at least
	BrowsersAtOnce    float64  `json:"browsers_at_once,omitempty"`    // the same by an earlier visit's pass
}

var shieldKeys = []string{"pool", "doors", "bears", "capacity", "subdomains", "rps", "skew", "unit", "dear", "times", "shadow", "highest", "browsers"}

// shield reads the doors of a shield and who asks them for what.
func (r *reader) shield(top object) {
	v, ok := top.Get("shield", "a mapping of "+strict.Words(shieldKeys, "and"))
	if !ok {
		return
	}
	o := r.object("shield", v, shieldKeys...)
	if v.Shape != strict.Mapping {
		return
	}
	s := &sim.Shield{
		Pool:       o.Text("pool", "", "the name of a pool", anything),
		Doors:      o.Integer("doors", 3, 1, mostMembers),
		Bears:      o.ratio("bears", 200, 1, 1e5),
		Learned:    o.word("capacity", "configured", "learned") == "learned",
		Subdomains: o.Integer("subdomains", 20, 1, 1000),
		RPS:        o.ratio("rps", 600, 1, 1e6),
		Skew:       o.ratio("skew", 0.5, 0, 2),
		Time:       o.word("unit", "requests", "time") == "time",
		Dear:       o.Text("dear", "", "the name of a subdomain, such as t-13.example.com", anything),
		Times:      o.ratio("times", 1, 1, 1000),
		Shadow:     o.Truth("shadow"),
		Browsers:   o.ratio("browsers", 0, 0, 1),
		Highest:    o.word("highest", append([]string{""}, member.ShieldRungs()...)...),
	}
	if g := r.s.ground; g != nil {
		pools := poolNames(g.fleet)
		switch {
		case s.Pool == "" && len(pools) == 1:
			s.Pool = pools[0]
		case s.Pool == "":
			o.Missing("pool", strict.Words(pools, "or"))
		case !slices.Contains(pools, s.Pool):
			r.Wrong(o.Where("pool"), "%s is %q, which is not in the fleet: %s", o.Join("pool"), s.Pool, strict.Meant(s.Pool, pools))
		}
		if s.Doors > len(g.fleet.Members) {
			r.Wrong(o.Where("doors"), "%s is %d, want at most %d: each is a member's", o.Join("doors"), s.Doors, len(g.fleet.Members))
		}
	}
	r.s.Shield = s
}

// wantedOfShield reads what is expected of the shield.
func (r *reader) wantedOfShield(o object) {
	w := &r.s.Expect.ShieldWanted
	if r.s.Shield == nil {
		for _, key := range []string{"others_served", "others_worst_second", "innocents", "first_reject_max", "fleet_shaped_max", "released_max", "comings", "overloads", "browsers_served", "browsers_at_once"} {
			if o.Has(key) {
				r.Wrong(o.Pairs[key].At, "expect.%s: no door holds floods back, want shield", key)
			}
		}
		return
	}
	w.OthersServed, w.OthersWorstSecond = o.ratio("others_served", 0, 0, 1), o.ratio("others_worst_second", 0, 0, 1)
	w.BrowsersServed, w.BrowsersAtOnce = o.ratio("browsers_served", 0, 0, 1), o.ratio("browsers_at_once", 0, 0, 1)
	w.Innocents, w.Comings, w.Overloads = o.wanted("innocents"), o.wanted("comings"), o.wanted("overloads")
	w.FirstRejectMax = Duration(o.duration("first_reject_max", 0, 0, longest))
	w.FleetShapedMax = Duration(o.duration("fleet_shaped_max", 0, 0, longest))
	w.ReleasedMax = Duration(o.duration("released_max", 0, 0, longest))
}

// missedOfShield lists what was expected of the shield and did not come.
func (w ShieldWanted) missedOfShield(got sim.Shielded, bad func(key, format string, args ...any)) {
	least := func(key string, want, got float64) {
		if got < want {
			bad(key, "%.2f %%, want at least %v %%", 100*got, 100*want)
		}
	}
	least("others_served", w.OthersServed, got.Others)
	least("others_worst_second", w.OthersWorstSecond, got.WorstSecond)
	if w.BrowsersServed > 0 {
		least("browsers_served", w.BrowsersServed, got.Browsers)
	}
	if w.BrowsersAtOnce > 0 {
		least("browsers_at_once", w.BrowsersAtOnce, got.AtOnce)
	}
	most := func(key string, want Duration, got int64) {
		switch {
		case want == 0:
		case got < 0:
			bad(key, "it never came to that, want at most %s", want)
		case got > int64(want):
			bad(key, "%s, want at most %s", Duration(got), want)
		}
	}
	most("first_reject_max", w.FirstRejectMax, int64(got.FirstReject))
	most("fleet_shaped_max", w.FleetShapedMax, int64(got.FleetShaped))
	most("released_max", w.ReleasedMax, int64(got.Released))
	count := func(key string, want *Range, got int) {
		if want != nil && !want.Has(got) {
			bad(key, "%d, want %s", got, want)
		}
	}
	count("innocents", w.Innocents, len(got.Innocents))
	count("comings", w.Comings, got.Comings)
	count("overloads", w.Overloads, got.Overloads)
	if w.Innocents != nil && !w.Innocents.Has(len(got.Innocents)) {
		bad("innocents", "%s", strings.Join(got.Innocents, ", "))
	}
}
