package failover

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"moonwatch/consensus"
	"moonwatch/member"
)

// TellerEvent is what a Teller can be told. The set is closed.
type TellerEvent interface{ isTellerEvent() }

// TellerWoken tells that facts were applied or the time of Wake has come.
type TellerWoken struct {
	// Current reports that this member hears of the council, and has all that it
	// agreed on as far as it can know.
	Current bool
}

// DoorAnswered tells how a TellDoor ended.
type DoorAnswered struct {
	Asked  TellDoor
	Result TellResult
	GoesOn bool // it is begun and going on: the same attempt asks for more
	Mended bool // it was found changed, and is as wanted again
	Detail string
	Took   time.Duration
}

func (TellerWoken) isTellerEvent()  {}
func (DoorAnswered) isTellerEvent() {}

// TellerEffect is what a Teller wants done. The set is closed.
type TellerEffect interface{ isTellerEffect() }

// TellDoor asks for a door to be told how to treat a slot. Each is answered by
// DoorAnswered.
type TellDoor struct {
	Door     Door
	Pool     string
	Driver   string // of the pool, by name
	Slot     member.SlotID
	Step     TellStep
	Occupant member.ID
	Epoch    member.SlotEpoch
	Case     uint64 // the slot's open one, 0 for none
	Attempt  int    // of no other effect on the slot through this door
	Look     bool   // it was as wanted: look first, and change it only if it is not
	Deadline time.Time
}

// SendTold asks for a word about a door to be committed.
type SendTold struct {
	ID   string
	Kind consensus.FactKind
	Told DoorsTold
}

func (TellDoor) isTellerEffect() {}
func (SendTold) isTellerEffect() {}

// TellStep is what a door is told.
type TellStep string

// The steps of a door.
const (
	TellDrain   TellStep = "drain"   // give the slot nothing new
	TellUndrain TellStep = "undrain" // give it requests again
	TellCutover TellStep = "cutover" // the slot has a new occupant
)

// How doors are told.
const (
	tellFor    = 5 * time.Second        // one attempt: an instance that hangs takes a second per question
	tellAgain  = 250 * time.Millisecond // after one that may help later; it doubles up to
	tellMost   = 10 * time.Second       //
	tellPeople = 30 * time.Second       // after one that only people can mend
	tellAtOnce = 8                      // slots of one door

	// A door is looked at again: it may have been started anew and forgotten. One
	// of many slots is asked at most 20 times a second.
	lookAtDoor = 10 * time.Second
	lookAtSlot = 50 * time.Millisecond

	// What passes within reportAfter is nobody's trouble.
	reportAfter = 2 * time.Second
	// A word that does not stand after repeatWord is said anew.
	repeatWord = 3 * time.Second

	tellerBeat = 100 * time.Millisecond // while something is to be done
	tellerCalm = time.Second
)

// Teller tells doors, for this member, what its own copy of the ledger shows:
// who holds each slot and whether it is drained. It compares and repeats; so it
// makes no difference what a door was told before, by whom, or whether it forgot.
//
// A door keeps a mark, and refuses what is older. An address on this member's own
// machine cannot: its mark is gone after a boot, and a member that was away may find
// on its disk that it has a slot which somebody else was given. So it is told only
// while this member's copy of the ledger is known to be current; till then whatever is
// there stays.
type Teller struct {
	self    member.ID
	st      *State
	life    string // of this agent, in the ids of its words
	n       int
	telling map[doorSlot]*telling
	current bool // by its last TellerWoken
	wake    time.Time
}

type doorSlot struct {
	door Door
	slot member.SlotID
}

// telling is how far this member is with one slot of one door.
type telling struct {
	want  DoorTreating // without a result
	head  uint64       // of the ledger, when it was first wanted
	try   int
	late  int       // attempts since the last success
	asked TellDoor  // the last attempt
	busy  time.Time // until when it may last; zero: it was answered
	next  time.Time

	has   DoorTreating // the last answer; no result: none yet
	bad   time.Time    // since when it is no success; zero: it is one
	mends bool         // to be said, though nothing has changed
	said  DoorTreating
	sent  time.Time
}

// NewTeller makes the teller of self.
func NewTeller(self member.ID, st *State, now time.Time) *Teller {
	return &Teller{self: self, st: st, life: fmt.Sprint(now.UnixMilli()), telling: map[doorSlot]*telling{}, wake: now}
}

// Wake is when the teller wants to be called next.
func (t *Teller) Wake() time.Time { return t.wake }

// Step compares what the ledger wants of this member's doors with what they said
// last.
func (t *Teller) Step(now time.Time, ev TellerEvent) []TellerEffect {
	switch ev := ev.(type) {
	case TellerWoken:
		t.current = ev.Current
	case DoorAnswered:
		t.answered(now, ev)
	default:
		panic(fmt.Sprintf("failover: unknown event %T", ev))
	}
	var out []TellerEffect
	mine := map[doorSlot]bool{}
	calm := true
	for _, d := range t.st.doors() {
		if t.st.teller(now, d) != t.self {
			continue
		}
		places := t.compare(now, d)
		for _, p := range places {
			mine[p] = true
			x := t.telling[p]
			calm = calm && x.busy.IsZero() && x.has.Result == ToldDone && !t.unsaid(now, d, x)
		}
		if t.current || !d.driver.Carried() {
			out = t.tell(now, d, places, out)
		}
		out = t.say(now, d, places, out)
	}
	maps.DeleteFunc(t.telling, func(p doorSlot, _ *telling) bool { return !mine[p] })
	switch {
	case len(mine) == 0: // a fact may change that, and calls
		t.wake = now.Add(time.Hour)
	case calm:
		t.wake = now.Add(tellerCalm)
	default:
		t.wake = now.Add(tellerBeat)
	}
	return out
}

// compare brings what is wanted up to date and lists it, in the pool's order.
func (t *Teller) compare(now time.Time, d doorAt) []doorSlot {
	var places []doorSlot
	for _, id := range d.pool.Slots {
		s := t.st.s.Slots[id]
		if s == nil || !routable(s) {
			continue
		}
		p := doorSlot{d.id, id}
		want := d.wanted(s)
		old := t.telling[p]
		if old == nil || old.want != want {
			x := &telling{want: want, head: t.st.ledger.Head(), next: now}
			if old != nil { // one attempt at a time, and its answer is about something else
				x.try, x.busy, x.asked, x.said, x.sent = old.try+1, old.busy, old.asked, old.said, old.sent
			}
			t.telling[p] = x
		}
		places = append(places, p)
	}
	return places
}

// tell begins attempts that are due: what was never told before what is only
// looked at again.
func (t *Teller) tell(now time.Time, d doorAt, places []doorSlot, out []TellerEffect) []TellerEffect {
	busy := 0
	for _, p := range places {
		if x := t.telling[p]; now.Before(x.busy) {
			busy++
		}
	}
	for _, again := range []bool{false, true} {
		for _, p := range places {
			x := t.telling[p]
			look := x.has.Result == ToldDone
			if busy >= tellAtOnce || look != again || now.Before(x.busy) || now.Before(x.next) {
				continue
			}
			busy++
			x.busy = now.Add(tellFor + time.Second) // an answer comes by then, or none
			x.asked = t.attempt(now, d, p, x, look)
			out = append(out, x.asked)
		}
	}
	return out
}

func (t *Teller) attempt(now time.Time, d doorAt, p doorSlot, x *telling, look bool) TellDoor {
	e := TellDoor{
		Door: d.id, Pool: d.pool.Name, Driver: d.driver.Door(), Slot: p.slot, Step: TellCutover,
		Occupant: x.want.Occupant, Epoch: x.want.Epoch, Case: t.st.s.Slots[p.slot].Case,
		// The ledger's head tells attempts of different wants and lives apart.
		Attempt: int(x.head)*1000 + x.try%1000, Look: look, Deadline: now.Add(tellFor),
	}
	last, known := t.st.Treats(p.door, p.slot)
	switch {
	case x.want.Drained:
		e.Step = TellDrain
	case known && last.Epoch == x.want.Epoch && last.Occupant == x.want.Occupant:
		e.Step = TellUndrain
	}
	return e
}

// answered books an answer. One to what is not wanted any more only says that
// the door is free for the next.
func (t *Teller) answered(now time.Time, ev DoorAnswered) {
	a := ev.Asked
	x := t.telling[doorSlot{a.Door, a.Slot}]
	if x == nil || x.asked != a {
		return
	}
	x.busy = time.Time{}
	if a.Epoch != x.want.Epoch || a.Occupant != x.want.Occupant || (a.Step == TellDrain) != x.want.Drained {
		x.next = now
		return
	}
	x.has = x.want
	x.has.Result, x.has.Took, x.has.Detail = ev.Result, ev.Took, shortened(ev.Detail)
	if !ev.GoesOn {
		x.try++
	}
	if x.bad.IsZero() {
		x.bad = now
	}
	switch ev.Result {
	case ToldDone:
		x.late, x.bad, x.mends = 0, time.Time{}, x.mends || ev.Mended
		slots := len(t.telling)
		x.next = now.Add(max(lookAtDoor, time.Duration(slots)*lookAtSlot))
	case ToldLater, ToldUnknown:
		x.next = now.Add(min(tellAgain<<min(x.late, 6), tellMost))
		x.late++
	case ToldRefused, ToldFailed:
		x.next = now.Add(tellPeople)
		x.late++
	}
}

func shortened(s string) string {
	if r := []rune(s); len(r) > maxTold {
		return string(r[:maxTold-1]) + "…"
	}
	return s
}

// unsaid reports that the ledger does not know yet how a door treats a slot.
func (t *Teller) unsaid(now time.Time, d doorAt, x *telling) bool {
	if x.has.Result == "" {
		return false
	}
	passing := x.has.Result != ToldDone && x.has.Result != ToldFailed
	if passing && now.Sub(x.bad) < reportAfter {
		return false
	}
	stands, known := t.st.Treats(d.id, x.want.Slot)
	if x.has.Result == ToldDone && d.idle(x.want, stands, known) {
		return false
	}
	return x.mends || !known || !sameWord(stands.DoorTreating, x.has)
}

// sameWord leaves out what differs between two looks at the same thing.
func sameWord(a, b DoorTreating) bool {
	a.Detail, b.Detail, a.Took, b.Took = "", "", 0, 0
	return a == b
}

// say hands out what the ledger does not know, many slots in one word. What was
// said a moment ago may be on its way.
func (t *Teller) say(now time.Time, d doorAt, places []doorSlot, out []TellerEffect) []TellerEffect {
	var routes []DoorTreating
	var version uint64
	for _, p := range places {
		x := t.telling[p]
		if !t.unsaid(now, d, x) || len(routes) == maxRoutes {
			continue
		}
		if !x.mends && sameWord(x.said, x.has) && now.Sub(x.sent) < repeatWord {
			continue
		}
		if stands, known := t.st.Treats(p.door, p.slot); known {
			version = max(version, stands.Version)
		}
		x.said, x.sent, x.mends = x.has, now, false
		routes = append(routes, x.has)
	}
	if routes == nil {
		return out
	}
	t.n++
	told := DoorsTold{Door: d.id, Version: max(version+1, t.st.ledger.Head()<<16+uint64(t.n)&0xffff), Routes: routes}
	return append(out, SendTold{ID: fmt.Sprintf("told/%s/%s/%s.%d", t.self, d.id, t.life, t.n), Kind: d.kind(), Told: told})
}

// Telling lists what this member's doors do not treat as wanted yet, for people.
func (t *Teller) Telling() []string {
	var list []string
	for p, x := range t.telling {
		if x.has.Result != ToldDone {
			list = append(list, strings.TrimSpace(fmt.Sprintf("%s of %s: %s %s", p.slot, p.door, x.has.Result, x.has.Detail)))
		}
	}
	slices.Sort(list)
	return list
}
