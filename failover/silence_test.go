package failover

import (
	"testing"
	"time"

	"moonwatch/agent"
	"moonwatch/consensus"
)

// fallen is a conductor whose case is ten seconds old when its subject, which had
// come back in between, falls silent once more: a roll call says so.
func fallen(t *testing.T, since func(now time.Time) time.Time) (c *Conductor, look SecondLook, now time.Time) {
	t.Helper()
	x := newTale(t, webFleet(5, 3, 2, 2)).serving()
	x.judge(consensus.VerdictDown, "web-3")
	x.run(100 * time.Millisecond)
	now = x.theCase().Silent.Add(10 * time.Second)
	c = NewConductor(x.state, nil, 9, now.Add(-8*time.Second))
	return c, SecondLook{Subject: "web-3", Agent: agent.Down, Called: now.Add(-100 * time.Millisecond), SilentSince: since(now)}, now
}

func fences(effects []ConductorEffect) bool {
	for _, e := range effects {
		if p, ok := e.(ProposeFact); ok {
			if s, ok := p.Payload.(CaseStep); ok && s.To == Fencing {
				return true
			}
		}
	}
	return false
}

func TestAShortFallUnderAnOldVerdictIsNoLongSilence(t *testing.T) {
	c, look, now := fallen(t, func(now time.Time) time.Time { return now.Add(-2 * time.Second) })
	if fences(c.Step(now, look, nil)) {
		t.Error("fenced after a silence of 2 s, for the verdict is ten seconds old")
	}
	later := now.Add(time.Second)
	look.Called = later.Add(-100 * time.Millisecond)
	if !fences(c.Step(later, look, nil)) {
		t.Error("not fenced after a silence of 3 s")
	}
}

func TestWhoAnswersNowAndThenIsSilentSinceItsVerdict(t *testing.T) {
	c, look, now := fallen(t, func(time.Time) time.Time { return time.Time{} }) // its observers complain of loss
	if !fences(c.Step(now, look, nil)) {
		t.Error("not fenced: a sign of life now and then is no recovery")
	}
}
