package report

import (
	"time"

	"moonwatch/sim/scenario"
)

// Input is what a report is made of, and what its result.json holds.
type Input struct {
	Command string        `json:"command"`           // the command line that led to it, to paste
	Version string        `json:"version"`           // of the program, with its commit
	Profile string        `json:"profile,omitempty"` // of the fleets: the promises of speed are those of lan
	Took    time.Duration `json:"took_ns"`           // on the clock of the wall

	// Runs are shown in full: the one of a run, those of a campaign that broke
	// something.
	Runs     []Run     `json:"runs"`
	Campaign *Campaign `json:"campaign,omitempty"` // nil: Runs has the one run
}

// Run is one result and the way back to it.
type Run struct {
	Result scenario.Result `json:"result"`
	Took   time.Duration   `json:"took_ns,omitempty"`
	Replay string          `json:"replay,omitempty"` // the command line that plays it again, to paste
	Plan   string          `json:"plan,omitempty"`   // what it is played from, as text
	Shrunk bool            `json:"shrunk,omitempty"` // Plan is the least that still breaks it
}
