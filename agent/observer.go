package agent

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"moonwatch/member"
)

// Observer decides whom to probe and when to accuse, for one agent.
type Observer struct {
	cfg  Config
	self member.ID
	life member.Incarnation

	watch Watch
	edges []*edge // sorted by subject

	seq      uint64 // of probes, checks and statements
	nextBeat time.Time
	due      time.Time // the Wake that the caller was last given
	edgesDue time.Time // the part of it that the edges wait for
	calm     bool      // no edge is hurried or answers a roll call, and we do not doubt ourselves
	trips    roundTrips
	weather  weather
	doubt    doubt
	post     post
	measured Measured
}

// NewObserver makes the observer of self in this life. It observes nobody until
// it is told whom to Watch.
func NewObserver(cfg Config, self member.ID, life member.Incarnation, now time.Time) *Observer {
	return &Observer{
		cfg: cfg, self: self, life: life,
		// Observers beat out of step, so that a subject hears its probes
		// spread over the interval.
		nextBeat: now.Add(member.Phase(string(self), cfg.ProbeInterval)),
		post:     post{said: unsaid},
		measured: Measured{Since: now},
	}
}

// Step takes one event and says what is to be done.
func (o *Observer) Step(now time.Time, ev Event) []Effect {
	if !o.due.IsZero() && !now.Before(o.due) {
		o.measured.Stalls.Add(now.Sub(o.due))
	}
	slipped := o.doubt.slip(now, o.due, &o.cfg)
	if slipped {
		o.forgetFlights()
	}
	var out []Effect
	switch ev := ev.(type) {
	case Woken:
	case Watch:
		o.adopt(now, ev)
	case ProbesAnswered:
		for _, a := range ev.Answers {
			out = o.hear(now, a, out)
		}
	case Checked:
		o.checked(now, ev)
	case RollCalled:
		out = o.rollCalled(now, ev.Call, out)
	case Acknowledged:
		o.post.acknowledged(now, ev)
	default:
		panic(fmt.Sprintf("agent: unknown event %T", ev))
	}
	if slipped || !o.idle(now, ev) {
		o.expire(now)
		o.weigh(now)
		out = o.probe(now, out)
		out = o.checkDue(now, out)
		o.edgesDue = o.soonest(now)
	}
	out = o.publish(now, out)
	o.due = o.post.sooner(o.edgesDue)
	return out
}

// idle reports that this event says nothing about any edge and that no edge
// waits for this moment: the post alone has work, if anybody. While the observer
// is calm nothing else depends on the time. Most events are of this kind, for
// every councillor acknowledges every statement.
func (o *Observer) idle(now time.Time, ev Event) bool {
	switch ev.(type) {
	case Woken, Acknowledged:
		return o.calm && now.Before(o.edgesDue)
	default:
		return false
	}
}

// forgetFlights voids what was in the air while we were stalled: answers may
// have come and gone, so a missing one is our fault and no sign about the
// subject.
func (o *Observer) forgetFlights() {
	for _, e := range o.edges {
		e.flying = e.flying[:0]
		e.lostRun = 0
		e.roll.downs = 0
	}
}

// adopt takes a new list of subjects and keeps what is known about those that
// stay.
func (o *Observer) adopt(now time.Time, w Watch) {
	o.watch, o.weather = w, weather{}
	old := make(map[member.ID]*edge, len(o.edges))
	for _, e := range o.edges {
		old[e.ID] = e
	}
	o.edges = make([]*edge, 0, len(w.Subjects))
	for _, s := range w.Subjects {
		e := old[s.ID]
		if e == nil {
			e = &edge{born: now}
		}
		o.arrangeCheck(now, e, s)
		e.Subject = s
		o.edges = append(o.edges, e)
	}
	slices.SortFunc(o.edges, func(a, b *edge) int { return cmp.Compare(a.ID, b.ID) })
	if w.Roster.Len() > o.cfg.FullMeshTo && o.post.renewAt.IsZero() {
		o.post.due(now) // the fleet has grown: from now on we say that we are there
	}
}

func (o *Observer) edge(id member.ID) *edge {
	i, ok := slices.BinarySearchFunc(o.edges, id, func(e *edge, id member.ID) int { return cmp.Compare(e.ID, id) })
	if !ok {
		return nil
	}
	return o.edges[i]
}

// hear takes one answer. An answer over an edge that is no longer ours is
// nobody's.
func (o *Observer) hear(now time.Time, a Answer, out []Effect) []Effect {
	e := o.edge(a.Subject)
	if e == nil {
		return out
	}
	f, inTime := e.land(a.Seq)
	o.measured.Trips.Add(a.RTT)
	e.endOutage(&o.cfg)
	if inTime {
		o.trips.add(a.RTT)
		if f.regular {
			e.record(false, &o.cfg)
			o.weather = weather{}
		}
		if !e.roll.id.IsZero() && !f.sent.Before(e.roll.since) {
			e.roll.ups++
			if e.roll.ups >= o.cfg.RollUps && !e.lossy() {
				e.roll.back(e.roll.ups)
			}
		}
	}
	e.answered, e.lastAnswer, e.rtt = true, now, a.RTT
	e.lostRun, e.roll.downs = 0, 0
	if inTime { // a late or repeated answer is a sign of life, and clears nothing
		e.goodRun++
		if o.watched(now, e) {
			e.nextReprobe = now // the second one may be a round trip later
		}
	}
	e.life(now, a.Incarnation, &o.cfg)
	if e.goodRun >= o.cfg.ClearAnswers && e.silence {
		e.silence = false
		e.roll.back(e.goodRun)
		if o.cfg.VoidChecks {
			e.voidCheck(now)
		}
	}
	if a.Report == ServiceBad && e.Service && e.Calm && e.check.flying == 0 && e.check.lastGood {
		e.check.next = now // the subject itself complains: look at once
		e.check.lastGood = false
	}
	return out
}

// expire counts the probes whose time is over as lost.
func (o *Observer) expire(now time.Time) {
	given := now.Add(-o.trips.timeout(&o.cfg)) // what was sent by then had its time
	for _, e := range o.edges {
		n := 0
		for n < len(e.flying) && !e.flying[n].sent.After(given) {
			f := e.flying[n]
			n++
			o.measured.Lost++
			e.lostRun++
			e.goodRun = 0
			if f.regular {
				e.record(true, &o.cfg)
				o.weather = weather{}
			}
			if e.roll.open() && !f.sent.Before(e.roll.since) {
				e.roll.downs++
			}
		}
		if n > 0 {
			e.flying = append(e.flying[:0], e.flying[n:]...)
		}
	}
}

// weigh turns what was counted into accusations and answers to the roll.
func (o *Observer) weigh(now time.Time) {
	down, waiting, deaf := 0, false, false
	for _, e := range o.edges {
		if e.lostRun > 0 || e.window != 0 || e.loss {
			w := o.judged()
			deaf = w.deaf
			e.weighSilence(now, w.run, &o.cfg)
			e.weighLoss(w.loss, &o.cfg)
		}
		if !e.roll.id.IsZero() {
			o.weighRoll(now, e)
			waiting = true
		}
		if says := e.word(); says != e.said {
			e.said = says
			o.post.due(now)
		}
		if o.down(e) {
			down++
		}
		waiting = waiting || o.hurried(now, e)
	}
	loss := 0.0
	if 2*down > len(o.edges) {
		loss = o.othersLoss()
	}
	o.doubt.weigh(now, deaf || loss > o.cfg.SmearedLoss, deaf || loss > o.cfg.HopelessLoss, &o.cfg)
	o.calm = !waiting && o.doubt.since.IsZero()
}

// weather is the loss that everybody has, against which one edge is judged.
type weather struct {
	known bool    // else it is to be worked out again
	loss  float64 // the median over the edges
	run   int     // lost probes in a row that mean something in it
	deaf  bool    // or nothing does
}

// judged is the present weather. Of two middles the upper is taken, for that
// accuses later. Edges that have been out for long tell of their subjects and not
// of the weather: with half of them dead the next failure would go unseen.
func (o *Observer) judged() weather {
	if !o.weather.known {
		carrying := func(e *edge) bool { return e.outage < o.cfg.OutageRun }
		if !slices.ContainsFunc(o.edges, carrying) {
			carrying = func(*edge) bool { return true } // or is it us?
		}
		m := median(o.edges, carrying)
		o.weather = weather{known: true, loss: m, run: runNeeded(m, &o.cfg), deaf: o.deaf()}
	}
	return o.weather
}

func (o *Observer) medianLoss() float64 { return o.judged().loss }

// deaf reports that most of the edges that carry anything lose nearly all of
// it. Then every subject looks dead by turns, and no run of losses that an
// observer could wait for would mean anything.
func (o *Observer) deaf() bool {
	rates := make([]float64, 0, 32)
	for _, e := range o.edges {
		if rate, ok := e.recentLoss(&o.cfg); ok {
			rates = append(rates, rate)
		}
	}
	if len(rates) == 0 {
		return false
	}
	slices.Sort(rates)
	return rates[(len(rates)-1)/2] > o.cfg.DeafLoss // the lower middle: most of them
}

func median(edges []*edge, take func(*edge) bool) float64 {
	rates := make([]float64, 0, 32) // about twice the usual number of edges
	for _, e := range edges {
		if e.seen > 0 && take(e) {
			rates = append(rates, e.lossRate())
		}
	}
	if len(rates) == 0 {
		return 0
	}
	slices.Sort(rates)
	return rates[len(rates)/2]
}

// down edges are silent, or about to be.
func (o *Observer) down(e *edge) bool { return e.silence || e.lostRun >= o.cfg.LostRunMin }

// othersLoss is the median loss of the edges that answer. If it is high while
// most edges are down, the fault is more likely here than there; a clean split
// is a picture of the world.
func (o *Observer) othersLoss() float64 {
	return median(o.edges, func(e *edge) bool { return !o.down(e) })
}

// probe sends the regular probes of a beat, and the quick ones to edges that
// lost a probe or are asked about in a roll call.
func (o *Observer) probe(now time.Time, out []Effect) []Effect {
	beat := !now.Before(o.nextBeat)
	if beat {
		for !now.Before(o.nextBeat) {
			o.nextBeat = o.nextBeat.Add(o.cfg.ProbeInterval)
		}
	}
	var probes []Probe
	for _, e := range o.edges {
		if !o.hurried(now, e) {
			e.nextReprobe = time.Time{}
			if !beat {
				continue
			}
		} else if e.nextReprobe.IsZero() {
			e.nextReprobe = now
		}
		quick := !e.nextReprobe.IsZero() && !now.Before(e.nextReprobe)
		if !beat && !quick {
			continue
		}
		if quick {
			e.nextReprobe = now.Add(o.pace(e))
		}
		o.seq++
		e.flying = append(e.flying, flight{seq: o.seq, sent: now, regular: beat})
		o.measured.Sent++
		if probes == nil && beat {
			probes = make([]Probe, 0, len(o.edges))
		}
		probes = append(probes, Probe{Subject: e.ID, Seq: o.seq})
	}
	if len(probes) > 0 {
		out = append(out, SendProbes{Probes: probes})
	}
	return out
}

// hurried edges are probed quickly: nobody knows yet whether the subject has fallen
// silent, or somebody wants to know.
func (o *Observer) hurried(now time.Time, e *edge) bool {
	return e.roll.open() || e.lostRun > 0 && !e.silence || o.watched(now, e)
}

// watched edges have just answered a roll call with losses in a row. The leader may
// act on that half a second later, so for as long as the answer counts they are
// probed quickly on: a machine that comes back meanwhile, or was only unlucky, is
// seen before it is replaced. An accusation of loss does not end with two answers.
func (o *Observer) watched(now time.Time, e *edge) bool {
	return e.roll.agent == Down && (e.silence || !e.lossy()) && now.Sub(e.roll.since) < o.cfg.RollWatch
}

// Wake is when the observer wants to be called next.
func (o *Observer) Wake() time.Time {
	if o.due.IsZero() {
		return o.nextBeat
	}
	return o.due
}

// soonest is the earliest of all that the edges wait for.
func (o *Observer) soonest(now time.Time) time.Time {
	w := o.nextBeat
	earlier := func(t time.Time) {
		if !t.IsZero() && t.Before(w) {
			w = t
		}
	}
	var sent time.Time // the oldest probe that is in the air
	for _, e := range o.edges {
		if len(e.flying) > 0 && (sent.IsZero() || e.flying[0].sent.Before(sent)) {
			sent = e.flying[0].sent
		}
		earlier(e.nextReprobe)
		if e.check.flying == 0 {
			earlier(e.check.next)
		}
		if e.lostRun > 0 && !e.silence && e.answered {
			// patience may run out between two probes
			if t := e.silentSince().Add(o.cfg.Patience); t.After(now) {
				earlier(t)
			}
		}
	}
	if !sent.IsZero() {
		earlier(sent.Add(o.trips.timeout(&o.cfg)))
	}
	return w
}
