package webhook

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"moonwatch/failover/driver"
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
	HeaderTimestamp = "Moonwatch-Timestamp" // when it was signed, in seconds since 1970
	HeaderSignature = "Moonwatch-Signature" // "v1=" and the HMAC-SHA256 of timestamp, "." and body, in hex
)

// Fresh is how old or early a call may be signed. It bounds how long a call that
// somebody recorded could be played again; slot epoch and key make that harmless.
const Fresh = 5 * time.Minute

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

func sign(header http.Header, body, secret []byte, now time.Time) {
	stamp := strconv.FormatInt(now.Unix(), 10)
	header.Set(HeaderTimestamp, stamp)
	header.Set(HeaderSignature, "v1="+hex.EncodeToString(mac(stamp, body, secret)))
}

func mac(stamp string, body, secret []byte) []byte {
	h := hmac.New(sha256.New, secret)
	h.Write(bytes.Join([][]byte{[]byte(stamp), body}, []byte(".")))
	return h.Sum(nil)
}

// Verify says whether a call was signed with one of the secrets, not long ago.
// It is for receivers; there are two secrets while one replaces the other.
func Verify(header http.Header, body []byte, now time.Time, secrets ...[]byte) error {
	stamp := header.Get(HeaderTimestamp)
	seconds, err := strconv.ParseInt(stamp, 10, 64)
	if err != nil {
		return fmt.Errorf("%s is %q, want seconds since 1970", HeaderTimestamp, stamp)
	}
	if age := now.Sub(time.Unix(seconds, 0)); age.Abs() > Fresh {
		return fmt.Errorf("the call was signed %v ago, want at most %v", age, Fresh)
	}
	for _, secret := range secrets {
		if hmac.Equal([]byte(header.Get(HeaderSignature)), []byte("v1="+hex.EncodeToString(mac(stamp, body, secret)))) {
			return nil
		}
	}
	return errors.New("the signature is not ours")
}
