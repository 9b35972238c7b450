package driver

import (
	"context"
	"fmt"
	"time"

	"moonwatch/internal/program"
)

// undoing is put before a step's name where the step is taken back, so that
// both have a place of their own in the journal.
const undoing = "undo "

// Exec does a step by running an installed action on this member.
type Exec struct {
	folder  program.Folder
	action  string
	undo    string
	journal *Journal
	behind  []string
}

var _ Driver = (*Exec)(nil)

// NewExec runs action out of folder, and undo to take its effect back (a pool's
// stop action for its activate action); undo may be empty. All drivers of an
// agent share its journal.
func NewExec(folder program.Folder, action, undo string, journal *Journal) *Exec {
	return &Exec{folder: folder, action: action, undo: undo, journal: journal}
}

// Behind runs the action behind another program, which runs it in its own place
// when it has done its part: the keeper's door to an exclusive slot. nil changes
// nothing.
func (e *Exec) Behind(argv []string) *Exec {
	e.behind = argv
	return e
}

// Observe tells what the journal knows of this very attempt. It runs nothing:
// the contract of an action has no question in it, only the deed.
func (e *Exec) Observe(_ context.Context, req Request) Result {
	return e.journal.observe(req, time.Now())
}

// Plan names the action, and fails if it is not installed or not safe to run.
func (e *Exec) Plan(req Request) (string, error) {
	if _, err := e.folder.Find(e.action); err != nil {
		return "", fmt.Errorf("plan %s: %w", req.Step, err)
	}
	return fmt.Sprintf("run action %s: %s", e.action, req), nil
}

// Apply runs the action, unless the journal knows the answer already or forbids
// it. An action that is not installed as it should be leaves no trace in the
// journal, so the same attempt may follow its repair.
func (e *Exec) Apply(ctx context.Context, req Request) Result {
	return e.do(ctx, e.action, req)
}

// Compensate runs the undo action, as a step of its own with the name
// "undo STEP".
func (e *Exec) Compensate(ctx context.Context, req Request) Result {
	if e.undo == "" {
		return Permanent.Because("undo %s: no action is set that takes %s back", req.Step, e.action)
	}
	req.Step = undoing + req.Step
	return e.do(ctx, e.undo, req)
}

func (e *Exec) do(ctx context.Context, action string, req Request) Result {
	if err := req.Validate(); err != nil {
		return Permanent.Because("run %s: %v", action, err)
	}
	path, err := e.folder.Find(action)
	if err != nil {
		return Permanent.Because("run %s: %v", action, err)
	}
	if err := req.TooLate(ctx, time.Now()); err != nil {
		return Retryable.Because("run %s: not run: %v", action, err)
	}
	if req.DryRun {
		return e.rehearse(ctx, path, req)
	}
	if known, run := e.journal.begin(req, time.Now()); !run {
		return known
	}
	result := e.run(ctx, path, req, func(p program.Process) { e.journal.started(req, p) })
	return e.journal.finish(req, result)
}

// rehearse runs the action with dry_run set. It has no effect, so the journal
// does not remember it and its slot epoch binds nobody.
func (e *Exec) rehearse(ctx context.Context, path string, req Request) Result {
	if highest := e.journal.Highest(req.Slot); req.SlotEpoch < highest {
		return older(req, highest)
	}
	return e.run(ctx, path, req, nil)
}

func (e *Exec) run(ctx context.Context, path string, req Request, begun func(program.Process)) Result {
	end := program.RunIn(ctx, e.behind, path, program.Call{
		Case: req.Case, Step: req.Step, Attempt: req.Attempt, Member: req.Member, Pool: req.Pool,
		Slot: req.Slot, SlotEpoch: req.SlotEpoch, Deadline: req.Deadline, DryRun: req.DryRun,
	}, begun)
	return Result{
		Outcome: outcomeOf(end),
		Detail:  fmt.Sprintf("run %s: %s", path, end.Summary()),
		Output:  end.Output,
		Took:    end.Took,
	}
}

// outcomeOf translates an exit. Whatever did not exit by itself is Unknown, but
// for what never started.
func outcomeOf(end program.End) Outcome {
	switch {
	case end.Ending == program.NotStarted && program.Transient(end.Err):
		return Retryable
	case end.Ending == program.NotStarted:
		return Permanent
	case end.Ending != program.Exited:
		return Unknown
	}
	switch end.Code {
	case program.ExitDone:
		return Done
	case program.ExitRefused:
		return Refused
	case program.ExitRetry:
		return Retryable
	case program.ExitInProgress:
		return InProgress
	default:
		return Permanent
	}
}
