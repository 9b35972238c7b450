package sim

import (
	"slices"
	"time"

	"moonwatch/failover"
	"moonwatch/member"
)

// Baseline is another policy beside ours, over the same members, the same
// faults and the same dice: it is told the fate of every probe, and decides what
// it would have done. It changes nothing in the world.
type Baseline interface {
	// Probed tells the fate of a probe at the moment at which it is sent.
	Probed(p Probed)
}

// Probed is the fate of one probe.
type Probed struct {
	Observer, Subject member.ID
	At                time.Duration // when it is sent, since the world began
	Answered          bool
	RoundTrip         time.Duration // of an answered one
}

// Beside lets a baseline look on from now on.
func (w *World) Beside(b Baseline) { w.baseline = b }

// NaiveRule is the numbers of the naive policy.
type NaiveRule struct {
	Interval time.Duration // between two probes of an edge, and their time-out
	Misses   int           // unanswered in a row before an observer calls a member dead
	Accusers int           // that call a member dead before it is replaced
	Clean    time.Duration // not called dead by so many for so long: a spare again
}

// DefaultNaive is what people write: three misses in a row are an opinion
// (Kubernetes' failureThreshold, HAProxy's fall, Orleans' missed probes are all 3),
// and two opinions are enough to act (Orleans' votes for a death). The pace is
// ours, so that the policies differ and not their traffic; the time-out is the
// interval, the most lenient one that a loop without memory of older probes has.
// A member comes back after as long a clean while as ours does.
func DefaultNaive() NaiveRule {
	return NaiveRule{Interval: 500 * time.Millisecond, Misses: 3, Accusers: 2, Clean: 30 * time.Second}
}

// Naive replaces what two members call dead: at once, by the next spare. It has
// no quorum, no roll call, no doubt about itself, no brake and no budget.
//
// Each observer looks at its subjects once per Interval: was the last probe
// answered? An opinion stands until the observer looks again. An observer that
// stood still looks at nothing meanwhile, and when it goes on the intervals that
// it slept through are misses, as they are to every loop that asks how long ago
// the last answer came. It does not ask who speaks either: what was called dead and
// speaks again is heard. Opinions arrive at once and unharmed; replacements succeed
// at once. So the naive policy is granted a network and a council that no
// implementation of it has.
//
// Its slots and spares are virtual: at first the world's own, then whatever its
// replacements made of them. A replaced member that is clean again is a spare,
// and fills a slot that found none.
type Naive struct {
	w       *World
	rule    NaiveRule
	edges   [][]naiveEdge // by observer
	members []naiveMember
	vacant  int // slots without an occupant
	log     []NaiveVerdict
}

// NaiveVerdict is one member that the naive policy called dead.
type NaiveVerdict struct {
	At       time.Duration // since the world began
	Subject  member.ID
	Well     bool          // the member was well: the verdict is false
	Since    time.Duration // since its last crash, 0 if it has power
	Occupant bool          // it held a slot, which had to be filled
	Replaced bool          // a spare was left for it
	Cascade  bool          // as many were dead by then as are a cascade to us, in which nobody is replaced
}

// naiveEdge is what an observer knows about a subject.
type naiveEdge struct {
	subject  int
	looked   time.Duration // when the last probe was sent
	answered time.Duration // when its answer comes, 0: never
	misses   int
}

// naiveMember is what the policy knows about a member.
type naiveMember struct {
	accusers []naiveOpinion
	occupant bool // holds a slot; else it is a spare
	out      bool // was called dead, and is not clean yet
	fell     time.Duration
	dirty    time.Duration // when enough observers last called it dead
	crashed  time.Duration
}

type naiveOpinion struct {
	observer int
	until    time.Duration
}

// NewNaive lets the naive policy look on at a world that has come up: its
// slots are taken over as they are.
func NewNaive(w *World, rule NaiveRule) *Naive {
	n := &Naive{w: w, rule: rule, edges: make([][]naiveEdge, len(w.machines)), members: make([]naiveMember, len(w.machines))}
	if st := w.State(); st != nil {
		for _, s := range st.Slots() {
			if i, ok := w.index[s.Occupant]; ok {
				n.members[i].occupant = true
			}
		}
	}
	w.Watch(n.look)
	w.Beside(n)
	return n
}

// Verdicts lists whom the naive policy called dead so far, oldest first.
func (n *Naive) Verdicts() []NaiveVerdict { return n.log }

// Vacant is how many slots have found no spare.
func (n *Naive) Vacant() int { return n.vacant }

// Out is how many members it called dead and has not seen clean since.
func (n *Naive) Out() int {
	out := 0
	for i := range n.members {
		if n.members[i].out {
			out++
		}
	}
	return out
}

// look notes crashes, and that an agent which starts knows nothing.
func (n *Naive) look(h Happening) {
	switch h.What {
	case FaultBegan:
		if h.Fault.Do == Crash {
			for _, id := range h.Fault.Whom {
				n.members[n.w.index[id]].crashed = h.At
			}
		}
	case AgentEnded:
		i := n.w.index[h.Member]
		for _, e := range n.edges[i] {
			n.retract(i, e.subject)
		}
		n.edges[i] = nil
	default: // nothing that a loop of probes could see
	}
}

// slack is by how much a probe may come early and still be the next one: clocks
// drift, and the quick probes between two of ours come 50 ms apart at the least.
const slack = 10 * time.Millisecond

// Probed is the observer's look at the subject, once per interval: at the fate
// of the probe before this one.
func (n *Naive) Probed(p Probed) {
	i, j := n.w.index[p.Observer], n.w.index[p.Subject]
	e, fresh := n.edge(i, j)
	switch since := p.At - e.looked; {
	case fresh:
	case since < n.rule.Interval-slack:
		return
	default:
		if e.answered > 0 && e.answered <= p.At && e.answered-e.looked <= n.rule.Interval {
			e.misses = -1 // and the intervals that it slept through, if any, are misses
		}
		e.misses += int((since + slack) / n.rule.Interval)
	}
	e.looked, e.answered = p.At, 0
	if p.Answered {
		e.answered = p.At + p.RoundTrip
	}
	if e.misses >= n.rule.Misses {
		n.accuse(i, j)
	} else {
		n.retract(i, j)
	}
}

func (n *Naive) edge(i, j int) (e *naiveEdge, fresh bool) {
	at, ok := slices.BinarySearchFunc(n.edges[i], j, func(e naiveEdge, j int) int { return e.subject - j })
	if !ok {
		n.edges[i] = slices.Insert(n.edges[i], at, naiveEdge{subject: j})
	}
	return &n.edges[i][at], !ok
}

// accuse books that observer i calls j dead until it looks again.
func (n *Naive) accuse(i, j int) {
	n.retract(i, j)
	m := &n.members[j]
	m.accusers = append(m.accusers, naiveOpinion{i, n.w.now + n.rule.Interval + slack})
	standing := 0
	for _, o := range m.accusers {
		if o.until >= n.w.now {
			standing++
		}
	}
	switch {
	case standing < n.rule.Accusers:
	case m.out:
		m.dirty = n.w.now
	default:
		n.condemn(j)
	}
}

// retract takes i's opinion about j back. A member that has been clean for long
// enough is a spare again, or fills a vacant slot.
func (n *Naive) retract(i, j int) {
	m := &n.members[j]
	if len(m.accusers) == 0 && !m.out {
		return
	}
	m.accusers = slices.DeleteFunc(m.accusers, func(o naiveOpinion) bool { return o.observer == i || o.until < n.w.now })
	if m.out && n.w.now-m.dirty >= n.rule.Clean {
		m.out = false
		if n.vacant > 0 {
			n.vacant--
			m.occupant = true
		}
	}
}

// condemn replaces a member at once.
func (n *Naive) condemn(j int) {
	w, m := n.w, &n.members[j]
	x := w.machines[j]
	m.out, m.fell, m.dirty = true, w.now, w.now
	v := NaiveVerdict{At: w.now, Subject: x.id, Occupant: m.occupant, Cascade: n.dead() >= w.checker.cascadeAt()}
	switch judge := w.Leader(); {
	case !x.on:
		v.Since = w.now - m.crashed
	case judge == "":
		v.Well = x.well(x)
	default:
		v.Well = x.well(w.machine(judge))
	}
	if m.occupant {
		m.occupant = false
		spare := slices.IndexFunc(n.members, func(s naiveMember) bool { return !s.occupant && !s.out })
		if v.Replaced = spare >= 0; v.Replaced {
			n.members[spare].occupant = true
		} else {
			n.vacant++
		}
	}
	n.log = append(n.log, v)
}

// dead counts who fell within the brake's memory or is not clean yet.
func (n *Naive) dead() int {
	memory := failover.TimingOf(n.w.cfg.Fleet.Profile).OpenMemory
	count := 0
	for i := range n.members {
		m := &n.members[i]
		if m.out || m.fell > 0 && n.w.now-m.fell < memory {
			count++
		}
	}
	return count
}
