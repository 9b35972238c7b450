package agent

import (
	"time"

	"moonwatch/member"
)

// Sighting is what an observer sees of one subject at a moment. It is for people who look
// at a matrix of observers, never a vote: no decision rests on it.
type Sighting struct {
	Subject   member.ID
	RTT       time.Duration // of the last answer; 0: none came yet
	Probed    int           // the regular probes that LossPct is of
	LossPct   int
	LostRun   int           // probes lost in a row, now
	SilentFor time.Duration // since the last answer, while probes are lost
	Accuses   Reason        // what it says against the subject's agent; empty: nothing
	Service   bool          // it says that the service is down
}

// Calm reports that there is nothing to say about the subject: it answers, and loses no
// more than a probe now and then.
func (s Sighting) Calm() bool {
	return s.RTT > 0 && s.Accuses == "" && !s.Service && s.LostRun <= 1 && s.LossPct <= calmLossPct
}

// calmLossPct: a probe or two of the last 40.
const calmLossPct = 5

// Sighted is what one observer sees of all its subjects, by name.
type Sighted struct {
	Abstains Reason // why it does not believe itself; empty: it does
	Subjects []Sighting
}

// Sightings says what this observer sees.
func (o *Observer) Sightings(now time.Time) Sighted {
	s := Sighted{Subjects: make([]Sighting, 0, len(o.edges))}
	if o.post.said != unsaid {
		s.Abstains = o.post.said
	}
	for _, e := range o.edges {
		x := Sighting{
			Subject: e.ID, RTT: e.rtt, Probed: e.seen, LossPct: int(100*e.lossRate() + 0.5), LostRun: e.lostRun,
			Accuses: e.word().agent, Service: e.check.accused,
		}
		if e.lostRun > 0 {
			x.SilentFor = max(0, now.Sub(e.silentSince()))
		}
		s.Subjects = append(s.Subjects, x)
	}
	return s
}
