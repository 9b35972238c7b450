package status

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"moonwatch/member"
)

// How long before their end people are told of certificates. The rules for Prometheus
// (configs/prometheus) say the same.
const (
	CertEndsSoon    = 21 * 24 * time.Hour
	CertEndsTooSoon = 7 * 24 * time.Hour
	CertLastDay     = 24 * time.Hour
)

// The stages of a certificate's end.
const (
	endsIn21    = "21-days"
	endsIn7     = "7-days"
	endsLastDay = "last-day"
	hasEnded    = "ended"
)

// certPatience: an agent whose file was just renewed takes a moment to say so.
const certPatience = 30 * time.Second

// certKind is what IDs of certificates' ends begin with; the day follows.
const certKind = "certificates"

// Ending are the certificates that end on one day: they were made together, and are one
// errand.
type Ending struct {
	Day     string // in UTC
	First   time.Time
	Members []member.ID // those whose certificates end first on top
}

// Endings lists the certificates that end soon or have ended, by day. Who has said nothing
// of its own is not in them, and neither is who was expelled: that one's is of no use.
func Endings(p Page) []Ending {
	var ending []Member
	for _, m := range p.Members {
		if !m.CertEnds.IsZero() && m.Expelled == "" && m.CertEnds.Sub(p.Now) <= CertEndsSoon {
			ending = append(ending, m)
		}
	}
	slices.SortFunc(ending, func(a, b Member) int { return cmp.Or(a.CertEnds.Compare(b.CertEnds), cmp.Compare(a.ID, b.ID)) })
	var out []Ending
	for _, m := range ending {
		day := m.CertEnds.UTC().Format(time.DateOnly)
		if len(out) == 0 || out[len(out)-1].Day != day {
			out = append(out, Ending{Day: day, First: m.CertEnds.UTC()})
		}
		x := &out[len(out)-1]
		x.Members = append(x.Members, m.ID)
	}
	return out
}

// stage is how near the end is.
func (e Ending) stage(now time.Time) string {
	switch left := e.First.Sub(now); {
	case left <= 0:
		return hasEnded
	case left <= CertLastDay:
		return endsLastDay
	case left <= CertEndsTooSoon:
		return endsIn7
	default:
		return endsIn21
	}
}

// Line says it in a sentence.
func (e Ending) Line(now time.Time) string {
	if e.stage(now) == hasEnded {
		return fmt.Sprintf("The certificate of %s has ended at %s: who connects anew refuses it.", names(e.Members), moment(e.First))
	}
	return fmt.Sprintf("The certificate of %s ends at %s.", names(e.Members), moment(e.First))
}

// Urgent reports that it is a matter of hours.
func (e Ending) Urgent(now time.Time) bool { return e.First.Sub(now) <= CertLastDay }

// certNotices tell of certificates' ends: 21, 7 and 1 days before, and when it has come.
// No end of a certificate is ever a verdict, so nothing else would tell of it.
func certNotices(p Page) []Notice {
	var out []Notice
	for _, e := range Endings(p) {
		n := Notice{
			ID: certKind + "/" + e.Day, Stage: e.stage(p.Now), Severity: Warning, Since: e.First.Add(-CertEndsSoon),
			What:    e.Line(p.Now),
			Does:    "Nothing: connections that stand go on, and nobody is accused. From its end on no new connection is made with it, and an agent that is started with it refuses to run.",
			Do:      "Renew it where the CA's key is (moonwatch cert renew) and copy the file back: the running agent takes it up within a second or so.",
			Command: "moonwatch cert list", Members: e.Members, Patience: certPatience, Passing: true,
		}
		if e.Urgent(p.Now) {
			n.Severity = Critical
		}
		out = append(out, n)
	}
	return out
}

// unheard reports that a matter of certificates may stand, for somebody that it names
// has said nothing of its own since this agent was started.
func unheard(p Page, n Notice) bool {
	return strings.HasPrefix(n.ID, certKind+"/") && slices.ContainsFunc(p.Members, func(m Member) bool {
		return m.CertEnds.IsZero() && m.Expelled == "" && slices.Contains(n.Members, m.ID)
	})
}
