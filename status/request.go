package status

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"moonwatch/consensus"
	"moonwatch/failover"
)

// requestLine tells who asks for what takes two people.
func requestLine(f consensus.Fact, p failover.Requested) string {
	alone := ""
	if p.Alone {
		alone = " alone"
	}
	return fmt.Sprintf("R-%d %s asks%s: %s: %s", f.Index, proposer(f), alone, wish(p), p.Reason)
}

// wish puts what is asked for into words.
func wish(p failover.Requested) string {
	switch p.Act {
	case failover.ActOverride:
		if p.Case != 0 {
			return fmt.Sprintf("go on with %s in spite of brake and budget", p.About())
		}
		return fmt.Sprintf("go on with what is open in %s in spite of the brake", p.About())
	case failover.ActFenced:
		return fmt.Sprintf("take it as proven that the old occupant of %s is off", p.About())
	case failover.ActReserve:
		return fmt.Sprintf("let %s have a spare of the reserve", p.About())
	case failover.ActFailover:
		return fmt.Sprintf("have slot %s fail over, whose occupant is well by the votes", p.About())
	default:
		return fmt.Sprintf("%s %s", p.Act, p.About())
	}
}

func answerLine(f consensus.Fact, p failover.Answered) string {
	if p.Approve {
		return fmt.Sprintf("R-%d approved by %s", p.Request, proposer(f))
	}
	return fmt.Sprintf("R-%d rejected by %s: %s", p.Request, proposer(f), p.Reason)
}

// requestsOf lists what people asked for and what came of it.
func requestsOf(in Input) []Request {
	out := []Request{}
	for _, r := range in.State.Requests() {
		out = append(out, requestOf(in, r))
	}
	slices.SortStableFunc(out, func(a, b Request) int {
		switch {
		case a.Open != b.Open && a.Open:
			return -1
		case a.Open != b.Open:
			return 1
		default:
			return cmp.Compare(b.Index, a.Index)
		}
	})
	return out
}

func requestOf(in Input, r *failover.Request) Request {
	state := r.State(in.Now)
	x := Request{
		ID: r.Name(), Index: r.ID, Act: r.Act, About: r.About(), Asks: wish(r.Requested), Reason: r.Reason, By: r.By, Given: r.Given.UTC(),
		Alone: r.Alone, State: state, Open: r.Open(in.Now), Means: stands(r, state), Ends: r.Ends(in.Now).UTC(), Plan: r.Plan, Steps: r.Asks().Words(),
		AnsweredBy: r.ApprovedBy, Answered: r.Approved,
	}
	if !r.Rejected.IsZero() {
		x.AnsweredBy, x.Answered, x.Why = r.RejectedBy, r.Rejected, r.Why
		x.Consequence = in.State.Consequence(r)
	}
	err := in.State.Void(in.Now, r)
	switch {
	case err == nil || !x.Open:
	case state == failover.RequestInForce: // its cases have gone on, or are others now
		x.State, x.Open, x.Ends = failover.RequestOver, false, time.Time{}
		x.Means = stands(r, failover.RequestOver)
	default:
		x.Void = err.Error()
	}
	return x
}

// stands says what the state of a request means.
func stands(r *failover.Request, s failover.RequestState) string {
	switch s {
	case failover.RequestWaiting:
		return "another operator than " + r.By + " has to approve it"
	case failover.RequestAnnounced:
		if r.Announced.IsZero() {
			return "it is about to be announced"
		}
		return "it takes effect by itself unless another operator vetoes it (moonwatch reject)"
	case failover.RequestInForce:
		return "its cases may go on, as long as they are what was approved"
	case failover.RequestExpired:
		return "nobody answered in time"
	case failover.RequestRejected:
		return "rejected by " + r.RejectedBy
	case failover.RequestOver:
		return "it was in force"
	default:
		return ""
	}
}

// Line is a request in one line.
func (r Request) Line() string {
	alone := ""
	if r.Alone {
		alone = " alone"
	}
	text := fmt.Sprintf("%s %s by %s%s, %s", r.ID, r.State, r.By, alone, r.Asks)
	if !r.Ends.IsZero() {
		text += ", until " + moment(r.Ends)
	}
	if r.Void != "" {
		text += " (" + r.Void + ")"
	}
	return oneLine(text + ": " + r.Reason)
}

// explainRequest tells what is asked for, exactly, and who has said what.
func (p Page) explainRequest(r Request) Explanation {
	e := Explanation{ID: r.ID, Request: &r}
	var t lines
	alone := ""
	if r.Alone {
		alone = " alone"
	}
	t.say(0, "%s: %s asked%s at %s: %s.", r.ID, r.By, alone, moment(r.Given), r.Asks)
	t.say(0, "Reason: %s", r.Reason)
	text := fmt.Sprintf("It is %s: %s", r.State, r.Means)
	if !r.Ends.IsZero() {
		text += ", until " + moment(r.Ends)
	}
	t.say(0, "%s.", text)
	if r.Void != "" {
		t.say(0, "It comes to nothing: %s.", r.Void)
	}
	if r.AnsweredBy != "" {
		word := "Approved"
		if r.State == failover.RequestRejected {
			word = "Rejected"
		}
		t.say(0, "%s by %s at %s. %s", word, r.AnsweredBy, moment(r.Answered), r.Why)
	}
	if r.Consequence != "" {
		t.say(0, "%s.", r.Consequence)
	}
	t.say(0, "Plan %s:", failover.Short(r.Plan))
	for _, s := range r.Steps {
		t.say(1, "%s", s)
	}
	e.Lines = t
	if c, ok := p.caseNamed(r.About); ok {
		e.See = []string{c.ID}
	}
	return e
}

func (p Page) caseNamed(id string) (Case, bool) {
	i := slices.IndexFunc(p.Cases, func(c Case) bool { return c.ID == id })
	if i < 0 {
		return Case{}, false
	}
	return p.Cases[i], true
}
