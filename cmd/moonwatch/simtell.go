package main

import (
	"encoding/json"
	"fmt"
	"strings"

	"moonwatch/sim/campaign"
)

// campaignView tells on standard error how a campaign goes.
type campaignView struct {
	bar    *bar
	broken int        // of this slice
	before int        // seeds of earlier slices
	tale   *chronicle // for the report; nil: nobody wants one
}

// toldFailures is how many broken seeds are told as they come, and again at the
// end; all of them are counted.
const toldFailures = 10

func (v *campaignView) tell(p campaign.Progress) {
	s := step{done: p.Done, all: p.Seeds, left: p.Left, text: many(p.Done, "seed")}
	if p.Seeds > 0 {
		s.text = fmt.Sprintf("%d of %s", p.Done, many(p.Seeds, "seed"))
	}
	if p.Broken > 0 {
		s.text += fmt.Sprintf(", %d broken", p.Broken)
	}
	if t := p.Elapsed.Seconds(); t >= 1 {
		per := float64(p.Events) / t
		s.text += speed(&per)
	}
	v.bar.show(s)
}

// kept takes in what earlier slices have played.
func (v *campaignView) kept(dir string, records []campaign.Record) {
	if v.before = len(records); v.before == 0 {
		return
	}
	v.bar.say("%s has %s already: this slice adds to them", dir, many(v.before, "seed"))
	if v.tale != nil {
		for _, r := range records {
			v.tale.add(r)
		}
	}
}

func (v *campaignView) each(r campaign.Record) {
	if v.tale != nil {
		v.tale.add(r)
	}
	if !r.Broken() {
		return
	}
	if v.broken++; v.broken <= toldFailures {
		v.bar.say("seed %d: %s", r.Seed, broke(r.Failure()))
	}
}

// print writes what a printer gathered to standard output.
func (a *app) print(p *printer) error {
	if _, err := a.out.Write(p.bytes()); err != nil {
		return fmt.Errorf("print: %w", err)
	}
	return nil
}

// printJSON prints one object.
func (a *app) printJSON(v any) error {
	e := json.NewEncoder(a.out)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	if err := e.Encode(v); err != nil {
		return fmt.Errorf("print: %w", err)
	}
	return nil
}

// lines prints a text of several lines.
func (p *printer) lines(s string) {
	for line := range strings.Lines(s) {
		p.line("%s", strings.TrimSuffix(line, "\n"))
	}
}
