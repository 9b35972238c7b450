package sim

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"moonwatch/member"
)

// forever is a fault without an end.
const forever = 1000 * time.Hour

// Fault is one thing that goes wrong at a time of its own, and right again if
// it has an end. It is plain data: a scenario is a list of faults. Which fields
// a kind needs and takes is in Kinds; durations are nanoseconds in JSON.
type Fault struct {
	At    time.Duration `json:"at,omitempty"` // since the world began
	Do    FaultKind     `json:"do,omitempty"`
	Whom  []member.ID   `json:"whom,omitempty"`
	Other []member.ID   `json:"other,omitempty"` // the other end of the links; empty: everybody that is not in Whom
	For   time.Duration `json:"for,omitempty"`   // 0: for good
	Share float64       `json:"share,omitempty"` // a share, or a factor: see KindRule.Share
	Delay time.Duration `json:"delay,omitempty"`
	Every time.Duration `json:"every,omitempty"` // a period, or the length of a burst
	Serve bool          `json:"serve,omitempty"` // after a crash: the machine's init starts the services again at boot
	Host  string        `json:"host,omitempty"`  // a subdomain
}

func (f Fault) String() string {
	var s strings.Builder
	fmt.Fprintf(&s, "%v %s", f.At, f.Do)
	if f.Host != "" {
		fmt.Fprintf(&s, " %s", f.Host)
	}
	if len(f.Whom) > 0 {
		fmt.Fprintf(&s, " %v", f.Whom)
	}
	if len(f.Other) > 0 {
		fmt.Fprintf(&s, " and %v", f.Other)
	}
	rule, _ := RuleOf(f.Do)
	switch {
	case f.Share == 0:
	case rule.Share == aFactor:
		fmt.Fprintf(&s, " x %g", f.Share)
	default:
		fmt.Fprintf(&s, " %.3g %%", 100*f.Share)
	}
	if f.Delay != 0 {
		fmt.Fprintf(&s, " by %v", f.Delay)
	}
	if f.Every > 0 {
		fmt.Fprintf(&s, " every %v", f.Every)
	}
	if f.For > 0 {
		fmt.Fprintf(&s, " for %v", f.For)
	}
	return s.String()
}

// Check lists everything that is wrong with a fault by itself. Whether its
// members exist is the world's to know.
func (f Fault) Check() error {
	rule, ok := RuleOf(f.Do)
	if !ok {
		return fmt.Errorf("fault %q: unknown kind", f.Do)
	}
	var wrong []error
	add := func(format string, args ...any) {
		wrong = append(wrong, fmt.Errorf("fault %s: %w", f.Do, fmt.Errorf(format, args...)))
	}
	for _, x := range []struct {
		field Field
		set   bool
	}{
		{FieldWhom, len(f.Whom) > 0}, {FieldOther, len(f.Other) > 0}, {FieldShare, f.Share != 0},
		{FieldDelay, f.Delay != 0}, {FieldEvery, f.Every != 0}, {FieldServe, f.Serve}, {FieldHost, f.Host != ""},
	} {
		switch {
		case x.set && !rule.Has(x.field):
			add("has no %s", x.field)
		case !x.set && slices.Contains(rule.Needs, x.field):
			add("%s is missing", x.field)
		}
	}
	if f.Share != 0 && rule.Has(FieldShare) && (f.Share < rule.Share.Min || f.Share > rule.Share.Max) {
		add("share is %v, want %v to %v", f.Share, rule.Share.Min, rule.Share.Max)
	}
	if f.At < 0 || f.For < 0 || f.Every < 0 || f.Delay < 0 && f.Do != ClockJump {
		add("a negative time")
	}
	if f.For > 0 && !rule.Ends {
		add("does not end: for is %v, want 0", f.For)
	}
	return errors.Join(wrong...)
}

// Strike arranges faults.
func (w *World) Strike(faults ...Fault) {
	for _, f := range faults {
		w.at(f.At, func() { w.begin(f) })
		if f.For > 0 {
			w.at(f.At+f.For, func() { w.end(f) })
		}
	}
}

// Hit lets a fault begin at once.
func (w *World) Hit(do FaultKind, whom ...member.ID) { w.begin(Fault{Do: do, Whom: whom, At: w.now}) }

// Mend ends a fault that has no end of its own.
func (w *World) Mend(do FaultKind, whom ...member.ID) { w.end(Fault{Do: do, Whom: whom, Serve: true}) }

func (w *World) begin(f Fault) {
	length := f.For
	if length == 0 {
		length = forever
	}
	w.tell(Happening{What: FaultBegan, Fault: &f})
	if f.Do == Weather {
		w.squall += f.Share
		w.ailAll()
	}
	for _, id := range f.Whom {
		m := w.machine(id)
		w.note(m.i, string(f.Do))
		m.ail()
		switch f.Do {
		case Crash:
			m.crash()
		case KillAgent:
			m.killAgent()
		case KillService:
			m.killServices()
		case Sicken:
			for _, s := range m.running {
				s.sick = true
			}
		case Pause:
			m.halted = max(m.halted, w.now+length)
			m.pause(length)
		case Freeze:
			m.pause(length)
		case StallDisk:
			m.disk.stalled = max(m.disk.stalled, w.now+length)
		case Lossy:
			w.lose(m, f.Share)
		case Isolate, Deafen:
			w.sever(m, f, +1)
		case Lie:
			m.lies = true
			m.slander(m.life)
		case Weather:
		}
	}
}

// end undoes a fault. What ends by itself or cannot be undone is left alone.
func (w *World) end(f Fault) {
	w.tell(Happening{What: FaultEnded, Fault: &f})
	if f.Do == Weather {
		w.squall -= f.Share
		w.ailAll()
	}
	for _, id := range f.Whom {
		m := w.machine(id)
		w.note(m.i, "end of "+string(f.Do))
		m.ail()
		switch f.Do {
		case Crash:
			m.boot(f.Serve)
		case KillAgent:
			m.start(100 * time.Millisecond)
		case Sicken:
			for _, s := range m.running {
				s.sick = false
			}
		case Lossy:
			w.lose(m, 0)
		case Isolate, Deafen:
			w.sever(m, f, -1)
		case Lie:
			m.lies = false
		case KillService, Pause, Freeze, StallDisk, Weather:
		}
	}
}

// sever cuts or heals the links between m and all members that the fault does
// not name. Cuts are counted: the end of one fault does not heal another's.
func (w *World) sever(m *machine, f Fault, by int8) {
	inside := map[member.ID]bool{}
	for _, id := range f.Whom {
		inside[id] = true
	}
	for _, x := range w.machines {
		if inside[x.id] {
			continue
		}
		w.cut(x, m, by)
		if f.Do == Isolate {
			w.cut(m, x, by)
		}
		x.ail()
	}
}

// crash takes a machine's power.
func (m *machine) crash() {
	m.killAgent()
	m.on = false
	m.paused, m.halted = 0, 0
	m.boots++
	m.stopped = maps.Clone(m.running)
	m.killServices()
}

// killServices ends the services alone.
func (m *machine) killServices() {
	for _, slot := range slices.Sorted(maps.Keys(m.running)) {
		delete(m.running, slot)
		m.w.tell(Happening{What: ServiceDown, Member: m.id, Slot: slot})
	}
}

// boot gives a machine its power back. Serve says whether its init system
// starts what ran before, as it may for a slot that has moved on since.
func (m *machine) boot(serve bool) {
	if m.on {
		return
	}
	m.on = true
	if !serve {
		m.disk.rebooted()
	} else {
		for slot, s := range m.stopped {
			m.running[slot] = &service{epoch: s.epoch}
		}
		for _, slot := range slices.Sorted(maps.Keys(m.running)) {
			m.w.tell(Happening{What: ServiceUp, Member: m.id, Slot: slot})
		}
	}
	m.stopped = nil
	m.start(100 * time.Millisecond)
}

// killAgent ends the agent as kill -9 does.
func (m *machine) killAgent() {
	if m.mind != nil {
		m.w.tell(Happening{What: AgentEnded, Member: m.id})
	}
	m.mind, m.waiting = nil, nil
	m.life++
	m.wake = 0
	m.paused = m.halted
}

// pause lets the agent stand still; what arrives waits for it.
func (m *machine) pause(d time.Duration) {
	m.paused = max(m.paused, m.w.now+d)
	life := m.life
	m.w.at(m.paused, func() {
		if m.life != life || !m.up() {
			return
		}
		waiting := m.waiting
		m.waiting = nil
		m.ail()
		for _, do := range waiting {
			m.deliver(do)
		}
		m.woken()
	})
}
