package mind

import (
	"testing"
	"time"
)

func TestTheMedianOfTheCouncilIsKnownWhereThoseWhoAreSilentCannotMoveIt(t *testing.T) {
	const wrong = 170 * time.Second
	ms := time.Millisecond
	for _, c := range []struct {
		name    string
		council int
		offsets []time.Duration
		ahead   time.Duration
		ok      bool
	}{
		{"all of five, one is wrong", 5, []time.Duration{0, wrong, 10 * ms, -20 * ms, 30 * ms}, 10 * ms, true},
		{"all of five, two are wrong", 5, []time.Duration{0, wrong, wrong, -20 * ms, 30 * ms}, 30 * ms, true},
		{"three of five, and two are wrong", 5, []time.Duration{0, 0, wrong}, 0, false},
		{"three of five agree", 5, []time.Duration{0, 20 * ms, -20 * ms}, 0, true},
		{"three of five, this one is wrong", 5, []time.Duration{0, wrong, wrong}, 0, false},
		{"four of five, this one is wrong", 5, []time.Duration{0, wrong, wrong, wrong}, wrong, true},
		{"two of five", 5, []time.Duration{0, 0}, 0, false},
		{"two of three agree", 3, []time.Duration{0, 20 * ms}, 10 * ms, true},
		{"two of three differ", 3, []time.Duration{0, wrong}, 0, false},
		{"two of two differ", 2, []time.Duration{0, wrong}, 0, false},
		{"two of two agree", 2, []time.Duration{0, 100 * ms}, 50 * ms, true},
		{"three of four, one is wrong", 4, []time.Duration{0, 20 * ms, wrong}, 0, false},
		{"all of four, one is wrong", 4, []time.Duration{0, 20 * ms, 20 * ms, wrong}, 20 * ms, true},
		{"a council of one", 1, []time.Duration{wrong}, 0, false},
		{"no council", 0, nil, 0, false},
		{"who sits there no more has answered", 3, []time.Duration{0, 0, 0, 0}, 0, false},
	} {
		if ahead, ok := AheadOfCouncil(c.council, c.offsets); ahead != c.ahead || ok != c.ok {
			t.Errorf("%s: %v, %v; want %v, %v", c.name, ahead, ok, c.ahead, c.ok)
		}
	}
}

func TestAClockIsNotAheadOfAMedianThatNobodyKnows(t *testing.T) {
	const hour, ms = time.Hour, time.Millisecond
	const passed = 10 * time.Second // since the ledger's last fact, by this clock
	for _, c := range []struct {
		name    string
		council int
		offsets []time.Duration
		ahead   time.Duration
		ok      bool
	}{
		{"three of five, the others are an hour ahead", 5, []time.Duration{0, -hour, -hour}, 0, true},
		{"three of five, this one and another are an hour ahead", 5, []time.Duration{0, 0, 3 * time.Second}, 3 * time.Second, true},
		{"two of five", 5, []time.Duration{0, 0}, 0, false},
		{"two of three, the other is ahead", 3, []time.Duration{0, -hour}, 0, true},
		{"two of three, the other shows what is long over", 3, []time.Duration{0, hour}, 0, true},
		{"three of five, one shows what is long over", 5, []time.Duration{0, 20 * ms, hour}, 20 * ms, true},
		{"all of three", 3, []time.Duration{0, 20 * ms, -20 * ms}, 0, true},
		{"nobody", 3, nil, 0, false},
	} {
		if ahead, ok := mostAhead(c.council, c.offsets, passed); ahead != c.ahead || ok != c.ok {
			t.Errorf("%s: %v, %v; want %v, %v", c.name, ahead, ok, c.ahead, c.ok)
		}
	}
}
