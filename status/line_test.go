package status

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"moonwatch/consensus"
	"moonwatch/failover"
	"moonwatch/member"
)

// accepted makes a fact as a ledger would have applied it.
func accepted(t *testing.T, kind consensus.FactKind, payload any) consensus.Fact {
	t.Helper()
	c, err := consensus.NewCommand(kind, "x", "web-1", noon, payload)
	if err != nil {
		t.Fatal(err)
	}
	return consensus.Fact{Index: 12, Time: noon, Command: c, Accepted: true}
}

func TestLineOfEachKind(t *testing.T) {
	finding := func(id member.ID, k consensus.VerdictKind) consensus.Finding {
		return consensus.Finding{
			Subject: id, Kind: k,
			Agent:   consensus.Count{Assigned: 6, Eligible: 6, Needed: 4, Downs: 5, Ups: 1},
			Service: consensus.Count{Assigned: 6, Eligible: 5, Needed: 3, Downs: 2, Ups: 4},
		}
	}
	one := func(k consensus.VerdictKind) consensus.Verdict {
		return consensus.Verdict{Findings: []consensus.Finding{finding("web-3", k)}}
	}
	withdrawn := one(consensus.VerdictUp)
	withdrawn.Findings[0].Withdrawn = true
	several := consensus.Verdict{Domain: "a", Findings: []consensus.Finding{
		finding("web-1", consensus.VerdictDomainCut), finding("web-2", consensus.VerdictDomainCut), finding("web-4", consensus.VerdictDown),
	}}
	brakes := failover.Brakes{Modes: map[failover.Scope]failover.ScopeMode{
		failover.Fleet:         {Mode: failover.Guarded, Why: "2 of 7 members in trouble"},
		failover.InDomain("a"): {Mode: failover.Cascade, Why: "2 of 3"},
	}}
	for _, c := range []struct {
		kind    consensus.FactKind
		payload any
		want    string
	}{
		{consensus.KindVerdict, one(consensus.VerdictDown), "V-12 verdict down web-3: 5 of 6 observers, needed 4"},
		{consensus.KindVerdict, one(consensus.VerdictServiceDown), "V-12 verdict service-down web-3: 2 of 5 observers, needed 3; its agent answers"},
		{consensus.KindVerdict, one(consensus.VerdictAgentLost), "V-12 verdict agent-lost web-3: 5 of 6 observers, needed 4; 4 reach its service"},
		{consensus.KindVerdict, one(consensus.VerdictPartial), "V-12 verdict partial web-3: 5 of 6 observers, needed 4; 1 reach it"},
		{consensus.KindVerdict, withdrawn, "V-12 verdict up web-3: 1 of 6 observers reach it, withdrawn before anything irreversible"},
		{consensus.KindVerdict, several, "V-12 verdict domain-cut of failure domain a: web-1, web-2; down web-4"},
		{failover.KindCaseStep, failover.CaseStep{Case: 9, To: failover.Held, Held: failover.HeldBrake, Detail: "fleet is in cascade"}, "C-9 HELD by brake: fleet is in cascade"},
		{failover.KindCaseStep, failover.CaseStep{Case: 9, To: failover.Activating, Spare: "spare-1"}, "C-9 ACTIVATING spare-1"},
		{failover.KindReport, failover.Report{Case: 9, Step: failover.StepActivate, Slot: "slot-2", Epoch: 11, Detail: "exit 1"}, "C-9 web-1 says: activate of slot-2 at slot epoch 11 failed: exit 1"},
		{failover.KindReport, failover.Report{Step: failover.StepStop, Slot: "slot-2", Epoch: 2, Done: true, Took: 90 * time.Millisecond}, "web-1 says: stop of slot-2 at slot epoch 2 done after 90ms"},
		{failover.KindBrake, brakes, "mode guarded: 2 of 7 members in trouble; domain:a cascade: 2 of 3"},
		{failover.KindBrake, failover.Brakes{}, "mode normal"},
		{failover.KindReturned, failover.Returned{Member: "web-3"}, "web-3 is a spare again"},
		{"horoscope", map[string]int{}, "fact of kind horoscope, which this agent does not know"},
	} {
		if got := Line(accepted(t, c.kind, c.payload)); got != c.want {
			t.Errorf("got  %s\nwant %s", got, c.want)
		}
	}
}

func TestARefusalSaysWhoseAndWhy(t *testing.T) {
	f := accepted(t, consensus.KindFleet, member.Fleet{})
	f.Accepted, f.Reason = false, "slot web-0 is occupied by web-1:\ndrain it before it is removed"
	want := "refused: fleet of web-1: slot web-0 is occupied by web-1: drain it before it is removed"
	if got := Line(f); got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	f.Command.Warrant = &consensus.Warrant{Operator: "mia"}
	if got := Line(f); !strings.Contains(got, "fleet of mia") {
		t.Errorf("the operator is not named: %s", got)
	}
}

func TestALineIsOneShortLineWhateverOthersWrote(t *testing.T) {
	for _, bad := range []string{"two\nlines", "clear\x1b[2Jscreen", "right\u202eleft", "zero\u200bwidth", strings.Repeat("x", 10_000)} {
		got := Line(accepted(t, failover.KindReport, failover.Report{Step: failover.StepStop, Slot: "s", Detail: bad}))
		if strings.ContainsAny(got, "\n\r\x1b\u202e\u200b") || len([]rune(got)) > maxLine {
			t.Errorf("%q became %q", bad, got)
		}
	}
}

func TestAPayloadThatCannotBeReadIsSaid(t *testing.T) {
	f := accepted(t, consensus.KindVerdict, 1)
	f.Command.Payload = json.RawMessage(`"x"`)
	if got := Line(f); !strings.HasPrefix(got, "fact 12: verdict x: ") {
		t.Errorf("got %s", got)
	}
}
