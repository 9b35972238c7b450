package keeper

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"moonwatch/member"
)

const boot = "b1"

// rig is a keeper with a working fake of a machine: processes that end when they
// are told to, a watchdog that bites, a disk.
type rig struct {
	t       *testing.T
	k       *Keeper
	now     time.Duration
	asks    Ask
	running map[member.SlotID]int
	deaf    bool // processes end only by force
	stuck   bool // not even by force
	blind   string
	fed     time.Duration // when the watchdog was opened or fed
	timeout time.Duration // of the open watchdog; 0: closed
	noDog   string        // why it cannot be opened
	device  time.Duration // the time-out that it really takes; 0: the wanted one
	reset   bool          // it bit
	answers map[Ask]Answer
	disk    map[member.SlotID]Record
	gate    map[member.SlotID]time.Duration // until when a slot may send; 0: not
	said    []string                        // effects in order, looks left out
}

func newRig(t *testing.T, dog bool) *rig {
	t.Helper()
	r := &rig{t: t, now: 100 * time.Second, running: map[member.SlotID]int{}, answers: map[Ask]Answer{}, disk: map[member.SlotID]Record{}, gate: map[member.SlotID]time.Duration{}}
	r.start(dog)
	return r
}

// start is a new life of the keeper.
func (r *rig) start(dog bool, records ...Record) {
	r.k = New(Config{Boot: boot, Watchdog: dog}, records, nil)
	r.step(Woken{})
}

func (r *rig) step(ev Event) {
	r.t.Helper()
	for _, e := range r.k.Step(r.now, ev) {
		r.do(e)
	}
	if r.timeout > 0 && r.now-r.fed >= r.timeout {
		r.reset = true
		clear(r.running)
	}
}

func (r *rig) do(e Effect) {
	r.t.Helper()
	switch e := e.(type) {
	case Answer:
		r.answers[e.Ask] = e
	case Admit:
		r.running[e.Slot]++
		r.step(Entered{Ask: e.Ask, Slot: e.Slot})
	case Signal:
		r.say("signal %s kill=%v", e.Slot, e.Kill)
		if !r.stuck && (e.Kill || !r.deaf) {
			r.running[e.Slot] = 0
		}
	case Look:
		if r.blind != "" {
			r.step(Looked{Slot: e.Slot, Err: r.blind})
			return
		}
		r.step(Looked{Slot: e.Slot, Running: r.running[e.Slot]})
	case Save:
		r.disk[e.Record.Slot] = e.Record
	case Arm:
		r.say("arm %v", e.Timeout)
		if r.noDog != "" {
			r.step(Armed{Err: r.noDog})
			return
		}
		r.fed, r.timeout = r.now, e.Timeout
		if r.device > 0 {
			r.timeout = r.device
		}
		r.step(Armed{Timeout: r.timeout})
	case Feed:
		r.fed = r.now
	case Disarm:
		r.say("disarm")
		r.timeout = 0
	case Open:
		r.gate[e.Slot] = e.Until
	case Shut:
		if r.gate[e.Slot] > 0 {
			r.say("shut %s", e.Slot)
		}
		r.gate[e.Slot] = 0
	default:
		r.t.Fatalf("unknown effect %T", e)
	}
}

func (r *rig) say(format string, args ...any) { r.said = append(r.said, fmt.Sprintf(format, args...)) }

// pass lets time pass, with the keeper awake whenever it wants to be.
func (r *rig) pass(d time.Duration) {
	r.t.Helper()
	for end := r.now + d; r.now < end; {
		r.now = max(r.now+time.Millisecond, min(r.k.Wake(), end))
		r.step(Woken{})
	}
}

// sleep lets time pass while the keeper stands still.
func (r *rig) sleep(d time.Duration) { r.now += d; r.step(Woken{}) }

// hand hands over a lease that was sent so long ago.
func (r *rig) hand(slot member.SlotID, epoch member.SlotEpoch, age time.Duration) Answer {
	r.t.Helper()
	return r.handed(Lease{Slot: slot, Epoch: epoch, Boot: boot, Sent: r.now - age, Timing: Lan()})
}

func (r *rig) handed(l Lease) Answer {
	r.t.Helper()
	r.asks++
	r.step(Handed{Ask: r.asks, Lease: l})
	return r.answer(r.asks)
}

func (r *rig) enter(slot member.SlotID, epoch member.SlotEpoch) Answer {
	r.t.Helper()
	r.asks++
	r.step(Entering{Ask: r.asks, Slot: slot, Epoch: epoch, PID: 1})
	return r.answer(r.asks)
}

func (r *rig) release(slot member.SlotID, epoch member.SlotEpoch) Ask {
	r.t.Helper()
	r.asks++
	r.step(Released{Ask: r.asks, Slot: slot, Epoch: epoch})
	return r.asks
}

func (r *rig) answer(a Ask) Answer {
	r.t.Helper()
	x, ok := r.answers[a]
	if !ok {
		r.t.Fatalf("ask %d has no answer", a)
	}
	return x
}

// taken has a slot held with a process in it.
func (r *rig) taken(slot member.SlotID, epoch member.SlotEpoch) {
	r.t.Helper()
	if a := r.hand(slot, epoch, 0); a.Refused != "" {
		r.t.Fatalf("lease refused: %s", a.Refused)
	}
	if a := r.enter(slot, epoch); a.Refused != "" {
		r.t.Fatalf("entry refused: %s", a.Refused)
	}
}

func (r *rig) wantState(slot member.SlotID, want State, running int) {
	r.t.Helper()
	for _, s := range r.k.Standings(r.now) {
		if s.Slot == slot {
			if s.State != want || r.running[slot] != running {
				r.t.Errorf("%s is %s (%s) with %d processes, want %s with %d", slot, s.State, s.Detail, r.running[slot], want, running)
			}
			return
		}
	}
	r.t.Errorf("nothing is known of %s, want %s", slot, want)
}

func (r *rig) wantSaid(want ...string) {
	r.t.Helper()
	if got := strings.Join(r.said, "; "); got != strings.Join(want, "; ") {
		r.t.Errorf("got  %s\nwant %s", got, strings.Join(want, "; "))
	}
	r.said = nil
}

// wantGate wants what a slot sends to pass from now on for so long; 0: not at all.
func (r *rig) wantGate(slot member.SlotID, left time.Duration) {
	r.t.Helper()
	if got := max(0, r.gate[slot]-r.now); got != left {
		r.t.Errorf("the gate lets %s send for %v from now, want %v", slot, got, left)
	}
}

func wantRefused(t *testing.T, a Answer, part string) {
	t.Helper()
	if part == "" && a.Refused != "" || part != "" && !strings.Contains(a.Refused, part) {
		t.Errorf("refused: %q, want %q", a.Refused, part)
	}
}
