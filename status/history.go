package status

import (
	"slices"

	"moonwatch/consensus"
)

// What a History keeps. 500 lines are an hour of a bad day, 100 verdicts the
// votes of every case that the page still shows; together less than 2 MB in a
// fleet of 200.
const (
	keptLines    = 500
	keptVerdicts = 100
)

// History is what the page remembers of facts beyond the state that they built
// up: a line of each, refusals too, and the votes behind the verdicts.
type History struct {
	lines    []FactLine // newest first; a published one is never changed
	verdicts []Verdict  // likewise
}

// NewHistory makes an empty history.
func NewHistory() *History { return &History{lines: []FactLine{}, verdicts: []Verdict{}} }

// Apply takes one fact with its outcome. Facts come in the ledger's order; one
// that was taken already is left out.
func (h *History) Apply(f consensus.Fact) {
	if len(h.lines) > 0 && f.Index <= h.lines[0].Index {
		return
	}
	h.lines = prepend(h.lines, keptLines, FactLine{
		Index: f.Index, At: f.Time, Kind: f.Command.Kind, By: f.Command.Proposer,
		Accepted: f.Accepted, Line: Line(f),
	})
	if f.Command.Kind != consensus.KindVerdict || !f.Accepted {
		return
	}
	if v, err := consensus.DecodePayload[consensus.Verdict](f); err == nil {
		h.verdicts = prepend(h.verdicts, keptVerdicts, verdictOf(f, v))
	}
}

// prepend makes a new list with x first and at most limit entries: the old one
// may be part of a Page that somebody else is reading.
func prepend[T any](list []T, limit int, x T) []T {
	return slices.Insert(slices.Clone(list[:min(len(list), limit-1)]), 0, x)
}
