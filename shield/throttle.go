package shield

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"moonwatch/member"
)

// Throttle is the fact that a subdomain is challenged, stopped or dropped, or is
// not any more. It stands until Until and is renewed by a younger one.
type Throttle struct {
	Key   Key         `json:"key"`
	Host  string      `json:"host"`
	Rung  Rung        `json:"rung"`  // Observe: released
	Doors []member.ID `json:"doors"` // whose votes it stands on, sorted
	All   []member.ID `json:"all"`   // the doors that there are, sorted
	Until time.Time   `json:"until"`
	Why   string      `json:"why"`
	// By names the operator who pinned or released it; empty: by the doors' votes.
	By string `json:"by,omitempty"`
	// What the protections are computed from, as the proposer sees it.
	Subdomains int     `json:"subdomains"` // subdomains that there are
	Usual      float64 `json:"usual"`      // its part of the normal traffic, 0 to 1
}

// ThrottleRules are the gates that a throttle has to pass in every ledger.
type ThrottleRules struct {
	// For is how long a throttle stands at most without being renewed.
	For time.Duration
	// MostSubdomains is the part of the subdomains that may be stopped at once, at
	// least one; MostUsual the part of the normal traffic that they may have
	// together.
	MostSubdomains, MostUsual float64
	// Budget is how many subdomains may come onto a voted rung, or climb, within
	// BudgetOver.
	Budget     int
	BudgetOver time.Duration
	// NoneAfterDrain: after a drain what looks like a flood may be what the
	// drained occupants served, so nothing new begins for a while.
	NoneAfterDrain time.Duration
	// TrustSingleDoor lets the only door there is decide alone.
	TrustSingleDoor bool
	NeverStop       []string // hosts that are at most challenged
}

// DefaultThrottleRules holds the numbers of PROTOCOL 9.
func DefaultThrottleRules() ThrottleRules {
	return ThrottleRules{
		For: 30 * time.Second, MostSubdomains: 0.05, MostUsual: 0.5,
		Budget: 6, BudgetOver: time.Minute, NoneAfterDrain: 30 * time.Second,
	}
}

// Standing is the state that the throttles of a ledger add up to. It asks its
// gates when a fact is applied, so a proposer that is wrong changes nothing, and
// depends on the facts alone.
type Standing struct {
	rules   ThrottleRules
	by      map[Key]Throttle
	began   []time.Time // of new rungs, within the budget's window
	drained time.Time
}

// NewStanding begins with no throttle.
func NewStanding(rules ThrottleRules) *Standing {
	return &Standing{rules: rules, by: map[Key]Throttle{}}
}

// Drained notes that traffic was taken away from an occupant.
func (s *Standing) Drained(at time.Time) { s.drained = at }

// Apply takes a throttle that was committed at a time of the ledger. It says why
// not if a gate forbids it, and then changes nothing.
func (s *Standing) Apply(at time.Time, t Throttle) error {
	s.expire(at)
	if t.Key == 0 || t.Rung != Observe && !t.Rung.Voted() {
		return fmt.Errorf("throttle %s to %v: want a key and a rung from challenge up, or observe", t.Host, t.Rung)
	}
	if t.Rung == Observe {
		delete(s.by, t.Key)
		return nil
	}
	if err := s.gates(at, t); err != nil {
		return fmt.Errorf("throttle %s to %v: %w", t.Host, t.Rung, err)
	}
	if t.Rung > s.by[t.Key].Rung {
		s.began = append(s.began, at)
	}
	if most := at.Add(s.rules.For); t.By == "" && t.Until.After(most) {
		t.Until = most
	}
	s.by[t.Key] = t
	return nil
}

// gates says what forbids a throttle. To renew or to lower one is not new.
func (s *Standing) gates(at time.Time, t Throttle) error {
	old := s.by[t.Key]
	if err := s.voted(t); err != nil {
		return err
	}
	if !t.Until.After(at) {
		return fmt.Errorf("it ended at %v", t.Until.UTC().Format(time.RFC3339))
	}
	if t.Rung >= Stop && slices.Contains(s.rules.NeverStop, t.Host) {
		return errors.New("it stands on the list of those that are never stopped")
	}
	if t.Rung > old.Rung && t.By == "" {
		if since := at.Sub(s.drained); !s.drained.IsZero() && since >= 0 && since < s.rules.NoneAfterDrain {
			return fmt.Errorf("traffic was drained %v ago: nothing new for %v", since.Round(time.Second), s.rules.NoneAfterDrain)
		}
		if len(s.began) >= s.rules.Budget {
			return fmt.Errorf("%d new rungs within %v are spent", len(s.began), s.rules.BudgetOver)
		}
	}
	if t.Rung >= Stop && old.Rung < Stop {
		return s.few(t)
	}
	return nil
}

// few keeps stops to a few subdomains with not too much of the normal traffic.
func (s *Standing) few(t Throttle) error {
	n, usual := 1, t.Usual
	for k, x := range s.by {
		if k != t.Key && x.Rung >= Stop {
			n++
			usual += x.Usual
		}
	}
	if most := max(1, int(s.rules.MostSubdomains*float64(t.Subdomains))); n > most {
		return fmt.Errorf("%d of %d subdomains would be stopped, at most %d may", n, t.Subdomains, most)
	}
	if usual > s.rules.MostUsual {
		return fmt.Errorf("those stopped have %.0f %% of the normal traffic, at most %.0f %% may", 100*usual, 100*s.rules.MostUsual)
	}
	return nil
}

// voted asks for the votes: of a majority of the doors, of both where there are
// two, and of a single one only if it is trusted.
func (s *Standing) voted(t Throttle) error {
	if t.By != "" {
		return nil
	}
	if !slices.IsSorted(t.Doors) || !slices.IsSorted(t.All) || len(slices.Compact(slices.Clone(t.Doors))) != len(t.Doors) ||
		len(slices.Compact(slices.Clone(t.All))) != len(t.All) {
		return errors.New("its doors are not named once each, sorted")
	}
	for _, d := range t.Doors {
		if !slices.Contains(t.All, d) {
			return fmt.Errorf("%s voted and is no door", d)
		}
	}
	switch all := len(t.All); {
	case all == 0:
		return errors.New("there is no door")
	case all == 1 && !s.rules.TrustSingleDoor:
		return errors.New("there is one door only: want an operator, or single_door: trust")
	case len(t.Doors) < all/2+1:
		return fmt.Errorf("%d of %d doors voted, want %d", len(t.Doors), all, all/2+1)
	default:
		return nil
	}
}

// expire ends what was not renewed.
func (s *Standing) expire(at time.Time) {
	for k, t := range s.by {
		if !t.Until.After(at) {
			delete(s.by, k)
		}
	}
	s.began = slices.DeleteFunc(s.began, func(b time.Time) bool { return at.Sub(b) >= s.rules.BudgetOver })
}

// At gives what stands at a moment, by key. What was not renewed does not.
func (s *Standing) At(now time.Time) []Throttle {
	var out []Throttle
	for _, k := range sortedKeys(s.by) {
		if t := s.by[k]; t.Until.After(now) {
			out = append(out, t)
		}
	}
	return out
}
