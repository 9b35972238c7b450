package program

import (
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"moonwatch/member"
)

// The exit statuses that mean something. Any other one is a failure that a
// repetition would not mend.
const (
	ExitDone       = 0
	ExitRefused    = 3   // an older slot epoch than the program has seen
	ExitRetry      = 75  // EX_TEMPFAIL of sysexits.h: nothing happened, ask again
	ExitInProgress = 100 // begun and going on: ask again to hear how it ended
)

// searchPath is where a program finds its tools: not what the agent inherited.
const searchPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// Call is what a program is told, as one JSON object on standard input and as
// MOONWATCH_ variables. It gets no arguments.
type Call struct {
	Case      string           `json:"case"`
	Step      string           `json:"step"`
	Attempt   int              `json:"attempt"`
	Member    member.ID        `json:"member"`
	Pool      string           `json:"pool"`
	Slot      member.SlotID    `json:"slot"`
	SlotEpoch member.SlotEpoch `json:"slot_epoch"`
	Deadline  time.Time        `json:"deadline"` // when the program is killed
	DryRun    bool             `json:"dry_run"`  // say what would be done, and do nothing
}

// input is the JSON object, with one line end: a shell's read wants it.
func (c Call) input() ([]byte, error) {
	c.Deadline = c.Deadline.UTC()
	text, err := json.Marshal(c)
	if err != nil {
		return nil, fmt.Errorf("encode call: %w", err)
	}
	return append(text, '\n'), nil
}

// environment is everything that the program inherits.
func (c Call) environment() []string {
	return append(Environment(),
		"MOONWATCH_CASE="+c.Case,
		"MOONWATCH_STEP="+c.Step,
		"MOONWATCH_ATTEMPT="+strconv.Itoa(c.Attempt),
		"MOONWATCH_MEMBER="+string(c.Member),
		"MOONWATCH_POOL="+c.Pool,
		"MOONWATCH_SLOT="+string(c.Slot),
		"MOONWATCH_SLOT_EPOCH="+strconv.FormatUint(uint64(c.SlotEpoch), 10),
		"MOONWATCH_DEADLINE="+c.Deadline.UTC().Format(time.RFC3339Nano),
		"MOONWATCH_DRY_RUN="+strconv.FormatBool(c.DryRun),
	)
}
