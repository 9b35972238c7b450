package scenario

import (
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"moonwatch/internal/strict"
	"moonwatch/member"
	"moonwatch/sim"
)

// What a scenario is like if it does not say so.
const (
	defaultDuration = 3 * time.Minute
	defaultSettle   = 12 * time.Minute // a budget window and a cascade's end
	longest         = 30 * 24 * time.Hour
)

// Parse reads the text of a scenario; name is the file's, for mistakes. The
// error is [strict.Mistakes]: all of them, with their places.
func Parse(name string, src []byte) (*Scenario, error) {
	r := newReader(name)
	if root := r.Read(src); root != nil {
		r.read(root)
	}
	if err := r.Err(); err != nil {
		return nil, err
	}
	return &r.s, nil
}

// reader turns a file into a scenario.
type reader struct {
	strict.Reader
	s     Scenario
	named map[string]int // names that steps gave, and the step

	fences []fenced // faults of fence devices
}

var topKeys = []string{
	"name", "about", "seed", "fleet", "network", "disk", "actions", "ledger", "load", "shield", "duration", "settle", "steps", "swarm", "expect", "sometimes",
}

func (r *reader) read(root *strict.Value) {
	s := &r.s
	top := r.object("", root, topKeys...)
	stem := r.File[strings.LastIndexAny(r.File, `/\`)+1:]
	stem, _ = strings.CutSuffix(stem, ".yaml")
	s.Name = top.Text("name", stem, "a name of letters, digits and dashes", isName)
	s.About = strings.Join(strings.Fields(top.Text("about", "", "a sentence or two for people", anything)), " ")
	s.Seed = uint64(top.Integer("seed", 1, 0, math.MaxInt64))
	calm := sim.Calm()
	s.Net, s.Disk, s.Action = calm.Net, calm.Disk, calm.Action
	r.fleet(top)
	r.weather(top)
	s.Duration = top.duration("duration", defaultDuration, time.Second, longest)
	s.Settle = top.duration("settle", defaultSettle, 0, longest)
	r.load(top)
	r.shield(top)
	for i, v := range top.list("steps", "a list of steps") {
		s.Steps = append(s.Steps, r.step(i, v))
	}
	r.swarm(top)
	r.devices()
	r.expect(top)
	for _, x := range top.texts("sometimes", "a list of what has to happen sometimes") {
		if known := sometimes(); !slices.Contains(known, x.Text) {
			r.Wrong(x.At, "sometimes: nothing is counted as %q, %s", x.Text, strict.Meant(x.Text, known))
			continue
		}
		s.Sometimes = append(s.Sometimes, x.Text)
	}
}

// isName accepts what may be a file's name on every system.
func isName(s string) bool {
	for _, c := range s {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' {
			return false
		}
	}
	return s != "" && len(s) <= 64 && s[0] != '-'
}

// weather reads network, disk, actions and ledger.
func (r *reader) weather(top object) {
	s := &r.s
	if v, ok := top.Get("network", "delay, jitter and loss"); ok {
		o := r.object("network", v, "delay", "jitter", "loss")
		s.Net.Delay = o.duration("delay", s.Net.Delay, 0, 10*time.Second)
		s.Net.Jitter = o.duration("jitter", s.Net.Jitter, 0, 10*time.Second)
		s.Net.Loss = o.ratio("loss", 0, 0, 1)
	}
	if v, ok := top.Get("disk", "min and max, of one write"); ok {
		s.Disk.Sync = r.span(r.object("disk", v, "min", "max"), s.Disk.Sync)
	}
	if v, ok := top.Get("ledger", "snapshot_every and keep_entries"); ok {
		o := r.object("ledger", v, "snapshot_every", "keep_entries")
		s.SnapshotEvery = uint64(o.Integer("snapshot_every", 0, 1, math.MaxInt32))
		s.KeepEntries = uint64(o.Integer("keep_entries", int(s.SnapshotEvery), 1, math.MaxInt32))
		if !o.Has("snapshot_every") {
			o.Missing("snapshot_every", "how many facts lie between two snapshots")
		}
	}
	if v, ok := top.Get("actions", "min and max, of one action"); ok {
		s.Action = r.span(r.object("actions", v, "min", "max"), s.Action)
	}
}

func (r *reader) span(o object, otherwise sim.Span) sim.Span {
	s := sim.Span{Min: o.duration("min", 0, 0, time.Hour), Max: o.duration("max", 0, 0, time.Hour)}
	switch {
	case !o.Has("min") && !o.Has("max"):
		return otherwise
	case !o.Has("min"):
		s.Min = min(otherwise.Min, s.Max)
	case !o.Has("max"):
		s.Max = max(otherwise.Max, s.Min)
	case s.Min > s.Max:
		r.Wrong(o.Where("min"), "%s is %v, want at most max (%v)", o.Join("min"), strict.Short(s.Min), strict.Short(s.Max))
	}
	return s
}

// load reads how many requests come.
func (r *reader) load(top object) {
	for i, v := range top.list("load", "a list of {host, pool, rps}") {
		o := r.object("load["+strconv.Itoa(i)+"]", v, "host", "pool", "rps")
		if v.Shape != strict.Mapping {
			continue
		}
		l := Load{
			Host: o.Text("host", "", "a DNS name", isHost),
			Pool: o.Text("pool", "", "the name of a pool", anything),
			RPS:  o.ratio("rps", 0, 0.001, 1e6),
		}
		if !o.Has("host") {
			o.Missing("host", "a DNS name")
		}
		if !o.Has("rps") {
			o.Missing("rps", "requests per second")
		}
		var pools []string
		if r.s.ground != nil {
			pools = poolNames(r.s.ground.fleet)
		}
		switch {
		case r.s.ground == nil: // which pools there are is not known
		case l.Pool == "" && len(pools) == 1:
			l.Pool = pools[0]
		case l.Pool == "":
			o.Missing("pool", strict.Words(pools, "or"))
		case !slices.Contains(pools, l.Pool):
			r.Wrong(o.Where("pool"), "%s is %q, which is not in the fleet: %s", o.Join("pool"), l.Pool, strict.Meant(l.Pool, pools))
		}
		r.s.Load = append(r.s.Load, l)
	}
}

func poolNames(f member.Fleet) []string {
	var all []string
	for _, p := range f.Pools {
		all = append(all, p.Name)
	}
	return all
}

// isHost accepts a DNS name in lower case.
func isHost(s string) bool {
	if s == "" || len(s) > 253 {
		return false
	}
	for _, c := range s {
		if (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' && c != '.' && c != '_' {
			return false
		}
	}
	return true
}
