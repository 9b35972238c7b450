package keeper

import (
	"fmt"
	"slices"
	"time"

	"moonwatch/member"
)

// How often a slot's processes are looked at: a stop is confirmed soon, and what
// runs without leave is found within a second.
const (
	calmLook = time.Second
	stopLook = 20 * time.Millisecond
	lostLook = 200 * time.Millisecond // a stop that was not confirmed
)

// watch is one slot of this member.
type watch struct {
	slot     member.SlotID
	highest  member.SlotEpoch
	lease    *Lease
	state    State
	stop     stop
	stops    int  // under the present slot epoch, for want of a lease
	leaving  bool // released: the present slot epoch gets no lease any more
	running  int
	seen     bool // a look has succeeded
	nextLook time.Duration
	detail   string
	blind    string        // why the last look told nothing
	told     bool          // this life of the keeper has told the gate something:
	passes   time.Duration // until when the slot may send; 0: not at all
}

// stop is a stop under way: asked for from the beginning, by force from kill
// on, and unknown from lost on.
type stop struct {
	kill, lost time.Duration
	asked      bool
	waiting    []Ask // releases that want to hear how it ended
}

func (w *watch) standing(now time.Duration) Standing {
	s := Standing{Slot: w.slot, Epoch: w.highest, State: w.state, Stops: w.stops, Running: w.running, Detail: w.detail}
	if w.lease != nil {
		s.Left = w.lease.Until() - now
	}
	if w.blind != "" {
		s.Detail = "cannot be looked at: " + w.blind
	}
	return s
}

// take notes a lease. One that is no newer than what is known changes nothing.
// While the slot is being stopped that goes on: a stop that has begun has told
// the processes to end, and nobody can take that back.
func (w *watch) take(l Lease, out []Effect) []Effect {
	if w.lease != nil && w.lease.Epoch == l.Epoch && l.Sent <= w.lease.Sent {
		return out
	}
	if l.Epoch > w.highest {
		w.stops = 0
	}
	w.highest, w.lease, w.leaving = l.Epoch, &l, false
	if w.state == Vacant || w.state == Held {
		w.state, w.detail = Held, ""
	}
	return append(out, Save{Record: w.record()})
}

func (w *watch) record() Record {
	return Record{Slot: w.slot, Highest: w.highest, Released: w.leaving, Stops: w.stops, Lease: w.lease}
}

// release stops the slot in order, with the time of a stop from now on; a lease
// that ends sooner does not become longer by it.
func (w *watch) release(now time.Duration, ev Released, out []Effect) []Effect {
	w.highest, w.leaving = ev.Epoch, true
	switch {
	case w.state == Vacant && w.seen && w.running == 0:
		return append(out, Save{Record: w.record()}, Answer{Ask: ev.Ask, Standing: w.standing(now)})
	case w.state == Vacant: // not known to be empty
		w.begin(now+unleased/2, now+unleased, "released")
	case w.state == Held:
		from, within := min(now, w.lease.Until()), w.lease.Timing.Within
		w.begin(from+within/2, from+within, "released")
	}
	w.stop.waiting = append(w.stop.waiting, ev.Ask)
	return out
}

// unleased is how long people wait for the end of what has no lease, and so no
// timing of its own.
const unleased = 3 * time.Second

// begin begins a stop: by force from kill on, unknown from lost on.
func (w *watch) begin(kill, lost time.Duration, why string) {
	w.state, w.detail, w.nextLook = Stopping, why, 0
	w.stop = stop{kill: kill, lost: lost}
}

// advance does what the time asks for.
func (w *watch) advance(now time.Duration, out []Effect) []Effect {
	if w.state == Held && now >= w.lease.Until() {
		over, within := w.lease.Until(), w.lease.Timing.Within
		w.begin(over+within/2, over+within, "no fresh lease")
	}
	out = w.gate(now, out)
	if w.state == Stopping || w.state == Unknown {
		out = w.end(now, out)
	}
	if now >= w.nextLook {
		w.nextLook = now + w.interval()
		out = append(out, Look{Slot: w.slot})
	}
	return out
}

// gate tells the gate until when the slot may send: it may end in order, and from
// when it is ended by force on nothing of it passes. What an earlier life of the
// keeper told is told anew.
func (w *watch) gate(now time.Duration, out []Effect) []Effect {
	until := time.Duration(0)
	switch w.state {
	case Held:
		until = w.lease.Until() + w.lease.Timing.Within/2
	case Stopping:
		if w.lease != nil && now < w.stop.kill {
			until = w.stop.kill
		}
	case Vacant, Unknown:
	}
	if w.told && until == w.passes {
		return out
	}
	w.told, w.passes = true, until
	if until == 0 {
		return append(out, Shut{Slot: w.slot})
	}
	return append(out, Open{Slot: w.slot, Until: until})
}

// end asks the processes to end, then ends them, again with every look: what
// they start meanwhile ends too.
func (w *watch) end(now time.Duration, out []Effect) []Effect {
	switch {
	case now >= w.stop.kill:
		if now >= w.nextLook {
			out = append(out, Signal{Slot: w.slot, Kill: true})
		}
	case !w.stop.asked:
		out = append(out, Signal{Slot: w.slot})
	}
	w.stop.asked = true
	if w.state == Stopping && now >= w.stop.lost && now >= w.nextLook {
		w.state = Unknown
		w.detail = "the stop is not confirmed: " + w.detail
	}
	return out
}

// looked takes the number of processes that there are.
func (w *watch) looked(now time.Duration, ev Looked, out []Effect) []Effect {
	w.blind = ev.Err
	if ev.Err != "" {
		return w.fail(now, out)
	}
	w.running, w.seen = ev.Running, true
	switch {
	case ev.Running == 0 && (w.state == Stopping || w.state == Unknown):
		return w.ended(now, out)
	case ev.Running > 0 && w.state == Vacant:
		// Without a lease, or longer than S without a keeper: at once.
		w.begin(now, now+unleased, "runs without a lease")
	case w.state == Unknown:
		return w.fail(now, out)
	}
	return out
}

// ended is a confirmed stop. A lease that came meanwhile holds; else the slot
// is vacant, and only its highest slot epoch is worth keeping.
func (w *watch) ended(now time.Duration, out []Effect) []Effect {
	asks := w.stop.waiting
	w.stop = stop{}
	w.state, w.detail = Vacant, "stopped: "+w.detail
	if !w.leaving {
		w.stops++
	}
	if l := w.lease; !w.leaving && l != nil && now < l.Until() {
		w.state = Held
	} else {
		w.lease = nil
	}
	out = append(out, Save{Record: w.record()})
	for _, a := range asks {
		out = append(out, Answer{Ask: a, Standing: w.standing(now)})
	}
	w.nextLook = now + w.interval()
	return out
}

// fail tells who waits for a stop that it is not confirmed; it is still tried.
func (w *watch) fail(now time.Duration, out []Effect) []Effect {
	if w.state != Unknown {
		return out
	}
	for _, a := range w.stop.waiting {
		out = append(out, Answer{Ask: a, Refused: fmt.Sprintf("not seen to end: %d processes run", w.running), Standing: w.standing(now)})
	}
	w.stop.waiting = slices.Delete(w.stop.waiting, 0, len(w.stop.waiting))
	return out
}

func (w *watch) interval() time.Duration {
	switch w.state {
	case Stopping:
		return stopLook
	case Unknown:
		return lostLook
	case Vacant, Held:
	}
	return calmLook
}

func (w *watch) wake() time.Duration {
	wake := w.nextLook
	if w.state == Held {
		wake = min(wake, w.lease.Until())
	}
	return wake
}
