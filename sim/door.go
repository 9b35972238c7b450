package sim

import (
	"slices"
	"time"

	"moonwatch/member"
)

// door is a gateway before a pool, with the local reflex of PROTOCOL 5: patience
// with a connection, another occupant for what reached nobody, a second sending
// for what is late, and no more requests for who refuses or is late.
//
// It is coarse: what comes within a tick is dealt out evenly and at once, and
// only counted. It follows the agreed ledger a tick late, and stands outside of
// the cluster: a member that is cut off from all others is cut off from it too, a
// link that is severed between two members is not its concern. Requests are
// idempotent and take no time; an occupant that is loaded keeps connections, so
// one that falls silent makes its requests late and does not refuse them. Left
// out: lossy links, what an occupant can bear, slow answers, requests that may
// not be repeated, and the evidence that a gateway gives its agent.
type door struct {
	w       *World
	load    Load
	times   float64 // as many requests as usual, in a flood
	carry   float64 // of a request, from the last tick
	tokens  float64 // second sendings of late requests that are saved up
	turn    int     // where dealing goes on, so that nobody always gets the odd one
	head    uint64  // of the ledger when the table was made
	seats   []*seat
	seconds []PerSecond
}

// seat is an occupant in the door's eyes. A new slot epoch is a new occupant.
type seat struct {
	slot    member.SlotID
	epoch   member.SlotEpoch
	member  *machine
	drained bool

	ejected bool
	probeAt time.Duration // when the next request may try it
	late    int           // requests without an answer
	third   time.Duration // when the one was sent that is one too many
}

// The numbers are those of shield/gateway.
const (
	doorPatience = 300 * time.Millisecond
	lateCount    = 3
	retryShare   = 0.10
	retryBurst   = 10.0
	seatRetry    = time.Second
)

// answer is what a request to an occupant meets.
type answer int

const (
	answersWell answer = iota
	answersBadly
	refuses
	silent
)

func (s *seat) answer() answer {
	m := s.member
	service := m.running[s.slot]
	switch {
	case !m.on || m.w.now < m.halted || m.w.cutOff(m):
		return silent
	case service == nil:
		return refuses
	case service.sick:
		return answersBadly
	default:
		return answersWell
	}
}

// cutOff reports that a fault parts a member from everybody, and so from the
// doors.
func (w *World) cutOff(m *machine) bool {
	if w.links.struck[m.i] == 0 {
		return false
	}
	return slices.ContainsFunc(w.links.faults, func(l *linkFault) bool {
		if !l.whom[m.i] || l.other != nil {
			return false
		}
		switch l.f.Do {
		case Isolate, Deafen, Mute, Cut, CutOneWay, Flap:
			return l.severs(w, m.i, m.i)
		default:
			return false
		}
	})
}

// tick deals out what has come since the last one.
func (d *door) tick() {
	defer d.follow()
	if len(d.seats) == 0 {
		return // nobody asks for a service that was never there
	}
	d.carry += d.load.RPS * d.times * doorTick.Seconds()
	n := int(d.carry)
	d.carry -= float64(n)
	d.tokens = min(retryBurst, d.tokens+retryShare*float64(n))
	failed := 0
	left := n
	for _, s := range d.seats {
		if left > 0 && s.ejected && !s.drained && d.w.now >= s.probeAt {
			failed += d.probe(s)
			left--
		}
	}
	chosen := d.chosen()
	for i := range chosen {
		s := chosen[(i+d.turn)%len(chosen)]
		k := left / (len(chosen) - i)
		left -= k
		failed += d.send(s, k)
	}
	if len(chosen) == 0 {
		failed += left
	}
	d.turn++
	d.book(n, failed)
}

// chosen are who gets requests: those that are neither drained nor ejected, or
// else the ejected, or else the drained: a guess is better than a refusal.
func (d *door) chosen() []*seat {
	for _, want := range []func(*seat) bool{
		func(s *seat) bool { return !s.drained && !s.ejected },
		func(s *seat) bool { return !s.drained },
		func(*seat) bool { return true },
	} {
		var out []*seat
		for _, s := range d.seats {
			if want(s) {
				out = append(out, s)
			}
		}
		if len(out) > 0 {
			return out
		}
	}
	return nil
}

// send sends k requests to an occupant, and says how many of them fail.
func (d *door) send(s *seat, k int) (failed int) {
	now := d.w.now
	if s.third > 0 && now >= s.third+doorPatience {
		d.eject(s, true)
	}
	if k == 0 {
		return 0
	}
	switch s.answer() {
	case answersWell:
		s.late, s.third = 0, 0
		return 0
	case answersBadly:
		return k // an answer in time, and the client's to read
	case refuses:
		d.eject(s, false)
		return d.elsewhere(s, k)
	default:
		s.late += k
		if s.third == 0 && s.late >= lateCount {
			s.third = now
		}
		if s.ejected { // the connections were given up: what reached nobody goes elsewhere
			return d.elsewhere(s, k)
		}
		again := min(k, int(d.tokens))
		d.tokens -= float64(again)
		return k - again + d.elsewhere(s, again)
	}
}

// elsewhere sends requests that a seat did not answer to somebody else.
func (d *door) elsewhere(s *seat, k int) (failed int) {
	if slices.ContainsFunc(d.seats, func(x *seat) bool { return x != s && x.answer() == answersWell }) {
		return 0
	}
	return k
}

// probe lets one request try an ejected occupant.
func (d *door) probe(s *seat) (failed int) {
	s.probeAt = d.w.now + seatRetry
	if s.answer() == answersWell {
		s.ejected, s.late, s.third = false, 0, 0
		return 0
	}
	if s.answer() == answersBadly {
		return 1
	}
	return d.elsewhere(s, 1)
}

// eject stops the choosing of an occupant, unless it is the last one; for
// lateness also unless all others are late too.
func (d *door) eject(s *seat, late bool) {
	if s.ejected || !slices.ContainsFunc(d.seats, func(x *seat) bool {
		return x != s && !x.drained && !x.ejected && (!late || x.late == 0)
	}) {
		return
	}
	s.ejected, s.probeAt = true, d.w.now+seatRetry
}

// follow makes the table anew if the ledger has moved on.
func (d *door) follow() {
	st := d.w.checker.state
	head := st.Ledger().Head()
	if head == d.head {
		return
	}
	old := d.seats
	d.head, d.seats = head, nil
	for _, x := range st.Slots() {
		if x.Pool != d.load.Pool || x.Occupant == "" || !x.Started {
			continue
		}
		m := d.w.machine(x.Occupant)
		i := slices.IndexFunc(old, func(s *seat) bool { return s.slot == x.ID && s.epoch == x.Epoch && s.member == m })
		s := &seat{slot: x.ID, epoch: x.Epoch, member: m}
		if i >= 0 {
			s = old[i]
		}
		s.drained = x.Drained
		d.seats = append(d.seats, s)
	}
}

// book counts requests in the second in which they began.
func (d *door) book(n, failed int) {
	at := int((d.w.now - doorTick) / time.Second)
	for len(d.seconds) <= at {
		d.seconds = append(d.seconds, PerSecond{})
	}
	d.seconds[at].Total += n
	d.seconds[at].Failed += failed
}
