package demo

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"

	"moonwatch/consensus"
	"moonwatch/failover"
	"moonwatch/member"
)

// Result is what `demo --once --json` prints. All times are milliseconds since
// the fault on the launcher's monotonic clock; null: it did not happen.
//
// A failover is counted when its case begins to fence, a destructive action
// when the ledger takes it: restart, fence, activate, promote, and each stop
// that an executor reports.
type Result struct {
	Schema           int                    `json:"schema"`
	OK               bool                   `json:"ok"`
	Fault            string                 `json:"fault"`
	Members          []member.ID            `json:"members"` // the victims
	Member           member.ID              `json:"member"`  // the first
	Accused          *int64                 `json:"accused_ms"`
	Verdict          *int64                 `json:"verdict_ms"` // on the first victim
	VerdictKind      *consensus.VerdictKind `json:"verdict_kind"`
	VotesDown        *int                   `json:"votes_down"`
	VotesUp          *int                   `json:"votes_up"`
	Drained          *int64                 `json:"drained_ms"` // the launcher's gateway sends nothing to any victim
	Serving          *int64                 `json:"serving_ms"` // first good answer from the last lost slot
	Failovers        int                    `json:"failovers"`
	Restarts         int                    `json:"restarts"`
	Promotions       []promotion            `json:"promotions"`
	Promoted         *member.ID             `json:"promoted"` // the first
	SlotEpoch        *member.SlotEpoch      `json:"slot_epoch"`
	ModeMax          failover.Mode          `json:"mode_max"`
	Destructive      int                    `json:"destructive_actions"`
	Requests         int                    `json:"requests"`
	Failed           int                    `json:"failed"`
	FailedAfterDrain int                    `json:"failed_after_drain"`
	Unsent           int                    `json:"unsent"` // fell due while this machine stood still, and are in no other count
	Facts            []told                 `json:"facts"`
}

// result sums the story up. Lists are empty and not null, so that readers need
// no case for that.
func (s *story) result(ok bool, t tally) Result {
	r := Result{
		Schema: 1, OK: ok, Fault: s.fault, Members: []member.ID{}, Member: s.victims[0].Member,
		Accused: ms(s.accused), Drained: ms(s.drained),
		Failovers: s.failovers, Restarts: s.restarts, Promotions: append([]promotion{}, s.promoted...),
		ModeMax: s.mode, Destructive: s.deeds,
		Requests: t.Requests, Failed: len(t.Failed), Unsent: t.Unsent, Facts: append([]told{}, s.facts...),
	}
	for _, v := range s.victims {
		r.Members = append(r.Members, v.Member)
	}
	if want := expectations[s.fault]; want.quiet == 0 || want.back {
		r.Serving = ms(s.servedAll()) // else no slot is expected to come back
	}
	if v := s.verdict; v != nil {
		r.Verdict, r.VerdictKind, r.VotesDown, r.VotesUp = ms(v.At), &v.Kind, &v.Downs, &v.Ups
	}
	if len(s.promoted) > 0 {
		r.Promoted, r.SlotEpoch = &s.promoted[0].Member, &s.promoted[0].Epoch
	}
	if s.drained > 0 {
		r.FailedAfterDrain = t.since(s.hit.Add(s.drained))
	}
	return r
}

// ms is a duration in milliseconds, nil for 0: it did not happen.
func ms(d time.Duration) *int64 {
	if d == 0 {
		return nil
	}
	n := d.Milliseconds()
	return &n
}

// list names members for people.
func list(ids []member.ID) string {
	names := make([]string, len(ids))
	for i, id := range ids {
		names[i] = string(id)
	}
	return strings.Join(names, ", ")
}

// writeJSON prints the one object of --json.
func (r Result) writeJSON(out io.Writer) error {
	enc := json.NewEncoder(out)
	enc.SetIndent("", "  ")
	if err := enc.Encode(r); err != nil {
		return fmt.Errorf("print result: %w", err)
	}
	return nil
}

// writeText prints the story for people.
func (r Result) writeText(out io.Writer) {
	at := func(n *int64) string {
		if n == nil {
			return "-"
		}
		return fmt.Sprintf("%.1f s", float64(*n)/1000)
	}
	end := "as expected"
	if !r.OK {
		end = "NOT as expected"
	}
	fmt.Fprintf(out, "%s of %s ended %s\n", r.Fault, list(r.Members), end)
	for _, f := range r.Facts {
		fmt.Fprintf(out, "  %6.1f s  #%-3d %s\n", float64(f.MS)/1000, f.Index, f.Line)
	}
	kind, votes := "none", ""
	if r.VerdictKind != nil {
		kind, votes = string(*r.VerdictKind), fmt.Sprintf(" (%d down, %d up)", *r.VotesDown, *r.VotesUp)
	}
	fmt.Fprintf(out, "accused %s, verdict %s at %s%s, drained %s, serving %s\n",
		at(r.Accused), kind, at(r.Verdict), votes, at(r.Drained), at(r.Serving))
	fmt.Fprintf(out, "failovers %d, restarts %d, destructive actions %d, mode at worst %s\n",
		r.Failovers, r.Restarts, r.Destructive, r.ModeMax)
	fmt.Fprintf(out, "%d requests, %d failed, %d of them after the drain", r.Requests, r.Failed, r.FailedAfterDrain)
	if r.Unsent > 0 {
		fmt.Fprintf(out, "; %d were not sent, for this machine stood still when it was their time", r.Unsent)
	}
	fmt.Fprintln(out)
}
