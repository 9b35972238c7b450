package sim

import (
	"fmt"
	"slices"
	"time"

	"moonwatch/consensus"
	"moonwatch/member"
	"moonwatch/mind"
	"moonwatch/shield"
	"moonwatch/shield/count"
)

// begin makes a door that knows nothing, as a door that was just started.
func (d *shieldDoor) begin() {
	g := d.g
	counter, err := count.New(count.Config{Hosts: 4096, Salt: shieldSalt, Learn: 4096})
	if err != nil {
		panic(fmt.Sprintf("sim: shield of %s: %v", d.m.id, err))
	}
	cfg := shield.DefaultConfig(d.m.id)
	cfg.Life, cfg.Shadow, cfg.Salt = d.m.born, g.cfg.Shadow, shieldSalt
	cfg.Throttle = shield.RulesFor(g.w.cfg.Fleet.Shield, g.w.cfg.Fleet.NeverStop)
	cfg.Ladder.Highest = cfg.Throttle.Highest
	if !g.cfg.Learned {
		cfg.Capacity.Configured = g.cfg.Bears * float64(g.slots())
		if g.cfg.Time {
			cfg.Capacity.Configured *= requestTakes.Seconds() * shield.WorkUnits
		}
	}
	cfg.Capacity.ByCost = g.cfg.Time
	s, err := shield.New(cfg)
	if err != nil {
		panic(fmt.Sprintf("sim: shield of %s: %v", d.m.id, err))
	}
	d.life, d.s, d.counter, d.acting, d.head, d.leads, d.let, d.served = d.m.life, s, counter, nil, 0, false, 0, 0
	d.buckets, d.floors, d.places = map[shield.Key]*heldBucket{}, shield.FloorsInParts{}, places{}
	for _, h := range g.cfg.Hosts() { // fleet.yaml names them
		counter.Learn([]byte(h))
	}
}

func (g *guarded) slots() int {
	for _, p := range g.w.cfg.Fleet.Pools {
		if p.Name == g.cfg.Pool {
			return len(p.Slots)
		}
	}
	return 0
}

// admits counts a request and decides about it, as a door of the product does.
func (d *shieldDoor) admits(name []byte, unknown bool, v visitor) (count.Ref, treatment) {
	ref := d.counter.Add(name)
	if m := d.acting.Find(ref.Key()); m != nil && !m.Shadow {
		now := d.m.time()
		if now.Before(m.Until) {
			if a := d.weigh(now, m, v); a != letIn {
				ref.Refuse()
				return ref, a
			}
		}
	}
	if !ref.Known() && !unknown {
		d.counter.Learn(name) // it was answered well
	}
	return ref, letIn
}

// answer lets the requests of a tick be answered, each when its work is done; they wait
// as long as everybody. What one took is measured then, as by a door of the product.
func (d *shieldDoor) answer(waits float64) {
	all, life := d.owed, d.life
	d.owed = nil
	for _, x := range all {
		took := x.took + time.Duration(waits*float64(time.Second))
		d.g.w.after(took, func() {
			if d.life != life || d.m.life != life {
				return // its door has begun anew
			}
			for range x.n {
				x.ref.Cost(uint32(took/(100*time.Microsecond)), x.name)
			}
		})
	}
}

// look ends a tick: the shield is told what was counted, and what it wants is
// done.
func (d *shieldDoor) look(waits bool) {
	d.g.story.bounded(d)
	d.learnDoors()
	total, hot := d.counter.Rotate(d.s.LearnAtMost())
	for _, k := range d.s.Wanted() {
		if !slices.ContainsFunc(hot, func(c shield.Count) bool { return c.Key == k }) {
			hot = append(hot, d.counter.Read(k))
		}
	}
	d.carryOut(d.s.Step(d.m.time(), shield.Counted{
		Tick: shieldTick, Asked: total.Asked, Refused: total.Refused, Served: uint64(d.served), Cost: total.Cost, Counts: hot,
		Subdomains: d.counter.Known(), Trouble: waits,
	}))
}

// learnDoors tells the shield what the door's own ledger says: which doors stand
// under no verdict, and whether the leader's is this one. Where the leader is no
// door, the first door that there is does what falls to it.
func (d *shieldDoor) learnDoors() {
	l := d.m.mind.Ledger()
	if head := l.Head(); head != d.head {
		d.head = head
		condemned := l.Condemned()
		var doors []member.ID
		for _, x := range d.g.doors {
			if !slices.Contains(condemned, x.m.id) {
				doors = append(doors, x.m.id)
			}
		}
		d.carryOut(d.s.Step(d.m.time(), shield.Doors{Doors: doors}))
		d.carryOut(d.s.Step(d.m.time(), shield.Ruled{Standing: d.m.mind.Throttles().Standing()}))
	}
	leader := d.m.mind.Leading().Leader
	leads := leader == d.m.id
	if !slices.ContainsFunc(d.g.doors, func(x *shieldDoor) bool { return x.m.id == leader }) && d.m.mind.Leading().Quorum {
		live := d.s.Fleet().Live
		leads = len(live) > 0 && live[0] == d.m.id
	}
	if leads != d.leads {
		d.leads = leads
		d.carryOut(d.s.Step(d.m.time(), shield.Leads{Leading: leads}))
	}
}

func (d *shieldDoor) carryOut(effects []shield.Effect) {
	w := d.g.w
	for _, e := range effects {
		switch e := e.(type) {
		case shield.Say:
			d.g.story.book.says(w.now, e.Report)
			b, err := e.Report.Encode()
			if err != nil {
				w.checker.fail(ruleShield, "%s cannot say what it counted: %v", d.m.id, err)
				return
			}
			d.tell(len(b)+sealBytes, func(x *shieldDoor) {
				r, err := shield.DecodeReport(b)
				if err != nil {
					w.checker.fail(ruleShield, "%s cannot read a report of %s: %v", x.m.id, d.m.id, err)
					return
				}
				x.carryOut(x.s.Step(x.m.time(), shield.Heard{Report: r}))
			})
		case shield.Publish:
			for _, b := range e.Floors.Encode(shield.MarkOf(shieldSalt)) {
				d.tell(len(b)+sealBytes, func(x *shieldDoor) { x.hearFloors(d.m.id, b) })
			}
		case shield.Enforce:
			d.enforce(e.Measures)
		case shield.Note:
			d.g.story.note(d, e)
		case shield.Propose:
			d.propose(e.Throttle)
		}
	}
}

// propose hands a throttle in at the door's own agent.
func (d *shieldDoor) propose(t shield.Throttle) {
	d.proposed++
	d.g.story.proposed(d.m.id, t)
	c, err := consensus.NewCommand(consensus.KindThrottle, fmt.Sprintf("throttle/%s/%d/%d", d.m.id, d.m.born, d.proposed), d.m.id, d.m.time(), t)
	if err == nil {
		var b []byte
		if b, err = c.Encode(); err == nil {
			d.m.step(mind.Submitted{Command: b})
		}
	}
	if err != nil {
		d.g.w.checker.fail(ruleShield, "%s cannot propose to throttle %s: %v", d.m.id, t.Host, err)
	}
}

// hearFloors puts floors together of which a part has come.
func (d *shieldDoor) hearFloors(by member.ID, b []byte) {
	p, err := shield.DecodeFloors(by, b)
	if err != nil {
		d.g.w.checker.fail(ruleShield, "%s cannot read floors of %s: %v", d.m.id, by, err)
		return
	}
	if f, whole := d.floors.Add(p); whole {
		d.carryOut(d.s.Step(d.m.time(), shield.FloorsHeard{Floors: f}))
	}
}

// tell carries a datagram to every other door.
func (d *shieldDoor) tell(bytes int, do func(*shieldDoor)) {
	for _, x := range d.g.doors {
		if x == d {
			continue
		}
		d.g.w.datagram(d.m, x.m.id, bytes, func(*machine) {
			if x.s != nil && x.life == x.m.life {
				do(x)
			}
		})
	}
}

// enforce replaces the measures, and forgets the buckets of those that ended.
func (d *shieldDoor) enforce(now *shield.Measures) {
	d.acting = now
	d.counter.Keep(now)
	for k := range d.buckets {
		if m := now.Find(k); m == nil || m.Cap == 0 {
			delete(d.buckets, k)
		}
	}
	d.g.story.enforced(d)
}

// holdsBack reports that a door holds some subdomain now.
func (g *guarded) holdsBack() bool {
	return g != nil && slices.ContainsFunc(g.doors, func(d *shieldDoor) bool {
		return d.m.up() && slices.ContainsFunc(d.acting.List(), func(m shield.Measure) bool { return !m.Shadow })
	})
}
