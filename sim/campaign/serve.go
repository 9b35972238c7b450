package campaign

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"moonwatch/sim/scenario"
)

// Task is one line that a worker reads: a plan to play.
type Task struct {
	Seed    uint64          `json:"seed"` // told back with the answer
	Plan    json.RawMessage `json:"plan"`
	Story   bool            `json:"story,omitempty"`       // the result tells all
	Realise bool            `json:"realise,omitempty"`     // the result has the plan with concrete members and times
	Twice   bool            `json:"twice,omitempty"`       // play it twice and compare
	Most    uint64          `json:"most_events,omitempty"` // refuse to go on after so many; 0: never
}

// Answer is the line that a worker writes for a task: a result, or why there
// is none.
type Answer struct {
	Seed   uint64           `json:"seed"`
	Result *scenario.Result `json:"result,omitempty"`
	Error  string           `json:"error,omitempty"`
	Peak   uint64           `json:"peak_bytes,omitempty"` // memory that the worker has taken at most so far; 0: not known
}

// Serve is a worker: it plays the tasks that in has, one after another, and
// writes an answer for each, until in ends.
func Serve(in io.Reader, out io.Writer, play func(Task) (*scenario.Result, error)) error {
	tasks, answers := json.NewDecoder(in), json.NewEncoder(out)
	for {
		var t Task
		switch err := tasks.Decode(&t); {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return fmt.Errorf("read a task: %w", err)
		}
		a := Answer{Seed: t.Seed}
		var err error
		if a.Result, err = play(t); err != nil {
			a.Result, a.Error = nil, err.Error()
		}
		a.Peak = peakMemory()
		if err := answers.Encode(a); err != nil {
			return fmt.Errorf("answer for seed %d: %w", t.Seed, err)
		}
	}
}
