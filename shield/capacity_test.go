package shield

import (
	"testing"
	"time"
)

func TestWithoutTroubleNothingIsKnownOfTheCapacity(t *testing.T) {
	c := NewCapacity(DefaultCapacityRules())
	now := time.Unix(1000, 0)
	for range 1000 {
		now = now.Add(100 * time.Millisecond)
		c.Step(now, 5000, false)
	}
	if c.Value() != 0 {
		t.Errorf("%v, though nothing ever went wrong", c.Value())
	}
	c.Adopt(4000) // another door knows
	if c.Value() != 4000 {
		t.Errorf("%v", c.Value())
	}
}

// TestCapacityIsFound: a fleet that bears 1,000 is asked for 3,000, and lets in
// what the door thinks.
func TestCapacityIsFound(t *testing.T) {
	c := NewCapacity(DefaultCapacityRules())
	now := time.Unix(1000, 0)
	admitted := 3000.0
	least, most := 1e9, 0.0
	for i := range 1200 {
		now = now.Add(100 * time.Millisecond)
		c.Step(now, admitted, admitted > 1000)
		if c.Value() > 0 {
			admitted = min(3000, 0.85*c.Value())
		}
		if i > 600 {
			least, most = min(least, admitted), max(most, admitted)
		}
	}
	if least < 750 || most > 1100 { // 0.85 of what is left after a step down
		t.Errorf("between %v and %v are let in, 1,000 are borne", least, most)
	}
}

func TestAConfiguredCapacityIsBelievedUntilThereIsTrouble(t *testing.T) {
	rules := DefaultCapacityRules()
	rules.Configured = 1000
	c := NewCapacity(rules)
	now := time.Unix(1000, 0)
	step := func(n int, admitted float64, trouble bool) {
		for range n {
			now = now.Add(100 * time.Millisecond)
			c.Step(now, admitted, trouble)
		}
	}
	step(10, 400, false)
	if c.Value() != 1000 {
		t.Errorf("%v", c.Value())
	}
	step(1, 500, true) // half of the occupants are gone
	if c.Value() != 900 {
		t.Errorf("%v, want a tenth less at first", c.Value())
	}
	step(10, 500, true)
	if c.Value() != 450 {
		t.Errorf("%v, want a tenth less than what is served", c.Value())
	}
	step(1000, 10, true)
	if c.Value() != 250 {
		t.Errorf("%v: trouble with hardly any request is no want of capacity", c.Value())
	}
	step(300, 200, false)
	if c.Value() != 1000 {
		t.Errorf("%v long after", c.Value())
	}
	c.Step(now.Add(-time.Hour), 100, false) // the clock jumps
	c.Step(now, 100, true)
}
