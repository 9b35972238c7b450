package status

import (
	"fmt"
	"strings"
	"time"
	"unicode"

	"moonwatch/agent"
	"moonwatch/consensus"
	"moonwatch/failover"
	"moonwatch/member"
)

// verdictID and caseID are the ids that people see and type.
func verdictID(index uint64) string { return fmt.Sprintf("V-%d", index) }
func caseID(index uint64) string    { return fmt.Sprintf("C-%d", index) }

// maxLine bounds one line in characters: a failing action's output may be long.
const maxLine = 300

// oneLine makes one printable line of text that others wrote: an action's
// output or a name must not move the reader's cursor or hide what follows.
func oneLine(s string) string {
	if isOneLine(s) {
		return s
	}
	s = strings.Join(strings.FieldsFunc(s, func(r rune) bool {
		return unicode.IsSpace(r) || unicode.IsControl(r) || unicode.Is(unicode.Cf, r)
	}), " ")
	if r := []rune(s); len(r) > maxLine {
		return string(r[:maxLine-1]) + "…"
	}
	return s
}

// isOneLine reports that a text needs nothing done to it, as nearly all do: it is short,
// plain, and its words have one space between them.
func isOneLine(s string) bool {
	before := byte(' ')
	for i := range len(s) {
		if c := s[i]; c < ' ' || c > '~' || c == ' ' && before == ' ' {
			return false
		}
		before = s[i]
	}
	return len(s) <= maxLine && (before != ' ' || s == "")
}

// plural is "1 case", "2 cases".
func plural(n int, one string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %ss", n, one)
}

// names lists ids, the first few if they are many.
func names[T ~string](ids []T) string {
	const few = 12
	var b strings.Builder
	for i, id := range ids[:min(few, len(ids))] {
		if i > 0 {
			b.WriteString(", ")
		}
		b.WriteString(string(id))
	}
	if more := len(ids) - few; more > 0 {
		fmt.Fprintf(&b, " and %d more", more)
	}
	return b.String()
}

// span is a duration as people read it: 420ms, 3.1s, 12m5s.
func span(d time.Duration) string {
	switch {
	case d < time.Second:
		return d.Round(time.Millisecond).String()
	case d < time.Minute:
		return d.Round(100 * time.Millisecond).String()
	default:
		return d.Round(time.Second).String()
	}
}

// clock is a time of day as it stands in lines of text.
func clock(t time.Time) string { return t.UTC().Format("15:04:05.0") }

// moment is a time with its day.
func moment(t time.Time) string { return t.UTC().Format("2006-01-02 15:04:05.0 UTC") }

// evidence puts what an observer saw into words.
func evidence(e agent.Evidence) string {
	var parts []string
	if e.SilentFor > 0 {
		parts = append(parts, "silent for "+span(e.SilentFor))
	}
	if e.LostRun > 0 {
		parts = append(parts, fmt.Sprintf("%d in a row lost", e.LostRun))
	}
	if e.LossPct > 0 {
		parts = append(parts, fmt.Sprintf("%d %% lost, its other edges %d %%", e.LossPct, e.MedianPct))
	}
	if e.Detail != "" {
		parts = append(parts, oneLine(e.Detail))
	}
	return strings.Join(parts, ", ")
}

// heldBy puts a held reason into words: what has to happen for the case to go
// on.
func heldBy(r failover.HeldReason) string {
	switch r {
	case failover.HeldBrake:
		return "too many members are in trouble: it waits until the brake lets go"
	case failover.HeldBudget:
		return "the budget is spent: it waits until the window allows one more"
	case failover.HeldDisarmed:
		return "nothing is armed here, by fleet.yaml or by somebody's order: this is what would have been done"
	case failover.HeldHold:
		return "people hold it: it waits until the hold ends or is lifted (moonwatch resume)"
	case failover.HeldMaintenance:
		return "people work there: it waits until the maintenance ends or is lifted (moonwatch resume)"
	case failover.HeldDryRun:
		return "all gates are open and people only want to know: this is what would have been done"
	case failover.HeldApproval:
		return "people have been asked to let it go on, and have not all answered (moonwatch approvals)"
	case failover.HeldPoolEmpty:
		return "no spare is free: it waits for a member to come back or to be added"
	case failover.HeldReserve:
		return "enough slots serve, and the spares that are left are the pool's reserve: it waits for more spares, or for people to lower the reserve"
	case failover.HeldEvidence:
		return "the evidence is not fresh: it waits for a clear second roll call"
	case failover.HeldFence:
		return "nothing proves that the old occupant stopped: people have to make sure of it"
	default:
		return string(r)
	}
}

// Runbook is the page about a held reason: what it means, what to look at and what to
// do. It is a path in the repository, and below /usr/share/doc/moonwatch.
func Runbook(r failover.HeldReason) string { return "docs/runbooks/held-" + string(r) + ".md" }

// next says what happens to a case next.
func next(c *failover.Case, executor member.ID) string {
	switch c.State {
	case failover.Opened, failover.Draining:
		if c.Planned {
			return "its gates, and then a spare is put in"
		}
		if c.Kind == consensus.VerdictServiceDown {
			return "a restart in place, or a replacement if restarts are used up"
		}
		return "a second roll call, then the replacement"
	case failover.Held:
		return "goes on by itself when the reason is gone"
	case failover.Ready:
		return "fencing"
	case failover.Restarting:
		return fmt.Sprintf("%s restarts the service and says how it went", executor)
	case failover.Fencing:
		return fmt.Sprintf("%s proves that it stopped the slot", executor)
	case failover.Fenced, failover.Claiming:
		for _, p := range c.Preparing {
			if p.Ready {
				return fmt.Sprintf("%s, which is prepared, goes live", p.Spare)
			}
		}
		if len(c.Preparing) > 0 {
			return "a spare prepares, and goes live when it is ready"
		}
		return "the best free spare is claimed"
	case failover.Activating:
		return fmt.Sprintf("%s starts the service and says how it went", executor)
	case failover.Verifying:
		return "the observers check that the service answers"
	case failover.Cutover, failover.Settling:
		return "closes if all stays calm"
	case failover.Aborting:
		return "closes"
	case failover.Escalated:
		if c.Proof != "" {
			return "people are told; it goes on as soon as a spare is free"
		}
		return "people are told; it goes on with a proof that the old occupant has stopped"
	case failover.Closed:
		return "nothing: it is closed"
	default:
		return ""
	}
}

// means says what a mode allows (PROTOCOL 7).
func means(m failover.Mode) string {
	switch m {
	case failover.Normal:
		return "lost slots are replaced within the budget"
	case failover.Guarded:
		return "one case at a time"
	case failover.Cascade:
		return "nothing destructive is done; watching, telling and draining go on"
	case failover.Isolated:
		return "nothing is decided here; only self-fencing and local reflexes go on"
	default:
		return ""
	}
}
