package shield

import (
	"errors"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"
	"time"

	"moonwatch/member"
)

// Throttle is the fact that a subdomain is challenged, stopped or dropped, or that
// people want it left alone. It stands until Until and is renewed by a younger one.
type Throttle struct {
	Key   Key         `json:"-"`               // under which this door counts it; the ledger knows names alone
	Host  string      `json:"host"`            // in its normal form, or *.parent for the unknown names below it
	Rung  Rung        `json:"rung"`            // Observe: released, or by people: left alone
	Doors []member.ID `json:"doors,omitempty"` // whose votes it stands on, sorted
	All   []member.ID `json:"all,omitempty"`   // the doors that there are, sorted
	Until time.Time   `json:"until"`
	Why   string      `json:"why"`
	// By names the operator who pinned it; empty: by the doors' votes.
	By string `json:"by,omitempty"`
	// What the protections are computed from, as the proposer sees it.
	Subdomains int     `json:"subdomains,omitempty"` // subdomains that there are
	Usual      float64 `json:"usual,omitempty"`      // its part of the normal traffic, 0 to 1

	Since time.Time `json:"since,omitzero"` // when it came onto its rung; set when it is applied
}

// Pin is an operator's word about a subdomain: the rung on which it stays whatever the
// doors vote. Observe: it is left alone, and not even shaped.
type Pin struct {
	Host   string    `json:"host"`
	Rung   Rung      `json:"rung"`
	Until  time.Time `json:"until"`
	Reason string    `json:"reason"`
}

// Unpin gives a subdomain back to the doors' votes.
type Unpin struct {
	Host   string `json:"host"`
	Reason string `json:"reason,omitempty"`
}

// MaxPin is how long a pin lasts at most; MaxReason bounds its reason in bytes.
const (
	MaxPin    = 30 * 24 * time.Hour
	MaxReason = 200
)

// Check says what is wrong with a pin by itself at a time.
func (p Pin) Check(now time.Time) error {
	switch {
	case !pinnable(p.Host):
		return fmt.Errorf("pin %q: want a host name in its normal form, or *.PARENT", p.Host)
	case p.Rung != Observe && !p.Rung.Voted():
		return fmt.Errorf("pin %s to %v: want challenge, stop, drop, or observe", p.Host, p.Rung)
	case strings.TrimSpace(p.Reason) == "":
		return fmt.Errorf("pin %s: no reason, want one: whoever meets it has to know what it is for", p.Host)
	case len(p.Reason) > MaxReason:
		return fmt.Errorf("pin %s: a reason of %d bytes, want at most %d", p.Host, len(p.Reason), MaxReason)
	case !p.Until.After(now):
		return fmt.Errorf("pin %s: its end, %s, is over", p.Host, p.Until.UTC().Format(time.RFC3339))
	case p.Until.Sub(now) > MaxPin:
		return fmt.Errorf("pin %s: lasts %v, want at most %v", p.Host, p.Until.Sub(now).Round(time.Second), MaxPin)
	}
	return nil
}

// pinnable reports whether doors can count something under a name.
func pinnable(host string) bool {
	name, ok := Normalise(make([]byte, 0, HostRoom), strings.TrimPrefix(host, "*."))
	return ok && string(name) == strings.TrimPrefix(host, "*.")
}

// KeyOfHost is the key under which doors of a salt count a host of a throttle; false for
// what is no name. A name that begins with *. is the bucket of the unknown names there.
func KeyOfHost(salt uint64, host string) (Key, bool) {
	if parent, ok := strings.CutPrefix(host, "*."); ok {
		return ParentKeyOf(salt, []byte("x."+parent))
	}
	name, ok := Normalise(make([]byte, 0, HostRoom), host)
	if !ok {
		return Nameless, false
	}
	return KeyOf(salt, name), true
}

// ThrottleRules are the gates that a throttle has to pass in every ledger.
type ThrottleRules struct {
	// For is how long a throttle stands at most without being renewed.
	For time.Duration
	// Highest is the rung up to which votes may climb.
	Highest Rung
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
		For: 30 * time.Second, Highest: Drop, MostSubdomains: 0.05, MostUsual: 0.5,
		Budget: 6, BudgetOver: time.Minute, NoneAfterDrain: 30 * time.Second,
	}
}

// RulesFor are the gates of a fleet's policy.
func RulesFor(p member.ShieldPolicy, neverStop []string) ThrottleRules {
	r := DefaultThrottleRules()
	r.Highest, r.TrustSingleDoor = ShapeFleet, p.TrustSingle
	if highest, ok := RungOf(p.Highest); ok && p.Doing() == member.ShieldEnforce {
		r.Highest = highest
	}
	for _, host := range neverStop {
		if name, ok := Normalise(make([]byte, 0, HostRoom), host); ok {
			r.NeverStop = append(r.NeverStop, string(name))
		}
	}
	return r
}

// Standing is the state that the throttles of a ledger add up to. Its gates are asked
// before a fact is applied, so a proposer that is wrong changes nothing, and depend on
// the facts and the time alone. Doors ask them, too, before they propose.
type Standing struct {
	By      map[string]Throttle `json:"by,omitempty"`     // by host
	Began   []time.Time         `json:"began,omitempty"`  // of new rungs, within the budget's window
	Drained time.Time           `json:"drained,omitzero"` // when traffic was last taken away from an occupant
}

// Clone copies what Apply changes in place.
func (s Standing) Clone() Standing {
	s.By, s.Began = maps.Clone(s.By), slices.Clone(s.Began)
	return s
}

// Empty reports that nothing stands and nothing is remembered.
func (s *Standing) Empty() bool { return len(s.By) == 0 && len(s.Began) == 0 && s.Drained.IsZero() }

// Check says what forbids a throttle now, nil if it may stand. It changes nothing.
func (s *Standing) Check(rules ThrottleRules, at time.Time, t Throttle) error {
	if err := s.gates(rules, at, t); err != nil {
		return fmt.Errorf("throttle %s to %v: %w", t.Host, t.Rung, err)
	}
	return nil
}

// Apply takes in a throttle that has passed its gates, committed at a time of the
// ledger.
func (s *Standing) Apply(rules ThrottleRules, at time.Time, t Throttle) {
	s.expire(rules, at)
	old := s.By[t.Host]
	if t.Rung == Observe && t.By == "" {
		delete(s.By, t.Host)
		return
	}
	if t.Rung > old.Rung && t.By == "" {
		s.Began = append(s.Began, at)
	}
	if most := at.Add(rules.For); t.By == "" && t.Until.After(most) {
		t.Until = most
	}
	if t.Since = at; old.Rung == t.Rung && old.By == t.By && !old.Since.IsZero() {
		t.Since = old.Since
	}
	if s.By == nil {
		s.By = map[string]Throttle{}
	}
	s.By[t.Host] = t
}

// Unpinnable says why a subdomain cannot be given back to the votes.
func (s *Standing) Unpinnable(at time.Time, host string) error {
	if s.standing(at, host).By == "" {
		return fmt.Errorf("unpin %s: nobody has pinned it, or the pin has ended", host)
	}
	return nil
}

// Unpin ends what an operator has pinned.
func (s *Standing) Unpin(host string) { delete(s.By, host) }

// gates says what forbids a throttle. To renew or to lower one is not new.
func (s *Standing) gates(rules ThrottleRules, at time.Time, t Throttle) error {
	if !pinnable(t.Host) {
		return errors.New("want a host name in its normal form, or *.PARENT")
	}
	if t.Rung != Observe && !t.Rung.Voted() {
		return errors.New("want a rung from challenge up, or observe")
	}
	old := s.standing(at, t.Host)
	if t.By == "" && old.By != "" {
		return GatePinned.shut("%s has pinned it to %v until %s", old.By, old.Rung, old.Until.UTC().Format(time.RFC3339))
	}
	if t.Rung == Observe {
		if t.By == "" && !old.Rung.Voted() {
			return errors.New("it does not stand")
		}
		return nil
	}
	if err := rules.voted(t); err != nil {
		return err
	}
	if !t.Until.After(at) {
		return fmt.Errorf("it ended at %v", t.Until.UTC().Format(time.RFC3339))
	}
	if t.Rung >= Stop {
		if err := rules.mayStop(t.Host); err != nil {
			return err
		}
	}
	if t.Rung > old.Rung && t.By == "" {
		if since := at.Sub(s.Drained); !s.Drained.IsZero() && since >= 0 && since < rules.NoneAfterDrain {
			return GateDrained.shut("traffic was drained %v ago: nothing new for %v", since.Round(time.Second), rules.NoneAfterDrain)
		}
		if n := len(s.lately(rules, at)); n >= rules.Budget {
			return GateBudget.shut("%d new rungs within %v are spent", n, rules.BudgetOver)
		}
	}
	if t.Rung >= Stop && old.Rung < Stop {
		return s.few(rules, at, t)
	}
	return nil
}

// mayStop refuses a name that is never stopped, and a bucket in which one may be: a door
// that has just started counts every name in its bucket.
func (rules ThrottleRules) mayStop(host string) error {
	for _, never := range rules.NeverStop {
		if never == host {
			return GateNeverStop.shut("it stands on the list of those that are never stopped")
		}
		if bucket, ok := Bucket([]byte(never)); ok && bucket == host {
			return GateNeverStop.shut("%s, which is never stopped, is one of them to a door that does not know it yet", never)
		}
	}
	return nil
}

// capped is a throttle as far as the rules allow it now: they may be younger than the
// fact. False if they allow nothing of it.
func (rules ThrottleRules) capped(t Throttle) (Throttle, bool) {
	if t.Rung == Observe {
		return t, true
	}
	if t.By == "" { // people may go higher than votes
		t.Rung = min(t.Rung, rules.Highest)
	}
	if t.Rung >= Stop && rules.mayStop(t.Host) != nil {
		t.Rung = Challenge
	}
	return t, t.Rung.Voted()
}

// few keeps stops to a few subdomains with not too much of the normal traffic. People
// may stop one more: they have looked.
func (s *Standing) few(rules ThrottleRules, at time.Time, t Throttle) error {
	if t.By != "" {
		return nil
	}
	n, usual := 1, t.Usual
	for _, x := range s.At(at) { // in order: what floats add up to depends on it, and every ledger has to decide the same
		if x.Host != t.Host && x.Rung >= Stop {
			n++
			usual += x.Usual
		}
	}
	if most := max(1, int(rules.MostSubdomains*float64(t.Subdomains))); n > most {
		return GateMostSubdomains.shut("%d of %d subdomains would be stopped, at most %d may", n, t.Subdomains, most)
	}
	if usual > rules.MostUsual {
		return GateMostTraffic.shut("those stopped have %.0f %% of the normal traffic, at most %.0f %% may", 100*usual, 100*rules.MostUsual)
	}
	return nil
}

// voted asks for the votes: of a majority of the doors, of both where there are
// two, and of a single one only if it is trusted.
func (rules ThrottleRules) voted(t Throttle) error {
	if t.By != "" {
		return nil
	}
	if t.Rung > rules.Highest {
		return GateHighest.shut("the policy's highest rung is %v", rules.Highest)
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
	case math.IsNaN(t.Usual) || t.Usual < 0 || t.Usual > 1:
		return fmt.Errorf("its part of the normal traffic is %v, want 0 to 1", t.Usual)
	case t.Subdomains < 1:
		return fmt.Errorf("it is one of %d subdomains, want at least 1", t.Subdomains)
	case all == 0:
		return errors.New("there is no door")
	case all == 1 && !rules.TrustSingleDoor:
		return GateVotes.shut("there is one door only: want an operator, or single_door: trust")
	case len(t.Doors) < all/2+1:
		return GateVotes.shut("%d of %d doors voted, want %d", len(t.Doors), all, all/2+1)
	default:
		return nil
	}
}

// standing is what stands for a host at a moment, the zero value for nothing.
func (s *Standing) standing(at time.Time, host string) Throttle {
	if t := s.By[host]; t.Until.After(at) {
		return t
	}
	return Throttle{}
}

func (s *Standing) lately(rules ThrottleRules, at time.Time) []time.Time {
	return slices.DeleteFunc(slices.Clone(s.Began), func(b time.Time) bool { return at.Sub(b) >= rules.BudgetOver })
}

// expire ends what was not renewed.
func (s *Standing) expire(rules ThrottleRules, at time.Time) {
	maps.DeleteFunc(s.By, func(_ string, t Throttle) bool { return !t.Until.After(at) })
	s.Began = s.lately(rules, at)
}

// At gives what stands at a moment, by host. What was not renewed does not.
func (s *Standing) At(now time.Time) []Throttle {
	var out []Throttle
	for _, host := range slices.Sorted(maps.Keys(s.By)) {
		if t := s.By[host]; t.Until.After(now) {
			out = append(out, t)
		}
	}
	return out
}
