package failover

import (
	"fmt"
	"time"

	"moonwatch/agent"
	"moonwatch/member"
)

// Fit says whether a timing profile bears what was measured.
type Fit struct {
	Profile  string        `json:"profile"`
	Fits     bool          `json:"fits"`
	TimeOut  time.Duration `json:"time_out"` // 999 of 1,000 round trips have to be shorter
	Forgiven time.Duration `json:"forgiven"` // a machine that stands still for less is never replaced
	Patience time.Duration `json:"patience"` // and for less than this never accused
	Why      []string      `json:"why_not,omitempty"`
}

// Tuning is what was measured, and the profiles from the quickest to the slowest.
type Tuning struct {
	Members  int           `json:"members"`  // of the fleet, for as many a profile has to do
	Measured int           `json:"measured"` // members that have told what they saw
	For      time.Duration `json:"for"`      // the shortest time for which one of them has looked on
	Trip     time.Duration `json:"round_trip_p999"`
	Stall    time.Duration `json:"longest_stall"`
	Lost     float64       `json:"lost"`       // share of all probes that had no answer in time
	Silent   float64       `json:"unanswered"` // and had none at all, of the member with most of them
	Fits     []Fit         `json:"profiles"`
	Proposal string        `json:"proposal"` // empty where nothing that was measured speaks for any
	Enough   bool          `json:"enough"`   // it was looked on for long enough to believe in the longest stall
}

// tuneLeast is how long members have to look on before what they did not see says
// something: backups and the like come once a day.
const tuneLeast = 24 * time.Hour

// stallsPerDay is how many stalls a day that look like silence a member may have: each
// calls the roll, and the next longer one drains.
const stallsPerDay = 1

// Tune proposes the quickest profile that bears what members have measured: its
// time-outs the round trips, its patience the stalls. Where a machine stands still for
// longer than all forgive, the slowest one is proposed, and says why. None is proposed where
// no probe was answered, nor where a member had no answer, not even a late one, to more of
// them than its observer makes sense of (agent.Config.HopelessLoss): such round trips are
// those of the few that came through, and patience mends no way that is broken.
func Tune(members int, now time.Time, seen []agent.Measured) Tuning {
	t := Tuning{Members: members, Measured: len(seen)}
	var trips, stalls agent.Spread
	var sent, lost uint64
	var days float64
	for i, m := range seen {
		trips.Join(m.Trips)
		stalls.Join(m.Stalls)
		sent, lost = sent+m.Sent, lost+m.Lost
		if came := m.Trips.N(); came < m.Sent {
			t.Silent = max(t.Silent, float64(m.Sent-came)/float64(m.Sent))
		}
		d := now.Sub(m.Since)
		if days += d.Hours() / 24; i == 0 || d < t.For {
			t.For = d
		}
	}
	t.Trip, t.Stall = trips.Quantile(0.999), stalls.Most
	if sent > 0 {
		t.Lost = float64(lost) / float64(sent)
	}
	t.Enough = t.For >= tuneLeast
	bearable := false // one profile at least has something to go by
	for _, name := range []string{member.ProfileFast, member.ProfileLAN, member.ProfileCloud, member.ProfileWAN} {
		c, w := agent.ForProfile(name), TimingOf(name)
		f := Fit{
			Profile: name, TimeOut: c.TimeoutMax, Patience: c.Patience,
			// Silence begins with the last sign of life, and ends with two answers.
			Forgiven: w.ReplaceAfter - c.ProbeInterval - 2*c.ReprobeInterval,
		}
		no := func(format string, args ...any) { f.Why = append(f.Why, fmt.Sprintf(format, args...)) }
		if name == member.ProfileFast && members > member.FastMembers {
			no("%d members, at most %d", members, member.FastMembers)
		}
		answered, bears := trips.N() > 0, t.Silent <= c.HopelessLoss
		bearable = bearable || answered && bears
		if !answered {
			no("no probe was answered: nothing is known of round trips")
		}
		if !bears {
			no("a member had no answer to %.1f %% of its probes, at most %.0f %%", 100*t.Silent, 100*c.HopelessLoss)
		}
		if t.Trip > f.TimeOut {
			no("round trips of %v, time-out %v", t.Trip.Round(time.Microsecond), f.TimeOut)
		}
		if t.Stall > f.Forgiven {
			no("a stall of %v, replaced after %v", t.Stall.Round(time.Millisecond), f.Forgiven)
		}
		if n := float64(stalls.Above(f.Patience - c.ProbeInterval)); n > max(1, stallsPerDay*days) {
			no("%.0f stalls that would have been accused in %.1f member-days, at most one a day", n, days)
		}
		if f.Fits = len(f.Why) == 0; f.Fits && t.Proposal == "" {
			t.Proposal = name
		}
		t.Fits = append(t.Fits, f)
	}
	if t.Proposal == "" && bearable {
		t.Proposal = member.ProfileWAN
	}
	return t
}
