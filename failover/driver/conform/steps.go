package conform

import (
	"moonwatch/failover/driver"
	"moonwatch/member"
)

// DoorSteps are the steps of every door: web-1 holds the slot at slot epoch 42
// and is drained, taken back, and replaced by spare-1 at slot epoch 57. Words
// are those by which target and plan know a member, its address perhaps; nil if
// they know its name.
func DoorSteps(words map[member.ID]string) []Step {
	req := func(step string, who member.ID, epoch member.SlotEpoch) driver.Request {
		return driver.Request{Case: "C-12", Step: step, Attempt: 1, Member: who, Pool: "web", SlotEpoch: epoch}
	}
	spare := words["spare-1"]
	if words == nil {
		spare = "spare-1"
	}
	held := req(driver.StepCutover, "web-1", 42)
	drained := req(driver.StepDrain, "web-1", 42)
	return []Step{
		{Before: []driver.Request{held}, Request: drained, Words: []string{"drained"}, Reversible: true},
		{Before: []driver.Request{held, drained}, Request: req(driver.StepUndrain, "web-1", 42), Reversible: true},
		{Before: []driver.Request{held, drained}, Request: req(driver.StepCutover, "spare-1", 57), Words: []string{spare, "57"}},
	}
}
