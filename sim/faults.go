package sim

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"moonwatch/member"
)

// Fault is one thing that goes wrong at a time of its own, and right again if
// it has an end. It is plain data: a scenario is a list of faults. Which fields
// a kind needs and takes is in Kinds; durations are nanoseconds in JSON.
type Fault struct {
	At    time.Duration `json:"at,omitempty"` // since the world began
	Do    FaultKind     `json:"do,omitempty"`
	Whom  []member.ID   `json:"whom,omitempty"`
	Other []member.ID   `json:"other,omitempty"` // the other end of the links; empty: everybody that is not in Whom
	For   time.Duration `json:"for,omitempty"`   // 0: for good
	Share float64       `json:"share,omitempty"` // a share, or a factor: see KindRule.Share
	Delay time.Duration `json:"delay,omitempty"`
	Every time.Duration `json:"every,omitempty"` // a period, or the length of a burst
	Serve bool          `json:"serve,omitempty"` // after a crash: the machine's init starts the services again at boot
	Host  string        `json:"host,omitempty"`  // a subdomain

	Change *FleetChange `json:"change,omitempty"` // of the fleet
}

func (f Fault) String() string {
	var s strings.Builder
	fmt.Fprintf(&s, "%v %s", f.At, f.Do)
	if f.Host != "" {
		fmt.Fprintf(&s, " %s", f.Host)
	}
	if len(f.Whom) > 0 {
		fmt.Fprintf(&s, " %v", f.Whom)
	}
	if f.Change != nil {
		fmt.Fprintf(&s, " %s", f.Change)
	}
	if len(f.Other) > 0 {
		fmt.Fprintf(&s, " and %v", f.Other)
	}
	rule, _ := RuleOf(f.Do)
	switch {
	case f.Share == 0:
	case rule.Share == aFactor:
		fmt.Fprintf(&s, " x %g", f.Share)
	default:
		fmt.Fprintf(&s, " %.3g %%", 100*f.Share)
	}
	if f.Delay != 0 {
		fmt.Fprintf(&s, " by %v", f.Delay)
	}
	if f.Every > 0 {
		fmt.Fprintf(&s, " every %v", f.Every)
	}
	if f.For > 0 {
		fmt.Fprintf(&s, " for %v", f.For)
	}
	return s.String()
}

// Check lists everything that is wrong with a fault by itself. Whether its
// members exist is the world's to know.
func (f Fault) Check() error {
	rule, ok := RuleOf(f.Do)
	if !ok {
		return fmt.Errorf("fault %q: unknown kind", f.Do)
	}
	var wrong []error
	add := func(format string, args ...any) {
		wrong = append(wrong, fmt.Errorf("fault %s: %w", f.Do, fmt.Errorf(format, args...)))
	}
	for field, set := range map[Field]bool{
		FieldWhom: len(f.Whom) > 0, FieldOther: len(f.Other) > 0, FieldShare: f.Share != 0,
		FieldDelay: f.Delay != 0, FieldEvery: f.Every != 0, FieldServe: f.Serve, FieldHost: f.Host != "", FieldChange: f.Change != nil,
	} {
		switch {
		case set && !rule.Has(field):
			add("has no %s", field)
		case !set && slices.Contains(rule.Needs, field):
			add("%s is missing", field)
		}
	}
	slices.SortFunc(wrong, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
	if f.Share != 0 && rule.Has(FieldShare) && (f.Share < rule.Share.Min || f.Share > rule.Share.Max) {
		add("share is %v, want %v to %v", f.Share, rule.Share.Min, rule.Share.Max)
	}
	if f.Change != nil && rule.Has(FieldChange) {
		if err := f.Change.check(len(f.Whom) > 0); err != nil {
			add("%w", err)
		}
	}
	if f.At < 0 || f.For < 0 || f.Every < 0 || f.Delay < 0 && f.Do != ClockJump {
		add("a negative time")
	}
	if f.For > 0 && !rule.Ends {
		add("does not end: for is %v, want 0", f.For)
	}
	return errors.Join(wrong...)
}
