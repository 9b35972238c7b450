package daemon

import (
	"context"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"moonwatch/internal/wire"
	"moonwatch/member"
	"moonwatch/shield"
	"moonwatch/shield/count"
	"moonwatch/status"
)

const (
	// shieldTick is how often a door looks at what it counted. Four ticks show that a
	// subdomain surges, so a flood is felt for about 100 ms.
	shieldTick = 25 * time.Millisecond
	// shieldShow is how often what is seen is written down for people.
	shieldShow = 500 * time.Millisecond
	// shieldHosts are counted one by one: 5.6 MiB, in every mode. An agent has 40 in all; who has
	// more subdomains is better off with a proxy of its own in front.
	shieldHosts = 100_000
	// shieldLate: a tick that takes as long, and four times its length, shows that this machine
	// must have stood still. What was late then was late because of that, and what waited
	// comes all at once.
	shieldLate = 200 * time.Millisecond
	// shieldListed hosts are counted in every tick, those that became known first. In
	// a small fleet these are all, so that what each usually asks for is known also
	// if that is a few requests a second.
	shieldListed = 48
	// shieldNotes are kept for people.
	shieldNotes = 64
	// shieldFloors: floors are made of what is usual. Published before anything is
	// known, they would be empty, and stand for a minute.
	shieldFloors = 10 * time.Second
)

// shielding is what the shield's loop shares with the others.
type shielding struct {
	salt     uint64                       // of the cluster: all doors make the same keys
	counter  *count.Counter               // nil: this agent opens no gateway
	words    chan wire.Signed             // of other doors, their signatures checked
	ruling   atomic.Pointer[shieldRuling] // what the ledger says; nil: nothing yet
	fleet    atomic.Pointer[member.Fleet] // whose policy is in force; nil: none was applied yet
	document atomic.Pointer[status.ShieldDocument]
	metrics  shieldMetrics
}

// open makes what every door needs.
func (s *shielding) open(reg prometheus.Registerer, salt uint64) {
	s.salt, s.words = salt, make(chan wire.Signed, shieldWords)
	s.metrics = newShieldMetrics(reg)
}

// count makes the table in which the gateway counts; other doors have their own.
func (s *shielding) count() error {
	var err error
	s.counter, err = count.New(count.Config{Hosts: shieldHosts, Salt: s.salt, Learn: shieldHosts})
	return err
}

// keyOf is under which key a host is counted alone, and its normal form; false for
// what is no name.
func (s *shielding) keyOf(host string) (shield.Key, []byte, bool) {
	name, ok := shield.Normalise(make([]byte, 0, shield.HostRoom), host)
	if !ok {
		return shield.Nameless, nil, false
	}
	return shield.KeyOf(s.salt, name), name, true
}

// shieldDoor owns the shield of this agent's door: it closes the ticks of what was
// counted there, asks the shield what comes of them and of what the other doors count,
// and has the door do it.
func (d *Daemon) shieldDoor(ctx context.Context) error {
	l := &shieldLoop{d: d, every: shieldTick, names: map[shield.Key]string{}}
	defer d.door.Enforce(nil) // who decides no more, holds nobody
	tick := time.NewTicker(shieldTick)
	defer tick.Stop()
	ticks, polls := tick.C, (<-chan count.Tick)(nil)
	if d.polled != nil { // a tick ends with the door's answer
		ticks, polls = nil, d.polled.Ticks()
	}
	for {
		var now time.Time
		select {
		case <-ctx.Done():
			return nil
		case <-ticks:
			now = time.Now()
		case p := <-polls:
			now, l.every = p.At, p.Every
			l.doubt(now, d.polled.Problem())
		}
		if err := l.tick(now); err != nil {
			// Nothing that the shield lacks is worth an agent or its traffic.
			d.log.Error("shield is off", zap.Error(err))
			return await(ctx)
		}
	}
}

func await(ctx context.Context) error {
	<-ctx.Done()
	return nil
}

// shieldLoop is the state of shieldDoor.
type shieldLoop struct {
	d      *Daemon
	fleet  *member.Fleet // whose policy the shield has
	mode   string
	life   member.Incarnation // of the shield; this agent's lives begin a millisecond apart
	shield *shield.Shield     // nil: off, or not begun
	base   count.Total        // when the shield began
	began  time.Time
	every  time.Duration // from one tick to the next, if nothing is late
	last   time.Time     // tick
	shown  time.Time
	leads  bool
	names  map[shield.Key]string
	listed []shield.Key
	ruled  uint64      // the ledger's head of which the shield was told last
	doors  []member.ID // that there are, this one among them

	published shield.FloorsInParts
	refusals  map[shield.Refusal]time.Time // when each was said last

	held    heldLoop
	idle    time.Time // until then no tick is closed: one was late
	pressed time.Time // when the pressure began under which nobody is held yet; zero: there is none
	notes   []status.ShieldNote
	// problem says why the door does not do as it is told; empty: it does.
	problem string
}

func (l *shieldLoop) tick(now time.Time) error {
	d := l.d
	fleet := d.shielding.fleet.Load()
	if l.last.IsZero() || fleet != l.fleet {
		if err := l.take(now, fleet); err != nil {
			return err
		}
	}
	l.list()
	if l.shield != nil {
		l.obey(now)
	}
	l.hear(now)
	if now.Before(l.idle) || now.Sub(l.last) < l.every/2 { // a ticker that was late catches up
		return nil
	}
	learn := shieldHosts
	if l.shield != nil {
		learn = l.shield.LearnAtMost()
	}
	var wanted []shield.Key
	if l.shield != nil {
		wanted = append(l.shield.Wanted(), l.listed...)
	}
	total, counts := d.door.Rotate(learn, wanted)
	passed := now.Sub(l.last)
	l.last = now
	trouble := d.door.Trouble()
	if passed > max(shieldLate, 4*l.every) {
		trouble = false
		// The next tick is as long: together they tell what was asked for.
		l.idle = now.Add(min(passed, time.Second) - l.every/2)
	}
	if l.shield == nil {
		l.base = total
		if now.Sub(l.shown) >= shieldShow {
			l.show(now)
		}
		return nil
	}
	for _, x := range counts {
		if x.Name != "" {
			l.names[x.Key] = x.Name
		}
	}
	l.do(now, l.shield.Step(now, shield.Counted{
		Tick: min(passed, time.Minute), Counts: counts, Subdomains: d.door.Known(), Trouble: trouble,
		Asked: total.Asked - l.base.Asked, Refused: total.Refused - l.base.Refused, Served: total.Served - l.base.Served, Cost: total.Cost - l.base.Cost,
	}))
	d.shielding.metrics.observe(l.shield, shield.CapacityFor(policyOf(l.fleet)))
	l.held.observe(now, d.shielding.metrics.single, l.shield.Measures().List(), counts, l.shield.Fleet().Hosts)
	if now.Sub(l.shown) >= shieldShow {
		l.show(now)
	}
	return nil
}

// list takes notice of hosts that became known.
func (l *shieldLoop) list() {
	for {
		select {
		case host := <-l.d.door.Learned():
			k, name, ok := l.d.shielding.keyOf(host)
			if ok && len(l.listed) < shieldListed && !slices.Contains(l.listed, k) { // it may have been forgotten meanwhile
				l.listed = append(l.listed, k)
				l.names[k] = string(name)
			}
		default:
			return
		}
	}
}

// take begins anew with the policy of a fleet, if that is another one. Who was held
// by the old one is let in until the new one has seen a flood itself.
func (l *shieldLoop) take(now time.Time, fleet *member.Fleet) error {
	d := l.d
	first := l.last.IsZero()
	old := l.fleet
	l.fleet = fleet
	if first {
		l.last = now.Add(-l.every)
	}
	if !first && policyOf(old).Same(policyOf(fleet)) && sameHosts(old, fleet) {
		return nil
	}
	p := policyOf(fleet)
	l.mode, l.shield, l.began, l.leads, l.doors, l.ruled = p.Doing(), nil, now, false, nil, 0
	l.published = shield.FloorsInParts{}
	total, _ := d.door.Rotate(shieldHosts, nil)
	l.base, l.last = total, now
	l.idle = now.Add(l.every / 2) // its first tick is a whole one
	d.door.Enforce(nil)
	d.shielding.metrics.nothing()
	l.held.observe(now, d.shielding.metrics.single, nil, nil, nil)
	d.log.Info("shield policy", zap.String("mode", l.mode), zap.String("unit", p.Unit), zap.Int("capacity", p.Serves()))
	if l.mode == member.ShieldOff {
		return nil
	}
	cfg := shield.DefaultConfig(d.self)
	// Each shield counts its reports and its requests from none on. To a door that has heard
	// this one's last shield, that is another life, or it is refused as replayed.
	l.life = max(l.life+1, d.life)
	cfg.Life, cfg.Shadow, cfg.Salt = l.life, l.mode == member.ShieldShadow, d.shielding.salt
	cfg.Capacity = shield.CapacityFor(p)
	cfg.Throttle = shield.RulesFor(p, neverStop(fleet))
	cfg.Ladder.Highest = cfg.Throttle.Highest
	cfg.Weights = shield.WeightsFor(p, d.shielding.salt)
	cfg.NeverStop = map[shield.Key]bool{}
	if fleet != nil {
		for _, host := range fleet.NeverStop {
			if k, _, ok := d.shielding.keyOf(host); ok {
				cfg.NeverStop[k] = true
			}
		}
	}
	var err error
	if l.shield, err = shield.New(cfg); err != nil {
		return fmt.Errorf("shield of this door: %w", err)
	}
	return nil
}

func policyOf(f *member.Fleet) member.ShieldPolicy {
	if f == nil {
		return member.ShieldPolicy{}
	}
	return f.Shield
}

func neverStop(f *member.Fleet) []string {
	if f == nil {
		return nil
	}
	return f.NeverStop
}

func sameHosts(a, b *member.Fleet) bool {
	var x, y []string
	if a != nil {
		x = a.NeverStop
	}
	if b != nil {
		y = b.NeverStop
	}
	return fmt.Sprint(x) == fmt.Sprint(y)
}

// do carries out what the shield wants.
func (l *shieldLoop) do(now time.Time, effects []shield.Effect) {
	for _, e := range effects {
		switch e := e.(type) {
		case shield.Enforce:
			l.shown = time.Time{} // who asks is told of it as of this tick
			l.d.door.Enforce(e.Measures)
		case shield.Say:
			l.say(e.Report)
		case shield.Publish:
			l.publish(e.Floors)
		case shield.Note:
			l.note(now, e)
		case shield.Propose:
			l.propose(now, e.Throttle)
		}
	}
}

// doubt notes when the door begins and ceases to do as it is told. What it served
// meanwhile was not held.
func (l *shieldLoop) doubt(now time.Time, problem string) {
	if (problem == "") != (l.problem == "") {
		what, text := "door-lost", problem
		if problem == "" {
			what, text = "door-back", "the door does as it is told again"
		}
		l.notes = append(l.notes, status.ShieldNote{At: now.UTC(), What: what, Text: text})
		l.notes = l.notes[max(0, len(l.notes)-shieldNotes):]
	}
	l.problem = problem
}

func (l *shieldLoop) note(now time.Time, n shield.Note) {
	l.measure(now, n)
	if n.What == shield.Refused {
		l.refuse(now, n.Why, "", n.Text)
		return
	}
	host := n.Host
	if host == "" {
		host = l.names[n.Key]
	}
	l.d.log.Info("shield", zap.String("what", n.What.String()), zap.String("host", host), zap.String("text", n.Text))
	l.keep(now, n.What, host, n.Text)
}

// measure keeps the metrics of what is said.
func (l *shieldLoop) measure(now time.Time, n shield.Note) {
	m := l.d.shielding.metrics
	switch n.What {
	case shield.PressureBegan:
		l.pressed = now
	case shield.PressureEnded, shield.OverloadBegan:
		l.pressed = time.Time{}
	case shield.Came:
		if !l.pressed.IsZero() {
			m.decided.Observe((now.Sub(l.pressed) + l.every).Seconds()) // the tick under pressure is over when it is seen
		}
		l.pressed = time.Time{}
	case shield.Suppressed:
		m.suppressed.WithLabelValues(string(n.Gate)).Inc()
	case shield.OverloadEnded, shield.Climbed, shield.Left, shield.Refused: // shown as a state, or counted where it is refused
	}
}

// keep writes a note down for people.
func (l *shieldLoop) keep(now time.Time, what shield.What, host, text string) {
	l.notes = append(l.notes, status.ShieldNote{At: now.UTC(), What: what.String(), Host: host, Text: text})
	l.notes = l.notes[max(0, len(l.notes)-shieldNotes):]
}

// show writes down what is seen and done, for who asks.
func (l *shieldLoop) show(now time.Time) {
	l.shown = now
	door := l.d.door
	doc := &status.ShieldDocument{
		Schema: status.Schema, Now: now.UTC(), Door: l.d.self, Mode: l.mode, Problem: l.problem, Unit: policyOf(l.fleet).Unit, Learned: policyOf(l.fleet).Capacity == 0,
		Subdomains: door.Known(), Full: door.Full(), Notes: append([]status.ShieldNote{}, l.notes...), Top: []status.ShieldLine{}, Held: []status.ShieldHeld{},
	}
	doc.Throttles = []status.ShieldThrottle{}
	if r := l.d.shielding.ruling.Load(); r != nil {
		doc.Throttles = status.ThrottledBy(r.stands, now)
	}
	if l.shield != nil {
		f := l.shield.Fleet()
		if doc.Problem == "" && l.shield.Costless() {
			doc.Problem = "no door tells what requests cost, and shield.unit in fleet.yaml is time: nobody is held"
		}
		unit := shield.CapacityFor(policyOf(l.fleet))
		doc.Capacity, doc.Asked, doc.Admitted, doc.Doors = unit.InUnit(l.shield.Capacity()), f.Asked, f.Admitted, f.Live
		doc.AllDoors = l.doors
		doc.Pressure, doc.Overload = l.shield.Shares().Pressure, l.shield.Overloaded()
		for _, x := range f.Hosts {
			doc.Top = append(doc.Top, status.ShieldLine{Host: l.names[x.Key], Asked: x.Asked, Admitted: x.Admitted})
		}
		for _, m := range l.shield.Measures().List() {
			doc.Held = append(doc.Held, status.HeldBy(m, unit))
		}
		l.forget(f)
	}
	l.d.shielding.document.Store(doc)
}

// mostNames bounds the names that are remembered for people.
const mostNames = 4096

func (l *shieldLoop) forget(f shield.Fleet) {
	if len(l.names) <= mostNames {
		return
	}
	kept := make(map[shield.Key]string, len(f.Hosts))
	for _, x := range f.Hosts {
		kept[x.Key] = l.names[x.Key]
	}
	for _, k := range l.listed {
		kept[k] = l.names[k]
	}
	l.names = kept
}
