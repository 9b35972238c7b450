package status

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"moonwatch/consensus"
	"moonwatch/failover"
	"moonwatch/member"
)

// Scored is one member that was replaced, or would have been replaced or restarted,
// and what turned out later.
type Scored struct {
	Case  string                `json:"case"`
	Slot  member.SlotID         `json:"slot"`
	Pool  string                `json:"pool"`
	ID    member.ID             `json:"member"`
	Kind  consensus.VerdictKind `json:"kind"`
	Deed  failover.Deed         `json:"deed"`
	Would bool                  `json:"would,omitempty"` // it was not done, for nothing was armed
	At    time.Time             `json:"at"`
	Fate  failover.Fate         `json:"fate"`
	Gone  float64               `json:"gone_seconds"` // until it was found up again, or until now
	Words string                `json:"words"`
}

// keptScored bounds what the page carries.
const keptScored = 200

// scoresOf lists what was done or would have been, newest first.
func scoresOf(in Input) []Scored {
	var out []Scored
	for _, s := range slices.Backward(in.State.Scores()) {
		if len(out) == keptScored {
			break
		}
		end := in.Now
		if !s.Back.IsZero() {
			end = s.Back
		}
		gone := max(0, end.Sub(s.Silent))
		out = append(out, Scored{
			Case: caseID(s.Case), Slot: s.Slot, Pool: s.Pool, ID: s.Subject, Kind: s.Kind, Deed: s.Deed, Would: s.Would, At: s.At.UTC(),
			Fate: s.Fate(in.Now), Gone: gone.Round(time.Second).Seconds(), Words: turnedOut(s, s.Fate(in.Now), gone),
		})
	}
	return out
}

// turnedOut says what became of a member.
func turnedOut(s failover.Score, f failover.Fate, gone time.Duration) string {
	switch {
	case f == failover.FateUp:
		return fmt.Sprintf("it was up the whole time: found well after %s, in the same life", span(gone))
	case f == failover.FateReturned && s.Kind == consensus.VerdictDown:
		return fmt.Sprintf("it had died and came back by itself: found well after %s, in another life", span(gone))
	case f == failover.FateReturned:
		return fmt.Sprintf("it was found well again after %s", span(gone))
	case f == failover.FateDead && !s.Left.IsZero():
		return "people took it out of the fleet"
	case f == failover.FateDead:
		return "it has not come back"
	default:
		return fmt.Sprintf("not known yet: gone for %s, dead from %s on", span(gone), span(failover.DeadAfter))
	}
}

// Report is what was done in a while, or would have been, and what it was worth.
type Report struct {
	Schema   int       `json:"schema"`
	Cluster  string    `json:"cluster"`
	From     time.Time `json:"from"`
	To       time.Time `json:"to"`
	Would    Sum       `json:"would"` // have been replaced
	Done     Sum       `json:"done"`
	Restarts int       `json:"would_restart"` // would have been restarted in place
	Scores   []Scored  `json:"scores"`
	Requests []Request `json:"requests"` // of what takes two people
	Lines    []string  `json:"lines"`
}

// Sum counts replacements by what turned out.
type Sum struct {
	Replaced int `json:"replaced"`
	Dead     int `json:"dead"`      // and not back
	CameBack int `json:"came_back"` // after they had really died
	Up       int `json:"up"`        // the whole time: it was not needed
	Unknown  int `json:"unknown"`   // yet
}

func (s *Sum) count(f failover.Fate) {
	s.Replaced++
	switch f {
	case failover.FateDead:
		s.Dead++
	case failover.FateReturned:
		s.CameBack++
	case failover.FateUp:
		s.Up++
	case failover.FateUnknown:
		s.Unknown++
	}
}

// Report makes the report of the last while.
func (p Page) Report(last time.Duration) Report {
	r := Report{Schema: p.Schema, Cluster: p.Cluster, From: p.Now.Add(-last), To: p.Now, Scores: []Scored{}, Requests: []Request{}}
	for _, s := range p.Scores {
		if s.At.Before(r.From) {
			continue
		}
		r.Scores = append(r.Scores, s)
		switch {
		case s.Deed == failover.DeedRestart:
			r.Restarts++
		case s.Would:
			r.Would.count(s.Fate)
		default:
			r.Done.count(s.Fate)
		}
	}
	for _, x := range p.Requests {
		if !x.Given.Before(r.From) {
			r.Requests = append(r.Requests, x)
		}
	}
	r.Lines = append(r.Lines, r.Would.line("Would have replaced"), r.Done.line("Replaced"))
	if r.Restarts > 0 {
		r.Lines = append(r.Lines, fmt.Sprintf("Would have restarted %s in place.", plural(r.Restarts, "service")))
	}
	for _, x := range r.Requests {
		if x.Alone && x.State != failover.RequestRejected && x.AnsweredBy == "" {
			r.Lines = append(r.Lines, fmt.Sprintf("%s was asked for by %s alone, and nobody vetoed it: %s.", x.ID, x.By, x.Asks))
		}
	}
	return r
}

// line is a sum in a sentence, as: Would have replaced 3, of which 3 were dead.
func (s Sum) line(what string) string {
	if s.Replaced == 0 {
		return what + " nobody."
	}
	var parts []string
	for _, x := range []struct {
		n    int
		one  string
		many string
	}{
		{s.Dead + s.CameBack, "was dead", "were dead"},
		{s.Up, "was up the whole time", "were up the whole time"},
		{s.Unknown, "is not known yet", "are not known yet"},
	} {
		switch {
		case x.n == 1:
			parts = append(parts, "1 "+x.one)
		case x.n > 1:
			parts = append(parts, fmt.Sprintf("%d %s", x.n, x.many))
		}
	}
	text := fmt.Sprintf("%s %d, of which %s", what, s.Replaced, strings.Join(parts, ", "))
	if s.CameBack > 0 {
		text += fmt.Sprintf("; %d of the dead came back", s.CameBack)
	}
	return text + "."
}
