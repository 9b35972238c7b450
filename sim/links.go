package sim

import (
	"math"
	"slices"
	"time"

	"moonwatch/member"
)

// links are the faults of links that last at this moment. Each fault knows which
// links it covers; nothing is kept per link, so ten thousand members cost
// nothing while all is well.
type links struct {
	faults []*linkFault
	struck []uint16 // per machine: how many of the faults name it. A link without a named end is as the weather is.
	squall float64  // loss that faults add to the weather of all links
	stormy bool     // it was more than observers stand, and is not over
}

// linkFault is one fault of links, as long as it lasts.
type linkFault struct {
	f       Fault
	key     int    // of its dice
	whom    []bool // by machine
	other   []bool // nil: everybody (around), or everybody that is not in whom
	around  bool   // links among whom are covered too
	there   bool   // the way from whom to other is covered
	back    bool   // and the way back
	began   time.Duration
	healing time.Duration // when it was ended, if it then lasts on; else 0
	bursts  map[uint64]*burst
}

// The dice of links. Each has a stream of its own.
const (
	streamBurst stream = iota + 32
	streamDuplicate
	streamReorder
	streamSwizzle
)

// strikeLinks lets a fault of links begin.
func (w *World) strikeLinks(f Fault) {
	l := &linkFault{
		f: f, key: w.linkFaults, whom: make([]bool, len(w.machines)), began: w.now,
		there: f.Do != Deafen && f.Do != LossyIn, back: f.Do != Mute && f.Do != CutOneWay && f.Do != LossyOut,
	}
	w.linkFaults++
	for _, id := range f.Whom {
		i := w.index[id]
		if !l.whom[i] {
			l.whom[i] = true
			w.links.struck[i]++
		}
	}
	if len(f.Other) > 0 {
		l.other = make([]bool, len(w.machines))
		for _, id := range f.Other {
			l.other[w.index[id]] = true
		}
	}
	switch f.Do {
	case Lossy, LossyIn, LossyOut, Burst, Duplicate, Reorder, Delay:
		l.around = len(f.Other) == 0
	default: // severs: those that it names still have each other
	}
	w.links.faults = append(w.links.faults, l)
	w.ailing(l)
}

// healLinks ends the first fault that is like f, or for who says the kind and the
// ends alone the first of that kind between them. A swizzle heals link by link.
func (w *World) healLinks(f Fault) {
	find := func(like func(*linkFault) bool) int {
		return slices.IndexFunc(w.links.faults, func(l *linkFault) bool {
			return l.healing == 0 && slices.Equal(l.f.Whom, f.Whom) && like(l)
		})
	}
	i := find(func(l *linkFault) bool { return l.f.like(f) })
	if i < 0 {
		i = find(func(l *linkFault) bool { return l.f.Do == f.Do && l.f.For == 0 && slices.Equal(l.f.Other, f.Other) })
	}
	if i < 0 {
		return
	}
	l := w.links.faults[i]
	if l.f.Do == Swizzle {
		l.healing = w.now
		w.after(l.period(), func() { w.forget(l) })
		return
	}
	w.forget(l)
}

func (w *World) forget(l *linkFault) {
	w.links.faults = slices.DeleteFunc(w.links.faults, func(x *linkFault) bool { return x == l })
	for i, in := range l.whom {
		if in {
			w.links.struck[i]--
		}
	}
	w.ailing(l)
}

// ailing notes for the checkers that links changed.
func (w *World) ailing(l *linkFault) {
	for i, m := range w.machines {
		if l.whom[i] || l.other == nil || l.other[i] {
			m.ail()
		}
		if l.tainting() && (l.whom[i] || l.opposite(i) && w.mostAcross(m, l)) {
			m.lossyAt = w.now
		}
	}
}

// soundLoss is the loss of each way up to which nobody is condemned: 51 % of the round
// trips.
const soundLoss = 0.3

// blow changes the loss that faults add to the weather. Where it was more than the
// observers stand, all of them remember it: until it has gone down again to what ends
// an accusation, and for a while from then on.
func (w *World) blow(by float64) {
	k := &w.links
	k.stormy = k.stormy || w.cfg.Net.Loss+k.squall > soundLoss
	if k.stormy {
		for _, m := range w.machines {
			m.lossyAt = w.now
		}
	}
	k.squall += by
	k.stormy = k.stormy && w.cfg.Net.Loss+k.squall > lossyFor
}

// mostAcross reports that most of a member's observers are on the other side of a
// fault that lies between it and them: to it they are what is lossy.
func (w *World) mostAcross(m *machine, l *linkFault) bool {
	across, all := 0, 0
	for _, x := range w.observersOf(m) {
		all++
		if l.whom[x.i] {
			across++
		}
	}
	return 2*across > all
}

// tainting reports that the fault makes links worse without severing them for
// good: what it did to the loss that observers measure outlives it.
func (l *linkFault) tainting() bool {
	switch l.f.Do {
	case Lossy, LossyIn, LossyOut, Burst, Reorder, Delay, Flap, Swizzle:
		return true
	default:
		return false
	}
}

// covers reports whether the way from a to b is the fault's.
func (l *linkFault) covers(a, b int) bool {
	return l.there && l.whom[a] && l.opposite(b) || l.back && l.whom[b] && l.opposite(a)
}

func (l *linkFault) opposite(i int) bool {
	if l.other != nil {
		return l.other[i]
	}
	return l.around || !l.whom[i]
}

// calm reports that no fault touches the link between a and b.
func (l *links) calm(a, b int) bool { return l.struck[a]|l.struck[b] == 0 }

// severed reports whether nothing gets from a to b at this moment.
func (w *World) severed(a, b int) bool {
	switch {
	case w.strangers(a, b):
		return true
	case w.links.calm(a, b):
		return false
	}
	return slices.ContainsFunc(w.links.faults, func(l *linkFault) bool { return l.covers(a, b) && l.severs(w, a, b) })
}

// interrupted is severed for whoever looks back: a link that flaps or is swizzled
// was gone a moment ago.
func (w *World) interrupted(a, b int) bool {
	switch {
	case w.strangers(a, b):
		return true
	case w.links.calm(a, b):
		return false
	}
	return slices.ContainsFunc(w.links.faults, func(l *linkFault) bool {
		return l.covers(a, b) && (l.flaps() || l.severs(w, a, b))
	})
}

// parted is severed, and not by what lets something through now and then.
func (w *World) parted(a, b int) bool {
	switch {
	case w.strangers(a, b):
		return true
	case w.links.calm(a, b):
		return false
	}
	return slices.ContainsFunc(w.links.faults, func(l *linkFault) bool {
		return l.covers(a, b) && !l.flaps() && l.f.Do != Burst && l.severs(w, a, b)
	})
}

// flapping reports whether there is a link that comes and goes.
func (l *links) flapping() bool { return slices.ContainsFunc(l.faults, (*linkFault).flaps) }

func (l *linkFault) flaps() bool { return l.f.Do == Flap || l.f.Do == Swizzle }

// severs reports whether the fault lets nothing through at this moment on a way
// that it covers.
func (l *linkFault) severs(w *World, a, b int) bool {
	switch l.f.Do {
	case Isolate, Deafen, Mute, Cut, CutOneWay:
		return true
	case Flap:
		return (w.now-l.began)%l.period() < l.period()/2
	case Swizzle:
		lo, hi := min(a, b), max(a, b)
		if l.healing > 0 {
			return w.now < l.healing+l.turn(w, 2*l.key+1, lo, hi)
		}
		return w.now >= l.began+l.turn(w, 2*l.key, lo, hi)
	case Burst:
		return l.bursting(w, a, b)
	default:
		return false
	}
}

// turn is when a link's turn comes in a swizzle: a place in the period that
// depends on the seed, the fault and the link alone.
func (l *linkFault) turn(w *World, key, lo, hi int) time.Duration {
	x := mix(w.cfg.Seed ^ mix(uint64(streamSwizzle)<<56|uint64(key)<<40|uint64(lo)<<20|uint64(hi)))
	return time.Duration(x % uint64(l.period()))
}

// period is the fault's Every, or what it is if nobody said.
func (l *linkFault) period() time.Duration {
	switch {
	case l.f.Every > 0:
		return l.f.Every
	case l.f.Do == Swizzle:
		return 5 * time.Second
	case l.f.Do == Flap:
		return 10 * time.Second
	default:
		return time.Second
	}
}

// burst is the state of one way under Gilbert's model: good and bad spells take
// turns, each exponentially long.
type burst struct {
	bad   bool
	until time.Duration
	n     uint64
}

// bursting reports whether a way is in a bad spell. The spells are drawn only
// when somebody asks, in order, and for the pair alone.
func (l *linkFault) bursting(w *World, a, b int) bool {
	if l.bursts == nil {
		l.bursts = map[uint64]*burst{}
	}
	k := uint64(a)<<32 | uint64(b)
	s := l.bursts[k]
	if s == nil {
		s = &burst{until: l.began, bad: true} // a good spell comes first
		l.bursts[k] = s
	}
	for s.until <= w.now {
		s.bad = !s.bad
		mean := float64(l.period())
		if !s.bad {
			mean *= (1 - l.f.Share) / l.f.Share
		}
		s.n++
		x := mix(mix(w.cfg.Seed^uint64(streamBurst)<<56^uint64(l.key)<<48^k) + s.n*0xd1b54a32d192ed03)
		u := (float64(x>>11) + 1) / (1 << 53)
		s.until += max(time.Millisecond, time.Duration(-mean*math.Log(u)))
	}
	return s.bad
}

// lossOf is the share of datagrams that the way from a to b loses, bursts and
// severed links aside.
func (w *World) lossOf(a, b int) float64 {
	loss := w.cfg.Net.Loss + w.links.squall
	if w.links.calm(a, b) {
		return loss
	}
	for _, l := range w.links.faults {
		if l.f.Do.loses() && l.covers(a, b) {
			loss += l.f.Share - l.f.Share*loss
		}
	}
	return loss
}

// loses reports whether faults of this kind are a share of lost datagrams.
func (k FaultKind) loses() bool { return k == Lossy || k == LossyIn || k == LossyOut }

// late is what faults add to the delay of one datagram from a to b.
func (w *World) late(a, b int) time.Duration {
	var d time.Duration
	for _, l := range w.links.faults {
		switch {
		case !l.covers(a, b):
		case l.f.Do == Delay:
			d += l.f.Delay
		case l.f.Do == Reorder && w.chance.unit(streamReorder, a, b) < l.f.Share:
			d += l.f.Delay
		}
	}
	return d
}

// twice reports whether one datagram from a to b comes a second time.
func (w *World) twice(a, b int) bool {
	if w.links.calm(a, b) {
		return false
	}
	return slices.ContainsFunc(w.links.faults, func(l *linkFault) bool {
		return l.f.Do == Duplicate && l.covers(a, b) && w.chance.unit(streamDuplicate, a, b) < l.f.Share
	})
}

// sound reports that a link is as the weather is, both ways, or worse by so
// little that no observer may hold it against a member.
func (w *World) sound(a, b int) bool {
	if w.links.calm(a, b) {
		return w.lossOf(a, b) <= soundLoss
	}
	own := 0.0
	for _, l := range w.links.faults {
		if !l.covers(a, b) && !l.covers(b, a) {
			continue
		}
		switch l.f.Do {
		case Duplicate:
		case Lossy, LossyIn, LossyOut:
			own += l.f.Share - l.f.Share*own
		case Delay:
			if 2*l.f.Delay > tolerated {
				return false
			}
		default:
			return false
		}
	}
	return own <= 0.1 && w.lossOf(a, b) <= soundLoss
}

// tolerated is the longest extra round trip that no observer takes for silence:
// its time-out is at least 50 ms.
const tolerated = 30 * time.Millisecond

// members of a list that the world has, by their machines.
func (w *World) those(ids []member.ID) []*machine {
	out := make([]*machine, 0, len(ids))
	for _, id := range ids {
		out = append(out, w.machine(id))
	}
	return out
}
