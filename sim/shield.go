package sim

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"moonwatch/member"
	"moonwatch/shield"
	"moonwatch/shield/count"
)

// Shield puts the doors of a shield before a pool, and lets many subdomains ask
// it for something.
//
// The doors run the shipped decisions (shield.Shield) and count in the shipped
// table (count.Counter), request by request; their reports travel as datagrams
// of the fleet's network. A door is open while its member's agent runs and is not
// cut off from everybody; clients of a door that is not go to the others at once. Occupants bear so many
// requests a second each, or as much work, and queue a little; what is beyond
// that is lost, whoever asked, which is what a gateway without a shield does.
// What the doors vote for becomes a fact of the world's ledger, by the shipped rules.
// Of who is challenged the browsers solve it and come back, programs do not. A door has
// so many connections and places as the gateway, which slow clients keep for long.
// Left out: clients that try again, but for these browsers.
type Shield struct {
	Pool       string
	Doors      int     // the first so many members
	Bears      float64 // requests a second that each occupant serves
	Learned    bool    // the doors are not told what the occupants bear
	Subdomains int     // t-01.example.com and so on
	RPS        float64 // of all of them together
	Skew       float64 // the n-th asks for a part that goes with n^-skew
	Shadow     bool    // decide, and do nothing
	Time       bool    // the capacity is one of the occupants' time, and doors measure what requests cost
	Dear       string  // a subdomain whose requests take Times as long as others'; empty: all are alike
	Times      float64
	Browsers   float64 // part of what subdomains are usually asked for that comes from browsers; floods do from programs
	Highest    string  // rung up to which the doors may vote; empty: they shape, and the ledger knows no doors
}

// Everybody, RandomNames, Wildcard and Unfinished are hosts that may be flooded besides the
// subdomains themselves; by Unfinished it is the doors' connections that are.
const (
	Everybody   = "all"            // all subdomains grow together
	RandomNames = "*.example.com"  // names that nobody serves, each asked for once
	Wildcard    = "w*.example.com" // wildcardNames that somebody serves, asked for in turn
	Unfinished  = "unfinished"     // requests whose head never ends
)

// wildcardNames are more than doors can tell each other of.
const wildcardNames = 400

// Hosts are the names of the subdomains, the largest first.
func (s Shield) Hosts() []string {
	out := make([]string, s.Subdomains)
	for i := range out {
		out[i] = fmt.Sprintf("t-%02d.example.com", i+1)
	}
	return out
}

// Floods reports whether a host can be flooded.
func (s *Shield) Floods(host string) bool {
	return s != nil && (host == Everybody || host == RandomNames || host == Wildcard || host == Unfinished || slices.Contains(s.Hosts(), host))
}

// check lists what is wrong with a shield's world.
func (s *Shield) check(fleet member.Fleet) error {
	if s == nil {
		return nil
	}
	var wrong []error
	want := func(ok bool, format string, args ...any) {
		if !ok {
			wrong = append(wrong, fmt.Errorf("shield: "+format, args...))
		}
	}
	want(slices.ContainsFunc(fleet.Pools, func(p member.Pool) bool { return p.Name == s.Pool }), "no pool %s", s.Pool)
	want(s.Doors >= 1 && s.Doors <= len(fleet.Members), "doors is %d, want 1 to %d", s.Doors, len(fleet.Members))
	want(s.Bears > 0, "bears is %v, want more than 0", s.Bears)
	want(s.Subdomains >= 1 && s.Subdomains <= 1000, "subdomains is %d, want 1 to 1000", s.Subdomains)
	want(s.RPS > 0, "rps is %v, want more than 0", s.RPS)
	want(s.Dear == "" || slices.Contains(s.Hosts(), s.Dear) && s.Times >= 1 && s.Times <= 1000, "dear is %q, %v times as much, want one of the subdomains, and 1 to 1000", s.Dear, s.Times)
	want(s.Highest == "" || slices.Contains(member.ShieldRungs(), s.Highest), "highest is %q, want one of %v", s.Highest, member.ShieldRungs())
	want(s.Browsers >= 0 && s.Browsers <= 1, "browsers is %v, want 0 to 1", s.Browsers)
	want(s.Skew >= 0 && s.Skew <= 2, "skew is %v, want 0 to 2", s.Skew)
	return errors.Join(wrong...)
}

// shieldSalt is the salt of every world's doors.
const shieldSalt = 7

// requestTakes is how long an occupant works on a request that is not dear.
const requestTakes = 10 * time.Millisecond

// shieldTick is how often a door ends a tick of its counter.
const shieldTick = 25 * time.Millisecond

// queueFor is how long a request waits for an occupant at most; troubleAt is
// when a door calls that trouble.
const (
	queueFor  = 300 * time.Millisecond
	troubleAt = 100 * time.Millisecond
)

// guarded is everything about the shield in a world.
type guarded struct {
	w     *World
	cfg   Shield
	doors []*shieldDoor
	hosts []*asking
	queue float64 // requests that wait for occupants

	passes  map[pass]time.Duration // until when
	solving []comingBack           // in the order in which they come

	begun bool // all slots of the pool have been served
	story shieldStory
}

// asking is a subdomain's clients, or those who flood it.
type asking struct {
	name     []byte
	made     int // names that were made up, if they are
	random   bool
	served   bool // and somebody serves all of these
	heads    bool // no request of it ever ends
	rate     float64
	times    float64 // the work of others' that a request of it is
	floods   []*shieldFlood
	flooded  time.Duration // when a flood of it last ended; before the first: long ago
	offered  ring
	carry    []float64 // per door
	admitted float64   // in this tick
	refused  int
	asked    int
}

// shieldFlood is one flood that goes on.
type shieldFlood struct {
	f     Fault
	since time.Duration
}

// shieldDoor is one door.
type shieldDoor struct {
	g        *guarded
	i        int
	m        *machine
	life     uint64
	s        *shield.Shield
	counter  *count.Counter
	acting   *shield.Measures
	buckets  map[shield.Key]*heldBucket
	head     uint64
	leads    bool
	floors   shield.FloorsInParts
	proposed int     // throttles, in all its lives
	let      int     // requests that it admitted in this tick
	served   float64 // since it began, answered well
	owed     []owed  // of this tick
	places   places
}

// owed are requests that were let in and are not answered yet.
type owed struct {
	ref  count.Ref
	name []byte
	n    int
	took time.Duration // their work alone
}

// heldBucket is a cap's bucket, and the checker's own book about it.
type heldBucket struct {
	bucket count.Bucket
	passed int // in this tick
	past   []passing
}

// passing is what passed in a tick, and what might have.
type passing struct {
	passed     int
	cap, burst float64
}

func (w *World) openShield() {
	if w.cfg.Shield == nil {
		return
	}
	g := &guarded{w: w, cfg: *w.cfg.Shield, passes: map[pass]time.Duration{}}
	w.shield = g
	sum := 0.0
	for i, name := range g.cfg.Hosts() {
		part := math.Pow(float64(i+1), -g.cfg.Skew)
		sum += part
		h := &asking{name: []byte(name), rate: part, times: 1}
		if name == g.cfg.Dear {
			h.times = g.cfg.Times
		}
		g.hosts = append(g.hosts, h)
	}
	for _, h := range g.hosts {
		h.rate *= g.cfg.RPS / sum
	}
	g.hosts = append(g.hosts, &asking{name: []byte(RandomNames), random: true, times: 1}, &asking{name: []byte(Unfinished), random: true, heads: true, times: 1},
		&asking{name: []byte(Wildcard), random: true, served: true, times: 1})
	for i := range g.cfg.Doors {
		g.doors = append(g.doors, &shieldDoor{g: g, i: i, m: w.machines[i]})
	}
	for _, h := range g.hosts {
		h.carry, h.flooded = make([]float64, len(g.doors)), -time.Hour
	}
	g.story = newShieldStory(g)
	var tick func()
	tick = func() {
		g.tick()
		w.after(shieldTick, tick)
	}
	w.after(shieldTick, tick)
}

// floodHost begins a flood of a subdomain, or ends one.
func (g *guarded) floodHost(f Fault, begins bool) {
	for _, h := range g.hosts {
		if f.Host != Everybody && f.Host != string(h.name) || f.Host == Everybody && h.random {
			continue
		}
		if begins {
			h.floods = append(h.floods, &shieldFlood{f: f, since: g.w.now})
			continue
		}
		for i, x := range h.floods {
			if x.f.Share == f.Share && slices.Equal(x.f.Whom, f.Whom) && x.f.Host == f.Host {
				h.floods = slices.Delete(h.floods, i, i+1)
				break
			}
		}
		h.flooded = g.w.now
	}
	g.story.flood(g.w.now, f, begins)
}

// attacked reports that a subdomain itself is flooded, or was a moment ago:
// longer than a door needs to see that it is over.
func (h *asking) attacked(now time.Duration) bool {
	return len(h.floods) > 0 || now-h.flooded < 2*time.Second
}

// voteLasts is how long what was voted against a flood may stand after it.
const voteLasts = 30 * time.Second

// policy is what the fleet says of a shield whose doors may vote; it has none else.
func (s *Shield) policy(doors []member.Member) (p member.ShieldPolicy) {
	if s == nil || s.Highest == "" {
		return p
	}
	p.Mode, p.Highest, p.TrustSingle = member.ShieldEnforce, s.Highest, true
	if s.Shadow {
		p.Mode = member.ShieldShadow
	}
	for _, m := range doors[:s.Doors] {
		p.Doors = append(p.Doors, m.ID)
	}
	slices.Sort(p.Doors)
	return p
}

// tick lets the clients ask for what they ask for in a tick, the doors decide
// about each request, the occupants serve, and the doors look back.
func (g *guarded) tick() {
	open := g.open()
	serving := 0
	for _, x := range g.w.checker.state.Slots() {
		if x.Pool == g.cfg.Pool && x.Occupant != "" && x.Started {
			if s := (&seat{slot: x.ID, member: g.w.machine(x.Occupant)}); s.answer() == answersWell {
				serving++
			}
		}
	}
	g.begun = g.begun || serving == g.slots()
	if !g.begun || len(open) == 0 {
		return // nobody asks for a service that was never there
	}
	for _, d := range open {
		d.places.tick(g.w.now, int(g.queue)/len(open))
	}
	for _, h := range g.hosts {
		h.admitted, h.asked, h.refused = 0, 0, 0
	}
	g.comeBack(open)
	for _, h := range g.hosts {
		for _, d := range open {
			g.ask(h, d, g.share(h, d, open))
		}
		h.offered.add(h.asked)
	}
	lost, done := g.serve(float64(serving) * g.cfg.Bears * shieldTick.Seconds())
	capacity := float64(serving) * g.cfg.Bears
	waits := capacity == 0 || g.queue/capacity > troubleAt.Seconds()
	for _, d := range open {
		d.served += float64(d.let) * done
		d.let = 0
		d.answer(g.queue / max(capacity, 1))
		d.look(waits || d.places.full)
	}
	g.story.tick(lost, capacity)
	g.story.votes(open)
}

// open are the doors whose agents run. A door that comes back begins anew.
func (g *guarded) open() []*shieldDoor {
	var out []*shieldDoor
	for _, d := range g.doors {
		if d.m.up() && d.m.life != d.life {
			d.begin()
		}
		if d.m.up() && !g.w.cutOff(d.m) {
			out = append(out, d)
		}
	}
	return out
}

// demanded is what is asked for at a door, requests a second.
type demanded struct {
	rate, own float64       // of all, and of those who always ask
	slow      float64       // of clients that keep their places
	keeps     time.Duration // for how long
}

// share is what of the requests for a subdomain comes through a door.
func (g *guarded) share(h *asking, d *shieldDoor, open []*shieldDoor) demanded {
	t := demanded{own: h.rate / float64(len(open))}
	t.rate = t.own
	for _, x := range h.floods {
		if x.since >= g.w.now { // it begins now, and a tick's requests came before
			continue
		}
		base := h.rate
		if h.random {
			base = g.cfg.RPS / float64(g.cfg.Subdomains) // of the subdomain in the middle
		}
		if x.f.Host == Everybody {
			t.rate += base * (x.f.Share - 1) / float64(len(open))
			continue
		}
		through := 0
		for _, o := range open {
			if len(x.f.Whom) == 0 || slices.Contains(x.f.Whom, o.m.id) {
				through++
			}
		}
		if through > 0 && (len(x.f.Whom) == 0 || slices.Contains(x.f.Whom, d.m.id)) {
			more := base * (x.f.Share - 1) / float64(through)
			t.rate += more
			if x.f.Delay > 0 {
				t.slow, t.keeps = t.slow+more, max(t.keeps, x.f.Delay)
			}
		}
	}
	return t
}

// takes is how long an occupant works on a request.
func (h *asking) takes() time.Duration { return time.Duration(h.times * float64(requestTakes)) }

// ask sends a tick's requests for a subdomain through a door. How many there are
// varies as such numbers do.
func (g *guarded) ask(h *asking, d *shieldDoor, t demanded) {
	mean := t.rate * shieldTick.Seconds()
	i := slices.Index(g.hosts, h)
	noise := -2.0
	for range 4 {
		noise += g.w.chance.unit(streamClients, d.i, i)
	}
	x := mean + h.carry[d.i] + noise*math.Sqrt(3*mean) // four even draws have a variance of 1/3
	n := max(0, int(x))
	h.carry[d.i] = x - float64(n)
	let := owed{name: h.name, took: h.takes()}
	for range n {
		if h.heads {
			d.places.connect(g.w.now)
			continue
		}
		g.visit(h, d, g.visitorOf(h, d, i, t), &let)
	}
	d.owes(let)
	if n > 0 {
		g.story.refusals(h, d)
	}
}

// visit is one request at a door.
func (g *guarded) visit(h *asking, d *shieldDoor, v visitor, let *owed) {
	h.asked++
	if !d.places.connected(g.w.now) {
		g.story.visited(h, d, v, turnedAway)
		return // refused before anybody counts it
	}
	name := h.name
	switch {
	case h.served:
		h.made++
		name = fmt.Appendf(nil, "w%d.example.com", h.made%wildcardNames)
	case h.random:
		h.made++
		name = fmt.Appendf(nil, "r%d.example.com", h.made)
	}
	ref, a := d.admits(name, h.random && !h.served, v)
	if a == letIn && !d.places.room(h) {
		ref.Refuse()
		g.story.visited(h, d, v, turnedAway)
		return // it asked for no more than it may, so that is no refusal of the shield's
	}
	g.story.visited(h, d, v, a)
	switch a {
	case letIn:
		d.places.take(h, g.w.now, v.slow)
		h.admitted++
		d.let++
		let.ref = ref
		let.n++
	case posed: // it is served a moment later, and held until then
		g.poses(h, d, v)
		if len(h.floods) > 0 || g.w.now-h.flooded >= voteLasts {
			h.refused++
		}
	case turnedAway:
		h.refused++
	}
}

// owes takes in what was let in at a door and is to be answered.
func (d *shieldDoor) owes(let owed) {
	if let.n > 0 && d.g.cfg.Time && string(let.name) != RandomNames && string(let.name) != Wildcard {
		d.owed = append(d.owed, let)
	}
}

// serve lets the occupants work off the queue, and says which part of what was
// admitted just now was lost, and how much was answered compared with that.
func (g *guarded) serve(served float64) (lost, done float64) {
	admitted := 0.0
	for _, h := range g.hosts {
		admitted += h.admitted * h.times
	}
	if admitted > 0 {
		done = min(g.queue+admitted, served) / admitted
	}
	g.queue = max(0, g.queue+admitted-served)
	if most := served / shieldTick.Seconds() * queueFor.Seconds(); g.queue > most && admitted > 0 {
		lost = min(1, (g.queue-most)/admitted)
		g.queue = most
	}
	return lost, done
}
