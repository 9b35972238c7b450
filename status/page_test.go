package status

import (
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"moonwatch/consensus"
	"moonwatch/failover"
	"moonwatch/member"
)

func TestSameFactsGiveTheSamePage(t *testing.T) {
	pages := [2]string{}
	for i := range pages {
		s := newStory(t)
		s.replaced()
		pages[i] = asJSON(t, s.page())
	}
	if pages[0] != pages[1] {
		t.Error("two runs of one story differ")
	}
}

func TestAPageDoesNotChangeWhenTheStoryGoesOn(t *testing.T) {
	s := newStory(t)
	c := s.opened()
	p := s.page()
	before := asJSON(t, p)
	s.after(3 * time.Second)
	s.step(c, failover.CaseStep{To: failover.Held, Held: failover.HeldBrake, Detail: "later"})
	s.commit(consensus.KindFleet, "web-1", fleet())
	if asJSON(t, p) != before {
		t.Error("a page that was handed out has changed")
	}
}

func TestHistoryIsBounded(t *testing.T) {
	s := newStory(t)
	for range keptLines + 50 {
		s.must(failover.KindBrake, "web-1", failover.Brakes{})
	}
	for range keptVerdicts + 10 {
		s.condemned()
		s.must(consensus.KindVerdict, "web-1", consensus.Verdict{Findings: []consensus.Finding{{Subject: "web-3", Kind: consensus.VerdictUp}}})
	}
	p := s.page()
	if len(p.Facts) != keptLines || len(p.Verdicts) != keptVerdicts {
		t.Fatalf("%d lines and %d verdicts, want %d and %d", len(p.Facts), len(p.Verdicts), keptLines, keptVerdicts)
	}
	if p.Facts[0].Index != s.ledger.Head() || p.Verdicts[0].Index != s.ledger.Head() {
		t.Error("the newest does not come first")
	}
}

func TestARepeatedFactLeavesOneLine(t *testing.T) {
	s := newStory(t)
	f := s.must(failover.KindBrake, "web-1", failover.Brakes{})
	n := len(s.history.lines)
	s.history.Apply(f)
	if len(s.history.lines) != n {
		t.Error("a fact was taken twice")
	}
}

func TestARefusalIsShown(t *testing.T) {
	s := newStory(t)
	s.commit(failover.KindReturned, "web-1", failover.Returned{Member: "web-2"})
	f := s.page().Facts[0]
	if f.Accepted || !strings.HasPrefix(f.Line, "refused: member-returned of web-1: return of web-2: it is not in burn-in") {
		t.Errorf("got %+v", f)
	}
}

func TestModeSaysWhySinceWhenAndHowItEnds(t *testing.T) {
	s := newStory(t)
	brake := failover.Brakes{Modes: map[failover.Scope]failover.ScopeMode{
		failover.Fleet:         {Mode: failover.Cascade, Since: noon, Why: "3 of 7", Ends: "fewer than 2 for 2m", Open: []member.ID{"web-3"}},
		failover.InPool("web"): {Mode: failover.Guarded, Since: noon, Why: "2 of 7", Ends: "calm"},
	}}
	s.must(failover.KindBrake, "web-1", brake)
	m := s.page().Mode
	want := Mode{
		Name: failover.Cascade, Means: means(failover.Cascade), Since: noon, Why: "3 of 7", Ends: "fewer than 2 for 2m", Open: []member.ID{"web-3"},
		Scopes: []Scope{{Scope: "pool:web", Name: failover.Guarded, Since: noon, Why: "2 of 7", Ends: "calm"}},
	}
	if !reflect.DeepEqual(m, want) {
		t.Errorf("got %+v", m)
	}
}

func TestAnIsolatedAgentSaysHowOldItsKnowledgeIs(t *testing.T) {
	s := newStory(t)
	in := s.input()
	in.Mode, in.ModeSince, in.Quorum, in.Leader = failover.Isolated, s.now, false, ""
	in.Now = s.now.Add(90 * time.Second)
	p := Build(in)
	if p.Mode.Why == "" || p.Mode.Ends == "" || !p.Mode.Since.Equal(s.now) {
		t.Errorf("the mode does not explain itself: %+v", p.Mode)
	}
	if got := p.Knowledge.Age(p.Now); got != 90*time.Second || p.Knowledge.Current {
		t.Errorf("age %v, current %v", got, p.Knowledge.Current)
	}
}

func TestCurrentKnowledgeHasNoAgeHoweverOldTheLastFact(t *testing.T) {
	s := newStory(t)
	s.after(72 * time.Hour)
	if p := s.page(); p.Knowledge.Age(p.Now) != 0 {
		t.Errorf("age %v", p.Knowledge.Age(p.Now))
	}
}

func TestTheHeadlineOfOldKnowledgeSaysHowOldItIs(t *testing.T) {
	s := newStory(t)
	p := s.page()
	p.Knowledge.Current, p.Knowledge.AsOf = false, noon
	if got := headline(p); got != "All 5 slots are served. So it stood at 2026-05-04 12:00:00.0 UTC." {
		t.Error(got)
	}
}

func TestAnAgentWithoutALedgerHasAPage(t *testing.T) {
	st := failover.NewState()
	l := consensus.NewLedger(st)
	st.Bind(l)
	p := Build(Input{Now: noon, Self: "web-1", Ledger: l, State: st, History: NewHistory(), Mode: failover.Isolated})
	if p.Self.Listed || !strings.Contains(p.Headline, "no ledger yet") {
		t.Errorf("got %+v, %q", p.Self, p.Headline)
	}
	if _, err := p.Explain("web-1"); !errors.Is(err, ErrUnknown) {
		t.Errorf("got %v", err)
	}
}

func TestSlotsSaySeparatelyWhoHoldsThemAndWhetherTheyServe(t *testing.T) {
	s := newStory(t)
	p := s.page()
	if p.Headline != "All 5 slots are served." {
		t.Error(p.Headline)
	}
	s.condemned()
	p = s.page()
	if got := p.Slots[2].State; got != SlotTrouble {
		t.Errorf("condemned occupant: %s", got)
	}
	s = newStory(t)
	s.opened()
	p = s.page()
	if got := p.Slots[2]; got.State != SlotDrained || got.Case != "C-4" {
		t.Errorf("open case: %+v", got)
	}
	if p.Headline != "4 of 5 slots are served: slot-2 drained (C-4)." {
		t.Error(p.Headline)
	}
	s = newStory(t)
	s.replaced()
	p = s.page()
	if got := p.Slots[2]; got.State != SlotServing || got.Occupant != "spare-1" || got.Epoch != 7 {
		t.Errorf("replaced: %+v", got)
	}
}

func TestSparesAreCountedByWhatTheyAreGoodFor(t *testing.T) {
	s := newStory(t)
	if p := s.page().Pools[0]; p.Free != 2 || p.Short() {
		t.Errorf("calm: %+v", p)
	}
	s.replaced()
	if p := s.page().Pools[0]; p.Free != 1 || p.Quarantined != 1 || p.Serving != 5 || p.Short() {
		t.Errorf("replaced: %+v", p)
	}
	s.must(consensus.KindVerdict, "web-1", consensus.Verdict{Findings: []consensus.Finding{{Subject: "web-3", Kind: consensus.VerdictUp}}})
	if p := s.page().Pools[0]; p.BurnIn != 1 || p.Quarantined != 0 {
		t.Errorf("well again: %+v", p)
	}
}

func TestTheBudgetCountsWhatReachedFencing(t *testing.T) {
	s := newStory(t)
	s.replaced()
	if b := s.page().Budget; b.Spent != 1 || b.MaySpend != 2 || b.InFlight != 0 || b.MayFly != 1 {
		t.Errorf("got %+v", b)
	}
	s.after(11 * time.Minute)
	if b := s.page().Budget; b.Spent != 0 {
		t.Errorf("after the window: %+v", b)
	}
}

func TestStrangersAreUnlistedAndMissingMembersAreOutOfView(t *testing.T) {
	s := newStory(t)
	in := s.input()
	in.View = append(in.View[:6], Seen{Name: "intruder", Addr: "10.9.9.9:7946", Alive: true}, Seen{Name: "ghost"})
	in.Accused = []member.ID{"web-2"}
	p := Build(in)
	if want := []Unlisted{{ID: "intruder", Addr: "10.9.9.9:7946"}}; !reflect.DeepEqual(p.Unlisted, want) {
		t.Errorf("unlisted %+v", p.Unlisted)
	}
	if m := p.Members[0]; m.ID != "web-2" || !m.Accused {
		t.Errorf("the accused member does not come first: %+v", m)
	}
	if m := p.Members[1]; m.ID != "web-5" || m.InView {
		t.Errorf("then the one out of view: %+v", m)
	}
}

func TestExplainOfAWrongIDSaysWhichExist(t *testing.T) {
	s := newStory(t)
	s.replaced()
	p := s.page()
	const known = "(members: spare-1, spare-2, web-1, web-2, web-3, web-4, web-5; verdicts: V-3; cases: C-4)"
	for _, c := range []struct{ id, want string }{
		{"", "want the id of a verdict or case, or the name of a member " + known},
		{"web-9", `explain "web-9": no member has that name, and an id looks like V-12 or C-13 ` + known},
		{"V-", "no member has that name"},
		{"V-x", "no member has that name"},
		{"X-3", "no member has that name"},
		{"V--3", "no member has that name"},
		{"V-99999999999999999999", "no member has that name"},
		{"V-0", "the ledger of web-1 ends with fact 10"},
		{"V-11", "the ledger of web-1 ends with fact 10"},
		{"V-4", "fact 4 is something else: C-4 case web-3"},
		{"C-3", "fact 3 is something else: V-3 verdict down web-3"},
		{"<script>\n", `explain "<script>"`},
	} {
		_, err := p.Explain(c.id)
		if !errors.Is(err, ErrUnknown) || !strings.Contains(fmt.Sprint(err), c.want) {
			t.Errorf("explain %q: got %v, want %s", c.id, err, c.want)
		}
	}
}

func TestExplainTakesIDsAsPeopleTypeThem(t *testing.T) {
	s := newStory(t)
	s.replaced()
	p := s.page()
	for id, want := range map[string]string{"v-3": "V-3", " C-4 ": "C-4", "web-3": "web-3", "slot-2": "spare-1"} {
		if e, err := p.Explain(id); err != nil || e.ID != want {
			t.Errorf("explain %q: got %q, %v", id, e.ID, err)
		}
	}
}

func TestExplainOfAHeldCaseSaysWhatHoldsItAndWhatComesNext(t *testing.T) {
	s := newStory(t)
	c := s.opened()
	s.after(3 * time.Second)
	s.must(failover.KindBrake, "web-1", failover.Brakes{Modes: map[failover.Scope]failover.ScopeMode{
		failover.Fleet: {Mode: failover.Cascade, Since: s.now, Why: "3 of 7 members in trouble", Ends: "calm"},
	}})
	s.step(c, failover.CaseStep{To: failover.Held, Held: failover.HeldBrake, Detail: "fleet is in cascade: 3 of 7 members in trouble"})
	e, err := s.page().Explain(c.Name())
	if err != nil {
		t.Fatal(err)
	}
	text := strings.Join(e.Lines, "\n")
	for _, want := range []string{
		"Held by brake: too many members are in trouble", "Why: fleet is in cascade: 3 of 7", "Mode: cascade (nothing destructive",
		"Budget: 0 of 1 replacements under way, 0 of 2 spent in 10 min.", "Gate now: closed by brake: fleet is in cascade",
		"Next: goes on by itself when the reason is gone.",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is missing in:\n%s", want, text)
		}
	}
}

func TestExplainOfACaseWithoutASpareSaysWhoServesMeanwhile(t *testing.T) {
	s := newStory(t)
	c := s.opened()
	s.step(c, failover.CaseStep{To: failover.Held, Held: failover.HeldPoolEmpty, Rung: failover.RungPeople, Detail: "no free spare in pool web"})
	e, err := s.page().Explain(c.Name())
	if err != nil {
		t.Fatal(err)
	}
	const want = "Meanwhile 4 of 5 slots of pool web serve, and share its traffic."
	if !slices.Contains(e.Lines, want) {
		t.Errorf("want %q in:\n%s", want, strings.Join(e.Lines, "\n"))
	}
}

func TestExplainKeepsWorkingWhenTheVotesAreForgotten(t *testing.T) {
	s := newStory(t)
	s.replaced()
	s.history = NewHistory() // as after a restart from a snapshot
	p := s.page()
	e, err := p.Explain("web-3")
	if err != nil || !strings.Contains(strings.Join(e.Lines, "\n"), "web-1 no longer keeps the votes of V-3.") {
		t.Errorf("got %v, %v", e.Lines, err)
	}
	if _, err := p.Explain("V-3"); !strings.Contains(fmt.Sprint(err), "is no verdict or is older than what web-1 keeps in mind") {
		t.Errorf("got %v", err)
	}
}
