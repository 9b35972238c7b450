package failover

import (
	"fmt"
	"strings"
	"time"
)

// Consequence says what becomes of what a request has set going, now that it is rejected:
// above all, what it is too late for. Empty if it is not rejected, or nothing had begun.
func (st *State) Consequence(r *Request) string {
	if r.Rejected.IsZero() {
		return ""
	}
	var words []string
	for _, x := range r.Cases {
		c := st.s.Cases[x.Case]
		if r.Act == ActFailover {
			c = st.s.Cases[r.Opened]
		}
		if c == nil || c.closedBefore(r.Rejected) {
			continue
		}
		if w := c.consequence(r.Act); w != "" {
			words = append(words, w)
		}
	}
	return strings.Join(words, "; ")
}

// consequence says the same of one case.
func (c *Case) consequence(act Act) string {
	switch {
	case c.Outcome == OutcomeAborted:
		return fmt.Sprintf("%s is given up: slot %s stays with %s", c.Name(), c.Slot, c.Subject)
	case c.State == Closed:
		return fmt.Sprintf("%s was past the point of no return: %s", c.Name(), c.Outcome)
	case act == ActFailover && c.Forced == 0:
		return fmt.Sprintf("%s goes on: %s is under %s by now, and it is a failover of its own", c.Name(), c.Subject, c.Kind)
	case act == ActFailover && (c.returnable() || c.givenUp()):
		return fmt.Sprintf("%s is being given up, unless %s is proven to have stopped before that is a fact", c.Name(), c.Subject)
	case c.abortable():
		return ""
	default:
		return fmt.Sprintf("%s is past the point of no return (%s) and goes on: slot %s moves away from %s", c.Name(), c.State, c.Slot, c.Subject)
	}
}

// closedBefore reports that a case had ended by a time.
func (c *Case) closedBefore(t time.Time) bool { return c.State == Closed && c.Since.Before(t) }
