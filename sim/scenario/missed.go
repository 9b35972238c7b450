package scenario

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"moonwatch/failover"
	"moonwatch/internal/strict"
	"moonwatch/member"
)

// needStory reports that the transcript is needed to tell whether they are met.
func (e Expectations) needStory() bool { return len(e.Facts)+len(e.Never) > 0 }

// missed lists the expectations that were not met, in their order.
func (r *run) missed(res *Result, story *Story) []miss {
	e, x := r.plan.Expect, r.witness
	var out []miss
	bad := func(key, format string, args ...any) {
		out = append(out, miss{key, fmt.Sprintf(format, args...)})
	}
	for _, l := range r.late {
		bad("within", "%s", l)
	}
	for _, l := range r.idled {
		bad("steps", "%s", l)
	}
	atMost := func(key string, limit Duration, pct int, got []time.Duration) {
		switch {
		case limit == 0:
		case len(got) == 0:
			bad(key, "nothing was measured, want at most %s", limit)
		case Percentile(got, pct) > time.Duration(limit):
			bad(key, "%s, want at most %s", strict.Short(Percentile(got, pct).Round(time.Millisecond)), limit)
		}
	}
	atMost("detect_p50", e.DetectP50, 50, x.detect)
	atMost("detect_p99", e.DetectP99, 99, x.detect)
	atMost("recover_max", e.RecoverMax, 100, x.recover)
	count := func(key string, want *Range, got int) {
		if want != nil && !want.Has(got) {
			bad(key, "%d, want %s", got, want)
		}
	}
	count("verdicts", e.Verdicts, res.Verdicts)
	r.missedVerdicts(e.Verdict, bad)
	count("false_verdicts", e.FalseVerdicts, res.False)
	count("failovers", e.Failovers, x.failovers)
	count("restarts", e.Restarts, x.restarts)
	count("destructive", e.Destructive, x.destructive)
	r.missedModes(e, bad)
	for _, slot := range r.slots("occupant_changed", e.OccupantChanged, bad) {
		if by := r.w.Occupant(slot); by == x.first[slot] {
			bad("occupant_changed", "slot %s is still held by %s", slot, by)
		}
	}
	for _, slot := range r.slots("occupant_kept", e.OccupantKept, bad) {
		if by := r.w.Occupant(slot); by != x.first[slot] {
			bad("occupant_kept", "slot %s went from %s to %s", slot, x.first[slot], by)
		}
	}
	for _, s := range e.ServedBy {
		slot := member.SlotID(s.Slot.name)
		if by := r.w.Occupant(slot); !r.w.Served(slot) || !slices.Contains(r.originally(s.By), by) {
			bad("served_by", "slot %s is held by %s (served: %v), want it served by %s", slot, by, r.w.Served(slot), s.By)
		}
	}
	if limit := e.FailedRequestsMax; limit != nil && res.Failed > *limit {
		bad("failed_requests_max", "%d of %d, want at most %d", res.Failed, res.Requests, *limit)
	}
	if lost := x.unquorate; e.Quorum == quorumKept && lost || e.Quorum == quorumLost && !lost {
		bad("quorum", "the council's was %s, want it %s", map[bool]string{false: quorumKept, true: quorumLost}[lost], e.Quorum)
	}
	if res.Shield != nil {
		e.missedOfShield(*res.Shield, bad)
	}
	if e.needStory() {
		missedLines(e, string(Transcript(story)), bad)
	}
	return out
}

// missedVerdicts looks for who had to be condemned, and who must not be.
func (r *run) missedVerdicts(wanted []WantedVerdict, bad func(key, format string, args ...any)) {
	for _, v := range wanted {
		for _, id := range r.originally(v.Whom) {
			var got []string
			for _, c := range r.witness.condemned {
				if c.Whom.name == string(id) {
					got = append(got, string(c.Kind))
				}
			}
			switch {
			case v.Kind == noVerdict && len(got) > 0:
				bad("verdict", "%s was condemned: %s, want no verdict", id, strict.Words(got, "and"))
			case v.Kind == noVerdict, slices.Contains(got, string(v.Kind)):
			case len(got) == 0:
				bad("verdict", "%s was never condemned, want %s", id, v.Kind)
			default:
				bad("verdict", "%s: %s, want %s", id, strict.Words(got, "and"), v.Kind)
			}
		}
		if len(r.originally(v.Whom)) == 0 {
			bad("verdict", "%s was nobody in this story", v.Whom)
		}
	}
}

func (r *run) missedModes(e Expectations, bad func(key, format string, args ...any)) {
	worst := failover.Normal
	for _, m := range r.witness.modes {
		if m.Rank() > worst.Rank() {
			worst = m
		}
	}
	if e.ModeMax != "" && worst != e.ModeMax {
		bad("mode_max", "%s, want %s", worst, e.ModeMax)
	}
	for _, m := range e.Modes {
		if !slices.Contains(r.witness.modes, m) {
			bad("modes", "mode %s was never reached, only %s", m, strict.Words(append([]failover.Mode{failover.Normal}, r.witness.modes...), "and"))
		}
	}
}

// missedLines looks for lines of the transcript.
func missedLines(e Expectations, transcript string, bad func(key, format string, args ...any)) {
	rest := transcript
	for _, f := range e.Facts {
		at := strings.Index(rest, f)
		if at < 0 {
			if strings.Contains(transcript, f) {
				bad("facts", "%q stands in the transcript, and not behind what is expected before it", f)
			} else {
				bad("facts", "%q does not stand in the transcript", f)
			}
			continue
		}
		rest = rest[at+len(f):]
	}
	for _, f := range e.Never {
		if strings.Contains(transcript, f) {
			bad("never", "%q stands in the transcript", f)
		}
	}
}

// slots are the slots that selectors mean: by their names, or those that a
// member got from the fleet. Of selectors that mean none nothing can be expected.
func (r *run) slots(key string, sels []Selector, bad func(key, format string, args ...any)) []member.SlotID {
	var slots []member.SlotID
	for _, s := range sels {
		if s.kind == bySlot {
			slots = append(slots, member.SlotID(s.name))
			continue
		}
		ids, before := r.originally(s), len(slots)
		for _, id := range ids {
			for _, slot := range sortedKeys(r.witness.first) {
				if r.witness.first[slot] == id {
					slots = append(slots, slot)
				}
			}
		}
		switch {
		case len(ids) == 0:
			bad(key, "%s was nobody in this story", s)
		case len(slots) == before:
			bad(key, "%s held no slot in the beginning", s)
		}
	}
	return slots
}

// originally are the members that a selector means in an expectation: spares
// and occupants are those of the beginning.
func (r *run) originally(s Selector) []member.ID {
	if s.kind == theSpares || s.kind == occupants {
		return r.eye.g.that(func(m member.Member) bool { _, holds := r.eye.g.holds[m.ID]; return holds == (s.kind == occupants) })
	}
	ids, _ := r.eye.one(roll(0, 0, forWhom), s, nil)
	return ids
}
