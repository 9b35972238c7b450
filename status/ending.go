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

// certTogether: what was issued within so long ends together, and is told of once.
const certTogether = 10 * time.Minute

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
	ends    []time.Time // of each
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
		x.Members, x.ends = append(x.Members, m.ID), append(x.ends, m.CertEnds.UTC())
	}
	return out
}

// groups are those that end together, in order: of a day that is near, each is a moment of
// its own.
func (e Ending) groups() []Ending {
	var out []Ending
	for i, at := range e.ends {
		if len(out) == 0 || at.Sub(out[len(out)-1].First) > certTogether {
			out = append(out, Ending{Day: e.Day, First: at})
		}
		x := &out[len(out)-1]
		x.Members, x.ends = append(x.Members, e.Members[i]), append(x.ends, at)
	}
	return out
}

// stage is how near the end is: of the first, and once that has come, how many groups have
// ended.
func (e Ending) stage(now time.Time) string {
	switch left := e.First.Sub(now); {
	case left <= 0:
		ended := 0
		for _, x := range e.groups() {
			if !now.Before(x.First) {
				ended++
			}
		}
		if ended > 1 {
			return fmt.Sprintf("%s-%d", hasEnded, ended)
		}
		return hasEnded
	case left <= CertLastDay:
		return endsLastDay
	case left <= CertEndsTooSoon:
		return endsIn7
	default:
		return endsIn21
	}
}

// Lines say it in sentences, what has ended apart from what has not.
func (e Ending) Lines(now time.Time) []string {
	if !e.Urgent(now) {
		return []string{fmt.Sprintf("The certificate of %s ends at %s.", names(e.Members), moment(e.First))}
	}
	var out []string
	for _, x := range e.groups() {
		over := 0
		for over < len(x.ends) && !now.Before(x.ends[over]) {
			over++
		}
		if over > 0 {
			out = append(out, fmt.Sprintf("The certificate of %s has ended at %s: who connects anew refuses it.", names(x.Members[:over]), moment(x.First)))
		}
		if over < len(x.ends) {
			out = append(out, fmt.Sprintf("The certificate of %s ends at %s.", names(x.Members[over:]), moment(x.ends[over])))
		}
	}
	return out
}

// Urgent reports that it is a matter of hours.
func (e Ending) Urgent(now time.Time) bool { return e.First.Sub(now) <= CertLastDay }

// certNotices tell of certificates' ends: 21, 7 and 1 days before, and when it has come; once more for
// those that end later on that day.
// No end of a certificate is ever a verdict, so nothing else would tell of it.
func certNotices(p Page) []Notice {
	var out []Notice
	for _, e := range Endings(p) {
		n := Notice{
			ID: certKind + "/" + e.Day, Stage: e.stage(p.Now), Severity: Warning, Since: e.First.Add(-CertEndsSoon),
			What:    strings.Join(e.Lines(p.Now), " "),
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

// lastWords lets a herald that was started anew go by what members had said of their
// certificates until they are heard again: their silence is no renewal. It returns the
// page with the words in it, and the words to keep.
func lastWords(p Page, kept map[member.ID]time.Time) (Page, map[member.ID]time.Time) {
	words := map[member.ID]time.Time{}
	p.Members = slices.Clone(p.Members)
	for i := range p.Members {
		m := &p.Members[i]
		if m.CertEnds.IsZero() {
			m.CertEnds = kept[m.ID]
		}
		if !m.CertEnds.IsZero() && m.CertEnds.Sub(p.Now) <= CertEndsSoon {
			words[m.ID] = m.CertEnds
		}
	}
	return p, words
}
