package status

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"moonwatch/consensus"
	"moonwatch/failover"
	"moonwatch/member"
)

// Severity says how soon somebody should look at a notice.
type Severity string

// The severities.
const (
	Critical Severity = "critical" // it does not go on without people
	Warning  Severity = "warning"  // Moonwatch is at it, or somebody should look today
)

// Notice is one matter that people are told of, for as long as it stands. There is
// one for each root cause: what follows from it is in Folded, or in its stage.
type Notice struct {
	// ID is the same on every agent, and whatever becomes of the matter.
	ID string `json:"id"`
	// Stage is how far the matter is. People hear of a new one, unless it is Healing.
	Stage    string    `json:"stage"`
	Severity Severity  `json:"severity"`
	Since    time.Time `json:"since"`

	What    string   `json:"what"`              // happened
	Does    string   `json:"does"`              // Moonwatch
	Do      string   `json:"do"`                // people
	Command string   `json:"command"`           // to paste, for more
	Runbook string   `json:"runbook,omitempty"` // the page that tells what to do: its path in the repository
	Folded  []string `json:"folded,omitempty"`

	Members []member.ID `json:"members,omitempty"`
	Cases   []string    `json:"cases,omitempty"`

	// Into is the root cause whose notice says this one as well; empty: it is told
	// by itself.
	Into string `json:"into,omitempty"`
	// Patience is for how long it has to stand before people are told.
	Patience time.Duration `json:"patience,omitempty"`
	// Passing: what is over before that is nobody's trouble.
	Passing bool `json:"passing,omitempty"`
}

// councilLostKind is what IDs of the dead-man signal begin with.
const councilLostKind = "council-lost/"

// sameAs says whether both are of one matter. The dead-man signal is one for as long as
// the council is not heard, though a peer may hand over facts meanwhile.
func (n Notice) sameAs(other Notice) bool {
	return n.ID == other.ID || strings.HasPrefix(n.ID, councilLostKind) && strings.HasPrefix(other.ID, councilLostKind)
}

// Stages that have a meaning of their own.
const (
	Healing   = "healing"   // Moonwatch goes on by itself
	Escalated = "escalated" // a case has ended where people have to go on
	Stands    = "stands"    // of matters that have no other
)

// How long matters stand before people are told.
const (
	// What crosses the line together with others becomes a cascade within it.
	verdictPatience = 3 * time.Second
	// A restart of the council, and of the agent that looks, takes a few seconds.
	councilPatience = 30 * time.Second
	// A proof is a moment late, a claim takes a while.
	sparesPatience = time.Minute
	doorPatience   = 30 * time.Second
	// A fleet that is applied for the first time starts all its slots at once.
	slotPatience = 2 * time.Minute
	// Disks are full for a moment, agents are upgraded one by one.
	blockedPatience = 30 * time.Second
	// A case that is held for less was not held.
	heldPatience = 10 * time.Second
)

// Notices lists what stands on a page for people to be told of, sorted by ID. An
// agent that does not know how things stand has nothing to say about them: then
// known is false, and what stood before stands still. Without a council that it
// hears, that is its only notice.
func Notices(p Page) (list []Notice, known bool) {
	list, known = noticesOf(p)
	for i := range list {
		list[i].Runbook = runbookOf(p, list[i])
	}
	return list, known
}

func noticesOf(p Page) (list []Notice, known bool) {
	switch {
	case p.Cluster == "" || p.Knowledge.Blocked != "":
		return nil, false
	case p.Mode.Name == failover.Isolated:
		return []Notice{councilLost(p)}, false
	case !p.Knowledge.Current:
		return nil, false
	}
	verdicts := verdictNotices(p)
	list = append(list, cascades(p, verdicts)...)
	list = append(list, verdicts...)
	list = append(list, plannedCases(p)...)
	list = append(list, vacancies(p)...)
	list = append(list, starts(p)...)
	list = append(list, spareNotices(p)...)
	list = append(list, doorNotices(p)...)
	list = append(list, requestNotices(p)...)
	list = append(list, blockedNotices(p)...)
	list = append(list, certNotices(p)...)
	slices.SortFunc(list, func(a, b Notice) int { return cmp.Compare(a.ID, b.ID) })
	return list, true
}

// councilLost is the dead-man signal. Its ID has the last fact in it, so that all
// who lost the same council speak of one matter.
func councilLost(p Page) Notice {
	seen := 0
	for _, m := range p.Members {
		if m.InView {
			seen++
		}
	}
	return Notice{
		ID: fmt.Sprintf("%s%d", councilLostKind, p.Knowledge.Head), Stage: Stands, Severity: Critical, Since: p.Knowledge.AsOf.UTC(),
		What: fmt.Sprintf("%s hears of no council quorum since %s. It sees %d of %d members; the councillors are %s.",
			p.Self.Name, moment(p.Knowledge.AsOf), seen, len(p.Members), names(p.Council.Councillors)),
		Does:    "Nothing is decided here: no verdict, no replacement. Gateways go on choosing by what they see, and exclusive slots whose leases run out stop.",
		Do:      "Look whether the councillors run and reach each other. If most of them are lost for good, two operators found a new council (moonwatch council recover).",
		Command: "moonwatch council", Patience: councilPatience, Passing: true,
	}
}

// cascades are the matters behind others: one for the fleet, or one for each failure
// domain or pool. What is in them is folded into them.
func cascades(p Page, verdicts []Notice) []Notice {
	type place struct {
		Scope
		holds func(Member) bool
	}
	var places []place
	if p.Mode.Name == failover.Cascade {
		m := p.Mode
		places = append(places, place{Scope{Scope: failover.Fleet, Name: m.Name, Since: m.Since, Why: m.Why, Ends: m.Ends}, func(Member) bool { return true }})
	} else {
		for _, s := range p.Mode.Scopes {
			if s.Name == failover.Cascade {
				places = append(places, place{s, func(m Member) bool {
					return s.Scope == failover.InDomain(m.Domain) || s.Scope == failover.InPool(m.Pool)
				}})
			}
		}
	}
	var out []Notice
	for _, c := range places {
		n := Notice{
			ID: fmt.Sprintf("cascade/%s/%d", c.Scope.Scope, c.Since.Unix()), Stage: Stands, Severity: Critical, Since: c.Since.UTC(),
			What:    fmt.Sprintf("Cascade in %s: %s.", c.Scope.Scope, oneLine(c.Why)),
			Does:    fmt.Sprintf("%s. It ends when %s.", upperFirst(means(failover.Cascade)), oneLine(c.Ends)),
			Do:      "Look for what they have in common. To let one case go on in spite of it, two operators ask for it (moonwatch request override).",
			Command: "moonwatch explain mode",
		}
		for i := range verdicts {
			v := &verdicts[i]
			inside := slices.ContainsFunc(p.Members, func(m Member) bool { return slices.Contains(v.Members, m.ID) && c.holds(m) })
			if v.Into == "" && inside {
				v.Into = n.ID
				n.Folded = append(n.Folded, v.What)
				n.Members = append(n.Members, v.Members...)
				n.Cases = append(n.Cases, v.Cases...)
			}
		}
		out = append(out, n)
	}
	return out
}

func upperFirst(s string) string { return strings.ToUpper(s[:1]) + s[1:] }

func spareNotices(p Page) []Notice {
	var out []Notice
	for _, x := range p.Pools {
		if !x.Short() {
			continue
		}
		n := Notice{
			ID: "spares/" + x.Name, Stage: "short", Severity: Warning, Since: p.Now,
			What: fmt.Sprintf("Pool %s has %s free, fewer than its floor of %d: %d claimed, %d under a verdict, %d not ready, %d in quarantine, %d in burn-in.",
				x.Name, plural(x.Free, "spare"), x.Floor, x.Claimed, x.Condemned, x.Unready, x.Quarantined, x.BurnIn),
			Does:    "Lost slots are replaced for as long as there are spares. Who comes back becomes one after quarantine and burn-in.",
			Do:      "Repair members, or add some to the pool in fleet.yaml and apply it.",
			Command: "moonwatch spares", Patience: sparesPatience, Passing: true,
		}
		if x.Free == 0 {
			n.Stage, n.Severity = "empty", Critical
		}
		out = append(out, n)
	}
	return out
}

func doorNotices(p Page) []Notice {
	var out []Notice
	for _, d := range p.Doors {
		if len(d.Behind) == 0 {
			continue
		}
		n := Notice{
			ID: "door/" + string(d.Name), Stage: Stands, Severity: Critical, Since: p.Now,
			What:    fmt.Sprintf("Door %s does not treat %s as the ledger says.", d.Name, plural(len(d.Behind), "slot")),
			Does:    fmt.Sprintf("%s tells it again and again, and after 30 s without any effect the next teller does.", d.Teller),
			Do:      "Look at the door, and whether its tellers reach it: until then it may send requests where nobody serves.",
			Command: "moonwatch status", Patience: doorPatience, Passing: true,
		}
		for _, b := range d.Behind {
			n.Folded = append(n.Folded, fmt.Sprintf("%s: %s", b.Slot, b.Why))
		}
		out = append(out, n)
	}
	return out
}

// requestNotices call the second operator, or whoever may want to veto.
func requestNotices(p Page) []Notice {
	var out []Notice
	for _, r := range p.Requests {
		if !r.Open {
			continue
		}
		n := Notice{
			ID: "request/" + r.ID, Stage: string(r.State), Severity: Warning, Since: r.Given,
			What:    oneLine(fmt.Sprintf("%s asks: %s: %s.", r.By, r.Asks, r.Reason)),
			Does:    oneLine(upperFirst(r.Means+" ") + "until " + moment(r.Ends) + "."),
			Command: "moonwatch approvals",
		}
		switch r.State {
		case failover.RequestWaiting:
			n.Do = fmt.Sprintf("Another operator looks at the plan and says yes (moonwatch approve %s) or no (moonwatch reject %s).", r.ID, r.ID)
		case failover.RequestAnnounced:
			n.Severity = Critical
			n.Do = fmt.Sprintf("One operator asked alone. Who does not want it vetoes it before then: moonwatch reject %s.", r.ID)
		default:
			n.Do = fmt.Sprintf("It is in force. To end it before its time: moonwatch reject %s.", r.ID)
		}
		out = append(out, n)
	}
	return out
}

// blockedNotices are of agents that follow the ledger no more: what they were to tell,
// somebody else tells.
func blockedNotices(p Page) []Notice {
	var out []Notice
	for _, m := range p.Members {
		if !m.Mute || m.Verdict != "" || !m.InView {
			continue
		}
		out = append(out, Notice{
			ID: "blocked/" + string(m.ID), Stage: Stands, Severity: Warning, Since: p.Now,
			What:    fmt.Sprintf("The agent of %s has stopped following the ledger: it met a fact that it does not know, or its disk is full.", m.ID),
			Does:    "It observes and votes on, and decides nothing; whoever is next tells people in its place.",
			Do:      "Look at what it says, and upgrade it or free some space.",
			Command: "moonwatch status # on " + string(m.ID), Members: []member.ID{m.ID}, Patience: blockedPatience, Passing: true,
		})
	}
	return out
}

// over says how a matter ended, from a page on which it stands no more.
func over(p Page, n Notice) string {
	kind, rest, _ := strings.Cut(n.ID, "/")
	switch kind {
	case "verdict", "case":
		return verdictOver(p, n)
	case "council-lost":
		return fmt.Sprintf("%s hears a council quorum again.", p.Self.Name)
	case certKind:
		return "They were renewed, or their members are none of ours any more."
	case "blocked":
		return fmt.Sprintf("The agent of %s follows the ledger again, or is none of ours any more.", rest)
	case "cascade":
		scope, _, _ := strings.Cut(rest, "/")
		return fmt.Sprintf("The cascade in %s is over: mode %s.", scope, p.Mode.Name)
	case "spares":
		for _, x := range p.Pools {
			if x.Name == rest {
				return fmt.Sprintf("Pool %s has %s free again, its floor is %d.", rest, plural(x.Free, "spare"), x.Floor)
			}
		}
		return fmt.Sprintf("Pool %s is no more.", rest)
	case "vacant", "starting":
		return slotsOver(p, kind, rest)
	case "door":
		return fmt.Sprintf("Door %s treats its slots as the ledger says.", rest)
	case "request":
		for _, r := range p.Requests {
			if r.ID == rest {
				return oneLine(fmt.Sprintf("%s: %s.", r.ID, r.Means))
			}
		}
		return rest + " is over."
	default:
		return "It is over."
	}
}

func verdictOver(p Page, n Notice) string {
	var parts []string
	for _, c := range p.Cases {
		if !slices.Contains(n.Cases, c.ID) {
			continue
		}
		end := c.Since
		switch c.Outcome {
		case failover.OutcomeReplaced, failover.OutcomeSwitched:
			parts = append(parts, fmt.Sprintf("%s put %s into %s, closed %s after the matter began", c.ID, c.Spare, c.Slot, span(end.Sub(n.Since))))
		case failover.OutcomeRestarted:
			parts = append(parts, fmt.Sprintf("%s restarted %s on %s", c.ID, c.Slot, c.Subject))
		case failover.OutcomeAborted:
			parts = append(parts, fmt.Sprintf("%s was given up before anything was done that cannot be undone", c.ID))
		}
	}
	for _, m := range p.Members {
		switch {
		case !slices.Contains(n.Members, m.ID):
		case m.Verdict == "":
			parts = append(parts, string(m.ID)+" is up")
		case m.Verdict == consensus.VerdictDown:
			parts = append(parts, string(m.ID)+" is still down: it comes back as a spare once it is repaired")
		default:
			parts = append(parts, fmt.Sprintf("%s is %s", m.ID, m.Verdict))
		}
	}
	if parts == nil {
		return "Its members are in the roster no more."
	}
	return upperFirst(strings.Join(parts, "; ")) + "."
}
