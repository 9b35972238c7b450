package status

import (
	"fmt"
	"time"

	"moonwatch/member"
)

// NotifyDocument says whom people are told through, and how that goes. It is for the
// machine's own people: it has addresses in it.
type NotifyDocument struct {
	Schema int       `json:"schema"`
	Now    time.Time `json:"now"`
	Self   member.ID `json:"self"`
	// OnDuty tells, by what Self knows; empty: there is nobody to tell.
	OnDuty    member.ID        `json:"on_duty,omitempty"`
	On        []member.ID      `json:"on,omitempty"` // who may; empty: every member
	Receivers []NotifyReceiver `json:"receivers"`
	Dropped   uint64           `json:"dropped,omitempty"`
}

// NotifyReceiver is a receiver with what Self knows of it: how many matters wait and
// what fails is known to who is on duty.
type NotifyReceiver struct {
	ReceiverState
	Kind string `json:"kind"`
	To   string `json:"to"`
}

// NotifyDocumentOf joins what fleet.yaml says with how the herald does.
func NotifyDocumentOf(now time.Time, self member.ID, policy member.NotifyPolicy, t Telling) NotifyDocument {
	d := NotifyDocument{
		Schema: Schema, Now: now.UTC(), Self: self, OnDuty: t.OnDuty, On: policy.On, Dropped: t.Dropped, Receivers: []NotifyReceiver{},
	}
	for _, r := range policy.Receivers {
		x := NotifyReceiver{ReceiverState: ReceiverState{Name: r.Name}, Kind: r.Kind, To: r.To()}
		for _, s := range t.Receivers {
			if s.Name == r.Name {
				x.ReceiverState = s
			}
		}
		d.Receivers = append(d.Receivers, x)
	}
	return d
}

// NotifyTest says how a try of receivers ended, at the member that was asked.
type NotifyTest struct {
	Schema  int           `json:"schema"`
	Teller  member.ID     `json:"teller"`
	Message string        `json:"message"` // its ID
	Results []NotifyTried `json:"results"`
}

// NotifyTried is how it ended with one receiver.
type NotifyTried struct {
	Name   string      `json:"name"`
	Kind   string      `json:"kind"`
	To     string      `json:"to"`
	Result TriedResult `json:"result"`
	Err    string      `json:"error,omitempty"`
	TookMS int64       `json:"took_ms"`
}

// TriedResult is how a try ended.
type TriedResult string

// How tries end.
const (
	TriedTold   TriedResult = "told"
	TriedPartly TriedResult = "partly" // one end of several has it
	TriedFailed TriedResult = "failed"
)

// TestMessage is a message that somebody asked for, to see whether it arrives.
func TestMessage(now time.Time, id, cluster string, teller member.ID, by string) Message {
	now = now.UTC()
	return Message{
		Schema: Schema, ID: id, Says: SaysTest, Cluster: cluster, Teller: teller, At: now,
		Notice: Notice{
			ID: "test/" + string(teller), Stage: Stands, Severity: Warning, Since: now,
			What: oneLine(fmt.Sprintf("%s tries out on %s whether messages arrive.", by, teller)),
			Does: "Nothing: nothing has happened.", Do: "Nothing, if you expected this.", Command: "moonwatch notify list",
		},
	}
}
