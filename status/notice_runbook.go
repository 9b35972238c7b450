package status

import (
	"slices"
	"strings"

	"moonwatch/consensus"
	"moonwatch/failover"
)

// runbookOf names the page that tells what to do about a notice, as it stands on this page.
// Held and escalated cases have their own, whatever began them. Empty: there is none, of a
// reason that a newer build has.
func runbookOf(p Page, n Notice) string {
	page := func(name string) string { return "docs/runbooks/" + name + ".md" }
	if reason, held := strings.CutPrefix(n.Stage, "held: "); held {
		if r := failover.HeldReason(reason); slices.Contains(failover.HeldReasons(), r) {
			return Runbook(r)
		}
		return ""
	}
	if n.Stage == Escalated {
		return page("MoonwatchCaseEscalated")
	}
	kind, _, _ := strings.Cut(n.ID, "/")
	switch kind {
	case "verdict":
		for _, m := range p.Members {
			if slices.Contains(n.Members, m.ID) && m.Verdict != consensus.VerdictPartial {
				return page("MoonwatchMemberDown")
			}
		}
		return page("MoonwatchMemberPartial")
	case "cascade":
		return page("MoonwatchBrakeOn")
	case "spares":
		return page("MoonwatchSparesLow")
	case "vacant", "starting":
		return page("MoonwatchSlotNotServing")
	case "door":
		return page("MoonwatchDoorBehind")
	case "request":
		return Runbook(failover.HeldApproval)
	case "blocked":
		return page("MoonwatchAgentBlocked")
	case strings.TrimSuffix(councilLostKind, "/"):
		return page("MoonwatchNoCouncil")
	case certKind:
		switch n.Stage {
		case endsIn21:
			return page("MoonwatchCertificateExpires")
		case endsIn7:
			return page("MoonwatchCertificateEnds")
		default:
			return page("MoonwatchCertificateLastDay")
		}
	default:
		return ""
	}
}
