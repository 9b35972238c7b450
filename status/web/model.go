package web

import (
	"fmt"
	"strings"
	"time"

	"moonwatch/failover"
	"moonwatch/status"
)

// How much of each list the page shows; the rest is counted, folded away or
// one link further. With these a storm in a fleet of 200 stays readable and
// its page below 30 KB.
const (
	shownVerdicts = 8
	shownFindings = 8 // of one verdict, with votes
	shownClosed   = 8
	shownFacts    = 40
	unfolded      = 24 // members or slots: up to so many are all in sight
)

// model is a page arranged for the eye.
type model struct {
	status.Page

	Seen string // the view's id
	Base string // where assets are

	Alerts  []string
	Open    []status.Case
	Closed  []status.Case
	Recent  []verdict
	Slotted []slotGroup
	Fleet   []memberGroup
	News    []status.FactLine
	Trouble int // members under a verdict or accused
	Unseen  int // members that gossip does not see and nobody accuses
	Serving int
	Free    int
}

type verdict struct {
	status.Verdict
	Findings []status.Finding // the first ones
	More     int
	Unfold   bool
}

// slotGroup is a table of slots; a folded one shows its summary first.
type slotGroup struct {
	Key    string // names the group from page to page
	Title  string
	Folded bool
	Slots  []status.Slot
}

// memberGroup is a table of members; a folded one shows its summary first.
type memberGroup struct {
	Key     string // names the group from page to page
	Title   string
	Folded  bool
	Members []status.Member
}

// explained is the page that answers "why?".
type explained struct {
	status.Explanation
	ID      string
	Base    string
	Trouble string
}

func modelOf(seen string, p status.Page) model {
	m := model{Page: p, Seen: seen, Base: base, Alerts: alerts(p)}
	for _, c := range p.Cases {
		switch {
		case c.Open:
			m.Open = append(m.Open, c)
		case len(m.Closed) < shownClosed:
			m.Closed = append(m.Closed, c)
		}
	}
	for i, v := range p.Verdicts[:min(len(p.Verdicts), shownVerdicts)] {
		n := min(len(v.Findings), shownFindings)
		m.Recent = append(m.Recent, verdict{
			Verdict: v, Findings: v.Findings[:n], More: len(v.Findings) - n,
			Unfold: i == 0 && len(v.Findings) == 1 && len(m.Open) > 0,
		})
	}
	for _, s := range p.Slots {
		if s.State == status.SlotServing {
			m.Serving++
		}
	}
	for _, x := range p.Pools {
		m.Free += x.Free
	}
	for _, x := range p.Members {
		switch {
		case x.Verdict != "" || x.Accused:
			m.Trouble++
		case x.Trouble():
			m.Unseen++
		}
	}
	m.Slotted, m.Fleet = groupSlots(p.Slots), groupMembers(p.Members)
	m.News = p.Facts[:min(len(p.Facts), shownFacts)]
	return m
}

// alerts are what people are told besides the mode.
func alerts(p status.Page) []string {
	var out []string
	say := func(format string, args ...any) { out = append(out, fmt.Sprintf(format, args...)) }
	if p.Knowledge.Blocked != "" {
		say("This agent has stopped deciding: %s.", p.Knowledge.Blocked)
	}
	if !p.Knowledge.Current {
		say("What follows is as old as %s: nothing later is known here.", age(p.Knowledge.Age(p.Now)))
	}
	if !p.Self.Listed && p.Cluster != "" {
		say("%s is not in the roster: it observes and votes for nobody.", p.Self.Name)
	}
	for _, s := range p.Mode.Scopes {
		say("%s is in mode %s: %s. It ends with %s.", scopeName(s.Scope), s.Name, s.Why, s.Ends)
	}
	for _, c := range p.Cases {
		if c.State == failover.Escalated {
			say("%s needs people: %s.", c.ID, c.Why)
		}
	}
	for _, x := range p.Pools {
		if !x.Armed {
			say("Pool %s is not armed: replacements are recorded, not done.", x.Name)
		}
		if x.Short() {
			say("Pool %s has %d free spares, fewer than its floor of %d.", x.Name, x.Free, x.Floor)
		}
	}
	for _, u := range p.Unlisted {
		what := "is not in the roster"
		if u.Retired {
			what = "is retired"
		}
		say("%s at %s %s: it is not observed and does not vote.", u.ID, u.Addr, what)
	}
	return out
}

func scopeName(s failover.Scope) string {
	kind, name, _ := strings.Cut(string(s), ":")
	if kind == "domain" {
		kind = "failure domain"
	}
	if name == "" {
		return "The " + kind
	}
	return strings.ToUpper(kind[:1]) + kind[1:] + " " + name
}

// groupSlots keeps what does not serve in sight and folds the rest of a large
// fleet away by pool.
func groupSlots(slots []status.Slot) []slotGroup {
	if len(slots) <= unfolded {
		return []slotGroup{{Title: "Slots", Slots: slots}}
	}
	bad := slotGroup{Title: "Slots that do not serve"}
	var calm []slotGroup
	for _, s := range slots {
		if s.State != status.SlotServing {
			bad.Slots = append(bad.Slots, s)
			continue
		}
		if n := len(calm); n == 0 || calm[n-1].Key != s.Pool {
			calm = append(calm, slotGroup{Key: s.Pool, Folded: true})
		}
		last := &calm[len(calm)-1]
		last.Slots = append(last.Slots, s)
		last.Title = fmt.Sprintf("Pool %s: %d slots serve", s.Pool, len(last.Slots))
	}
	if len(bad.Slots) == 0 {
		return calm
	}
	return append([]slotGroup{bad}, calm...)
}

// groupMembers does the same by failure domain. Pages list members in trouble
// first.
func groupMembers(members []status.Member) []memberGroup {
	if len(members) <= unfolded {
		return []memberGroup{{Title: "Members", Members: members}}
	}
	bad := memberGroup{Title: "Members that need a look"}
	var calm []memberGroup
	for _, x := range members {
		if x.Trouble() {
			bad.Members = append(bad.Members, x)
			continue
		}
		if n := len(calm); n == 0 || calm[n-1].Key != string(x.Domain) {
			calm = append(calm, memberGroup{Key: string(x.Domain), Folded: true})
		}
		last := &calm[len(calm)-1]
		last.Members = append(last.Members, x)
		last.Title = fmt.Sprintf("Failure domain %s: %d members up", x.Domain, len(last.Members))
	}
	if len(bad.Members) == 0 {
		return calm
	}
	return append([]memberGroup{bad}, calm...)
}

// age is a duration in the words of a sentence.
func age(d time.Duration) string {
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%d s", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%d min", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h", int(d.Hours()))
	default:
		return fmt.Sprintf("%d days", int(d.Hours())/24)
	}
}
