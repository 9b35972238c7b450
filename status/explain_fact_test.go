package status

import (
	"errors"
	"strings"
	"testing"

	"moonwatch/consensus"
)

// TestWhatIsOlderThanThePageIsToldFromItsFacts: a verdict with its votes and what followed,
// a case with its steps, and any other fact in its line.
func TestWhatIsOlderThanThePageIsToldFromItsFacts(t *testing.T) {
	s := newStory(t)
	k := s.replaced()
	v, c := k.Verdict, k.ID
	var facts []consensus.Fact
	for _, f := range s.facts { // as they stand on a disk
		x, err := consensus.DecodeFact(f.Encode())
		if err != nil {
			t.Fatal(err)
		}
		facts = append(facts, x)
	}
	at := func(index uint64) (consensus.Fact, []consensus.Fact) {
		for i, f := range facts {
			if f.Index == index {
				return f, facts[i+1:]
			}
		}
		t.Fatalf("no fact %d", index)
		return consensus.Fact{}, nil
	}
	page := s.page()
	page.Verdicts, page.Cases, page.Facts = nil, nil, nil // they were months ago
	tell := func(id string, index uint64) string {
		t.Helper()
		f, after := at(index)
		e, err := page.ExplainFact(id, f, after)
		if err != nil {
			t.Fatal(err)
		}
		return strings.Join(e.Lines, "\n")
	}
	got := tell(verdictID(v), v)
	for _, want := range []string{verdictID(v) + " calls web-3 down", "votes", "What followed:", "DRAINING after " + verdictID(v), "as they were proposed"} {
		if !strings.Contains(got, want) {
			t.Errorf("nothing of %q in\n%s", want, got)
		}
	}
	got = tell(caseID(c), c)
	for _, want := range []string{"of kind case-opened", "ACTIVATING", "CUTOVER"} {
		if !strings.Contains(got, want) {
			t.Errorf("nothing of %q in\n%s", want, got)
		}
	}
	if got := tell("2", 2); !strings.Contains(got, "Fact 2, at 2026-05-04") || strings.Contains(got, "What followed") {
		t.Errorf("a fleet:\n%s", got)
	}
	f, after := at(v)
	if _, err := page.ExplainFact(caseID(v), f, after); !errors.Is(err, ErrUnknown) || !strings.Contains(err.Error(), "is something else: ") {
		t.Errorf("a verdict asked for as a case: %v", err)
	}
}

func TestIdsOfFacts(t *testing.T) {
	for id, want := range map[string]uint64{"V-12": 12, "c-13": 13, "R-14": 14, "H-15": 15, "16": 16, " 17 ": 17} {
		if _, got, ok := FactOf(id); !ok || got != want {
			t.Errorf("%q: %d, %v", id, got, ok)
		}
	}
	for _, id := range []string{"", "0", "V-", "web-1", "X-3", "V-0", "-3", "12x"} {
		if _, _, ok := FactOf(id); ok {
			t.Errorf("%q is no fact", id)
		}
	}
}
