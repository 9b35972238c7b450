package failover

import (
	"time"

	"moonwatch/member"
)

// Timing holds the windows of PROTOCOL 5 and 7. They follow from the fleet's
// profile, which stands in the ledger: everybody applies the same ones.
type Timing struct {
	ReplaceAfter  time.Duration // a shorter silence is drained and undrained, never replaced
	LookAhead     time.Duration // the second roll call begins so long before ReplaceAfter ends
	LookAgain     time.Duration // an undecided one is repeated then: not before the tally has said that it is (its RollValid)
	LookFresh     time.Duration // so long a roll call's word about a member is taken for the present
	Activate      time.Duration // deadline of one activation
	Restart       time.Duration // deadline of one restart in place
	Stop          time.Duration // deadline of a stop
	Verify        time.Duration // deadline until a spare's service answers its observers
	FeedLag       time.Duration // a fact may take so long to reach the observers: a batch of the feed and a margin
	VerifyAgain   time.Duration // an answer about a spare within it is the rule; who needs longer is asked again
	Settle        time.Duration // a case stays open so long after the cutover
	BurnIn        time.Duration // a repaired member is watched so long before it is a spare again
	BudgetWindow  time.Duration // replacements are counted over this window
	RestartWindow time.Duration // restarts per slot are counted over this window
	OpenMemory    time.Duration // a subject that opened counts at least so long
	GuardedClear  time.Duration // guarded ends after so long below half of its entry
	CascadeClear  time.Duration // cascade likewise
	DeadReplaced  time.Duration // a replacement that dies within it counts towards cascade
	StrikeWindow  time.Duration // a member's failures are counted over this window
	HoldDown      time.Duration // after the n-th fall a member is not claimed for 2^n x this
}

// TimingOf gives a profile's windows; the empty name is lan. Profile demo has
// the brake's and the returning member's windows divided by ten.
func TimingOf(profile string) Timing {
	t := Timing{
		ReplaceAfter: 3 * time.Second, LookAhead: 600 * time.Millisecond, LookAgain: time.Second, LookFresh: 2 * time.Second,
		Activate: 60 * time.Second, Restart: 30 * time.Second, Stop: 30 * time.Second,
		Verify: 30 * time.Second, FeedLag: 60 * time.Millisecond, VerifyAgain: 400 * time.Millisecond, Settle: 10 * time.Second, BurnIn: 10 * time.Minute,
		BudgetWindow: 10 * time.Minute, RestartWindow: 10 * time.Minute,
		OpenMemory: time.Minute, GuardedClear: time.Minute, CascadeClear: 2 * time.Minute,
		DeadReplaced: 10 * time.Minute, StrikeWindow: 7 * 24 * time.Hour, HoldDown: time.Minute,
	}
	switch profile {
	case "demo":
		t.BurnIn /= 10
		t.OpenMemory /= 10
		t.GuardedClear /= 10
		t.CascadeClear /= 10
		t.HoldDown /= 10
		t.Settle /= 5
	case "fast":
		// A stall of just under a second is promised never to be replaced. Its last
		// sign of life may be a probe interval older than its beginning, and its end is
		// heard two probes and their way later: silence of 1.25 s is none.
		t.ReplaceAfter, t.LookAhead = 1250*time.Millisecond, 300*time.Millisecond
	case "cloud":
		t.ReplaceAfter, t.LookAhead = 8*time.Second, 1200*time.Millisecond
		t.LookAgain, t.LookFresh = 2500*time.Millisecond, 5*time.Second
		t.VerifyAgain = 800 * time.Millisecond
	case "wan":
		t.ReplaceAfter, t.LookAhead = 30*time.Second, 4*time.Second
		t.LookAgain, t.LookFresh = 7*time.Second, 14*time.Second
		t.Verify, t.Settle = time.Minute, 30*time.Second
		t.FeedLag, t.VerifyAgain = 400*time.Millisecond, 2500*time.Millisecond
	}
	return t
}

// timing is the windows of a fleet.
func timing(f *member.Fleet) Timing {
	if f == nil {
		return TimingOf("")
	}
	return TimingOf(f.Profile)
}
