package failover

import (
	"time"

	"moonwatch/agent"
)

// How a case that has fenced gets somebody who serves.

// claimPatience is how long a fenced slot waits for the brake before people are
// told: most cascades of a whole fleet are over sooner or told by themselves.
const claimPatience = time.Minute

// claim gives the case the best free spare, or tells people that there is none.
func (c *Conductor) claim(now time.Time, x *Case, out []ConductorEffect) []ConductorEffect {
	if out, done := c.claimPlanned(now, x, out); done {
		return out
	}
	if reason, why := c.st.brakeGate(now, x, true); reason != "" {
		// The fence stands; the claim waits for the cascade to end. That of one
		// failure domain may need people to end it, so they are told.
		// A spare that has fallen is given up meanwhile: it may be back at the end,
		// without what it had prepared.
		if gone := c.letFallenGo(now, x, out); len(gone) > len(out) {
			return gone
		}
		told := x.Since.Add(claimPatience)
		switch {
		case x.State == Escalated:
		case now.Before(told):
			c.wake = earliest(c.wake, told)
		default:
			out = c.step(now, x, Escalated, CaseStep{Detail: why}, out)
		}
		return out
	}
	if x.State == Fenced && x.Proof == noProof && !x.Planned && x.Since.Before(c.from) && !c.stillLost(now, x) {
		// An earlier leader's step, perhaps one that was committed long after
		// it was proposed: what it saw then is not enough for us.
		return c.lookBack(now, x, out)
	}
	if c.st.twoSteps(x) {
		return c.goLive(now, x, out)
	}
	free := c.st.FreeSpares(now, x)
	if len(free) == 0 {
		if x.State == Escalated {
			return out
		}
		return c.step(now, x, Escalated, CaseStep{Detail: "no free spare in pool " + x.Pool}, out)
	}
	return c.step(now, x, Activating, CaseStep{Spare: c.unaccused(free)}, out)
}

// verify waits until the observers of the one who shall serve say that its
// service answers. If one observer is left, its word is enough beside the report of
// the executor itself: nobody can give a second one, and an unserved slot is worse.
func (c *Conductor) verify(now time.Time, x *Case, late bool, out []ConductorEffect) []ConductorEffect {
	who := x.Spare
	if x.Restart {
		who = x.Subject
	}
	next, back := Cutover, Claiming
	if x.Restart {
		next, back = Closed, Draining
	}
	if !c.st.Checked(who) {
		return c.step(now, x, next, CaseStep{Detail: "no outside check: its own word counts"}, out)
	}
	began := c.sights.began(x)
	look, looked := c.looks[who]
	if looked && look.Called.After(began) && (look.Service == agent.Up || look.Alone) {
		detail := "its observers reach the service"
		if look.Alone {
			detail = "the only observer that is left reaches the service"
		}
		return c.step(now, x, next, CaseStep{Detail: detail}, out)
	}
	if late {
		return c.step(now, x, back, CaseStep{Detail: string(who) + ": its service did not answer within " + c.st.timing().Verify.String()}, out)
	}
	// The observers have to hear first that there is a service to check.
	if asked := c.asked[who]; now.Sub(began) >= c.st.timing().FeedLag && (asked.Before(began) || now.Sub(asked) >= c.st.timing().VerifyAgain) {
		c.asked[who] = now
		return append(out, LookAgain{Subject: who})
	}
	c.wake = earliest(c.wake, now.Add(c.st.timing().FeedLag/2))
	return out
}
