package status

import (
	"maps"
	"testing"
	"time"

	"moonwatch/consensus"
)

func (s *story) lifted() {
	s.t.Helper()
	s.must(consensus.KindVerdict, "web-1", consensus.Verdict{Findings: []consensus.Finding{{Subject: "web-3", Kind: consensus.VerdictUp}}})
}

func TestWhoSawWhomIsToldOfEachMomentOfADay(t *testing.T) {
	s := newStory(t)
	s.tick(0)
	s.tick(time.Hour)
	s.condemned()
	fell := s.now
	s.tick(time.Hour)
	s.lifted()
	s.tick(time.Hour)
	x := s.past.Sights(s.now)
	if got := x.At(fell.Add(-time.Second)); len(got) != 0 {
		t.Errorf("before: %+v", got)
	}
	got := x.At(fell.Add(time.Minute))
	if len(got) != 1 || got[0].Subject != "web-3" || got[0].Downs() != 5 || got[0].Ups() != 1 || got[0].By[5].Observer != "web-5" {
		t.Errorf("then: %+v", got)
	}
	if got := x.At(s.now); len(got) != 0 {
		t.Errorf("now: %+v", got)
	}
	s.tick(23 * time.Hour)
	if n := len(s.past.Sights(s.now).Verdicts); n != 1 {
		t.Errorf("a day later %d verdicts are kept, want the last one", n)
	}
}

func TestAVerdictThatStandsIsNotForgotten(t *testing.T) {
	s := newStory(t)
	s.tick(0)
	s.condemned()
	for range 40 {
		s.tick(6 * time.Hour)
	}
	if got := s.past.Sights(s.now).At(s.now); len(got) != 1 || got[0].Downs() != 5 {
		t.Errorf("%+v", got)
	}
	records := s.past.Take()
	maps.DeleteFunc(records, func(_ string, b []byte) bool { return b == nil })
	back, err := RecallChronicle(records)
	if err != nil {
		t.Fatal(err)
	}
	if asJSON(t, back.Sights(s.now)) != asJSON(t, s.past.Sights(s.now)) {
		t.Error("after a restart it is another one")
	}
	s.lifted()
	s.tick(25 * time.Hour)
	s.tick(time.Hour)
	if n := len(s.past.Sights(s.now).Verdicts); n != 0 {
		t.Errorf("%d verdicts are kept", n)
	}
}

func TestVotesAreBounded(t *testing.T) {
	s := newStory(t)
	s.tick(0)
	for range countsKept {
		s.condemned()
		s.lifted()
		s.after(time.Second)
	}
	votes := 0
	for _, v := range s.past.Sights(s.now).Verdicts {
		for _, f := range v.Findings {
			for _, t := range f.Tallies {
				votes += len(t.Votes)
			}
		}
	}
	if n := len(s.past.sights); n != countsKept || votes > votesKept {
		t.Errorf("%d verdicts and %d votes, want at most %d and %d", n, votes, countsKept, votesKept)
	}
}
