package agent

import "time"

// doubt is an observer's suspicion of itself (PROTOCOL 2, self-doubt). While
// it lasts the observer abstains. It lasts no longer than c.DoubtMax in one piece,
// so that a fleet does not go blind for ever, unless the observer is hopeless.
type doubt struct {
	slipped time.Time // when a timer was last found to be late
	since   time.Time // when the present doubt began; zero: none
	reason  Reason
	// Most edges are down, and those that answer lose more than they carry. No
	// run of losses means anything to such an observer, so its doubt stays.
	hopeless bool
}

// slip looks at how late the observer was called. It reports whether we were
// stalled: whatever was in flight then says nothing about the subjects.
func (d *doubt) slip(now, due time.Time, c *Config) bool {
	if due.IsZero() || now.Sub(due) <= c.SlipAfter {
		return false
	}
	d.slipped = now
	return true
}

// weigh decides whether the observer doubts itself now.
func (d *doubt) weigh(now time.Time, smeared, hopeless bool, c *Config) {
	d.hopeless = smeared && hopeless
	switch {
	case !d.slipped.IsZero() && now.Sub(d.slipped) < c.SlipMemory:
		d.reason = Stalled
	case smeared:
		d.reason = Smeared
	default:
		*d = doubt{slipped: d.slipped}
		return
	}
	if d.since.IsZero() {
		d.since = now
	}
}

// word is the reason for which the observer abstains now, empty if it votes.
func (d *doubt) word(now time.Time, c *Config) Reason {
	if d.since.IsZero() || now.Sub(d.since) >= c.DoubtMax && !d.hopeless {
		return ""
	}
	return d.reason
}
