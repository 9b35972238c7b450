package webhook

import (
	"fmt"
	"net/http"
	"net/url"
	"time"

	"moonwatch/failover/driver"
	"moonwatch/internal/signature"
	"moonwatch/member"
)

// Ask is what a call asks for.
type Ask string

// What a call may ask for.
const (
	AskObserve    Ask = "observe"
	AskApply      Ask = "apply"
	AskCompensate Ask = "compensate"
)

// Call is what the receiver gets.
type Call struct {
	ID        string           `json:"id"` // to be repeated in the answer
	Ask       Ask              `json:"ask"`
	Case      string           `json:"case"`
	Step      string           `json:"step"`
	Attempt   int              `json:"attempt"`
	Member    member.ID        `json:"member"`
	Pool      string           `json:"pool"`
	Slot      member.SlotID    `json:"slot"`
	SlotEpoch member.SlotEpoch `json:"slot_epoch"`
	Deadline  time.Time        `json:"deadline"`
	DryRun    bool             `json:"dry_run"`
}

// Answer is what it says beside the status.
type Answer struct {
	ID     string `json:"id"`
	Detail string `json:"detail"` // one line for people: what was done, and why not
}

// The headers of a call.
const (
	HeaderKey       = "Idempotency-Key"
	HeaderTimestamp = signature.HeaderTimestamp
	HeaderSignature = signature.HeaderSignature
)

// Fresh is how old or early a call may be signed. It bounds how long a call that
// somebody recorded could be played again; slot epoch and key make that harmless.
const Fresh = signature.Fresh

// callOf is the call for a request. Its id is its idempotency key, if it may
// have an effect; a look and a rehearsal never share one with the deed.
func callOf(ask Ask, req driver.Request) Call {
	id := fmt.Sprintf("%s/%s/%d/%s/%d/%s", url.PathEscape(req.Case), url.PathEscape(req.Step), req.Attempt,
		url.PathEscape(string(req.Slot)), req.SlotEpoch, ask)
	if req.DryRun {
		id += "/dry-run"
	}
	return Call{
		ID: id, Ask: ask, Case: req.Case, Step: req.Step, Attempt: req.Attempt, Member: req.Member, Pool: req.Pool,
		Slot: req.Slot, SlotEpoch: req.SlotEpoch, Deadline: req.Deadline.UTC(), DryRun: req.DryRun,
	}
}

// Verify says whether a call was signed with one of the secrets, not long ago.
// It is for receivers; there are two secrets while one replaces the other.
func Verify(header http.Header, body []byte, now time.Time, secrets ...[]byte) error {
	return signature.Verify(header, body, now, secrets...)
}
