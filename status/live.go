package status

import (
	"time"

	"moonwatch/agent"
	"moonwatch/member"
)

// Live is what observers see now, or saw at a moment that has passed, as far as this agent
// has asked them. Nobody has agreed on it, and no decision rests on it. What has passed each
// of them has in its own memory alone (Trail).
type Live struct {
	AsOf    time.Time  `json:"as_of"`
	Moment  time.Time  `json:"moment,omitzero"`   // that it is of; zero: of now
	Partial bool       `json:"partial,omitempty"` // some are being asked still
	Self    member.ID  `json:"self"`
	By      []LiveFrom `json:"observers"` // by name, this agent's own among them
}

// LiveFrom is what one observer sees or saw, and how agents tell each other.
type LiveFrom struct {
	Observer member.ID `json:"observer"`
	At       time.Time `json:"at,omitzero"` // when this agent heard it; zero: it has not
	// Moment is the one that it is of; zero: of now. A build of before knows no other, and
	// whoever asked it for what has passed knows by this that it was not answered.
	Moment   time.Time    `json:"moment,omitzero"`
	Since    time.Time    `json:"since,omitzero"`     // with Moment: since when it knows
	Trouble  string       `json:"trouble,omitempty"`  // why it was not heard
	Abstains agent.Reason `json:"abstains,omitempty"` // why the observer does not believe itself
	Sees     []LiveSees   `json:"sees,omitempty"`     // by subject
}

// Heard is how many observers have said what they see.
func (l Live) Heard() (n int) {
	for _, x := range l.By {
		if !x.At.IsZero() {
			n++
		}
	}
	return n
}

// LiveSees is what an observer sees of one subject.
type LiveSees struct {
	Subject   member.ID    `json:"subject"`
	RTTMicros int64        `json:"rtt_us,omitempty"` // of the last answer; 0: none came yet
	LossPct   int          `json:"loss_pct,omitempty"`
	LostRun   int          `json:"lost_run,omitempty"` // probes in a row
	SilentFor Millis       `json:"silent_ms,omitempty"`
	Accuses   agent.Reason `json:"accuses,omitempty"` // of what, the subject's agent
	Service   bool         `json:"service_down,omitempty"`
	Uneasy    bool         `json:"uneasy,omitempty"` // probes are lost, and nobody is accused
	Since     time.Time    `json:"since,omitzero"`   // of what has passed: since when, and the figures are of then
}

// Form is how an edge is seen, apart from its figures.
type Form struct {
	Accuses agent.Reason
	Service bool
	Uneasy  bool
	Unheard bool // no probe was answered yet, and few were lost
}

// Form tells how the edge is seen. The zero Form is an edge that is calm.
func (s LiveSees) Form() Form {
	return Form{Accuses: s.Accuses, Service: s.Service, Uneasy: s.Uneasy, Unheard: s.Unheard()}
}

// Unheard reports that no probe was answered yet, and too few were sent to speak of loss.
func (s LiveSees) Unheard() bool { return s.RTTMicros == 0 && s.LostRun <= 1 }

// Down reports that the observer says down, of agent or service.
func (s LiveSees) Down() bool { return s.Accuses != "" || s.Service }

// LiveOf puts what an observer sees into the form that is told.
func LiveOf(self member.ID, now time.Time, seen agent.Sighted) LiveFrom {
	out := LiveFrom{Observer: self, At: now.UTC(), Abstains: seen.Abstains, Sees: make([]LiveSees, 0, len(seen.Subjects))}
	for _, s := range seen.Subjects {
		x := LiveSees{
			Subject: s.Subject, RTTMicros: s.RTT.Microseconds(), LossPct: s.LossPct, LostRun: s.LostRun,
			SilentFor: millis(s.SilentFor), Accuses: s.Accuses, Service: s.Service,
		}
		x.Uneasy = !s.Calm() && !x.Down()
		out.Sees = append(out.Sees, x)
	}
	return out
}
