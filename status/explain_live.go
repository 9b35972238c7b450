package status

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"moonwatch/agent"
	"moonwatch/consensus"
	"moonwatch/member"
)

// Observed is what the observers of one member see of it now, as far as this agent has
// asked them. It says what a verdict would still lack; nothing is decided by it.
type Observed struct {
	AsOf    time.Time    `json:"as_of"`
	Counted int          `json:"counted"`         // observers that were heard and do not doubt themselves
	Agent   int          `json:"agent_down"`      // how many say so of its agent
	Service int          `json:"service_down"`    // and of its service: votes of the two are counted apart
	Domains int          `json:"failure_domains"` // of those who say what most say
	Needed  int          `json:"needed"`          // down votes, if the others that were counted stay
	By      []ObservedBy `json:"by"`              // those who say down first
}

// ObservedBy is one observer of it.
type ObservedBy struct {
	Observer member.ID            `json:"observer"`
	Domain   member.FailureDomain `json:"failure_domain"`
	Heard    bool                 `json:"heard"`
	Trouble  string               `json:"trouble,omitempty"`  // why it was not heard
	Abstains agent.Reason         `json:"abstains,omitempty"` // why it does not believe itself
	Sees     *LiveSees            `json:"sees,omitempty"`
}

func (b ObservedBy) counts() bool { return b.Heard && b.Abstains == "" }
func (b ObservedBy) down() bool   { return b.counts() && b.Sees != nil && b.Sees.Down() }

// WithLive adds to the explanation of a member that stands under no verdict who accuses it
// now, who was heard at all, and what a verdict would still lack. Of others it adds nothing:
// what was counted is the reason there.
func (p Page) WithLive(e Explanation, live Live) Explanation {
	if e.Member == nil || e.Member.Verdict != "" || len(e.Member.Observers) == 0 {
		return e
	}
	o := p.observed(*e.Member, live)
	var t lines
	t.say(0, "Now, as far as %s has asked its observers: %d of %d were heard and do not doubt themselves, %d of them say that its agent is down, %d that its service is.",
		p.Self.Name, o.Counted, len(o.By), o.Agent, o.Service)
	for _, b := range o.By {
		if b.down() {
			t.put(1, b.line())
		}
	}
	if o.Agent+o.Service > 0 {
		t.say(1, "%s", o.lacks())
	}
	var quiet, doubt []member.ID
	for _, b := range o.By {
		switch {
		case !b.Heard:
			quiet = append(quiet, b.Observer)
		case b.Abstains != "":
			doubt = append(doubt, b.Observer)
		}
	}
	if len(quiet) > 0 {
		t.say(1, "Not heard: %s.", names(quiet))
	}
	if len(doubt) > 0 {
		t.say(1, "In doubt about themselves, and not counted: %s.", names(doubt))
	}
	e.Observed, e.Lines = &o, append(slices.Clone(e.Lines), t...)
	return e
}

func (p Page) observed(m Member, live Live) Observed {
	o := Observed{AsOf: live.AsOf, By: []ObservedBy{}}
	agents, services := map[member.FailureDomain]bool{}, map[member.FailureDomain]bool{}
	for _, id := range m.Observers {
		who, _ := p.member(id)
		b := ObservedBy{Observer: id, Domain: who.Domain}
		for _, from := range live.By {
			if from.Observer != id || from.At.IsZero() {
				continue
			}
			for _, s := range from.Sees {
				if s.Subject == m.ID {
					b.Sees = &s
				}
			}
			b.Heard, b.Trouble, b.Abstains = b.Sees != nil, from.Trouble, from.Abstains
		}
		if b.counts() {
			o.Counted++
		}
		if b.down() && b.Sees.Accuses != "" {
			o.Agent++
			agents[b.Domain] = true
		}
		if b.down() && b.Sees.Service {
			o.Service++
			services[b.Domain] = true
		}
		o.By = append(o.By, b)
	}
	o.Domains, o.Needed = len(agents), consensus.ObserverQuorum(o.Counted)
	if o.Service > o.Agent {
		o.Domains = len(services)
	}
	slices.SortStableFunc(o.By, func(a, b ObservedBy) int {
		rank := func(x ObservedBy) int {
			if x.down() {
				return 0
			}
			return 1
		}
		return cmp.Compare(rank(a), rank(b))
	})
	return o
}

// lacks says what is missing to a verdict.
func (o Observed) lacks() string {
	switch more := o.Needed - max(o.Agent, o.Service); {
	case more > 0:
		return fmt.Sprintf("A verdict needs %d down votes about the same of these %d observers: %d more.", o.Needed, o.Counted, more)
	case o.Domains < 2:
		return "All of these are in one failure domain: that proves a cut between domains, no more."
	default:
		return "That is enough if it stands: a roll call decides, and who still reaches it counts against a verdict."
	}
}

func (b ObservedBy) line() string {
	s := b.Sees
	what, why := "agent", reasonMeans(s.Accuses)
	switch {
	case s.Accuses == "":
		what, why = "service", "its check fails"
	case s.Service:
		what = "agent and service"
	}
	seen := evidence(agent.Evidence{SilentFor: s.SilentFor.Duration(), LostRun: s.LostRun})
	if seen == "" {
		return fmt.Sprintf("%s (%s) says down of its %s: %s", b.Observer, b.Domain, what, why)
	}
	return fmt.Sprintf("%s (%s) says down of its %s: %s (%s)", b.Observer, b.Domain, what, why, seen)
}
