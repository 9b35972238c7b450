package status

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"moonwatch/consensus"
	"moonwatch/failover"
	"moonwatch/member"
	"moonwatch/shield"
)

// Line puts one applied fact into one line for people. It follows from the
// fact alone. A refusal says whose command it was and why it was refused.
func Line(f consensus.Fact) string {
	if !f.Accepted {
		return oneLine(fmt.Sprintf("refused: %s of %s: %s", f.Command.Kind, proposer(f), f.Reason))
	}
	text, err := lineOf(f)
	if err != nil {
		text = fmt.Sprintf("fact %d: %v", f.Index, err)
	}
	return oneLine(text)
}

func lineOf(f consensus.Fact) (string, error) {
	switch f.Command.Kind {
	case consensus.KindGenesis:
		return worded(f, func(p consensus.Genesis) string {
			return fmt.Sprintf("cluster %s founded, council %s", p.Cluster, names(p.Council))
		})
	case consensus.KindFleet:
		return worded(f, func(p member.Fleet) string { return fleetLine(f, p) })
	case consensus.KindVerdict:
		return worded(f, func(p consensus.Verdict) string { return verdictLine(f, p) })
	case failover.KindCaseOpened:
		return worded(f, func(p failover.CaseOpened) string {
			return fmt.Sprintf("%s case %s slot %s: DRAINING after %s", caseID(f.Index), p.Subject, p.Slot, verdictID(p.Verdict))
		})
	case failover.KindCaseStep:
		return worded(f, stepLine)
	case failover.KindReport:
		return worded(f, func(p failover.Report) string { return reportLine(f.Command.Proposer, p) })
	case failover.KindTold, failover.KindCarried:
		return worded(f, func(p failover.DoorsTold) string { return toldLine(f.Command.Proposer, p) })
	case failover.KindBrake:
		return worded(f, brakeLine)
	case failover.KindHold:
		return worded(f, func(p failover.HoldGiven) string { return holdLine(f, p) })
	case failover.KindDrain:
		return worded(f, func(p failover.DrainOrdered) string {
			if p.Back {
				return fmt.Sprintf("slot %s of %s has its traffic again, by %s", p.Slot, p.Subject, proposer(f))
			}
			return fmt.Sprintf("slot %s of %s drained by %s: %s", p.Slot, p.Subject, proposer(f), p.Reason)
		})
	case failover.KindVacated:
		return worded(f, func(p failover.VacateOrdered) string {
			return fmt.Sprintf("slot %s is taken away from %s by %s, and vacant: %s", p.Slot, p.Subject, proposer(f), p.Reason)
		})
	case failover.KindFilled:
		return worded(f, func(p failover.FillOrdered) string {
			return fmt.Sprintf("slot %s is filled by %s: %s", p.Slot, proposer(f), p.Reason)
		})
	case failover.KindSwitchover:
		return worded(f, func(p failover.SwitchoverOrdered) string {
			return fmt.Sprintf("%s switchover of slot %s away from %s by %s: %s", caseID(f.Index), p.Slot, p.Subject, proposer(f), p.Reason)
		})
	case failover.KindHoldLifted:
		return worded(f, func(p failover.HoldLifted) string { return liftedLine(f, p) })
	case failover.KindRequest:
		return worded(f, func(p failover.Requested) string { return requestLine(f, p) })
	case failover.KindAnswer:
		return worded(f, func(p failover.Answered) string { return answerLine(f, p) })
	case failover.KindAnnounced:
		return worded(f, func(p failover.Announced) string {
			return fmt.Sprintf("R-%d takes effect in %v unless somebody vetoes it", p.Request, failover.AloneAfter)
		})
	case failover.KindWould:
		return worded(f, func(p failover.Would) string {
			if p.Spare == "" {
				return fmt.Sprintf("%s would %s now", caseID(p.Case), p.Deed)
			}
			return fmt.Sprintf("%s would %s now, by %s", caseID(p.Case), p.Deed, p.Spare)
		})
	case failover.KindReturned:
		return worded(f, func(p failover.Returned) string { return fmt.Sprintf("%s is a spare again", p.Member) })
	case failover.KindEnforcer:
		return worded(f, func(p failover.Enforcer) string { return enforcerLine(f.Command.Proposer, p) })
	case failover.KindFencer:
		return worded(f, func(p failover.Fencer) string { return fencerLine(f.Command.Proposer, p) })
	case failover.KindFenceOrder:
		return worded(f, func(p failover.FenceOrder) string {
			return fmt.Sprintf("C-%d %s is told to fence by %s", p.Case, p.By, p.Level)
		})
	case failover.KindPrepare:
		return worded(f, func(p failover.PrepareOrdered) string {
			text := fmt.Sprintf("%s PREPARING %s", caseID(p.Case), p.Spare)
			if p.Detail != "" {
				text += ": " + p.Detail
			}
			return text
		})
	case failover.KindDrill:
		return worded(f, func(p failover.DrillOrdered) string {
			return strings.TrimSuffix(fmt.Sprintf("%s does a drill, wanted by %s: %s", p.Member, proposer(f), p.Reason), ": ")
		})
	case failover.KindEarly:
		return worded(f, func(p failover.ReturnedEarly) string {
			return fmt.Sprintf("%s is a spare before it has burnt in, for %s has none", p.Member, caseID(p.Case))
		})
	case failover.KindFits:
		return worded(f, func(p failover.Fits) string {
			if p.Good {
				return fmt.Sprintf("%s says: it fits pool %s", f.Command.Proposer, p.Pool)
			}
			return fmt.Sprintf("%s says: it does not fit pool %s: %s", f.Command.Proposer, p.Pool, p.Says)
		})
	case failover.KindBorrowed:
		return worded(f, func(p failover.SpareBorrowed) string {
			return fmt.Sprintf("%s BORROWED %s of pool %s", caseID(p.Case), p.Spare, p.From)
		})
	case failover.KindHeldBack:
		return worded(f, func(p failover.HeldBack) string {
			return fmt.Sprintf("%s HELD by %s: %s", caseID(p.Case), failover.HeldEvidence, p.Detail)
		})
	case failover.KindLoanEnded:
		return worded(f, func(p failover.LoanEnded) string {
			return fmt.Sprintf("%s GIVEN-BACK %s: %s", caseID(p.Case), p.Spare, p.Detail)
		})
	case failover.KindTakenBack:
		return worded(f, func(p failover.TakenBack) string {
			return fmt.Sprintf("%s CLOSED: %s", caseID(p.Case), p.Detail)
		})
	case failover.KindStopAgain:
		return worded(f, func(p failover.StopAgain) string {
			return fmt.Sprintf("%s the old occupant is told again to stop", caseID(p.Case))
		})
	case failover.KindForced:
		return worded(f, func(p failover.Forced) string {
			return fmt.Sprintf("%s OPEN: R-%d is made use of", caseID(f.Index), p.Request)
		})
	case failover.KindDrillDue:
		return worded(f, func(p failover.DrillOrdered) string {
			return fmt.Sprintf("%s does a drill, for its last one is long ago", p.Member)
		})
	case failover.KindDrillEnded:
		return worded(f, func(p failover.DrillEnded) string {
			return fmt.Sprintf("the drill of %s has failed: %s", p.Member, p.Detail)
		})
	case failover.KindCleared:
		return worded(f, func(p failover.StrikesCleared) string {
			return fmt.Sprintf("strikes of %s cleared by %s: %s", p.Member, proposer(f), p.Reason)
		})
	case failover.KindRelease:
		return worded(f, func(p failover.SpareReleased) string {
			return fmt.Sprintf("%s %s is given up: %s", caseID(p.Case), p.Spare, p.Detail)
		})
	case consensus.KindThrottle:
		return worded(f, throttleLine)
	case consensus.KindPin:
		return worded(f, func(p shield.Pin) string {
			if p.Rung == shield.Observe {
				return fmt.Sprintf("subdomain %s is left alone until %s, by %s: %s", p.Host, untilClock(p.Until), proposer(f), p.Reason)
			}
			return fmt.Sprintf("subdomain %s pinned to %s until %s by %s: %s", p.Host, p.Rung, untilClock(p.Until), proposer(f), p.Reason)
		})
	case consensus.KindUnpin:
		return worded(f, func(p shield.Unpin) string {
			return fmt.Sprintf("subdomain %s is given back to the doors' votes by %s", p.Host, proposer(f))
		})
	case consensus.KindRevoked:
		return worded(f, func(r consensus.Revoke) string {
			whose := "the certificate of member " + string(r.Member)
			if r.Operator != "" {
				whose = "the key of operator " + r.Operator
			}
			return fmt.Sprintf("%s is withdrawn by %s: %s", whose, proposer(f), r.Reason)
		})
	case consensus.KindDisk:
		return fmt.Sprintf("%s may sit in the council", f.Command.Proposer), nil
	case consensus.KindCouncil:
		return worded(f, reformLine)
	case consensus.KindRefound:
		return worded(f, refoundLine)
	default:
		return fmt.Sprintf("fact of kind %s, which this agent does not know", f.Command.Kind), nil
	}
}

// worded reads a fact's payload and puts it into words.
func worded[T any](f consensus.Fact, words func(T) string) (string, error) {
	p, err := consensus.DecodePayload[T](f)
	if err != nil {
		return "", err
	}
	return words(p), nil
}

// proposer is who stands behind a command: an operator before the agent that
// handed it in.
func proposer(f consensus.Fact) string {
	switch {
	case f.Command.Warrant != nil:
		return f.Command.Warrant.Operator
	case f.Command.Proposer != "":
		return string(f.Command.Proposer)
	default:
		return "nobody"
	}
}

func fleetLine(f consensus.Fact, p member.Fleet) string {
	slots := 0
	for _, pool := range p.Pools {
		slots += len(pool.Slots)
	}
	return fmt.Sprintf("fleet applied by %s: %s, %s, %s",
		proposer(f), plural(len(p.Members), "member"), plural(len(p.Pools), "pool"), plural(slots, "slot"))
}

// verdictLine names the subjects by kind, with the count if there is one
// subject: in a cut of many each has its own, and the page shows them.
func verdictLine(f consensus.Fact, v consensus.Verdict) string {
	id := verdictID(f.Index)
	if len(v.Findings) == 1 {
		x := v.Findings[0]
		return fmt.Sprintf("%s verdict %s %s: %s", id, x.Kind, x.Subject, grounds(x))
	}
	var kinds []consensus.VerdictKind
	by := map[consensus.VerdictKind][]member.ID{}
	for _, x := range v.Findings {
		if by[x.Kind] == nil {
			kinds = append(kinds, x.Kind)
		}
		by[x.Kind] = append(by[x.Kind], x.Subject)
	}
	var parts []string
	for _, k := range kinds {
		part := fmt.Sprintf("%s %s", k, names(by[k]))
		if k == consensus.VerdictDomainCut {
			part = fmt.Sprintf("%s of failure domain %s: %s", k, v.Domain, names(by[k]))
		}
		parts = append(parts, part)
	}
	return fmt.Sprintf("%s verdict %s", id, strings.Join(parts, "; "))
}

// grounds is the count that bears a finding, in a few words.
func grounds(x consensus.Finding) string {
	a, s := x.Agent, x.Service
	switch x.Kind {
	case consensus.VerdictDown, consensus.VerdictDomainCut:
		return fmt.Sprintf("%d of %d observers, needed %d", a.Downs, a.Eligible, a.Needed)
	case consensus.VerdictServiceDown:
		return fmt.Sprintf("%d of %d observers, needed %d; its agent answers", s.Downs, s.Eligible, s.Needed)
	case consensus.VerdictAgentLost:
		return fmt.Sprintf("%d of %d observers, needed %d; %d reach its service", a.Downs, a.Eligible, a.Needed, s.Ups)
	case consensus.VerdictPartial:
		c := a
		if a.Downs == 0 {
			c = s
		}
		return fmt.Sprintf("%d of %d observers, needed %d; %d reach it", c.Downs, c.Eligible, c.Needed, c.Ups)
	case consensus.VerdictUp:
		text := fmt.Sprintf("%d of %d observers reach it", a.Ups, a.Eligible)
		if x.Withdrawn {
			text += ", withdrawn before anything irreversible"
		}
		return text
	default:
		return fmt.Sprintf("%d down, %d up", a.Downs, a.Ups)
	}
}

func stepLine(p failover.CaseStep) string {
	text := fmt.Sprintf("%s %s", caseID(p.Case), p.To)
	if p.Held != "" {
		text += " by " + string(p.Held)
	}
	if p.Spare != "" {
		text += " " + string(p.Spare)
	}
	if p.Detail != "" {
		text += ": " + p.Detail
	}
	return text
}

func reportLine(by member.ID, p failover.Report) string {
	if p.Step == failover.StepTest {
		if p.Done {
			return fmt.Sprintf("%s says: it is ready", by)
		}
		return fmt.Sprintf("%s says: it is not ready: %s", by, p.Detail)
	}
	text := fmt.Sprintf("%s says: %s of %s at slot epoch %d", by, p.Step, p.Slot, p.Epoch)
	if p.Case == 0 && p.Step == failover.StepPrepare {
		text = fmt.Sprintf("%s says: drill for %s", by, p.Slot)
	}
	if p.Case != 0 {
		text = caseID(p.Case) + " " + text
	}
	if p.Done {
		text += " done"
	} else {
		text += " failed"
	}
	if p.Took > 0 {
		text += " after " + p.Took.Round(time.Millisecond).String()
	}
	if p.Detail != "" {
		text += ": " + p.Detail
	}
	return text
}

// brakeLine tells all modes that hold from this fact on.
func brakeLine(b failover.Brakes) string {
	text := "mode " + string(b.Mode())
	if m, ok := b.Modes[failover.Fleet]; ok {
		text += ": " + m.Why
	}
	for _, s := range slices.Sorted(maps.Keys(b.Modes)) {
		if s != failover.Fleet {
			text += fmt.Sprintf("; %s %s: %s", s, b.Modes[s].Mode, b.Modes[s].Why)
		}
	}
	return text
}

func enforcerLine(by member.ID, p failover.Enforcer) string {
	switch {
	case p.Kind == "":
		return fmt.Sprintf("%s has no enforcer: %s", by, p.Detail)
	case p.Watchdog:
		return fmt.Sprintf("%s: %s with a watchdog ends its leases, tested %v before", by, p.Kind, p.Age.Round(time.Second))
	default:
		return fmt.Sprintf("%s: %s ends its leases, tested %v before", by, p.Kind, p.Age.Round(time.Second))
	}
}

func fencerLine(by member.ID, p failover.Fencer) string {
	if len(p.Can) == 0 {
		return fmt.Sprintf("%s can fence nobody", by)
	}
	var whom []string
	for _, id := range slices.Sorted(maps.Keys(p.Can)) {
		whom = append(whom, fmt.Sprintf("%s by %s", id, strings.Join(p.Can[id], " and ")))
	}
	return fmt.Sprintf("%s can fence %s", by, strings.Join(whom, ", "))
}

func throttleLine(p shield.Throttle) string {
	if p.Rung == shield.Observe {
		return fmt.Sprintf("subdomain %s released: %s", p.Host, p.Why)
	}
	return fmt.Sprintf("subdomain %s to %s until %s by the votes of %s: %s", p.Host, p.Rung, untilClock(p.Until), names(p.Doors), p.Why)
}

func untilClock(t time.Time) string { return t.UTC().Format("15:04:05 UTC") }
