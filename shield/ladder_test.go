package shield

import (
	"math"
	"testing"
	"time"

	"moonwatch/member"
)

const flooded Key = 7

// climbing steps a ladder every 100 ms, and remembers what it said last.
type climbing struct {
	t    *testing.T
	l    *Ladder
	now  time.Time
	s    Sight
	held []Held
}

func newClimbing(t *testing.T) *climbing {
	rules := DefaultLadderRules()
	rules.Highest = Drop
	return &climbing{t: t, l: NewLadder(rules), now: time.Unix(1000, 0), s: Sight{
		Majority: true, Standing: map[Key]Rung{}, Demand: map[Key]float64{},
		Evidence: map[Key][]member.ID{flooded: {"a", "b"}}, NeverStop: map[Key]bool{},
	}}
}

// flood is a demand of so many times the limit of 100, in a fleet of 1,000.
func (c *climbing) flood(times float64, over time.Duration) {
	d := 100 * times
	c.s.Demand[flooded] = d
	c.s.Shares = Shares{Pressure: (600 + d) / 1000, Level: math.Inf(1)}
	if c.s.Shares.Pressure > 0.85 {
		c.s.Shares.Level = 100
	}
	if c.s.Shares.Pressure > 0.85 && d > 100 {
		c.s.Shares.Limits = []Limit{{Key: flooded, Demand: d, Limit: 100}}
	}
	for end := c.now.Add(over); c.now.Before(end); c.now = c.now.Add(100 * time.Millisecond) {
		c.held = c.l.Step(c.now, c.s)
	}
}

func (c *climbing) wants(rung Rung) {
	c.t.Helper()
	got := Observe
	if len(c.held) > 0 {
		got = c.held[0].Rung
	}
	if got != rung {
		c.t.Errorf("at %v: %v, want %v", c.now.Sub(time.Unix(1000, 0)), got, rung)
	}
}

func TestOneStepAboveItsShareIsChanceTwoAreNot(t *testing.T) {
	c := newClimbing(t)
	c.flood(4, 100*time.Millisecond)
	c.wants(Observe)
	c.flood(4, 100*time.Millisecond)
	c.wants(ShapeFleet)
	if h := c.held[0]; h.Admit != 0.25 || h.Limit != 100 {
		t.Errorf("%+v", h)
	}
}

func TestASuddenFloodIsShapedAtOnce(t *testing.T) {
	c := newClimbing(t)
	c.s.Evidence[flooded] = []member.ID{"a"}
	c.flood(20, 100*time.Millisecond)
	c.wants(ShapeLocal)
}

func TestWhoIsBackToNormalIsServedAtOnceAndWatchedForAWhile(t *testing.T) {
	c := newClimbing(t)
	c.flood(20, time.Second)
	c.flood(0.5, time.Second)
	c.wants(ShapeFleet)
	if c.held[0].Admit != 1 {
		t.Errorf("asks for half of its limit and has %v of it", c.held[0].Admit)
	}
	c.flood(0.5, 4500*time.Millisecond)
	c.wants(Observe)
}

func TestWhoFindsRoomInTheFloodOfAnotherIsNotHeldToAnOldLimit(t *testing.T) {
	c := newClimbing(t)
	c.flood(4, time.Second)
	c.wants(ShapeFleet)
	// The demand goes on, and it is known by now whose flood it is: there is a share of
	// 600 for everybody, and this one asks for less.
	c.s.Shares = Shares{Pressure: 3, Level: 600, Limits: []Limit{{Key: flooded + 1, Demand: 2000, Limit: 600}}}
	c.now = c.now.Add(100 * time.Millisecond)
	c.held = c.l.Step(c.now, c.s)
	if h := c.held[0]; h.Admit != 1 || h.Limit != 400 {
		t.Errorf("%.2f of it is let in, and its limit is %v: want everything, it asks for no more than its share", h.Admit, h.Limit)
	}
}

// TestWhoMayBeAboveItsShareByChanceIsLetInUpToIt: few dear requests look like chance half of
// the time. They are not drawn from then, but get no more than their share on average.
func TestWhoMayBeAboveItsShareByChanceIsLetInUpToIt(t *testing.T) {
	c := newClimbing(t)
	c.flood(4, time.Second)
	near := func(demand float64) Held {
		c.s.Demand[flooded], c.s.Chance = demand, map[Key]float64{flooded: 150}
		c.s.Shares = Shares{Pressure: 1.2, Level: 120, Near: []Limit{{Key: flooded, Demand: demand, Limit: 120}}}
		c.now = c.now.Add(100 * time.Millisecond)
		c.held = c.l.Step(c.now, c.s)
		return c.held[0]
	}
	if h := near(240); h.Admit != 1 || h.Limit != 120 || h.Slack != 120 {
		t.Errorf("%.2f of it is let in, bounded by a share of %v that it exceeds by %v: want everything, up to 120, exceeded by 120", h.Admit, h.Limit, h.Slack)
	}
	c.s.Doubt = map[Key]float64{flooded: 120}
	if h := near(240); h.Admit != 1 || h.Slack != 0 {
		t.Errorf("what it may ask for twice is counted once more, and %.2f of it is let in, bounded by %v below that", h.Admit, h.Slack)
	}
	c.s.Doubt = nil
	c.s.Demand[flooded], c.s.Shares.Near = 90, nil
	c.now = c.now.Add(100 * time.Millisecond)
	if h := c.l.Step(c.now, c.s)[0]; h.Admit != 1 || h.Slack != 0 {
		t.Errorf("it asks for less than its share, and %.2f of it is let in, bounded by %v below that", h.Admit, h.Slack)
	}
}

func TestReleaseIsSlow(t *testing.T) {
	c := newClimbing(t)
	c.flood(20, time.Second)
	c.flood(20, 0)
	// There is room for it now, though it still asks for twenty times its limit.
	c.s.Shares = Shares{Pressure: 0.6, Level: math.Inf(1)}
	from := c.held[0].Admit
	for range 50 {
		c.now = c.now.Add(100 * time.Millisecond)
		c.held = c.l.Step(c.now, c.s)
	}
	c.wants(ShapeFleet)
	if got := c.held[0].Admit; got != from {
		t.Errorf("released within the hold: %v", got)
	}
	last, most := from, 0.0
	for range 150 {
		c.now = c.now.Add(100 * time.Millisecond)
		if c.held = c.l.Step(c.now, c.s); len(c.held) == 0 {
			break
		}
		most, last = max(most, c.held[0].Admit/last), c.held[0].Admit
	}
	c.wants(Observe)
	if most > 1.05 || last < 0.9 {
		t.Errorf("the fraction grew by %v in a step, and was %v at the end", most, last)
	}
}

// TestWhoComesBackIsHeldLonger: 5 s, then 10, then 20, and 5 again after a long
// while.
func TestWhoComesBackIsHeldLonger(t *testing.T) {
	c := newClimbing(t)
	held := func() time.Duration {
		c.flood(20, time.Second)
		begin := c.now
		for len(c.held) > 0 && c.now.Sub(begin) < 10*time.Minute {
			c.flood(0.1, 100*time.Millisecond)
		}
		return c.now.Sub(begin).Round(time.Second)
	}
	for _, want := range []time.Duration{5 * time.Second, 10 * time.Second, 20 * time.Second, 40 * time.Second} {
		if got := held(); got != want {
			t.Errorf("held for %v, want %v", got, want)
		}
	}
	for range 4 {
		held()
	}
	if got := held(); got != 5*time.Minute {
		t.Errorf("held for %v, want at most 5m", got)
	}
	c.flood(0.1, 2*time.Hour)
	if got := held(); got != 5*time.Second {
		t.Errorf("held for %v after two quiet hours, want 5s", got)
	}
}

func TestRungsAboveShapingAreVotedOneByOne(t *testing.T) {
	c := newClimbing(t)
	vote := func(want Rung) {
		t.Helper()
		if got := c.held[0].Vote; got != want {
			t.Errorf("at %v on %v: votes for %v, want %v", c.now.Sub(time.Unix(1000, 0)), c.held[0].Rung, got, want)
		}
	}
	c.flood(20, 9*time.Second)
	vote(Observe)
	c.flood(20, 2*time.Second)
	vote(Challenge)
	c.wants(ShapeFleet) // nobody has agreed yet
	c.s.Standing[flooded] = Challenge
	c.flood(20, 9*time.Second)
	c.wants(Challenge)
	vote(Challenge)
	c.flood(20, 2*time.Second)
	vote(Stop)
	c.s.Standing[flooded] = Stop
	c.flood(20, 15*time.Second)
	vote(Stop)
	c.s.Handshakes = true
	c.flood(20, time.Second)
	vote(Drop)
	c.s.NeverStop[flooded] = true
	c.flood(20, time.Second)
	vote(Challenge)
	c.s.Majority = false
	c.flood(20, time.Second)
	vote(Observe)
	c.s.Majority, c.s.NeverStop[flooded] = true, false
	c.flood(0.1, time.Second)
	vote(Observe)
}

func TestAMinorityNeverDoesMoreThanShapeAlone(t *testing.T) {
	c := newClimbing(t)
	c.s.Majority = false
	c.flood(50, time.Minute)
	c.wants(ShapeLocal)
	if c.held[0].Vote != Observe {
		t.Errorf("votes for %v", c.held[0].Vote)
	}
}

func TestAnOverloadHoldsNobodyNewAndLetsNobodyGo(t *testing.T) {
	c := newClimbing(t)
	c.flood(20, time.Second)
	c.s.Shares = Shares{Pressure: 2.6, Level: math.Inf(1), Overload: true}
	for range 100 {
		c.now = c.now.Add(100 * time.Millisecond)
		c.held = c.l.Step(c.now, c.s)
	}
	c.wants(ShapeFleet)
	if got := c.held[0].Admit; got != 0.05 {
		t.Errorf("admits %v", got)
	}
}

// TestWhoWasStoppedIsLetInSlowly, though it asks for little by then: who waits comes all
// at once.
func TestWhoWasStoppedIsLetInSlowly(t *testing.T) {
	c := newClimbing(t)
	c.flood(20, time.Second)
	c.s.Standing[flooded] = Stop
	c.flood(20, 30*time.Second)
	c.wants(Stop)
	c.flood(0.5, 20*time.Second)
	c.wants(Stop) // as long as the council says so
	delete(c.s.Standing, flooded)
	last, began := 0.0, c.now
	for {
		c.flood(0.5, 100*time.Millisecond)
		if len(c.held) == 0 {
			break
		}
		if h := c.held[0]; last == 0 && h.Admit > 0.11 || last > 0 && h.Admit > 1.06*last {
			t.Fatalf("from %v to %v in a step", last, h.Admit)
		}
		last = c.held[0].Admit
		if c.now.Sub(began) > time.Minute {
			t.Fatal("never released")
		}
	}
	if took := c.now.Sub(began); took < 5*time.Second || last != 1 {
		t.Errorf("released after %v, from %v", took, last)
	}
}

// TestAVoteOutlivesAPause of the flood that is shorter than the hold.
func TestAVoteOutlivesAPause(t *testing.T) {
	c := newClimbing(t)
	c.flood(5, 12*time.Second)
	vote := func() Rung {
		if len(c.held) == 0 {
			return Observe
		}
		return c.held[0].Vote
	}
	if vote() != Challenge {
		t.Fatalf("votes for %v", vote())
	}
	c.s.Standing[flooded] = Challenge
	c.flood(2, 3*time.Second)
	if vote() != Challenge {
		t.Errorf("after a pause of 3 s it votes for %v", vote())
	}
	c.flood(5, 2*time.Second)
	c.flood(2, 4*time.Second)
	if vote() != Challenge {
		t.Errorf("after another pause it votes for %v", vote())
	}
	c.flood(2, 2*time.Second)
	if vote() != Observe {
		t.Errorf("the flood is over for 6 s, and it votes for %v", vote())
	}
}

// TestWhoWasStoppedIsLetInWhereThereIsRoom, though it asks for more than what was its
// share in the flood.
func TestWhoWasStoppedIsLetInWhereThereIsRoom(t *testing.T) {
	c := newClimbing(t)
	c.s.Standing[flooded] = Stop
	c.flood(20, 10*time.Second)
	delete(c.s.Standing, flooded)
	c.s.Demand[flooded], c.s.Shares = 200, Shares{Pressure: 0.3}
	for end := c.now.Add(time.Minute); c.now.Before(end); c.now = c.now.Add(100 * time.Millisecond) {
		c.held = c.l.Step(c.now, c.s)
	}
	if len(c.held) > 0 {
		t.Errorf("after a minute with room for everybody: %+v", c.held[0])
	}
}

// A door that stood still for a minute, or whose clock was set forward, saw the flood before
// and after: that is no minute of flooding.
func TestWhatNobodyLookedAtHasNotLasted(t *testing.T) {
	c := newClimbing(t)
	c.flood(20, 2*time.Second)
	c.now = c.now.Add(time.Minute)
	c.flood(20, time.Second)
	if v := c.held[0].Vote; v != Observe {
		t.Errorf("it votes for %v after three seconds of flood", v)
	}
	c.flood(20, DefaultLadderRules().ClimbAfter)
	if v := c.held[0].Vote; v != Challenge {
		t.Errorf("it votes for %v after the flood went on", v)
	}
	c.now = c.now.Add(time.Minute)
	c.flood(20, 100*time.Millisecond)
	if v := c.held[0].Vote; v != Challenge {
		t.Errorf("standing still took back a vote: %v", v)
	}
}

// A clock that is set back lengthens nothing: a flood is voted about and who is calm again
// leaves as usual.
func TestAClockThatIsSetBackHoldsNobodyForLonger(t *testing.T) {
	c := newClimbing(t)
	c.flood(20, 2*time.Second)
	c.now = c.now.Add(-time.Hour)
	c.flood(20, DefaultLadderRules().ClimbAfter+time.Second)
	if v := c.held[0].Vote; v != Challenge {
		t.Errorf("it votes for %v in a flood", v)
	}
	c.flood(0.1, time.Second)
	c.now = c.now.Add(-time.Hour)
	c.flood(0.1, DefaultLadderRules().Hold+10*time.Second)
	if len(c.held) != 0 {
		t.Errorf("held long after the flood: %+v", c.held[0])
	}
}
