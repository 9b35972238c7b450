package keeper

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"moonwatch/member"
)

// Config is what a Keeper knows from its start.
type Config struct {
	Boot     string // the machine's present life; leases of another one are void
	Watchdog bool   // there is a device: no lease is taken that it does not back
}

// Keeper decides for all slots of one member. The caller does the effects of a
// Step in their order and hands what they answer in before anything else, so
// that a look never tells of a time before the signal that it follows.
type Keeper struct {
	boot    string
	slots   map[member.SlotID]*watch
	entries map[Ask]entry
	dog     dog
}

// entry is a process that is being let in.
type entry struct {
	slot  member.SlotID
	epoch member.SlotEpoch
}

// New makes a keeper of what an earlier life of it left: whole records, and the
// slots of which there is a record that cannot be read or a group without one.
// Whatever runs of those has nobody's leave and is stopped at once; so has what
// runs of a slot whose lease is of another boot.
func New(cfg Config, records []Record, unread []member.SlotID) *Keeper {
	k := &Keeper{boot: cfg.Boot, slots: map[member.SlotID]*watch{}, entries: map[Ask]entry{}, dog: dog{present: cfg.Watchdog}}
	for _, r := range records {
		w := &watch{slot: r.Slot, highest: r.Highest, leaving: r.Released, stops: r.Stops, state: Vacant, detail: "no lease since the keeper started"}
		if l := r.Lease; l != nil && l.Boot == cfg.Boot && l.Slot == r.Slot && l.Epoch == r.Highest && !r.Released && l.Timing.Validate() == nil {
			w.lease, w.state, w.detail = l, Held, "lease of before the keeper started"
		}
		k.slots[r.Slot] = w
	}
	for _, slot := range unread {
		if k.slots[slot] == nil {
			k.slots[slot] = &watch{slot: slot, state: Vacant, detail: "no readable record"}
		}
	}
	return k
}

// Step takes what happened and says what to do now. now is the time since the
// machine was booted.
func (k *Keeper) Step(now time.Duration, ev Event) []Effect {
	var out []Effect
	switch ev := ev.(type) {
	case Woken:
	case Handed:
		out = k.handed(now, ev, out)
	case Entering:
		out = k.entering(now, ev, out)
	case Entered:
		out = k.entered(now, ev, out)
	case Released:
		out = k.released(now, ev, out)
	case Looked:
		if w := k.slots[ev.Slot]; w != nil {
			out = w.looked(now, ev, out)
		}
	case Armed:
		out = k.armed(now, ev, out)
	default:
		panic(fmt.Sprintf("keeper: unknown event %T", ev))
	}
	for _, w := range k.watches() {
		out = w.advance(now, out)
	}
	return k.rest(out)
}

// Wake is when the keeper wants to be called next.
func (k *Keeper) Wake() time.Duration {
	wake := time.Duration(1<<63 - 1)
	for _, w := range k.slots {
		wake = min(wake, w.wake())
	}
	return wake
}

// Armed reports that the watchdog was armed for the sake of a slot.
func (k *Keeper) Armed() bool { return k.dog.armed }

// Empty reports that the last look at a slot found nothing, and that nobody holds
// it: what is kept to find its processes again can go.
func (k *Keeper) Empty(slot member.SlotID) bool {
	w := k.slots[slot]
	return w != nil && w.state == Vacant && w.seen && w.blind == "" && w.running == 0
}

// Standings tells about every slot, in the order of their names.
func (k *Keeper) Standings(now time.Duration) []Standing {
	var all []Standing
	for _, w := range k.watches() {
		all = append(all, w.standing(now))
	}
	return all
}

func (k *Keeper) watches() []*watch {
	var all []*watch
	for _, slot := range slices.Sorted(maps.Keys(k.slots)) {
		all = append(all, k.slots[slot])
	}
	return all
}

// refusal says why a lease is not taken.
func (k *Keeper) refusal(now time.Duration, l Lease) string {
	if err := l.Timing.Validate(); err != nil {
		return "unsafe timings: " + err.Error()
	}
	switch w := k.slots[l.Slot]; {
	case l.Slot == "" || l.Epoch == 0:
		return "no slot or no slot epoch is named"
	case l.Boot != k.boot:
		return fmt.Sprintf("sent in boot %s of the machine, this is %s", l.Boot, k.boot)
	case l.Sent > now:
		return fmt.Sprintf("sent %v from now", l.Sent-now)
	case now >= l.Until():
		return fmt.Sprintf("sent %v ago, want less than %v", (now - l.Sent).Round(time.Millisecond), l.Timing.Stop)
	case w != nil && l.Epoch < w.highest:
		return fmt.Sprintf("slot epoch is %d, the keeper has seen %d", l.Epoch, w.highest)
	case w != nil && w.leaving && l.Epoch == w.highest:
		return fmt.Sprintf("slot epoch %d was released", l.Epoch)
	}
	return ""
}

func (k *Keeper) handed(now time.Duration, ev Handed, out []Effect) []Effect {
	if why := k.refusal(now, ev.Lease); why != "" {
		return append(out, k.refuse(now, ev.Ask, ev.Lease.Slot, why))
	}
	if why, wait := k.dog.backs(now, ev); wait {
		if len(k.dog.waiting) == 1 {
			out = append(out, Arm{Timeout: ev.Lease.Timing.Watchdog})
		}
		return out
	} else if why != "" {
		return append(out, k.refuse(now, ev.Ask, ev.Lease.Slot, why))
	}
	return k.take(now, ev, out)
}

// take makes a lease the slot's newest one.
func (k *Keeper) take(now time.Duration, ev Handed, out []Effect) []Effect {
	l := ev.Lease
	w := k.slots[l.Slot]
	if w == nil {
		w = &watch{slot: l.Slot, state: Vacant}
		k.slots[l.Slot] = w
	}
	out = w.take(l, out)
	if k.dog.armed && k.fresh(now) {
		out = append(out, Feed{})
	}
	return append(out, Answer{Ask: ev.Ask, Standing: w.standing(now)})
}

// fresh reports that the watchdog may be fed: every slot that may run has a
// lease of at most a round trip, so that the machine is reset at W after it at
// the latest, before the council may promote. What is being stopped, or was not
// seen to end, keeps it hungry.
func (k *Keeper) fresh(now time.Duration) bool {
	for _, w := range k.slots {
		switch w.state {
		case Vacant:
		case Held:
			if now-w.lease.Sent > w.lease.Timing.RoundTrip {
				return false
			}
		case Stopping, Unknown:
			return false
		}
	}
	return true
}

func (k *Keeper) entering(now time.Duration, ev Entering, out []Effect) []Effect {
	w := k.slots[ev.Slot]
	switch {
	case w == nil || w.state != Held:
		return append(out, k.refuse(now, ev.Ask, ev.Slot, "no fresh lease: the slot may not run here"))
	case ev.Epoch != w.highest:
		return append(out, k.refuse(now, ev.Ask, ev.Slot, fmt.Sprintf("slot epoch is %d, the lease is for %d", ev.Epoch, w.highest)))
	case now >= w.lease.Until():
		return append(out, k.refuse(now, ev.Ask, ev.Slot, "the lease is over"))
	}
	k.entries[ev.Ask] = entry{ev.Slot, ev.Epoch}
	return append(out, Admit{Ask: ev.Ask, Slot: ev.Slot, PID: ev.PID})
}

// entered answers who was let in. The lease may be over by now: then the process
// is among those that are being ended, and is told so.
func (k *Keeper) entered(now time.Duration, ev Entered, out []Effect) []Effect {
	e, ok := k.entries[ev.Ask]
	delete(k.entries, ev.Ask)
	w := k.slots[ev.Slot]
	switch {
	case !ok || w == nil:
		return out
	case ev.Err != "":
		return append(out, k.refuse(now, ev.Ask, ev.Slot, ev.Err))
	case w.state != Held || w.highest != e.epoch:
		return append(out, k.refuse(now, ev.Ask, ev.Slot, "the lease ended meanwhile"))
	}
	w.nextLook = now
	return append(out, Answer{Ask: ev.Ask, Standing: w.standing(now)})
}

func (k *Keeper) released(now time.Duration, ev Released, out []Effect) []Effect {
	w := k.slots[ev.Slot]
	if w == nil { // nothing of it was ever here
		return append(out, Answer{Ask: ev.Ask, Standing: Standing{Slot: ev.Slot, Epoch: ev.Epoch, State: Vacant}})
	}
	if ev.Epoch < w.highest {
		return append(out, k.refuse(now, ev.Ask, ev.Slot, fmt.Sprintf("slot epoch is %d, the keeper has seen %d", ev.Epoch, w.highest)))
	}
	return w.release(now, ev, out)
}

func (k *Keeper) refuse(now time.Duration, ask Ask, slot member.SlotID, why string) Answer {
	a := Answer{Ask: ask, Refused: why, Standing: Standing{Slot: slot, State: Vacant}}
	if w := k.slots[slot]; w != nil {
		a.Standing = w.standing(now)
	}
	return a
}
