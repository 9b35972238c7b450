package probe

import (
	"context"
	"fmt"

	"moonwatch/internal/program"
	"moonwatch/member"
)

// checkStep is what an exec check is told as its step.
const checkStep = "check"

// askExec runs an installed program: exit 0 is well, any other exit is not. One
// that has to be killed is silent, as a question without an answer. One that
// cannot be run says nothing about the service.
func (c *Checker) askExec(ctx context.Context, target Target, check member.ExecCheck) Result {
	question := "run " + check.Name
	path, err := c.programs.Find(check.Name)
	if err != nil {
		return Result{Detail: told(question, "%v", err)}
	}
	deadline, ok := ctx.Deadline()
	if !ok {
		panic(fmt.Sprintf("probe: exec check %s without a deadline", check.Name)) // Run sets one
	}
	end := program.Run(ctx, path, program.Call{Step: checkStep, Slot: target.Slot, SlotEpoch: target.SlotEpoch, Deadline: deadline}, nil)
	return Result{Outcome: weighEnd(end), Detail: told(question, "%s", end.Summary())}
}

func weighEnd(end program.End) Outcome {
	switch {
	case end.Ending == program.NotStarted:
		return Unasked
	case end.Ending == program.Killed:
		return Silent
	case end.Ending == program.Exited && end.Code == program.ExitDone:
		return Answers
	default: // another exit, ended by somebody else, or a child that holds the output
		return Refuses
	}
}
