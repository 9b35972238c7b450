package sim

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"moonwatch/shield"
)

// Shielded is what a shield came to in a run.
type Shielded struct {
	Others      float64       // part of the requests for subdomains that nobody flooded that were served while there was a flood, 0 to 1
	WorstSecond float64       // the same in the worst second
	Innocents   []string      // subdomains that nobody flooded and of which a request was refused
	FirstReject time.Duration // from the begin of a flood to the first refusal of a request for it; the longest, -1: there was none
	FleetShaped time.Duration // to the last door's measure; likewise
	Released    time.Duration // from the end of a flood to the end of the last measure; likewise
	Comings     int           // how often a subdomain came onto the ladder, at the door that saw it most often
	Overloads   int
	Browsers    float64 // part of the visits of browsers to challenged subdomains that were served, 0 to 1; -1: nobody was challenged
	AtOnce      float64 // the same of those that were let in by an earlier visit's pass
}

// Shielded tells what the shield came to so far; false without one.
func (w *World) Shielded() (Shielded, bool) {
	if w.shield == nil {
		return Shielded{}, false
	}
	return w.shield.story.sum(), true
}

// shieldStory is what the checker writes down about the shield. It asks the doors
// for what they did and for nothing that they think.
type shieldStory struct {
	g        *guarded
	going    []Fault
	since    time.Duration // when the first of the floods that go on began
	others   served        // while there is a flood
	second   served
	ends     time.Duration // of the present second
	worst    float64
	innocent map[string]bool
	first    map[string]time.Duration // flood to first refusal
	shaped   map[string]time.Duration
	ended    map[string]time.Duration
	released map[string]time.Duration
	begun    map[string]time.Duration
	comings  map[string]map[int]int
	over     int
	told     map[string]string
	flooding served // of one stretch of floods, for S9
	browsers served // while challenged
	atOnce   float64
	book     voteBook
}

// served counts requests, and those that were served.
type served struct{ asked, served float64 }

func (t served) part() float64 {
	if t.asked == 0 {
		return 1
	}
	return t.served / t.asked
}

func newShieldStory(g *guarded) shieldStory {
	return shieldStory{
		g: g, worst: 1, innocent: map[string]bool{}, first: map[string]time.Duration{}, shaped: map[string]time.Duration{},
		ended: map[string]time.Duration{}, released: map[string]time.Duration{}, begun: map[string]time.Duration{},
		comings: map[string]map[int]int{}, told: map[string]string{}, book: newVoteBook(),
	}
}

// flood notes that a flood begins or ends.
func (s *shieldStory) flood(now time.Duration, f Fault, begins bool) {
	if begins {
		if len(s.going) == 0 {
			s.since, s.flooding = now, served{}
			s.second, s.ends = served{}, now+time.Second // a part of one is no second
		}
		s.going = append(s.going, f)
		s.begun[f.Host] = now
		delete(s.ended, f.Host)
		return
	}
	s.going = slices.DeleteFunc(s.going, func(x Fault) bool { return x.Host == f.Host && x.Share == f.Share })
	s.ended[f.Host] = now
}

// singled reports that somebody in particular is flooded.
func (s *shieldStory) singled() bool {
	return slices.ContainsFunc(s.going, func(f Fault) bool { return f.Host != Everybody })
}

// tick looks back at one tick: lost is the part of the admitted requests that
// the occupants could not bear.
func (s *shieldStory) tick(lost, capacity float64) {
	now := s.g.w.now
	var t served
	usual := 0.0
	for _, h := range s.g.hosts {
		usual += h.rate * h.times
		if h.random || h.attacked(now) {
			continue
		}
		t.asked += float64(h.asked)
		t.served += h.admitted * (1 - lost)
	}
	if len(s.going) > 0 && s.singled() {
		s.others.asked, s.others.served = s.others.asked+t.asked, s.others.served+t.served
		s.second.asked, s.second.served = s.second.asked+t.asked, s.second.served+t.served
		if usual <= shield.DefaultShareRules().Pressure*capacity { // else they would lack it without the flood, too
			s.flooding.asked, s.flooding.served = s.flooding.asked+t.asked, s.flooding.served+t.served
			s.g.w.checker.look(ruleShield)
		}
		if now-s.since >= 10*time.Second && s.flooding.part() < 0.99 && !s.g.cfg.Shadow {
			s.g.w.checker.fail(ruleShield, "%.2f %% of the requests for subdomains that nobody floods were served in %v of flood, want 99 %%",
				100*s.flooding.part(), now-s.since)
		}
	}
	if now >= s.ends {
		if s.second.asked > 0 {
			s.worst = min(s.worst, s.second.part())
		}
		s.second, s.ends = served{}, now+time.Second
	}
}

// refusals looks at what a door has just refused of a subdomain.
func (s *shieldStory) refusals(h *asking, d *shieldDoor) {
	if h.refused == 0 {
		return
	}
	now := s.g.w.now
	name := string(h.name)
	if !h.attacked(now) && !s.book.wasStopped(name, now) {
		s.innocent[name] = true
	}
	if at, ok := s.begun[name]; ok && s.first[name] == 0 {
		s.first[name] = max(now-at, time.Nanosecond)
	}
	m := d.acting.Find(shield.KeyOf(shieldSalt, h.name))
	if m == nil || m.Limit == 0 || s.book.wasStopped(name, now) {
		return // who was stopped is let in slowly, whatever it asks for
	}
	s.g.w.checker.look(ruleShield)
	limit := m.Limit
	if s.g.cfg.Time { // the share is one of time
		limit /= h.times * requestTakes.Seconds() * shield.WorkUnits
	}
	if rate := h.offered.mostPerSecond(); rate < 0.8*limit {
		s.g.w.checker.fail(ruleShield, "%s refuses requests for %s, which asked for %.0f a second at most in the last two, and is given %.0f", d.m.id, name, rate, limit)
	}
}

// visited notes what comes of a browser's visit to a subdomain that is challenged: one that
// is posed something is served when it has come back, and at once from then on.
func (s *shieldStory) visited(h *asking, d *shieldDoor, v visitor, t treatment) {
	if !v.browser {
		return
	}
	m := d.acting.Find(shield.KeyOf(shieldSalt, h.name))
	if m == nil || m.Rung != shield.Challenge || !d.m.time().Before(m.Until) {
		return
	}
	if !v.back {
		s.browsers.asked++
	}
	if t == letIn {
		s.browsers.served++
		if !v.back {
			s.atOnce++
		}
	}
}

// bounded checks that no bucket let more through in the last ticks, however many
// of them within two seconds, than its burst and its rate.
func (s *shieldStory) bounded(d *shieldDoor) {
	for k, b := range d.buckets {
		m := d.acting.Find(k)
		if m == nil {
			continue
		}
		s.g.w.checker.look(ruleShield)
		b.past = append(b.past, passing{b.passed, m.Cap, m.Burst})
		b.past = b.past[max(0, len(b.past)-int(2*time.Second/shieldTick)):]
		b.passed = 0
		passed, may, burst := 0, 0.0, 0.0
		for i := len(b.past) - 1; i >= 0; i-- {
			x := b.past[i]
			passed, may, burst = passed+x.passed, may+x.cap*shieldTick.Seconds(), max(burst, x.burst)
			if float64(passed) > burst+may+1 {
				s.g.w.checker.fail(ruleShield, "%s let %d requests for %s pass in %v, its caps add up to %.1f and its burst is %.1f",
					d.m.id, passed, m.Host, time.Duration(len(b.past)-i)*shieldTick, may, burst)
			}
		}
	}
}

// enforced notes when the doors have measures, and when none has one any more.
func (s *shieldStory) enforced(*shieldDoor) {
	now := s.g.w.now
	for host, at := range s.begun {
		if host == Everybody || host == Unfinished {
			continue
		}
		key := s.keyOf(host)
		open, with := 0, 0
		for _, d := range s.g.doors {
			if !d.m.up() || d.s == nil {
				continue
			}
			open++
			if d.acting.Find(key) != nil {
				with++
			}
		}
		if with == open && s.shaped[host] == 0 {
			s.shaped[host] = max(now-at, time.Nanosecond)
		}
		if end, ok := s.ended[host]; ok && with == 0 {
			s.released[host] = max(s.released[host], now-end)
		}
	}
}

func (s *shieldStory) keyOf(host string) shield.Key {
	if host == RandomNames || host == Wildcard {
		k, _ := shield.ParentKeyOf(shieldSalt, []byte("x.example.com"))
		return k
	}
	return shield.KeyOf(shieldSalt, []byte(host))
}

// note tells what a door has to say, once for all doors that say the same.
func (s *shieldStory) note(d *shieldDoor, n shield.Note) {
	w := s.g.w
	switch n.What {
	case shield.Came:
		if s.comings[n.Host] == nil {
			s.comings[n.Host] = map[int]int{}
		}
		s.comings[n.Host][d.i]++
	case shield.OverloadBegan:
		s.over++
	default: // told and not counted
	}
	if n.Host == "" && n.Key != 0 { // it has not seen it by name; the world has
		for _, h := range s.g.hosts {
			if s.keyOf(string(h.name)) == n.Key {
				n.Host = string(h.name)
			}
		}
	}
	about := n.Host
	if about == "" {
		about = n.What.String()
		about = strings.TrimSuffix(about, "-ended")
	}
	said := fmt.Sprintf("%v %v", n.What, n.Rung)
	if s.told[about] == said {
		return
	}
	s.told[about] = said
	w.note(d.m.i, fmt.Sprintf("shield %v %s %v", n.What, n.Host, n.Rung))
	text := n.Text
	switch n.What {
	case shield.PressureBegan:
		text = "pressure: " + text
	case shield.PressureEnded:
		text = "the pressure is gone: " + text
	case shield.OverloadBegan:
		text = "overload: " + text
	case shield.OverloadEnded:
		text = "the overload is over: " + text
	case shield.Refused:
		text = "not believed: " + text
	default:
		text = n.Host + ": " + text
	}
	w.tell(Happening{What: ShieldSaid, Member: d.m.id, Text: text})
}

func (s *shieldStory) sum() Shielded {
	x := Shielded{Others: s.others.part(), WorstSecond: s.worst, FirstReject: -1, FleetShaped: -1, Released: -1, Overloads: s.over, Browsers: -1, AtOnce: -1}
	if s.browsers.asked > 0 {
		x.Browsers, x.AtOnce = s.browsers.part(), s.atOnce/s.browsers.asked
	}
	for name := range s.innocent {
		x.Innocents = append(x.Innocents, name)
	}
	slices.Sort(x.Innocents)
	for _, each := range []struct {
		of map[string]time.Duration
		to *time.Duration
	}{{s.first, &x.FirstReject}, {s.shaped, &x.FleetShaped}, {s.released, &x.Released}} {
		for _, d := range each.of {
			*each.to = max(*each.to, d)
		}
	}
	for _, doors := range s.comings {
		for _, n := range doors {
			x.Comings = max(x.Comings, n)
		}
	}
	return x
}

// ring remembers how many requests came in each of the last ticks.
type ring struct {
	ticks [int(2 * time.Second / shieldTick)]int
	next  int
}

func (r *ring) add(n int) {
	r.ticks[r.next] = n
	r.next = (r.next + 1) % len(r.ticks)
}

// mostPerSecond is the rate of the busiest 200 ms of the last two seconds: by
// that a door measures, and that long it may remember.
func (r *ring) mostPerSecond() float64 {
	const over = int(200 * time.Millisecond / shieldTick)
	most := 0
	for i := range r.ticks {
		sum := 0
		for j := range over {
			sum += r.ticks[(i+j)%len(r.ticks)]
		}
		most = max(most, sum)
	}
	return float64(most) / (float64(over) * shieldTick.Seconds())
}

// shieldBytes is what a door may send besides: a report of at most a datagram to
// each other door, ten times a second in storms and four in calm.
func (w *World) shieldBytes(m *machine, calm bool) int {
	if w.shield == nil || !slices.ContainsFunc(w.shield.doors, func(d *shieldDoor) bool { return d.m == m }) {
		return 0
	}
	times := 12
	if calm {
		times = 5
	}
	return times * 1400 * (len(w.shield.doors) - 1)
}
