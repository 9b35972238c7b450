package demo

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"math"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"moonwatch/internal/client"
	"moonwatch/member"
	"moonwatch/shield"
	"moonwatch/status"
)

// FaultFlood is no fault of a member: visitors flood one subdomain of twenty.
const FaultFlood = "flood"

// The numbers of the flood. The capacity is what fleet.yaml says: the demo's service
// is so quick that this machine would be busy long before it is.
const (
	tenants     = 20
	tenantRate  = 5   // requests a second of each tenant's visitors
	floodLimit  = 320 // requests a second that the pool serves: the capacity
	calmTime    = 4 * time.Second
	floodTime   = 8 * time.Second
	releaseTime = 20 * time.Second // that the release is waited for: longer than promised, so that it is told how late it was
	floodDoors  = 3                // members that open a gateway; visitors take them in turns
	lookEvery   = 50 * time.Millisecond
)

// How many times the capacity all visitors ask for together: by default, at least, and at
// most. Less than the least one is hardly a flood, and of more than the most this machine's
// own visitors are short of time.
const (
	floodUsual = 1.25
	floodLeast = 1.1
	floodMost  = 5
)

// floodRate is how many requests a second come of the flooded subdomain besides its usual,
// where so many times the capacity is asked for: 300 by default (0).
func floodRate(times float64) int {
	return int(cmp.Or(times, floodUsual)*floodLimit) - tenants*tenantRate
}

// What the others are promised.
const (
	othersSuccess = 0.99
	othersWorst   = 0.90
)

// What is promised about the flooded one. How soon it is held is a matter of
// milliseconds, in which this machine may have had other things to do than its story: a
// story is told to the end if it took longer, says so, and fails by shapedMost alone.
const (
	shapedWithin   = 500 * time.Millisecond // at all doors
	shapedMost     = 5 * time.Second
	admittedWithin = 2.0 // points, and what chance makes
	releasedWithin = 15 * time.Second
)

// floodShield is the policy of the flood's fleet.yaml. All others have the default
// one, which holds nobody.
func floodShield(l layout) string {
	var doors []string
	for _, p := range l.shielded() {
		doors = append(doors, string(p.Name))
	}
	return fmt.Sprintf("{mode: %s, capacity: %d, doors: [%s]}", member.ShieldEnforce, floodLimit, strings.Join(doors, ", "))
}

// flood follows what comes of a flood: every visit of every tenant, and what the doors
// say that they do.
type flood struct {
	mu     sync.Mutex
	host   string    // the flooded one
	rate   int       // requests a second that come of it besides
	begun  time.Time // zero: before
	over   time.Time
	visits []visit
	sets   []measured
	doors  [floodDoors]measured // what each of them does at present
	end    time.Time            // when nobody was held any more after the flood
	others map[string]bool

	stood time.Duration // the longest that this machine stood still meanwhile
}

// measured is what was done about the flooded subdomain from a moment on.
type measured struct {
	at    time.Time
	held  bool
	admit float64 // fraction
}

func (f *flood) came(v visit) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.visits = append(f.visits, v)
}

// measures takes in whom a door holds at a moment. What all of them do is their mean: the
// visitors take them in turns.
func (f *flood) measures(at time.Time, door int, held []status.ShieldHeld) {
	f.mu.Lock()
	defer f.mu.Unlock()
	d := measured{at: at, admit: 1}
	for _, one := range held {
		if one.Host == f.host {
			d.held, d.admit = true, float64(one.Admit)/shield.Whole
		} else {
			f.others[one.Host] = true
		}
	}
	if old := f.doors[door]; !old.at.IsZero() && old.held == d.held && old.admit == d.admit {
		return
	}
	f.doors[door] = d
	x := measured{at: at}
	for _, d := range f.doors {
		if d.at.IsZero() {
			d.admit = 1
		}
		x.held = x.held || d.held
		x.admit += d.admit / floodDoors
	}
	f.sets = append(f.sets, x)
	switch {
	case f.over.IsZero() || x.held:
		f.end = time.Time{} // who is held once more was not released
	case f.end.IsZero():
		f.end = at
	}
}

// held reports whether the flooded subdomain is held at present.
func (f *flood) held() bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.sets) > 0 && f.sets[len(f.sets)-1].held
}

// mark notes when the flood begins, and when it ends. A flood that was never held
// has no release.
func (f *flood) mark(at *time.Time) {
	f.mu.Lock()
	defer f.mu.Unlock()
	*at = time.Now()
}

// FloodResult is what `demo --once --fault flood --json` prints. Times are in
// milliseconds on the launcher's monotonic clock; null: it did not happen.
type FloodResult struct {
	Schema  int    `json:"schema"`
	OK      bool   `json:"ok"`
	Fault   string `json:"fault"`
	Host    string `json:"host"` // the flooded subdomain
	Tenants int    `json:"tenants"`
	Times   int    `json:"times"` // as many requests as usual

	FirstReject *int64  `json:"first_reject_ms"`     // since the flood began
	Doors       int     `json:"doors"`               // agents whose gateways are one shield
	FleetShaped *int64  `json:"fleet_shaped_ms"`     // likewise, to the first refusal at the last of the doors
	Success     float64 `json:"others_success"`      // share of the other tenants' requests that were answered well
	Worst       float64 `json:"others_worst_second"` // the same, in the worst second
	Innocents   int     `json:"innocents"`           // requests of other tenants that were not let in
	// AdmittedError is by how many points the admitted share of the flooded
	// subdomain's requests differs from what the shield wanted.
	AdmittedError *float64 `json:"admitted_error"`
	Released      *int64   `json:"released_ms"` // since the flood ended
	// Missed are the fields in which less was seen than is promised; OK may be true all
	// the same, see lack.
	Missed []string `json:"missed"`

	Stood         int64 `json:"stood_still_ms"` // the longest that nothing ran on this machine meanwhile
	Requests      int   `json:"requests"`       // of all tenants since the flood began
	FloodRequests int   `json:"flood_requests"`
	FloodAdmitted int   `json:"flood_admitted"`
}

// result sums up. lack says what is missing from the expected end, empty for
// nothing.
func (f *flood) result() (r FloodResult, lack string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	r = FloodResult{Schema: 1, Fault: FaultFlood, Doors: floodDoors, Host: f.host, Tenants: tenants, Times: (tenantRate + f.rate) / tenantRate, Success: 1, Worst: 1}
	good, all := map[int]int{}, map[int]int{}
	sumGood, sumAll := 0, 0
	shaped := map[int]int64{}
	for _, v := range f.visits {
		if v.Start.Before(f.begun) {
			continue
		}
		r.Requests++
		if v.Host == f.host {
			f.flooded(&r, v, shaped)
			continue
		}
		second := int(v.Start.Sub(f.begun) / time.Second)
		all[second]++
		sumAll++
		if v.good() {
			good[second]++
			sumGood++
		}
		if v.shed() {
			r.Innocents++
		}
	}
	if sumAll > 0 {
		r.Success = float64(sumGood) / float64(sumAll)
	}
	for second, n := range all {
		if n >= tenants*tenantRate/4 { // the last one may be cut short
			r.Worst = min(r.Worst, float64(good[second])/float64(n))
		}
	}
	if len(shaped) == floodDoors {
		last := slices.Max(slices.Collect(maps.Values(shaped)))
		r.FleetShaped = &last
	}
	r.AdmittedError = f.admittedError()
	r.Stood = f.stood.Milliseconds()
	if !f.end.IsZero() {
		r.Released = ms(max(time.Millisecond, f.end.Sub(f.over)))
	}
	lack = r.lack(len(f.others), f.chance())
	r.OK = lack == ""
	return r, lack
}

func (f *flood) flooded(r *FloodResult, v visit, shaped map[int]int64) {
	r.FloodRequests++
	if v.good() {
		r.FloodAdmitted++
	}
	if !v.shed() {
		return
	}
	after := max(time.Millisecond, v.End.Sub(f.begun)).Milliseconds()
	if r.FirstReject == nil || after < *r.FirstReject {
		r.FirstReject = &after
	}
	if first, ok := shaped[v.Door]; !ok || after < first {
		shaped[v.Door] = after
	}
}

// admittedError compares what was let in with what was to be, request by request,
// while the flood was on and held.
func (f *flood) admittedError() *float64 {
	n, wanted, let := f.whileHeld()
	if n == 0 {
		return nil
	}
	points := math.Round(1000*math.Abs(float64(let)-wanted)/float64(n)) / 10
	return &points
}

// whileHeld counts the flooded one's requests while the flood was on and held, how many of
// them were to be let in, and how many were.
func (f *flood) whileHeld() (n int, wanted float64, let int) {
	for _, v := range f.visits {
		m := f.at(v.Start)
		if v.Host != f.host || !m.held || v.Start.After(f.over) || !v.good() && !v.shed() {
			continue
		}
		n++
		wanted += m.admit
		if v.good() {
			let++
		}
	}
	return n, wanted, let
}

// chance is by how many points the admitted share may be off by chance alone, in one story
// of some hundred: it is drawn who of the visitors are let in, and who of them come.
func (f *flood) chance() float64 {
	n, wanted, _ := f.whileHeld()
	if n == 0 {
		return 0
	}
	p := wanted / float64(n)
	return 100 * 3 * math.Sqrt(p*(1-p)*(1/float64(n)+1/float64(visitors)))
}

// at is what was done at a moment.
func (f *flood) at(t time.Time) measured {
	for i := len(f.sets) - 1; i >= 0; i-- {
		if !f.sets[i].at.After(t) {
			return f.sets[i]
		}
	}
	return measured{admit: 1}
}

// lack says what is missing from the expected end. Of a machine that stood still nothing is
// wanted that it had no time for. chance is how many points may be chance.
func (r *FloodResult) lack(othersHeld int, chance float64) string {
	stood := time.Duration(r.Stood) * time.Millisecond
	later := func(after *int64, than time.Duration) bool {
		return after != nil && time.Duration(*after)*time.Millisecond > than
	}
	off := r.AdmittedError != nil && *r.AdmittedError > admittedWithin+chance
	r.Missed = []string{}
	for _, x := range []struct {
		field string
		is    bool
	}{{"fleet_shaped_ms", later(r.FleetShaped, shapedWithin)}, {"admitted_error", off}, {"released_ms", later(r.Released, releasedWithin)}} {
		if x.is {
			r.Missed = append(r.Missed, x.field)
		}
	}
	switch {
	case r.FirstReject == nil:
		return "the flooded subdomain was not held"
	case r.FleetShaped == nil:
		return "the flooded subdomain was not held at every door"
	case r.Innocents > 0 || othersHeld > 0:
		return fmt.Sprintf("%d other subdomains were held, and %d of their requests refused: want none", othersHeld, r.Innocents)
	case r.FloodAdmitted == 0:
		return "nothing of the flooded subdomain was let in: it is to be held, and not stopped"
	case r.Success < othersSuccess || r.Worst < othersWorst:
		return fmt.Sprintf("the others were answered well in %.1f %%, in the worst second %.1f %%; want %.0f %% and %.0f %%",
			100*r.Success, 100*r.Worst, 100*othersSuccess, 100*othersWorst)
	case r.Released == nil:
		return fmt.Sprintf("the subdomain is still held %v after the flood, want it released within %v", releaseTime, releasedWithin)
	case later(r.Released, releasedWithin+stood):
		return fmt.Sprintf("the subdomain was released %.1f s after the flood, want %v", float64(*r.Released)/1000, releasedWithin)
	case later(r.FleetShaped, shapedMost+stood):
		return fmt.Sprintf("the flooded subdomain was held at every door after %.1f s, promised within %v", float64(*r.FleetShaped)/1000, shapedWithin)
	case off && stood <= stoodTooLong:
		return fmt.Sprintf("what was let in of the flooded subdomain is %.1f points off what was wanted, want at most %.0f beside %.1f of chance",
			*r.AdmittedError, admittedWithin, chance)
	default:
		return ""
	}
}

// flood starts a cluster, tells the story of a flood and ends the cluster.
func (o *Options) flood(ctx context.Context) (exit int, err error) {
	l, err := newLauncher(*o)
	if err != nil {
		return exitError, err
	}
	f := &flood{host: tenantHost(0), rate: floodRate(o.Flood), others: map[string]bool{}}
	l.flood = f
	lack, err := "", l.floodOnce(ctx, f)
	var r FloodResult
	if err == nil {
		r, lack = f.result()
	}
	keep := l.explain(ctx, lack, err)
	if err = errors.Join(err, l.close(keep)); err != nil {
		return exitError, err
	}
	l.say("every process is ended")
	if o.JSON {
		enc := json.NewEncoder(o.Out)
		enc.SetIndent("", "  ")
		err = enc.Encode(r)
	} else {
		r.writeText(o.Out)
	}
	if err != nil {
		return exitError, fmt.Errorf("print result: %w", err)
	}
	if lack != "" {
		return exitMissed, nil
	}
	return exitOK, nil
}

// floodOnce lets the tenants' visitors come, floods one of them and waits until it
// is released. The visits are all over when it returns.
func (l *launcher) floodOnce(ctx context.Context, f *flood) error {
	up, cancel := context.WithTimeoutCause(ctx, startTime, fmt.Errorf("the cluster is not up after %v", startTime))
	defer cancel()
	if err := l.start(up); err != nil {
		return err
	}
	var urls []string
	for i, p := range l.kit.layout.shielded() {
		urls = append(urls, "http://"+netip.AddrPortFrom(p.Addr, portDoor).String()+"/")
		agent, err := l.kit.agent(p.Name)
		if err != nil {
			return fmt.Errorf("door %s: %w", p.Name, err)
		}
		defer agent.Close()
		if err := waitForDoor(up, agent); err != nil {
			return fmt.Errorf("door %s: %w", p.Name, err)
		}
		looking, stop := context.WithCancel(ctx)
		done := make(chan struct{})
		go func() { defer close(done); f.look(looking, i, agent) }()
		defer func() { stop(); <-done }()
	}
	c := newCrowd(ctx, urls, l.kit.layout.launcher.Addr, f.came)
	defer c.end()
	for i := range tenants {
		c.visit(tenantHost(i), tenantRate) //nolint:contextcheck // they end with the crowd
	}
	l.say("%d subdomains with %d requests a second each, through %d doors; the shield has %d to share out", tenants, tenantRate, floodDoors, floodLimit)
	if err := wait(ctx, calmTime); err != nil {
		return err
	}
	l.say("%s is flooded: %d requests a second more", f.host, f.rate)
	f.mark(&f.begun)
	stop := c.visit(f.host, f.rate) //nolint:contextcheck // likewise
	if err := f.wait(ctx, floodTime, func() bool { return false }); err != nil {
		return err
	}
	stop()
	f.mark(&f.over)
	l.say("the flood is over")
	if err := f.wait(ctx, releaseTime, func() bool { return !f.held() }); err != nil {
		return err
	}
	if f.stood > stoodTooLong {
		l.say(machineStood+" for %.1f s: what the story shows is that, too", f.stood.Seconds())
	}
	return wait(ctx, settle) // released, and nobody is held anew
}

// waitForDoor waits until a door hears all others under the policy of the story.
func waitForDoor(ctx context.Context, agent *client.Client) error {
	for {
		doc, _, err := agent.Shield(ctx, "")
		if err == nil && doc.Mode == member.ShieldEnforce && len(doc.Doors) == floodDoors {
			return nil
		}
		if wait(ctx, lookEvery) != nil {
			return fmt.Errorf("it hears %d of %d doors, mode %q: %w", len(doc.Doors), floodDoors, doc.Mode, errors.Join(err, context.Cause(ctx)))
		}
	}
}

// look follows what a door says that it does.
func (f *flood) look(ctx context.Context, door int, agent *client.Client) {
	for wait(ctx, lookEvery) == nil {
		if doc, _, err := agent.Shield(ctx, ""); err == nil {
			f.measures(time.Now(), door, doc.Held)
		}
	}
}

// A machine that stands still for so long is felt by all visitors, whatever a
// shield does; who tests the story tells it again.
const (
	stoodTooLong = 500 * time.Millisecond
	machineStood = "this machine stood still"
)

// wait lets time pass until something has come about, and notes for how long nothing
// ran in between.
func (f *flood) wait(ctx context.Context, long time.Duration, come func() bool) error {
	const every = 20 * time.Millisecond
	before := time.Now()
	for end := before.Add(long); before.Before(end) && !come(); {
		if err := wait(ctx, every); err != nil {
			return err
		}
		now := time.Now()
		f.stood = max(f.stood, now.Sub(before)-every)
		before = now
	}
	return nil
}

// writeText prints the story for people.
func (r *FloodResult) writeText(out io.Writer) {
	at := func(n *int64) string {
		if n == nil {
			return "never"
		}
		return fmt.Sprintf("after %.2f s", float64(*n)/1000)
	}
	end := "as expected"
	if !r.OK {
		end = "NOT as expected"
	}
	fmt.Fprintf(out, "flood of %s, %d times its usual, ended %s\n", r.Host, r.Times, end)
	fmt.Fprintf(out, "first refusal %s, at all %d doors %s (promised within %v), released %s (since the flood ended; promised within %v)\n",
		at(r.FirstReject), r.Doors, at(r.FleetShaped), shapedWithin, at(r.Released), releasedWithin)
	fmt.Fprintf(out, "%d of its %d requests were let in", r.FloodAdmitted, r.FloodRequests)
	if r.AdmittedError != nil {
		fmt.Fprintf(out, ", while it was held %.1f points off what was wanted", *r.AdmittedError)
	}
	fmt.Fprintf(out, "\nthe other %d: %.1f %% answered well, %.1f %% in the worst second, %d requests refused\n",
		r.Tenants-1, 100*r.Success, 100*r.Worst, r.Innocents)
	if len(r.Missed) > 0 {
		fmt.Fprintf(out, "less than promised: %s; nothing ran on this machine for up to %d ms meanwhile\n", strings.Join(r.Missed, ", "), r.Stood)
	}
}
