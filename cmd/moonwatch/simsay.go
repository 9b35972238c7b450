package main

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"moonwatch/sim/campaign"
	"moonwatch/sim/scenario"
)

// outcomeWords are the outcomes for people, the worst first.
var outcomeWords = []struct {
	outcome scenario.Outcome
	words   string
	code    int
}{
	{scenario.SafetyBroken, "safety broken", exitSafety},
	{scenario.NotDeterministic, "not deterministic", exitNotDeterministic},
	{campaign.Crashed, "crashed", exitError},
	{scenario.LivenessBroken, "liveness broken", exitLiveness},
	{scenario.Missed, "an expectation was missed", exitDegraded},
	{scenario.Void, "void", exitVoid},
	{scenario.Ok, "ok", exitOK},
}

func outcomeText(o scenario.Outcome) string {
	for _, x := range outcomeWords {
		if x.outcome == o {
			return x.words
		}
	}
	return string(o)
}

func outcomeCode(o scenario.Outcome) int {
	for _, x := range outcomeWords {
		if x.outcome == o {
			return x.code
		}
	}
	return exitError
}

// broke says what broke, in a line.
func broke(f campaign.Failure) string {
	s := outcomeText(f.Outcome)
	if f.At > 0 {
		s += fmt.Sprintf(" at %.1fs", f.At.Seconds())
	}
	if f.Promise != "" && !strings.Contains(f.Broken, f.Promise) {
		s += ": " + f.Promise
	}
	if f.Broken != "" {
		s += ": " + f.Broken
	}
	return s
}

// summary prints what a campaign came to.
func (p *printer) summary(s *campaign.Summary) {
	p.line("%s: %s of %d members, %s virtual in %s%s", s.Scenario, many(s.Seeds, "seed"), s.Members,
		span(seconds(s.Virtual)), span(seconds(s.Wall)), speed(s.PerSecond))
	var outcomes []string
	for _, x := range outcomeWords {
		if n := s.Outcomes[x.outcome]; n > 0 {
			outcomes = append(outcomes, fmt.Sprintf("%d %s", n, x.words))
		}
	}
	slices.Reverse(outcomes)
	p.fact("outcomes", "%s", cmp.Or(strings.Join(outcomes, ", "), "none"))
	p.figures(s)
	if s.Trace != nil {
		p.fact("trace", "%s", *s.Trace)
	}
	if len(s.Lacking) > 0 {
		p.fact("missed", "the scenario wants these to happen in some seed, and they did not: %s", strings.Join(s.Lacking, ", "))
	}
	if len(s.Unchecked) > 0 {
		p.fact("warning", "never looked at, so not checked: %s", strings.Join(s.Unchecked, ", "))
	}
	if len(s.Never) > 0 {
		p.fact("warning", "never happened in %d seeds, so nothing is known about it: %s", s.Seeds, strings.Join(s.Never, ", "))
	}
}

// figures prints what was counted and measured.
func (p *printer) figures(s *campaign.Summary) {
	p.fact("verdicts", "%d, of them false %d in %.2g member-days", s.Verdicts, s.False, s.MemberDays)
	p.percentiles("detection", s.DetectP50, s.DetectP99)
	p.percentiles("recovery", s.RecoverP50, s.RecoverP99)
	if s.Requests > 0 {
		p.fact("requests", "%d, of them failed %d", s.Requests, s.Failed)
	}
	for _, note := range s.Notes {
		if s.Seeds > 1 {
			note = "in at least one seed: " + note
		}
		p.fact("note", "%s", note)
	}
	checks, looked := 0, 0
	for _, n := range s.Checks {
		if n > 0 {
			checks, looked = checks+n, looked+1
		}
	}
	if checks > 0 {
		p.fact("checks", "%d, of %s", checks, many(looked, "promise"))
	}
}

func (p *printer) fact(name, format string, args ...any) {
	p.line("  %-10s %s", name, fmt.Sprintf(format, args...))
}

func (p *printer) percentiles(name string, p50, p99 *int64) {
	if p50 != nil && p99 != nil {
		p.fact(name, "p50 %.2fs, p99 %.2fs", float64(*p50)/1000, float64(*p99)/1000)
	}
}

// failures lists what broke, with the lines that replay it, and what showed
// nothing.
func (p *printer) failures(s *campaign.Summary) {
	for i, f := range s.Voids {
		if i == toldFailures {
			p.line("and %s besides", many(len(s.Voids)-i, "void seed"))
			break
		}
		p.line("seed %d: %s", f.Seed, broke(f))
	}
	for i, f := range s.Failures {
		if i == toldFailures {
			p.line("and %s besides", many(len(s.Failures)-i, "broken seed"))
			break
		}
		p.line("seed %d: %s", f.Seed, broke(f))
		if f.Plan != "" {
			p.line("  moonwatch sim replay %s", quoted(f.Plan))
		}
	}
}

// quoted is a word as a shell takes it.
func quoted(word string) string {
	if strings.Trim(word, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_./=:@%+,") == "" {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }

func many(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

func speed(perSecond *float64) string {
	switch {
	case perSecond == nil:
		return ""
	case *perSecond >= 1e6:
		return fmt.Sprintf(", %.1f million events a second", *perSecond/1e6)
	default:
		return fmt.Sprintf(", %.0f events a second", *perSecond)
	}
}
