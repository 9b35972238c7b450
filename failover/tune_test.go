package failover

import (
	"strings"
	"testing"
	"time"

	"moonwatch/agent"
)

func TestTheQuickestProfileThatBearsWhatWasSeen(t *testing.T) {
	now := time.Unix(1_000_000, 0)
	for _, c := range []struct {
		name        string
		members     int
		trip, stall time.Duration
		stalls      int
		want        string
		why         string // the profile before does not fit
	}{
		{"own hardware", 12, 300 * time.Microsecond, 40 * time.Millisecond, 1, "fast", ""},
		{"more than one switch carries", 40, 300 * time.Microsecond, 40 * time.Millisecond, 1, "lan", "40 members, at most 32"},
		{"a way through a city", 12, 120 * time.Millisecond, 40 * time.Millisecond, 1, "lan", "round trips of 120ms, time-out 80ms"},
		{"a host that pauses its guests", 12, time.Millisecond, 4 * time.Second, 1, "cloud", "a stall of 4s, replaced after 2.3s"},
		{"it does so all the time", 12, time.Millisecond, 1200 * time.Millisecond, 40, "cloud", "40 stalls that would have been accused"},
		{"another continent", 12, 600 * time.Millisecond, 40 * time.Millisecond, 1, "wan", "round trips of 600ms, time-out 400ms"},
		{"a machine that sleeps", 12, time.Millisecond, time.Minute, 1, "wan", "a stall of 1m0s"},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := agent.Measured{Since: now.Add(-48 * time.Hour), Sent: 1000, Lost: 10}
			for range 1000 {
				m.Trips.Add(c.trip)
				m.Stalls.Add(time.Millisecond)
			}
			for range c.stalls {
				m.Stalls.Add(c.stall)
			}
			got := Tune(c.members, now, []agent.Measured{m, m})
			if got.Proposal != c.want || !got.Enough || got.Lost != 0.01 || got.Stall != c.stall {
				t.Errorf("%+v, want %s", got, c.want)
			}
			var why []string
			for _, f := range got.Fits {
				if f.Profile == c.want && c.stall < time.Minute {
					if !f.Fits {
						t.Errorf("%s is proposed and does not fit: %q", f.Profile, f.Why)
					}
					break
				}
				why = append(why, f.Why...)
			}
			if !strings.Contains(strings.Join(why, "; "), strings.Replace(c.why, "40 stalls", "80 stalls", 1)) {
				t.Errorf("why not a quicker one: %q, want %q", why, c.why)
			}
		})
	}
}

func TestWhoHasLookedOnForAnHourKnowsLittle(t *testing.T) {
	now := time.Unix(1_000_000, 0)
	m := agent.Measured{Since: now.Add(-time.Hour)}
	if got := Tune(5, now, []agent.Measured{{Since: now.Add(-48 * time.Hour)}, m}); got.Enough || got.For != time.Hour {
		t.Errorf("%+v", got)
	}
}

// TestNoProfileIsProposedOfProbesThatNobodyAnswered: whoever is cut off has measured no
// round trip, and the quickest profile would bear none of them.
func TestNoProfileIsProposedOfProbesThatNobodyAnswered(t *testing.T) {
	now := time.Unix(1_000_000, 0)
	saw := func(sent, lost uint64) agent.Measured {
		m := agent.Measured{Since: now.Add(-48 * time.Hour), Sent: sent, Lost: lost}
		for range sent - lost {
			m.Trips.Add(300 * time.Microsecond)
		}
		return m
	}
	late := saw(1000, 0)
	late.Lost = 1000
	for _, c := range []struct {
		name string
		seen []agent.Measured
		want string
		why  string
	}{
		{"nobody", nil, "", "no probe was answered"},
		{"who observes nobody", []agent.Measured{saw(0, 0)}, "", "no probe was answered"},
		{"who is cut off", []agent.Measured{saw(1000, 1000)}, "", "no probe was answered"},
		{"who hears one in a hundred", []agent.Measured{saw(1000, 990)}, "", "no answer to 99.0 % of its probes, at most 50 %"},
		{"one of many who is cut off", []agent.Measured{saw(1000, 1), saw(1000, 0), saw(1000, 1000)}, "", "no answer to 100.0 % of its probes"},
		{"who is answered too late for its own profile", []agent.Measured{late}, "fast", ""},
		{"one of three subjects is dead", []agent.Measured{saw(900, 300), saw(900, 301)}, "fast", ""},
		{"a spare's agent beside a member's", []agent.Measured{saw(1000, 1), saw(0, 0)}, "fast", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := Tune(5, now, c.seen)
			if got.Proposal != c.want {
				t.Errorf("%q is proposed, want %q: %+v", got.Proposal, c.want, got.Fits)
			}
			for _, f := range got.Fits {
				if f.Fits != (c.why == "") || !strings.Contains(strings.Join(f.Why, "; "), c.why) {
					t.Errorf("%s fits %v: %q, want %q", f.Profile, f.Fits, f.Why, c.why)
				}
			}
		})
	}
}

// What a profile is said to forgive is what the scenarios of stalls try out.
func TestWhatIsForgivenIsLessThanWhatReplaces(t *testing.T) {
	least := map[string]time.Duration{"fast": 990 * time.Millisecond, "lan": 2 * time.Second, "cloud": 6 * time.Second, "wan": 25 * time.Second}
	for _, f := range Tune(5, time.Unix(0, 0), nil).Fits {
		if f.Forgiven < least[f.Profile] || f.Forgiven >= TimingOf(f.Profile).ReplaceAfter {
			t.Errorf("%s forgives %v", f.Profile, f.Forgiven)
		}
	}
}
