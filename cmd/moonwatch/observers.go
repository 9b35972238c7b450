package main

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"moonwatch/internal/client"
	"moonwatch/internal/strict"
	"moonwatch/member"
	"moonwatch/status"
)

func (a *app) observersCommand() *cobra.Command {
	var at string
	c := &cobra.Command{
		Use:   "observers [MEMBER]",
		Short: "Show who sees whom, now or at a moment of the last day",
		Long: `Show what each observer sees of its subjects now: who says down, who loses probes, who
does not believe itself. Edges that are calm are counted; with a MEMBER all of its edges
are listed, those at which it observes and those at which it is observed. It is what the
page's matrix draws. Nobody has agreed on it: what was agreed on is a verdict.

The asked agent asks all members, each at most every 5 s; who has not answered is named.

With --at it shows the verdicts that stood at a moment of the last day and which observers
were counted for them, and what all observers saw at that moment, to 5 s. Each agent
remembers for 24 h, in memory: one that was started later is named, as is one of a build
that remembers nothing.`,
		Example: `  moonwatch observers
  moonwatch observers web-3 --watch
  moonwatch observers --at 15m
  moonwatch observers --at 2026-05-04T12:00:07Z web-3
  moonwatch observers -o json | jq '.live.observers[] | select(.abstains)'`,
		Args: atMost("MEMBER"),
	}
	r := a.reading(c)
	c.Flags().StringVar(&at, "at", "", "a moment of the last day: so long ago (15m), or a time (RFC 3339)")
	c.ValidArgsFunction = func(c *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
		if len(args) > 0 {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		a, err := r.get(c.Context(), client.MembersDocument)
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return memberNames(a.Page), cobra.ShellCompDirectiveNoFileComp
	}
	c.RunE = func(c *cobra.Command, args []string) error {
		when, err := momentAgo(at, time.Now())
		if err != nil {
			return err
		}
		who := member.ID("")
		if len(args) == 1 {
			who = member.ID(args[0])
		}
		return r.observers(c.Context(), when, who)
	}
	return c
}

// momentAgo reads --at; zero: now.
func momentAgo(text string, now time.Time) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	if d, err := time.ParseDuration(text); err == nil && d > 0 {
		return now.Add(-d), nil
	}
	if t, err := time.Parse(time.RFC3339, text); err == nil && t.Before(now) {
		return t, nil
	}
	return time.Time{}, usage("--at is %q, want how long ago (15m) or a time that has passed (2026-05-04T12:00:07Z)", text)
}

func (r *reading) observers(ctx context.Context, at time.Time, who member.ID) error {
	agent, err := r.ask()
	if err != nil {
		return err
	}
	defer agent.Close()
	ctx, cancel := context.WithTimeout(ctx, askPatience)
	defer cancel()
	page, err := agent.Get(ctx, client.MembersDocument)
	if err != nil {
		return err
	}
	r.noteAge(page.Page)
	doc, raw, err := observersAt(ctx, agent, at)
	if err != nil {
		return err
	}
	know := ""
	if then := doc.Then; then != nil { // of all, whoever is asked about
		know = fmt.Sprintf("What observers saw at %s: %d of %d know of that moment.", moment(then.Moment), then.Heard(), len(then.By))
	}
	if who != "" {
		if names := memberNames(page.Page); !slices.Contains(names, string(who)) {
			if near := strict.Nearest(string(who), names); near != "" {
				return usage("there is no member %q, did you mean %s?", who, near)
			}
			return usage("there is no member %q: 'moonwatch members' lists them", who)
		}
		if raw, err = json.Marshal(only(&doc, who)); err != nil {
			return fmt.Errorf("print the observers: %w", err)
		}
	}
	return r.print(raw, func(p *printer) {
		if doc.Live == nil {
			printCounted(p, doc)
			printThen(p, doc, know, who)
			return
		}
		printSeen(p, doc.Live, who, seenColumns)
	})
}

// An agent asks of one moment at a time, for up to 10 s: who comes meanwhile, or before all
// have answered, asks again.
const (
	observersAgain = 3
	observersPause = 1200 * time.Millisecond
)

func observersAt(ctx context.Context, agent *client.Client, at time.Time) (status.ObserversDocument, json.RawMessage, error) {
	for range observersAgain {
		doc, raw, err := agent.Observers(ctx, at)
		if err != nil || !doc.Busy && (doc.Then == nil || !doc.Then.Partial) {
			return doc, raw, err
		}
		select {
		case <-ctx.Done(): // it is said that not all were asked
			return doc, raw, nil
		case <-time.After(observersPause):
		}
	}
	return agent.Observers(ctx, at)
}

// printThen prints what observers saw at a moment that has passed, and who knows of it.
func printThen(p *printer, d status.ObserversDocument, know string, who member.ID) {
	switch {
	case d.Busy:
		p.line("")
		p.line("What observers saw then was not asked: others look back at this time. Ask again.")
	case d.Then != nil:
		p.line("")
		p.line("%s", know)
		printSeen(p, d.Then, who, thenColumns)
		if d.Then.Partial {
			p.line("Some observers are being asked. Ask again.")
		}
	}
}

func memberNames(page status.Page) (names []string) {
	for _, m := range page.Members {
		names = append(names, string(m.ID))
	}
	return names
}

// only leaves in a document what is about one member.
func only(d *status.ObserversDocument, who member.ID) *status.ObserversDocument {
	d.Subjects = slices.DeleteFunc(d.Subjects, func(x status.Regarded) bool {
		if x.Subject == who {
			return false
		}
		return !slices.ContainsFunc(x.By, func(s status.ObserverSaid) bool { return s.Observer == who })
	})
	for _, live := range []*status.Live{d.Live, d.Then} {
		if live != nil {
			onlySeen(live, who)
		}
	}
	return d
}

func onlySeen(live *status.Live, who member.ID) {
	for i := range live.By {
		by := &live.By[i]
		if by.Observer != who {
			by.Sees = slices.DeleteFunc(by.Sees, func(s status.LiveSees) bool { return s.Subject != who })
		}
	}
	live.By = slices.DeleteFunc(live.By, func(x status.LiveFrom) bool {
		return x.Observer != who && len(x.Sees) == 0
	})
}

// seen is one edge: what an observer sees of a subject.
type seen struct {
	by status.LiveFrom
	status.LiveSees
}

// rank orders what edges show, the worst first.
func (s seen) rank() int {
	switch {
	case s.Down():
		return 0
	case s.Uneasy:
		return 1
	case s.Unheard():
		return 2
	default:
		return 3
	}
}

func printSeen(p *printer, live *status.Live, who member.ID, columns []column[seen]) {
	var all, shown []seen
	var unsure []status.LiveFrom
	for _, by := range live.By {
		for _, s := range by.Sees {
			all = append(all, seen{by, s})
		}
		if by.Abstains != "" || by.At.IsZero() {
			unsure = append(unsure, by)
		}
	}
	counts := [4]int{}
	for _, s := range all {
		counts[s.rank()]++
		if who != "" || s.rank() < 2 {
			shown = append(shown, s)
		}
	}
	slices.SortStableFunc(shown, func(a, b seen) int {
		return cmp.Or(cmp.Compare(a.rank(), b.rank()), cmp.Compare(a.Subject, b.Subject), cmp.Compare(a.by.Observer, b.by.Observer))
	})
	about := ""
	if who != "" {
		about = " of " + string(who)
	}
	p.line("%s", fmt.Sprintf("%d edges%s: %d say down, %d lose probes, %d not heard yet, %d calm.", len(all), about, counts[0], counts[1], counts[2], counts[3]))
	if len(shown) > 0 {
		p.line("")
		table(p, "", shown, columns)
	}
	if len(unsure) > 0 {
		p.line("")
		table(p, "", unsure, []column[status.LiveFrom]{
			{title: "OBSERVER", of: func(x status.LiveFrom) cell { return word(x.Observer) }},
			{title: "COUNTS FOR NOTHING", of: func(x status.LiveFrom) cell { return cell{whyUnsure(x), warn} }},
		})
	}
}

// whyUnsure says why nothing is known of what somebody sees.
func whyUnsure(x status.LiveFrom) string {
	if !x.At.IsZero() {
		return "does not believe itself: " + string(x.Abstains)
	}
	return "has not been heard: " + cmp.Or(x.Trouble, "it was not asked yet")
}

var seenColumns = []column[seen]{
	{title: "SUBJECT", of: func(s seen) cell { return word(s.Subject) }},
	{title: "OBSERVER", of: func(s seen) cell { return word(s.by.Observer) }},
	{title: "SEES", of: seenCell},
	{title: "SILENT FOR", of: func(s seen) cell {
		if s.SilentFor <= 0 {
			return cell{}
		}
		return text("%s", span(s.SilentFor.Duration()))
	}},
	{title: "LOST IN A ROW", of: func(s seen) cell { return count(s.LostRun) }},
	{title: "LOSS", of: func(s seen) cell {
		if s.LossPct == 0 {
			return cell{}
		}
		return text("%d %%", s.LossPct)
	}},
	{title: "ROUND TRIP", of: func(s seen) cell {
		if s.RTTMicros == 0 {
			return cell{}
		}
		return text("%.2f ms", float64(s.RTTMicros)/1000)
	}},
}

// thenColumns have the figures with which it began to be seen so, and since when it was.
var thenColumns = append(slices.Clone(seenColumns[:len(seenColumns)-1]),
	column[seen]{title: "SINCE", of: func(s seen) cell { return word(s.Since.UTC().Format("15:04:05.0")) }})

func seenCell(s seen) cell {
	switch s.rank() {
	case 0:
		var what []string
		if s.Accuses != "" {
			what = append(what, string(s.Accuses))
		}
		if s.Service {
			what = append(what, "service")
		}
		return cell{"down (" + strings.Join(what, ", ") + ")", bad}
	case 1:
		return cell{"loses probes", warn}
	case 2:
		return text("not heard yet")
	default:
		return cell{"answers", good}
	}
}

// printCounted prints the verdicts of a moment with those who were counted for them.
func printCounted(p *printer, d status.ObserversDocument) {
	type counted struct {
		status.Regarded
		status.ObserverSaid
	}
	var rows []counted
	for _, x := range d.Subjects {
		for _, s := range x.By {
			rows = append(rows, counted{x, s})
		}
	}
	table(p, "Nobody stood under a verdict at "+moment(d.At)+".", rows, []column[counted]{
		{title: "SUBJECT", of: func(x counted) cell { return word(x.Subject) }},
		{title: "VERDICT", of: func(x counted) cell { return word(x.Verdict) }},
		{title: "KIND", of: func(x counted) cell { return word(x.Kind) }},
		{title: "OBSERVER", of: func(x counted) cell { return word(x.Observer) }},
		{title: "SAID", of: func(x counted) cell {
			return cell{string(x.Regard), map[status.Regard]tone{status.RegardDown: bad, status.RegardUp: good}[x.Regard]}
		}},
		{title: "WORDS", of: func(x counted) cell { return text("%s", x.Words) }},
	})
}
