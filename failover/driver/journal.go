package driver

import (
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"moonwatch/internal/boottime"
	"moonwatch/internal/program"
	"moonwatch/member"
)

// remembered is how many ended steps a slot's file keeps: more than a case has
// steps and attempts, so a late copy of a request finds its answer. The file
// stays below 16 KiB.
const remembered = 32

// Journal remembers on this member's disk what was done to each slot: the
// highest slot epoch that was acted on, the step under way, and how the last
// ones ended. What it acknowledges has survived fsync.
//
// A step is recorded before it begins. So after a crash of the agent the journal
// knows that a step was begun and not how it ended, and says Unknown; it never
// lets a step begin that might have begun before.
type Journal struct {
	dir     string
	boot    string // id of the machine's present life, empty where nobody knows
	save    func(path string, content []byte) error
	metrics *metrics

	mu    sync.Mutex // held over the disk write: slots are few, and steps rare
	slots map[member.SlotID]*record
}

// OpenJournal reads the journal in dir, and makes the folder if it is not there.
// It fails, with all mistakes, if a file is not what the journal wrote: guessing
// could run an old step again. A nil registerer means a private one.
func OpenJournal(dir string, reg prometheus.Registerer) (*Journal, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("open step journal: %w", err)
	}
	slots, err := loadRecords(dir)
	if err != nil {
		return nil, fmt.Errorf("open step journal: %w", err)
	}
	boot, _ := boottime.ID() // without one every life is the same, as it was
	return &Journal{dir: dir, boot: boot, save: saveFile, metrics: newMetrics(reg), slots: slots}, nil
}

// Highest is the highest slot epoch at which this member acted for a slot, or
// was told of by Raise; 0 for a slot that it never touched.
func (j *Journal) Highest(slot member.SlotID) member.SlotEpoch {
	j.mu.Lock()
	defer j.mu.Unlock()
	if r := j.slots[slot]; r != nil {
		return r.Highest
	}
	return 0
}

// Raise makes the journal refuse steps of a slot that are older than epoch, as
// when the ledger shows that the slot has moved on. It never lowers.
func (j *Journal) Raise(slot member.SlotID, epoch member.SlotEpoch) error {
	j.mu.Lock()
	defer j.mu.Unlock()
	next := j.copyOf(slot)
	if epoch <= next.Highest {
		return nil
	}
	next.Highest = epoch
	return j.store(next)
}

// observe tells what is known of an attempt, and begins nothing.
func (j *Journal) observe(req Request, now time.Time) Result {
	j.mu.Lock()
	defer j.mu.Unlock()
	next := j.copyOf(req.Slot)
	j.settle(next, now)
	if end, ok := next.ended(keyOf(req)); ok {
		return end.result()
	}
	if next.Begun != nil && next.Begun.Key == keyOf(req) {
		return Result{Outcome: InProgress, Detail: fmt.Sprintf("%s: under way, at most until %s", req, clock(next.Begun.Deadline))}
	}
	return Retryable.Because("%s: not begun on this member", req)
}

// begin answers a request from memory, or records that it begins: then run is
// true and finish must follow. Of a slot, one step at a time is under way.
func (j *Journal) begin(req Request, now time.Time) (known Result, run bool) {
	j.mu.Lock()
	defer j.mu.Unlock()
	next, key := j.copyOf(req.Slot), keyOf(req)
	if req.SlotEpoch < next.Highest {
		return j.metrics.count(older(req, next.Highest)), false
	}
	j.settle(next, now)
	if end, ok := next.ended(key); ok {
		return end.result(), false
	}
	if b := next.Begun; b != nil {
		switch {
		case b.Key != key:
			return Retryable.Because("%s: not run: %s of %s is under way, at most until %s", req, b.Step, b.Case, clock(b.Deadline)), false
		case !b.Polled:
			return Result{Outcome: InProgress, Detail: fmt.Sprintf("%s: still runs, at most until %s", req, clock(b.Deadline))}, false
		}
	}
	next.Highest = req.SlotEpoch
	next.begin(begun{Key: key, Boot: j.boot, Deadline: req.Deadline, here: true})
	if err := j.store(next); err != nil {
		return j.metrics.count(Retryable.Because("%s: not run: %v", req, err)), false
	}
	return Result{}, true
}

// started notes the process of the step under way. The note need not survive the
// machine, for neither does the process; and without it a later life of the
// agent merely waits for the step's deadline.
func (j *Journal) started(req Request, p program.Process) {
	_ = writeRunning(j.running(req.Slot), running{Key: keyOf(req), Process: p})
}

// finish records how a step ended and hands the result on. A result that cannot
// be recorded is still true, and says so: only a restart would forget it, and
// then the step is Unknown.
func (j *Journal) finish(req Request, result Result) Result {
	j.mu.Lock()
	defer j.mu.Unlock()
	next := j.copyOf(req.Slot)
	if result.Outcome == InProgress {
		next.Begun = &begun{Key: keyOf(req), Boot: j.boot, Deadline: req.Deadline, Polled: true}
	} else {
		next.end(ended{Key: keyOf(req), Outcome: result.Outcome, Detail: result.Detail})
	}
	if err := j.store(next); err != nil {
		j.slots[req.Slot] = next // the next write takes it along
		result.Detail += fmt.Sprintf(" (not remembered beyond a restart: %v)", err)
	}
	_ = os.Remove(j.running(req.Slot)) // a stale note names its step and misleads nobody
	return j.metrics.count(result)
}

// settle closes the account of a step that nobody waits for any more: one that
// an earlier life of the agent began, or that was in progress and not asked
// about until its deadline. Its program may still run: until the deadline that
// is its right, after it the program is killed.
func (j *Journal) settle(r *record, now time.Time) {
	b := r.Begun
	if b == nil || b.here {
		return
	}
	late, why := !now.Before(b.Deadline), "the agent ended before the step did"
	switch {
	case b.Polled && !late:
		return
	case b.Polled:
		why = "it went on, and nobody asked again before its deadline"
	case !j.strayEnded(r, late):
		return
	}
	r.end(ended{Key: b.Key, Outcome: Unknown, Detail: fmt.Sprintf("%s of %s, attempt %d: %s", b.Step, b.Case, b.Attempt, why)})
	j.slots[r.Slot] = r.clone() // worked out anew after a restart, so it need not be written now
}

// strayEnded reports whether the program of an earlier life's step is known to
// have ended. Once it is late it is killed, and taken for ended also if nothing
// is known of its process.
func (j *Journal) strayEnded(r *record, late bool) bool {
	note, err := readRunning(j.running(r.Slot))
	if err != nil || note.Key != r.Begun.Key {
		return late
	}
	if late {
		return note.Process.Kill() == nil // otherwise the next request tries again
	}
	return note.Process.Fate() == program.Gone
}

func (j *Journal) copyOf(slot member.SlotID) *record {
	if r := j.slots[slot]; r != nil {
		return r.clone()
	}
	return &record{Slot: slot}
}

// store puts a record in place, on the disk first.
func (j *Journal) store(r *record) error {
	content, err := r.encode()
	if err != nil {
		return err
	}
	if err := j.save(filepath.Join(j.dir, fileName(r.Slot)), content); err != nil {
		return fmt.Errorf("record step: %w", err)
	}
	j.slots[r.Slot] = r
	return nil
}

func (j *Journal) running(slot member.SlotID) string {
	return filepath.Join(j.dir, fileName(slot)+runningEnd)
}

func older(req Request, highest member.SlotEpoch) Result {
	return Refused.Because("%s: not run: this member has acted at slot epoch %d", req, highest)
}

func clock(t time.Time) string { return t.UTC().Format("15:04:05.000 UTC") }
