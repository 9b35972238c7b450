package web

import (
	"fmt"
	"strings"
	"time"

	"moonwatch/failover"
	"moonwatch/member"
	"moonwatch/status"
)

// How much of each list the page shows; the rest is counted, folded away or
// one link further. With these a storm in a fleet of 200 stays readable and
// its page below 30 KB.
const (
	shownVerdicts = 8
	shownFindings = 3 // of one verdict, with votes
	shownNames    = 8 // members in one sentence
	shownOpen     = 6 // open cases with all their steps; the others as a table
	shownClosed   = 8
	shownFacts    = 40
	shownHolds    = 8
	shownRequests = 6
	unfolded      = 24 // members or slots: up to so many are all in sight
)

// model is a page arranged for the eye.
type model struct {
	frame
	status.Page

	Entered     []member.ID // the first members in trouble when the mode was entered
	EnteredMore int
	Alerts      []string
	Open        []status.Case
	Others      []status.Case // open, beyond those
	Closed      []status.Case
	Held        []status.Hold
	HeldMore    int
	Asked       []status.Request
	AskedMore   int
	Recent      []verdict
	Slotted     []slotGroup
	Fleet       []memberGroup
	Sitting     councilModel
	Told        latest // incidents
	News        []status.FactLine
	Trouble     int // members under a verdict or accused
	Unseen      int // members that gossip does not see and nobody accuses
	Serving     int
	Free        int
}

type verdict struct {
	status.Verdict
	Named   []named // in the heading
	Unnamed int
	Told    []status.Finding // with their votes
	Untold  int
	Unfold  bool
}

// named is a subject in a heading; New says that its kind is to be told: it is
// not the one before it.
type named struct {
	status.Finding
	New bool
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
	frame
	ID      string
	Today   time.Time // its midnight: times of other days have a date
	Trouble string
	Case    *status.Case
	Lines   []string
	See     []string
	Books   []choice // what tells people what to do
}

// Told is the answer in the page's language. It is escaped as one text: a verdict about a
// third of 200 members has more than a thousand lines.
func (m explained) Told() string {
	var b strings.Builder
	for _, line := range m.Lines {
		b.WriteString(m.L.TellLine(line))
		b.WriteByte('\n')
	}
	return b.String()
}

func modelOf(t *tongue, seen string, p status.Page, told latest) model {
	m := model{frame: frameOf(t, t.Word(p.Mode.Name), "/", "", p.Cluster), Page: p, Alerts: alerts(p), Sitting: councilOf(p), Told: told}
	m.Script, m.Seen, m.JSON = "live.js", seen, "/api/v1/page"
	m.Entered = p.Mode.Open[:min(len(p.Mode.Open), shownNames)]
	m.EnteredMore = len(p.Mode.Open) - len(m.Entered)
	m.Held = p.Holds[:min(len(p.Holds), shownHolds)]
	m.HeldMore = len(p.Holds) - len(m.Held)
	m.Asked = p.Requests[:min(len(p.Requests), shownRequests)]
	m.AskedMore = len(p.Requests) - len(m.Asked)
	for _, c := range p.Cases {
		switch {
		case c.Open && len(m.Open) < shownOpen:
			m.Open = append(m.Open, c)
		case c.Open:
			m.Others = append(m.Others, c)
		case len(m.Closed) < shownClosed:
			m.Closed = append(m.Closed, c)
		}
	}
	for i, v := range p.Verdicts[:min(len(p.Verdicts), shownVerdicts)] {
		all := v.Findings
		m.Recent = append(m.Recent, verdict{
			Verdict: v,
			Named:   heading(all[:min(len(all), shownNames)]), Unnamed: max(0, len(all)-shownNames),
			Told: all[:min(len(all), shownFindings)], Untold: max(0, len(all)-shownFindings),
			Unfold: i == 0 && len(all) == 1 && len(m.Open) > 0,
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

func heading(findings []status.Finding) []named {
	out := make([]named, len(findings))
	for i, f := range findings {
		out[i] = named{Finding: f, New: i == 0 || findings[i-1].Kind != f.Kind}
	}
	return out
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
	if !p.Self.Listed && !p.Self.Console && p.Cluster != "" {
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
	for _, r := range p.Requests {
		switch {
		case !r.Open || r.Void != "":
		case r.State == failover.RequestWaiting:
			say("%s waits until %s for another operator than %s: %s.", r.ID, r.Ends.Format("15:04:05"), r.By, r.Asks)
		case r.State == failover.RequestAnnounced && !r.Ends.IsZero():
			say("%s by %s alone takes effect at %s unless another operator vetoes it: %s.", r.ID, r.By, r.Ends.Format("15:04:05"), r.Asks)
		case r.State == failover.RequestInForce:
			say("%s is in force until %s: %s.", r.ID, r.Ends.Format("15:04:05"), r.Asks)
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
	for _, x := range p.Loans() {
		say("%s.", x)
	}
	for _, x := range status.Endings(p) {
		out = append(out, x.Lines(p.Now)...)
	}
	for _, u := range p.Unlisted {
		if u.Addr == "" {
			continue // retired, and its agent does not run
		}
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
	bad := slotGroup{Key: "lost"}
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
		last.Title = fmt.Sprintf("Pool %s: %d serve", s.Pool, len(last.Slots))
	}
	if len(bad.Slots) == 0 {
		return calm
	}
	bad.Title = fmt.Sprintf("%d slots do not serve", len(bad.Slots))
	bad.Folded = len(bad.Slots) > 2*unfolded
	return append([]slotGroup{bad}, calm...)
}

// groupMembers does the same by failure domain. Pages list members in trouble
// first.
func groupMembers(members []status.Member) []memberGroup {
	if len(members) <= unfolded {
		return []memberGroup{{Title: "Members", Members: members}}
	}
	bad := memberGroup{Key: "trouble"}
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
		last.Title = fmt.Sprintf("Failure domain %s: %d up", x.Domain, len(last.Members))
	}
	if len(bad.Members) == 0 {
		return calm
	}
	bad.Title = fmt.Sprintf("%d members need a look", len(bad.Members))
	bad.Folded = len(bad.Members) > 2*unfolded
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
