package config

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"moonwatch/internal/strict"
	"moonwatch/member"
)

// fences are the levels of proof, in the order in which they are usually
// written.
var fences = []string{"none", "self", "lease", "watchdog", "power", "network"}

func (r *fleetReader) pool(p strict.Pair) member.Pool {
	o := r.object("pools."+p.Key, p.Value,
		"hosts", "exclusive", "fence", "slots", "spares", "checks", "actions", "drivers", "armed")
	o.At = p.At
	r.pools[p.Key] = o
	pool := member.Pool{
		Name:      p.Key,
		Hosts:     o.texts("hosts", "DNS names in lower case, such as www.example.com or \"*.example.com\"", isHost),
		Exclusive: o.Truth("exclusive"),
		Armed:     o.Truth("armed"),
	}
	r.fence(o, &pool)
	r.slots(o, &pool)
	var spares object
	if v, ok := o.Get("spares", "warm and floor"); ok {
		s := r.object(o.Join("spares"), v, "warm", "floor", "reserve", "early_after", "borrow_from", "drill_every")
		spares = s
		pool.Spares.Warm = s.Integer("warm", 0, 0, maxSlots)
		pool.Spares.Reserve = s.Integer("reserve", 0, 0, maxSlots)
		pool.Spares.EarlyAfter = s.Duration("early_after", 0, time.Second, 24*time.Hour, 2*time.Minute)
		pool.Spares.BorrowFrom = s.texts("borrow_from", "the names of other pools", isName)
		if pool.Spares.Reserve > 0 && pool.Spares.Reserve >= pool.Spares.Warm {
			r.Wrong(s.Where("reserve"), "%s is %d, want less than warm (%d): else no slot is replaced before half of them are lost",
				s.Join("reserve"), pool.Spares.Reserve, pool.Spares.Warm)
		}
		pool.Spares.Floor = s.Integer("floor", 0, 0, maxSlots)
		if pool.Spares.Floor > pool.Spares.Warm {
			r.Wrong(s.Where("floor"), "%s is %d, want at most warm (%d): else people are told for ever",
				s.Join("floor"), pool.Spares.Floor, pool.Spares.Warm)
		}
	}
	pool.Checks = r.checks(o)
	if v, ok := o.Get("actions", "activate, stop and restart"); ok {
		a := r.object(o.Join("actions"), v, "activate", "prepare", "unprepare", "stop", "restart")
		pool.Actions.Prepare = a.program("prepare", "actions_dir")
		pool.Actions.Unprepare = a.program("unprepare", "actions_dir")
		pool.Actions.Activate = a.program("activate", "actions_dir")
		pool.Actions.Stop = a.program("stop", "actions_dir")
		pool.Actions.Restart = a.program("restart", "actions_dir")
		r.prepared(a, pool.Actions)
	}
	r.drills(spares, &pool)
	r.drivers(o, &pool)
	return pool
}

// drillEvery is how often each spare does a drill where fleet.yaml says nothing: a week
// is short enough to find what rots, and long enough to bother nobody.
const drillEvery = 7 * 24 * time.Hour

// drills reads how often the spares do a drill: of what prepares there is nothing to try
// out without an action for it.
func (r *fleetReader) drills(s object, pool *member.Pool) {
	prepares := pool.Actions.Prepare != ""
	if prepares {
		pool.Spares.DrillEvery = drillEvery
	}
	switch x := s.Pairs["drill_every"].Value; {
	case x == nil:
	case !prepares:
		r.Wrong(s.Where("drill_every"), "%s stands there, and the pool has no action that prepares: want actions: {prepare: }, or no such key", s.Join("drill_every"))
	case x.Text == "never":
		pool.Spares.DrillEvery = 0
	default:
		pool.Spares.DrillEvery = s.Duration("drill_every", drillEvery, time.Minute, 365*24*time.Hour, drillEvery)
	}
}

// prepared wants what is prepared to be of use, and to be taken back by somebody.
func (r *fleetReader) prepared(a object, x member.Actions) {
	switch {
	case x.Prepare == "" && x.Unprepare != "":
		r.Wrong(a.Where("unprepare"), "%s stands there without prepare, want what it takes back", a.Join("unprepare"))
	case x.Prepare != "" && x.Activate == "":
		r.Wrong(a.Where("prepare"), "%s stands there without activate, want what it prepares for", a.Join("prepare"))
	case x.Prepare != "" && x.Unprepare == "" && x.Stop == "":
		r.Wrong(a.Where("prepare"), "%s stands there without unprepare or stop, want what takes it back", a.Join("prepare"))
	}
}

// fence levels are tried in order; none beside another level says nothing.
func (r *fleetReader) fence(o object, pool *member.Pool) {
	pool.Fence = o.texts("fence", strict.Words(fences, "or"), oneOf(fences...))
	if v := o.Pairs["fence"].Value; v != nil && v.Shape == strict.List && len(v.Items) == 0 {
		o.Bad("fence", v, "a list of "+strict.Words(fences, "or"))
	}
	if len(pool.Fence) > 1 && slices.Contains(pool.Fence, "none") {
		r.Wrong(o.Where("fence"), "%s is %s, want none alone, or the other levels", o.Join("fence"), strict.Words(pool.Fence, "and"))
	}
	if len(pool.Fence) == 0 {
		pool.Fence = []string{"none"}
	}
	r.exclusivePool(o, pool)
}

// slots expands web: 5 to web-0 .. web-4.
func (r *fleetReader) slots(o object, pool *member.Pool) {
	v, ok := o.Get("slots", "how many of each name, such as {web: 5}")
	if !ok {
		return
	}
	if v.Shape != strict.Mapping {
		o.Bad("slots", v, "how many of each name, such as {web: 5}")
		return
	}
	names := r.named(v, o.Join("slots"), "slot")
	known := make([]string, len(names))
	for i, p := range names {
		known[i] = p.Key
	}
	counts := r.object(o.Join("slots"), v, known...)
	for _, name := range known {
		n := counts.Integer(name, 0, 1, maxSlots)
		if last := fmt.Sprintf("%s-%d", name, max(0, n-1)); !isName(last) {
			r.Wrong(counts.Where(name), "%s: slot %s is longer than %d characters", o.Join("slots"), last, member.MaxNameLength)
			continue
		}
		if len(pool.Slots)+n > maxSlots {
			r.Wrong(counts.Where(name), "%s are more than %d", o.Join("slots"), maxSlots)
			return
		}
		for i := range n {
			pool.Slots = append(pool.Slots, member.SlotID(fmt.Sprintf("%s-%d", name, i)))
		}
	}
}

func (r *fleetReader) checks(pool object) member.Checks {
	v, ok := pool.Get("checks", "http, tcp, grpc or exec")
	if !ok {
		return member.Checks{}
	}
	o := r.object(pool.Join("checks"), v, "http", "tcp", "grpc", "exec")
	if len(o.Pairs) > 1 {
		kinds := make([]string, 0, len(o.Pairs))
		for _, p := range v.Pairs {
			if _, known := o.Pairs[p.Key]; known {
				kinds = append(kinds, p.Key)
			}
		}
		r.Wrong(pool.Where("checks"), "%s has %s, want one of them: a verdict rests on one question", o.Path, strict.Words(kinds, "and"))
	}
	var c member.Checks
	if h, every, wait, ok := r.check(o, "http", "port", "path"); ok {
		c.HTTP = &member.HTTPCheck{Port: h.port("port"), Interval: every, Timeout: wait}
		c.HTTP.Path = h.Text("path", "/", "a path that begins with /", isPath)
	}
	if t, every, wait, ok := r.check(o, "tcp", "port"); ok {
		c.TCP = &member.TCPCheck{Port: t.port("port"), Interval: every, Timeout: wait}
	}
	if g, every, wait, ok := r.check(o, "grpc", "port", "service"); ok {
		c.GRPC = &member.GRPCCheck{Port: g.port("port"), Interval: every, Timeout: wait}
		c.GRPC.Service = g.Text("service", "", "the name of a gRPC service, or no such key for all of them", isLine)
	}
	if e, every, wait, ok := r.check(o, "exec", "name"); ok {
		c.Exec = &member.ExecCheck{Name: e.program("name", "checks_dir"), Interval: every, Timeout: wait}
		if !e.Has("name") {
			e.Missing("name", "the plain name of a file in checks_dir")
		}
	}
	return c
}

// check reads one kind of check and the times that all kinds have. A check
// that outlasts its interval would pile up.
func (r *fleetReader) check(checks object, kind string, keys ...string) (o object, every, wait time.Duration, ok bool) {
	v, ok := checks.Get(kind, strict.Words(keys, "and"))
	if !ok {
		return object{}, 0, 0, false
	}
	o = r.object(checks.Join(kind), v, append(keys, "interval", "timeout")...)
	if v.Shape != strict.Mapping {
		return object{}, 0, 0, false
	}
	o.At = checks.Pairs[kind].At
	every = o.Duration("interval", checkInterval, 100*time.Millisecond, time.Hour, checkInterval)
	wait = o.Duration("timeout", checkTimeout, 10*time.Millisecond, time.Minute, checkTimeout)
	if wait >= every {
		key := "timeout"
		if !o.Has(key) {
			key = "interval"
		}
		r.Wrong(o.Where(key), "%s is %v and interval is %v, want a timeout below the interval", o.Join("timeout"), strict.Short(wait), strict.Short(every))
	}
	return o, every, wait, true
}

// port reads a port that has to be there.
func (o object) port(key string) int {
	if !o.Has(key) {
		o.Missing(key, "a whole number from 1 to 65535")
	}
	return o.Integer(key, 0, 1, 65535)
}

// program reads the plain name of a file in a folder of installed programs.
func (o object) program(key, folder string) string {
	return o.Text(key, "", "the plain name of a file in "+folder, isPlainFile)
}

// isPlainFile is what [moonwatch/internal/program.Folder] will accept, and no
// spaces: a command line is not a name.
func isPlainFile(s string) bool {
	return s != "" && len(s) <= 255 && s[0] != '.' && s[0] != '-' && !strings.ContainsAny(s, "/\\ ") && isLine(s)
}

func isPath(s string) bool {
	return strings.HasPrefix(s, "/") && !strings.Contains(s, " ") && isLine(s)
}

// isLine accepts text without control characters.
func isLine(s string) bool {
	return s != "" && !strings.ContainsFunc(s, func(c rune) bool { return c < ' ' || c == 0x7f })
}
