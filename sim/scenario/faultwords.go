package scenario

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"moonwatch/member"
	"moonwatch/sim"
)

// faultTexts tell a fault to people, and its end; %s is whom it strikes. One
// without an entry is told by its name.
var faultTexts = map[sim.FaultKind][2]string{
	sim.Crash:       {"%s: the power is gone", "%s: the power is back"},
	sim.Wipe:        {"%s: power and disk are gone", "%s: the power is back, the disk is empty"},
	sim.KillAgent:   {"%s: the agent is killed", "%s: the agent is started again"},
	sim.KillService: {"%s: the service is killed", ""},
	sim.Sicken:      {"%s: the service falls ill", "%s: the service is well again"},
	sim.Pause:       {"%s: the machine stands still", "%s: the machine goes on"},
	sim.Freeze:      {"%s: the agent stands still", "%s: the agent goes on"},
	sim.Slow:        {"%s: the machine becomes slow", "%s: the machine is as fast as before"},
	sim.StallDisk:   {"%s: no write to the disk ends", "%s: the disk writes again"},
	sim.SlowDisk:    {"%s: the disk becomes slow", "%s: the disk is as fast as before"},
	sim.FullDisk:    {"%s: the disk is full", "%s: the disk has room again"},
	sim.TornTail:    {"%s: the power is gone in the middle of a write", "%s: the power is back"},
	sim.LostTail:    {"%s: the power is gone, and what was not synced", "%s: the power is back"},
	sim.BitFlip:     {"%s: a bit flips on the disk", "%s: people have emptied the disk"},
	sim.Isolate:     {"%s: cut off from all others", "%s: no longer cut off"},
	sim.Deafen:      {"%s: hears nobody, and is heard", "%s: hears the others again"},
	sim.Mute:        {"%s: heard by nobody, and hears", "%s: heard again"},
	sim.Lie:         {"%s: the agent says down about everybody", "%s: the agent says the truth again"},
}

// faultWords is what to say when a fault begins, and when it ends.
func faultWords(g *ground, f *sim.Fault) (begin, end string) {
	who := g.names(f.Whom)
	if len(f.Whom) == 0 {
		who = "everybody"
	}
	if f.Host != "" {
		who = f.Host
	}
	w, ok := faultTexts[f.Do]
	if !ok {
		w = [2]string{"%s: " + string(f.Do) + numbers(g, f), "%s: end of " + string(f.Do)}
	}
	return strings.Replace(w[0], "%s", who, 1), strings.Replace(w[1], "%s", who, 1)
}

// numbers is what a fault says besides its victims.
func numbers(g *ground, f *sim.Fault) string {
	var s string
	if len(f.Other) > 0 {
		s += " towards " + g.names(f.Other)
	}
	rule, _ := sim.RuleOf(f.Do)
	switch {
	case f.Share == 0:
	case rule.Share.Max > 1:
		s += fmt.Sprintf(", %g times", f.Share)
	default:
		s += fmt.Sprintf(", %.3g %%", 100*f.Share)
	}
	if f.Delay != 0 {
		s += ", by " + short(f.Delay)
	}
	if f.Every != 0 {
		s += ", every " + short(f.Every)
	}
	return s
}

// names lists members as people would: a whole failure domain by its name, and
// only the first few of many.
func (g *ground) names(ids []member.ID) string {
	const few = 6
	if len(ids) > 2 {
		if len(ids) == len(g.fleet.Members) {
			return "everybody"
		}
		d := g.domain(ids[0])
		if all := g.that(func(m member.Member) bool { return m.Domain == d }); len(all) == len(ids) && !slices.ContainsFunc(ids, func(id member.ID) bool { return g.domain(id) != d }) {
			return fmt.Sprintf("failure domain %s", d)
		}
	}
	if len(ids) > few {
		var first []string
		for _, id := range ids[:few-1] {
			first = append(first, string(id))
		}
		return fmt.Sprintf("%s and %d more", strings.Join(first, ", "), len(ids)-few+1)
	}
	return words(ids, "and")
}

func (g *ground) domain(id member.ID) member.FailureDomain {
	for _, m := range g.fleet.Members {
		if m.ID == id {
			return m.Domain
		}
	}
	return ""
}

// tenths prints a duration in seconds, rounded to 100 ms.
func tenths(d time.Duration) string {
	return fmt.Sprintf("%.1f s", d.Round(100*time.Millisecond).Seconds())
}
