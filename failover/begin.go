package failover

import (
	"fmt"
	"time"

	"moonwatch/agent"
	"moonwatch/consensus"
)

// How a case begins what cannot be undone, or what it waits for.

// begin decides between restart, replace and hold.
func (c *Conductor) begin(now time.Time, x *Case, out []ConductorEffect) []ConductorEffect {
	if reason, why := c.heardGate(now, x); reason != "" {
		return c.hold(now, x, reason, why, out)
	}
	if x.Planned {
		return c.beginPlanned(now, x, out)
	}
	v, _ := c.st.ledger.Standing(x.Subject)
	if v.Kind == consensus.VerdictServiceDown && c.st.Restartable(now, x) {
		if reason, why := c.st.RestartGate(now, x); reason != "" {
			out = c.would(now, x, DeedRestart, out)
			return c.hold(now, x, reason, why, out)
		}
		if x.State == Held || x.Since.Before(c.from) || v.At.Before(c.from) || x.Attempt > 0 {
			return c.restartLate(now, x, out)
		}
		return c.step(now, x, Restarting, CaseStep{Detail: "restart in place"}, out)
	}
	t := c.st.timing()
	since := c.silentSince(x)
	silent := now.Sub(since)
	if silent < t.ReplaceAfter-t.LookAhead {
		return out
	}
	look, looked := c.looks[x.Subject]
	// What the look says of the last sign of life may be a way later than what the
	// verdict said, by which it was called.
	fresh := looked && !look.Called.Before(since.Add(t.ReplaceAfter-t.LookAhead-t.FeedLag)) && now.Sub(look.Called) < t.LookFresh
	if !fresh {
		if asked := c.asked[x.Subject]; now.Sub(asked) < t.LookAgain {
			return out
		}
		if reason, why := c.st.ReplaceGate(now, x); reason != "" && reason != HeldEvidence {
			out = c.hold(now, x, reason, why, out)
			if x.State == Held && now.Sub(c.asked[x.Subject]) < 5*time.Second {
				return out // no hurry: it may not begin anyway
			}
		}
		c.asked[x.Subject] = now
		return append(out, LookAgain{Subject: x.Subject})
	}
	if silent < t.ReplaceAfter {
		c.wake = earliest(c.wake, since.Add(t.ReplaceAfter))
		return out
	}
	// The gate first: a case that waits for the brake waits for the brake,
	// whatever the roll calls say meanwhile. Else it would change its reason,
	// and write a fact about that, with every look.
	if reason, why := c.st.ReplaceGate(now, x); reason != "" {
		if confirms(x, look) {
			out = c.would(now, x, DeedReplace, out)
		}
		return c.hold(now, x, reason, why, out)
	}
	if !confirms(x, look) {
		delete(c.looks, x.Subject)
		return c.hold(now, x, HeldEvidence, "the second roll call was not clear", out)
	}
	detail := fmt.Sprintf("silent for %v, and the second roll call agrees", silent.Round(time.Millisecond))
	for _, act := range []Act{ActOverride, ActReserve} {
		if r := c.st.allowed(now, act, x); r != nil {
			detail += ", " + r.Words()
		}
	}
	return c.step(now, x, Fencing, CaseStep{Detail: detail}, out)
}

// restartLate restarts a service that was held, or restarted in vain, or left by
// an earlier leader, or condemned by one, only if a roll call since then still finds it
// down: a cascade, a hung action or a lost council may outlast the trouble, and a verdict
// is lifted only after a clean while.
func (c *Conductor) restartLate(now time.Time, x *Case, out []ConductorEffect) []ConductorEffect {
	look, looked := c.looks[x.Subject]
	t := c.st.timing()
	switch {
	case !looked || !look.Called.After(c.sights.began(x)) || look.Called.Before(c.from) || now.Sub(look.Called) >= t.LookFresh:
		if now.Sub(c.asked[x.Subject]) < t.LookAgain {
			return out
		}
		c.asked[x.Subject] = now
		return append(out, LookAgain{Subject: x.Subject})
	case !confirms(x, look):
		delete(c.looks, x.Subject)
		return c.hold(now, x, HeldEvidence, "a roll call does not find the service down any more", out)
	default:
		return c.step(now, x, Restarting, CaseStep{Detail: "restart in place, and a second roll call agrees"}, out)
	}
}

// confirms reports that the second roll call says what the verdict said.
func confirms(x *Case, l SecondLook) bool {
	if x.Kind == consensus.VerdictServiceDown {
		return l.Service == agent.Down || l.Agent == agent.Down
	}
	return l.Agent == agent.Down && l.Service != agent.Up
}

// stillLost reports that a roll call of this term has confirmed the loss.
func (c *Conductor) stillLost(now time.Time, x *Case) bool {
	l, ok := c.looks[x.Subject]
	return ok && l.Called.After(c.from) && now.Sub(l.Called) < c.st.timing().LookFresh && confirms(x, l)
}

// hold writes down what a case waits for, when that changes.
func (c *Conductor) hold(now time.Time, x *Case, reason HeldReason, why string, out []ConductorEffect) []ConductorEffect {
	reason, why = c.st.Awaits(now, x, reason, why)
	p := CaseStep{Held: reason, Detail: why}
	if (reason == HeldPoolEmpty || reason == HeldReserve) && !x.Planned {
		rung, words := c.st.Rung(now, x)
		p.Rung, p.Detail = rung, why+"; "+words
	}
	if x.State == Held && x.Held == reason && x.Rung == p.Rung {
		return out
	}
	return c.step(now, x, Held, p, out)
}
