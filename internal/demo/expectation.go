package demo

import (
	"fmt"
	"time"

	"moonwatch/consensus"
	"moonwatch/failover"
)

// expectation is how a story has to end.
type expectation struct {
	verdict  consensus.VerdictKind // about the first victim; empty: any or none
	replaced bool                  // each lost slot is held by a spare and serves
	restart  bool                  // the service is started anew where it was
	mode     failover.Mode         // is entered; empty: any
	within   time.Duration         // and so soon
	alive    bool                  // the service lives on: a down verdict on the member would be false
	quiet    time.Duration         // nothing destructive for so long, from the fault or from the mode
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
	FaultHalf:            {mode: failover.Cascade, within: 3 * time.Second, quiet: 12 * time.Second},
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
	case want.replaced && (s.failovers > len(s.victims) || s.restarts > 0):
		return fmt.Sprintf("%d failovers and %d restarts, want %d and none", s.failovers, s.restarts, len(s.victims)), true
	case want.restart && (s.failovers > 0 || s.restarts > 1):
		return fmt.Sprintf("%d failovers and %d restarts, want none and 1", s.failovers, s.restarts), true
	}
	return "", false
}

// unsettled says whether the end that is wanted has come and has lasted.
func (s *story) unsettled(now time.Duration, want expectation) string {
	served := s.servedAll()
	switch {
	case want.replaced && len(s.promoted) < len(s.victims):
		return fmt.Sprintf("%d spares promoted, want %d", len(s.promoted), len(s.victims))
	case want.restart && s.restarts == 0:
		return "no restart in place, want one"
	case (want.replaced || want.restart) && served == 0:
		return fmt.Sprintf("%d of %d lost slots serve again", len(s.served), len(s.victims))
	case (want.replaced || want.restart) && now < served+settle:
		return "not settled yet"
	case now < s.modes[want.mode]+want.quiet: // without a mode: from the fault
		return fmt.Sprintf("quiet for %v, want %v", (now - s.modes[want.mode]).Round(time.Second), want.quiet)
	}
	return ""
}
