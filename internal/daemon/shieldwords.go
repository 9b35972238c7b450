package daemon

import (
	"crypto/sha256"
	"encoding/binary"
	"slices"
	"time"

	"go.uber.org/zap"

	"moonwatch/consensus"
	"moonwatch/internal/wire"
	"moonwatch/member"
	"moonwatch/mind"
	"moonwatch/shield"
)

// Doors tell each other what they count, in signed datagrams, and hear each other
// here. What is not believed is counted and said, and changes nothing: without the
// others a door does what it does alone.

// shieldWords is how many datagrams of other doors may wait for the next tick: those of
// the most doors there may be, twice.
const shieldWords = 2 * member.MaxDoors

// shieldSayAgain is how long the same refusal is not said again. It is counted.
const shieldSayAgain = 10 * time.Second

// saltOf is the salt by which all doors of a cluster make their keys. Nobody who is not
// of the cluster knows its CA's key, so nobody else can choose a name that shares a key
// with another one's.
func saltOf(cluster string, root []byte) uint64 {
	h := sha256.New()
	h.Write([]byte("moonwatch shield salt 1\x00" + cluster + "\x00"))
	h.Write(root)
	return binary.LittleEndian.Uint64(h.Sum(nil))
}

// publicKeyOf is the key of the public page's ids, likewise: they are the same at all
// agents, and nobody outside can try out of which slot and moment one is made.
func publicKeyOf(cluster string, root []byte) []byte {
	h := sha256.New()
	h.Write([]byte("moonwatch public ids 1\x00" + cluster + "\x00"))
	h.Write(root)
	return h.Sum(nil)
}

// doorWord takes a datagram of another door whose signature is good. One that finds no
// room is dropped: it is said again.
func (s *shielding) doorWord(m wire.Signed) {
	if s.words == nil {
		return // this agent has no door
	}
	select {
	case s.words <- m:
	default:
		s.metrics.dropped.Inc()
	}
}

// hear gives the shield what the other doors have said since the last tick.
func (l *shieldLoop) hear(now time.Time) {
	for {
		var m wire.Signed
		select {
		case m = <-l.d.shielding.words:
		default:
			return
		}
		if l.shield == nil {
			continue // off: nobody asks what others see
		}
		switch m := m.(type) {
		case wire.DoorReport:
			l.report(now, m)
		case wire.DoorFloors:
			l.floors(now, m)
		default: // the receiver hands on these two
		}
	}
}

func (l *shieldLoop) report(now time.Time, m wire.DoorReport) {
	r, err := shield.DecodeReport(m.Body)
	switch {
	case err != nil:
		l.refuse(now, shield.OtherFormat, m.From, err.Error())
	case r.Door != m.From:
		l.refuse(now, shield.Absurd, m.From, "it names "+string(r.Door)+" as the door that counted")
	default:
		l.d.shielding.metrics.heard.Inc()
		l.do(now, l.shield.Step(now, shield.Heard{Report: r}))
	}
}

func (l *shieldLoop) floors(now time.Time, m wire.DoorFloors) {
	p, err := shield.DecodeFloors(m.From, m.Body)
	switch {
	case err != nil:
		l.refuse(now, shield.OtherFormat, m.From, err.Error())
	case p.Mark != shield.MarkOf(l.d.shielding.salt):
		l.refuse(now, shield.OtherFormat, m.From, "floors: "+shield.ErrOtherSalt.Error())
	default:
		if f, whole := l.published.Add(p); whole {
			l.do(now, l.shield.Step(now, shield.FloorsHeard{Floors: f}))
		}
	}
}

// refuse counts what another door said and is not believed, and says so now and then.
func (l *shieldLoop) refuse(now time.Time, why shield.Refusal, from member.ID, text string) {
	l.d.shielding.metrics.refused.WithLabelValues(string(why)).Inc()
	if said, ok := l.refusals[why]; ok && now.Sub(said) < shieldSayAgain {
		return
	}
	if why == shield.UnknownDoor && now.Sub(l.began) < shieldSayAgain {
		return // it has heard of the policy before this door has
	}
	if l.refusals == nil {
		l.refusals = map[shield.Refusal]time.Time{}
	}
	l.refusals[why] = now
	if from != "" {
		text = "word of " + string(from) + ": " + text
	}
	l.d.log.Warn("shield report refused", zap.String("why", string(why)), zap.String("text", text))
	l.keep(now, shield.Refused, "", text)
}

// say sends this door's report to all others.
func (l *shieldLoop) say(r shield.Report) {
	if len(l.others()) == 0 {
		return
	}
	body, err := r.Encode()
	if err != nil {
		l.d.log.Warn("shield report not encoded", zap.Error(err))
		return
	}
	b, err := l.d.signer.EncodeDoorReport(body)
	l.d.sendAll(l.others(), "door's report", b, err)
}

// publish sends floors to all other doors.
func (l *shieldLoop) publish(f shield.Floors) {
	if len(l.others()) == 0 {
		return
	}
	for _, body := range f.Encode(shield.MarkOf(l.d.shielding.salt)) {
		b, err := l.d.signer.EncodeDoorFloors(body)
		l.d.sendAll(l.others(), "door's floors", b, err)
	}
}

func (l *shieldLoop) others() []member.ID {
	return slices.DeleteFunc(slices.Clone(l.doors), func(id member.ID) bool { return id == l.d.self })
}

// shieldRuling is what the ledger and the council say that concerns a door.
type shieldRuling struct {
	listed bool        // this one is a door of the policy
	doors  []member.ID // of the policy, without those under a verdict
	leader member.ID
	quorum bool
	head   uint64          // of the ledger when what follows was last another one
	stands shield.Standing // what the facts say of subdomains; never changed
}

// noteShield tells the door, and the page of an agent without one, what the ledger says
// now. It runs in the agent's loop.
func (d *Daemon) noteShield() {
	if d.mind == nil {
		return
	}
	led, l, old := d.mind.Leading(), d.mind.Ledger(), d.shielding.ruling.Load()
	if d.door == nil && old != nil && old.head == l.Head() {
		return // who leads is the doors' concern
	}
	r := &shieldRuling{leader: led.Leader, quorum: led.Quorum, head: l.Head()}
	if old != nil && old.head == r.head {
		r.stands = old.stands
	} else {
		r.stands = d.mind.Throttles().Standing().Clone()
	}
	if f := l.Fleet(); f != nil {
		d.shielding.fleet.Store(f) // nobody changes a fleet that is in the ledger
		condemned := l.Condemned()
		for _, id := range f.Shield.Doors {
			r.listed = r.listed || id == d.self
			if !slices.Contains(condemned, id) {
				r.doors = append(r.doors, id)
			}
		}
	}
	d.shielding.ruling.Store(r)
}

// obey takes over what the ledger says: which doors there are, and which of them does
// what falls to one of them alone. A door that the policy does not name stands alone.
func (l *shieldLoop) obey(now time.Time) {
	r := l.d.shielding.ruling.Load()
	if r == nil {
		r = &shieldRuling{}
	}
	doors := r.doors
	if !r.listed {
		doors = []member.ID{l.d.self}
	}
	if r.head != l.ruled {
		l.ruled = r.head
		l.do(now, l.shield.Step(now, shield.Ruled{Standing: r.stands}))
	}
	if !slices.Equal(doors, l.doors) {
		l.doors = slices.Clone(doors)
		l.do(now, l.shield.Step(now, shield.Doors{Doors: l.doors}))
	}
	leads := slices.Equal(doors, []member.ID{l.d.self})
	switch {
	case leads:
	case slices.Contains(doors, r.leader):
		leads = r.leader == l.d.self
	default: // the council's leader opens no door: the first door that is heard acts for it
		live := l.shield.Fleet().Live
		leads = r.quorum && len(live) > 0 && live[0] == l.d.self
	}
	// Floors that are published before anything is known would be empty.
	leads = leads && now.Sub(l.began) >= shieldFloors
	if leads != l.leads {
		l.leads = leads
		l.do(now, l.shield.Step(now, shield.Leads{Leading: leads}))
	}
}

// propose hands a throttle to the council. Should the queue be full, it is voted for
// again. Of a door that the policy does not name every ledger refuses it, and writes
// that down.
func (l *shieldLoop) propose(now time.Time, t shield.Throttle) {
	if r := l.d.shielding.ruling.Load(); r == nil || !r.listed {
		return
	}
	c, err := consensus.NewCommand(consensus.KindThrottle, newID("throttle"), l.d.self, now, t)
	var b []byte
	if err == nil {
		b, err = c.Encode()
	}
	if err != nil {
		l.d.log.Error("throttle not proposed", zap.String("host", t.Host), zap.Error(err))
		return
	}
	l.d.log.Info("throttle proposed", zap.String("host", t.Host), zap.Stringer("rung", t.Rung), zap.String("why", t.Why))
	l.d.offer(mind.Submitted{Command: b})
}
