package demo

import (
	"fmt"
	"time"

	"moonwatch/consensus"
	"moonwatch/failover"
	"moonwatch/member"
)

// expectation is how a story has to end.
type expectation struct {
	verdict  consensus.VerdictKind // about the first victim; empty: any or none
	replaced bool                  // each lost slot is held by a spare and serves
	restart  bool                  // the service is started anew where it was
	mode     failover.Mode         // is entered; empty: any
	within   time.Duration         // and so soon
	alive    bool                  // the service lives on: a down verdict on the member would be false
	quiet    time.Duration         // nothing destructive ever, and so long after the fault, the mode and the plot
	back     bool                  // each slot is served again by who held it, at the slot epoch that it had
	released bool                  // and the cascade has ended by itself
}

// settle is how long a happy end must last to be believed.
const settle = time.Second

// expectations by fault.
var expectations = map[string]expectation{
	FaultKill:            {verdict: consensus.VerdictDown, replaced: true},
	FaultStop:            {verdict: consensus.VerdictDown, replaced: true},
	FaultLeaderAndVictim: {verdict: consensus.VerdictDown, replaced: true},
	FaultTwo:             {verdict: consensus.VerdictDown, replaced: true},
	FaultService:         {verdict: consensus.VerdictServiceDown, restart: true},
	FaultAgent:           {verdict: consensus.VerdictAgentLost, alive: true, quiet: 12 * time.Second},
	FaultPauseAgent:      {alive: true, quiet: 12 * time.Second},
	FaultRestartAgent:    {alive: true, quiet: 12 * time.Second},
	FaultHalf:            {mode: failover.Cascade, within: 3 * time.Second, quiet: time.Second, back: true, released: true},
	// A domain-cut is lifted after 30 s clean, so the end of the cascade is not waited for.
	FaultRack:         {verdict: consensus.VerdictDomainCut, mode: failover.Cascade, within: 3 * time.Second, quiet: 3 * time.Second, back: true},
	FaultFlap:         {verdict: consensus.VerdictDown, replaced: true},
	FaultSpareDies:    {verdict: consensus.VerdictDown, replaced: true},
	FaultLeaderInCase: {verdict: consensus.VerdictDown, replaced: true},
	FaultStall:        {quiet: 3 * time.Second},
	// Four seconds without a council quorum are an isolation (an election may
	// take as long); the rest is the way to this moment.
	FaultQuorum: {mode: failover.Isolated, within: 8 * time.Second, quiet: 10 * time.Second},
}

// missing says what the story still lacks at a moment after the fault; empty
// means that it has ended as it should. broken means that it never will.
func (s *story) missing(now time.Duration) (lack string, broken bool) {
	want := expectations[s.fault]
	if lack, broken := s.overdone(want); broken {
		return lack, true
	}
	switch {
	case want.mode != "" && s.modes[want.mode] == 0:
		return fmt.Sprintf("mode %s, want %s within %v", s.mode, want.mode, want.within), now > want.within
	case want.mode != "" && s.modes[want.mode] > want.within:
		return fmt.Sprintf("mode %s after %v, want %v at most", want.mode, s.modes[want.mode], want.within), true
	case want.verdict != "" && s.verdict == nil:
		return fmt.Sprintf("no verdict on %s, want %s", s.victims[0].Member, want.verdict), false
	case want.verdict != "" && s.verdict.Kind != want.verdict:
		return fmt.Sprintf("verdict %s on %s, want %s", s.verdict.Kind, s.victims[0].Member, want.verdict), false
	}
	return s.unsettled(now, want), false
}

// overdone reports what was done and must not be.
func (s *story) overdone(want expectation) (string, bool) {
	switch {
	case want.alive && s.condemned != "":
		return fmt.Sprintf("verdict down on %s, whose service answers", s.condemned), true
	case want.quiet > 0 && s.deeds > 0:
		return fmt.Sprintf("%d destructive actions, want none", s.deeds), true
	case s.relapsed != "":
		return fmt.Sprintf("slot %s was answered by an occupant of an older slot epoch after its newest one", s.relapsed), true
	case want.replaced && (s.failovers > s.lost() || len(s.promoted) > s.lost() || s.restarts > 0):
		return fmt.Sprintf("%d failovers, %d spares promoted and %d restarts, want %d, %d and none",
			s.failovers, len(s.promoted), s.restarts, s.lost(), s.lost()), true
	case want.restart && (s.failovers > 0 || s.restarts > 1):
		return fmt.Sprintf("%d failovers and %d restarts, want none and 1", s.failovers, s.restarts), true
	}
	return "", false
}

// unsettled says whether the end that is wanted has come and has lasted.
func (s *story) unsettled(now time.Duration, want expectation) string {
	served := s.servedAll()
	again := want.replaced || want.restart || want.back
	switch {
	case s.played == 0:
		return "the story goes on"
	case want.replaced && len(s.promoted) < s.lost():
		return fmt.Sprintf("%d spares promoted, want %d", len(s.promoted), s.lost())
	case want.restart && s.restarts == 0:
		return "no restart in place, want one"
	case again && served == 0:
		return fmt.Sprintf("%d of %d lost slots serve again", len(s.served), s.lost())
	case again && now < served+settle:
		return "not settled yet"
	case want.back && s.elsewhere() != "":
		return fmt.Sprintf("slot %s is not served by who held it", s.elsewhere())
	case want.released && s.present.Rank() >= failover.Cascade.Rank():
		return fmt.Sprintf("mode %s, want it to have ended by itself", s.present)
	case now < max(s.modes[want.mode], s.played)+want.quiet: // without a mode: from the fault
		return fmt.Sprintf("quiet for %v, want %v", (now - max(s.modes[want.mode], s.played)).Round(time.Second), want.quiet)
	}
	return ""
}

// elsewhere is the first lost slot that another one than its victim serves, or the
// victim at another slot epoch; empty for none.
func (s *story) elsewhere() member.SlotID {
	for _, v := range s.victims {
		if a := s.serves[v.Slot]; v.Slot != "" && (a.Member != v.Member || a.Epoch != v.Epoch) {
			return v.Slot
		}
	}
	return ""
}
