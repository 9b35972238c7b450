package status

import (
	"time"

	"moonwatch/agent"
	"moonwatch/member"
)

// Live is what observers see now, as far as this agent has asked them. Nobody has agreed
// on it, no decision rests on it, and it is kept nowhere.
type Live struct {
	AsOf time.Time  `json:"as_of"`
	Self member.ID  `json:"self"`
	By   []LiveFrom `json:"observers"` // by name, this agent's own among them
}

// LiveFrom is what one observer sees, and how agents tell each other.
type LiveFrom struct {
	Observer member.ID    `json:"observer"`
	At       time.Time    `json:"at,omitzero"`        // when this agent heard it; zero: it has not
	Trouble  string       `json:"trouble,omitempty"`  // why not
	Abstains agent.Reason `json:"abstains,omitempty"` // why the observer does not believe itself
	Sees     []LiveSees   `json:"sees,omitempty"`     // by subject
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
}

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
