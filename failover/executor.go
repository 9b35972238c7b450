package failover

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"time"

	"moonwatch/member"
)

// ExecutorEvent is what an Executor can be told. The set is closed.
type ExecutorEvent interface{ isExecutorEvent() }

// ExecutorWoken tells that facts were applied or the time of Wake has come.
type ExecutorWoken struct{}

// StepDone tells how a step ended that this executor asked for.
type StepDone struct {
	Key    StepKey
	Result StepResult
	Detail string
	Took   time.Duration
}

// Lapsed tells that the enforcer has stopped a slot here because its lease was over:
// for the Nth time under this slot epoch.
type Lapsed struct {
	Slot  member.SlotID
	Epoch member.SlotEpoch
	Nth   int
}

func (Lapsed) isExecutorEvent()        {}
func (ExecutorWoken) isExecutorEvent() {}
func (StepDone) isExecutorEvent()      {}

// StepResult is how an attempt at a step ended.
type StepResult uint8

// The results. Unknown is never success.
const (
	ResultDone StepResult = iota
	ResultAgain
	ResultRefused
	ResultFailed
	ResultUnknown
)

// ExecutorEffect is what an Executor wants done. The set is closed.
type ExecutorEffect interface{ isExecutorEffect() }

// StepKey is the idempotency key of a step: what was done under a key is never
// done again under it.
type StepKey struct {
	Case    uint64           `json:"case"` // 0: outside of a case
	Attempt int              `json:"attempt"`
	Step    StepKind         `json:"step"`
	Slot    member.SlotID    `json:"slot"`
	Epoch   member.SlotEpoch `json:"epoch"`
}

// DoStep asks for an installed action to be run on this member.
type DoStep struct {
	Key      StepKey
	Try      int // grows when an attempt that did not succeed is made again
	Pool     string
	Action   string    // of a fence from outside: its level
	Unit     string    // of systemd, in place of an action
	Subject  member.ID // whom a fence from outside is against; empty: this member
	Deadline time.Time
}

// SendReport asks for a report to be committed.
type SendReport struct {
	ID     string
	Report Report
}

// AbortStep asks for a step under way to be ended that nobody wants any more. It is
// answered by the step's own end.
type AbortStep struct{ Key StepKey }

func (DoStep) isExecutorEffect()     {}
func (AbortStep) isExecutorEffect()  {}
func (SendReport) isExecutorEffect() {}

// Holding is what an agent's own journal says runs on its member: the slot
// epoch under which each slot was last started here.
type Holding map[member.SlotID]member.SlotEpoch

// Executor does this member's steps. It obeys the ledger, never a message: what
// its own copy does not show is not done.
type Executor struct {
	self    member.ID
	st      *State
	holding Holding
	bygone  Holding // the part of it that ended with an earlier life of the machine
	doing   map[member.SlotID]StepKey
	aborted map[StepKey]bool // of these
	done    map[StepKey]bool
	retryAt map[StepKey]time.Time
	tries   map[StepKey]int
	prover  prover
	lapsed  map[member.SlotID]Lapsed
	leased  func(now time.Time, slot member.SlotID, epoch member.SlotEpoch) bool
	wake    time.Time
	heard   []*Hold // unconfirmed
}

// NewExecutor makes the executor of self. Holding is what the journal on disk
// remembers from before.
func NewExecutor(self member.ID, st *State, holding Holding, now time.Time) *Executor {
	if holding == nil {
		holding = Holding{}
	}
	return &Executor{
		self: self, st: st, holding: maps.Clone(holding), wake: now,
		doing: map[member.SlotID]StepKey{}, done: map[StepKey]bool{}, retryAt: map[StepKey]time.Time{}, tries: map[StepKey]int{},
		lapsed: map[member.SlotID]Lapsed{}, aborted: map[StepKey]bool{},
	}
}

// Bygone tells what the journal remembers of an earlier life of the machine. Where such
// a service is to be restarted, for it does not start by itself, it is started as a new
// one is.
func (e *Executor) Bygone(slots Holding) { e.bygone = maps.Clone(slots) }

// executorBeat is how often the executor looks when nothing happens.
const executorBeat = time.Second

// Step compares what the ledger wants of this member with what it does.
func (e *Executor) Step(now time.Time, ev ExecutorEvent) []ExecutorEffect {
	var out []ExecutorEffect
	switch ev := ev.(type) {
	case ExecutorWoken:
	case StepDone:
		if ev.Key.Step == StepTest {
			out = e.proven(ev, out)
			break
		}
		out = e.finished(now, ev, out)
	case Lapsed:
		e.lapsed[ev.Slot] = ev
	default:
		panic(fmt.Sprintf("failover: unknown event %T", ev))
	}
	e.wake = now.Add(executorBeat)
	if t := e.st.Use(e.self).LetGo; now.Before(t) {
		e.wake = earliest(e.wake, t)
	}
	for _, d := range e.tests(now) {
		out = append(out, d)
	}
	due := e.due(now)
	out = e.abort(due, out)
	for _, d := range due {
		out = e.start(now, d, out)
	}
	// What was not due any more needs no retry either.
	maps.DeleteFunc(e.retryAt, func(_ StepKey, t time.Time) bool { return !now.Before(t) })
	return out
}

// Wake is when the executor wants to be called next.
func (e *Executor) Wake() time.Time {
	w := e.wake
	if len(e.retryAt) == 0 { // as almost always: it is asked with every event of the agent
		return w
	}
	for _, t := range e.retryAt {
		w = earliest(w, t)
	}
	return w
}

// due lists the steps that the ledger shows for this member now.
func (e *Executor) due(now time.Time) []DoStep {
	var due []DoStep
	t := e.st.timing()
	// What runs here without being wanted is stopped first.
	for _, slot := range slices.Sorted(maps.Keys(e.holding)) {
		if e.outdated(slot, e.holding[slot]) && !e.lingers(now) {
			due = append(due, e.want(StepKey{Step: StepStop, Slot: slot, Epoch: e.holding[slot]}, now.Add(t.Stop)))
		}
	}
	for _, c := range e.st.OpenCases() {
		executor, step, epoch, ok := c.Step()
		if ok && executor == e.self && step == StepStop && c.Planned && c.Forced == 0 && c.Drained && now.Before(c.Since.Add(Linger)) {
			e.wake = earliest(e.wake, c.Since.Add(Linger))
			continue
		}
		if ok && executor == e.self {
			due = append(due, e.want(StepKey{Case: c.ID, Attempt: c.Attempt, Step: step, Slot: c.Slot, Epoch: epoch}, c.Deadline))
		}
	}
	due = e.drillStep(e.preparingDue(due))
	if s := e.st.slotOf(e.self); s != nil && s.Case == 0 && !s.Started {
		due = append(due, e.want(StepKey{Step: StepActivate, Slot: s.ID, Epoch: s.Epoch}, now.Add(t.Activate)))
	}
	due = e.outsideDue(e.againDue(e.anew(now, e.again(now, due))))
	// Leftovers that the journal does not know any more are reported, so
	// that the member may become a spare again.
	u := e.use()
	for _, slot := range slices.Sorted(maps.Keys(u.Leftover)) {
		if _, runs := e.holding[slot]; !runs {
			due = append(due, e.want(StepKey{Step: StepStop, Slot: slot, Epoch: u.Leftover[slot]}, now.Add(t.Stop)))
		}
	}
	return due
}

// lingers reports that people have moved the slot away from this member while it
// was well: what it still serves may come to its end.
func (e *Executor) lingers(now time.Time) bool {
	return now.Before(e.use().LetGo)
}

// use is what this member is used for, or was when it was retired: what it has not
// stopped yet is stopped all the same.
func (e *Executor) use() Use {
	if u := e.st.known(e.self); u != nil {
		return *u
	}
	return Use{}
}

// outdated reports that a slot that was started here at epoch is no longer
// this member's: somebody else has it at a newer slot epoch, or the attempt
// was given up.
func (e *Executor) outdated(slot member.SlotID, epoch member.SlotEpoch) bool {
	u := e.use()
	if left, ok := u.Leftover[slot]; ok && epoch <= left {
		return true
	}
	s, ok := e.st.Slot(slot)
	if !ok {
		return false // the slot was removed while it was vacant; nothing says stop
	}
	if s.Occupant == e.self {
		return false
	}
	if u.Duty == Claimed && u.Slot == slot {
		return false
	}
	return s.Epoch > epoch
}

func (e *Executor) want(k StepKey, deadline time.Time) DoStep {
	d := DoStep{Key: k, Deadline: deadline}
	if pool, ok := e.st.ledger.Fleet().PoolOfSlot(k.Slot); ok {
		d.Pool, d.Unit = pool.Name, pool.Unit(k.Slot)
		switch k.Step {
		case StepActivate:
			d.Action = pool.Actions.Activate
		case StepRestart:
			d.Action = pool.Actions.Restart
			if at, ended := e.bygone[k.Slot]; ended && at == k.Epoch && pool.Actions.Restart != "" {
				d.Action = pool.Actions.Activate // there is nothing to end first
			}
		case StepPrepare:
			d.Action = pool.Actions.Prepare
		case StepStop:
			d.Action = pool.Actions.Stop
			if undo, u := pool.Actions.Unprepare, e.use(); undo != "" && u.Shadow[k.Slot] && k.Epoch <= u.Leftover[k.Slot] {
				d.Action = undo
			}
		case StepTest, StepFence: // no action of the pool
		}
	}
	return d
}

// start begins a step unless it is done, under way, or waits for its retry.
// One slot has one step at a time.
func (e *Executor) start(now time.Time, d DoStep, out []ExecutorEffect) []ExecutorEffect {
	if _, busy := e.doing[d.Key.Slot]; busy || e.done[d.Key] {
		return out
	}
	if t, waits := e.retryAt[d.Key]; waits && now.Before(t) || e.bound(now, d.Key, d.Pool) {
		return out
	}
	if (d.Key.Case != 0 || d.Key.Step == StepPrepare) && !now.Before(d.Deadline) {
		return out // too late: the case goes on without this attempt, and so does a drill
	}
	if d.Key.Step != StepStop && d.Key.Step != StepFence && e.untidy() {
		return out // the end of the stop wakes it
	}
	if !e.mayRun(now, d.Key) {
		return out // the next grant wakes it
	}
	delete(e.retryAt, d.Key)
	if d.Action == "" && d.Unit == "" && !e.keeperStops(d.Key) {
		// A pool without this action has nothing to run; the step is done.
		return e.finished(now, StepDone{Key: d.Key, Result: ResultDone, Detail: "no action installed for it"}, out)
	}
	if d.Key.Step == StepActivate || d.Key.Step == StepRestart || d.Key.Step == StepPrepare {
		// From here on something may run, whatever the result will be.
		e.holding[d.Key.Slot] = max(e.holding[d.Key.Slot], d.Key.Epoch)
	}
	e.doing[d.Key.Slot] = d.Key
	d.Try = e.tries[d.Key]
	return append(out, d)
}

// retryAfter paces the attempts at a step that may succeed later; it doubles up
// to retryMax.
const (
	retryAfter = time.Second
	retryMax   = 30 * time.Second
)

// finished books a result and tells the ledger.
func (e *Executor) finished(now time.Time, ev StepDone, out []ExecutorEffect) []ExecutorEffect {
	k := ev.Key
	if e.doing[k.Slot] == k {
		delete(e.doing, k.Slot)
	}
	if e.aborted[k] { // nobody waits for its word
		delete(e.aborted, k)
		e.done[k] = true
		return out
	}
	switch {
	case ev.Result == ResultAgain, ev.Result != ResultDone && k.Case == 0 && k.Step != StepPrepare:
		e.tries[k]++
		e.retryAt[k] = now.Add(min(retryAfter<<min(e.tries[k]-1, 5), retryMax))
		if (k.Step == StepActivate || k.Step == StepStop) && ev.Result != ResultAgain && e.tries[k] == 1 {
			// Nobody waits for it, so nobody would ever hear of it.
			return append(out, e.report(ev, "/failed"))
		}
		return out
	case ev.Result == ResultDone && k.Step == StepFence: // nothing runs here by it
	case ev.Result == ResultDone && k.Step == StepStop:
		if e.holding[k.Slot] <= k.Epoch {
			delete(e.holding, k.Slot)
		}
	case ev.Result == ResultDone:
		delete(e.lapsed, k.Slot)
		delete(e.bygone, k.Slot)
		e.holding[k.Slot] = max(e.holding[k.Slot], k.Epoch)
	}
	e.done[k] = true
	return append(out, e.report(ev, ""))
}

func (e *Executor) report(ev StepDone, end string) SendReport {
	k := ev.Key
	return SendReport{
		ID: fmt.Sprintf("report/%s/C-%d/%d/%s/%s/%d%s", e.self, k.Case, k.Attempt, k.Step, k.Slot, k.Epoch, end),
		Report: Report{
			Case: k.Case, Attempt: k.Attempt, Step: k.Step, Slot: k.Slot, Epoch: k.Epoch,
			Done: ev.Result == ResultDone, Detail: ev.Detail, Took: ev.Took,
		},
	}
}

// Doing lists the steps under way, sorted by slot.
func (e *Executor) Doing() []StepKey {
	return slices.SortedFunc(maps.Values(e.doing), func(a, b StepKey) int { return cmp.Compare(a.Slot, b.Slot) })
}
