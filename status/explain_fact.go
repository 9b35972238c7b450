package status

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"moonwatch/consensus"
	"moonwatch/failover"
)

// mentionsShown is how many later facts an explanation of an old one lists.
const mentionsShown = 40

// FactOf reads the fact that an id means: V-12, C-13, R-14, H-15, or the bare index.
func FactOf(id string) (kind string, index uint64, ok bool) {
	kind, number, cut := strings.Cut(strings.ToUpper(strings.TrimSpace(id)), "-")
	if !cut {
		kind, number = "", kind
	} else if kind == "" {
		return "", 0, false
	}
	index, err := strconv.ParseUint(number, 10, 64)
	return kind, index, err == nil && index > 0 && slices.Contains([]string{"", "V", "C", "R", "H"}, kind)
}

// ExplainFact tells of a fact that the page does not hold any more, from the facts as they
// stand on disk: the one that the id means, and those after it in which its number occurs.
// Facts are kept without their outcome, which only folding them all would tell again.
func (p Page) ExplainFact(id string, f consensus.Fact, after []consensus.Fact) (Explanation, error) {
	kind, index, ok := FactOf(id)
	name := map[consensus.FactKind]string{
		consensus.KindVerdict: "V", failover.KindCaseOpened: "C", failover.KindSwitchover: "C", failover.KindForced: "C",
		failover.KindRequest: "R", failover.KindHold: "H",
	}[f.Command.Kind]
	f.Accepted = true // as it was proposed: see above
	if !ok || index != f.Index || kind != "" && kind != name {
		return Explanation{}, fmt.Errorf("explain %q: fact %d is something else: %s: %w", oneLine(id), f.Index, Line(f), ErrUnknown)
	}
	e := Explanation{ID: strconv.FormatUint(f.Index, 10)}
	if name != "" {
		e.ID = fmt.Sprintf("%s-%d", name, f.Index)
	}
	var t lines
	t.say(0, "Fact %d, at %s, from %s, is of kind %s: %s.", f.Index, moment(f.Time), proposer(f), f.Command.Kind, strings.TrimSuffix(Line(f), "."))
	if f.Command.Kind == consensus.KindVerdict {
		if v, err := consensus.DecodePayload[consensus.Verdict](f); err == nil {
			votes := p.explainVerdict(verdictOf(f, v))
			e.Verdict, e.See = votes.Verdict, votes.See
			t = append(t, votes.Lines...)
		}
	}
	for _, x := range p.Facts {
		if x.Index == f.Index && !x.Accepted {
			t.say(0, "It was refused: %s.", strings.TrimSuffix(x.Line, "."))
		}
	}
	var followed []consensus.Fact
	for _, x := range after {
		if x.Accepted = true; name != "" && about(x, f, name) {
			followed = append(followed, x)
		}
	}
	if len(followed) > 0 {
		t.say(0, "What followed:")
	}
	for _, x := range followed[:min(len(followed), mentionsShown)] {
		t.say(1, "%s fact %d: %s", moment(x.Time), x.Index, Line(x))
	}
	if more := len(followed) - mentionsShown; more > 0 {
		t.say(1, "and %s: moonwatch audit export --from %d", plural(more, "more fact"), followed[mentionsShown].Index)
	}
	t.say(0, "This is from the facts on the disk of %s. They stand there as they were proposed: one that the ledger refused, and why, is told for the latest %d alone.", p.Self.Name, keptLines)
	e.Lines = t
	return e, nil
}

// about reports that a fact follows from another one, which ids with that letter mean.
func about(x, f consensus.Fact, name string) bool {
	refers, err := consensus.DecodePayload[struct {
		Case    uint64 `json:"case"`
		Verdict uint64 `json:"verdict"`
		Request uint64 `json:"request"`
	}](x)
	switch {
	case name == "H":
		lifted, err := consensus.DecodePayload[failover.HoldLifted](x)
		return err == nil && x.Command.Kind == failover.KindHoldLifted && lifted.Hold == f.Command.ID
	case err != nil: // another type stands under that name: it refers to none
		return false
	case name == "C":
		return refers.Case == f.Index
	case name == "V":
		return refers.Verdict == f.Index
	default:
		return refers.Request == f.Index
	}
}
