package shield

import (
	"testing"
	"time"
)

// A host may be read twice in a tick: it was hot, and it is held. Each refusal
// counts once.
func TestAHostThatIsReadTwiceIsCountedOnce(t *testing.T) {
	const flooded = Key(7)
	r := newRecent(time.Second, DefaultSurgeRules(), time.Minute)
	var total, refused uint32
	for range 5 {
		total, refused = total+100, refused+80
		x := Count{Key: flooded, Asked: 100, Total: total, Refused: refused}
		r.add(Counted{Tick: 50 * time.Millisecond, Counts: []Count{x, x}, Asked: uint64(total), Refused: uint64(refused)}, true)
	}
	_, lines := r.traffic(nil)
	if len(lines) != 1 || lines[0].Lately != 500 || lines[0].Admitted != 180 { // of the first tick nothing was known before
		t.Errorf("%+v, want 500 asked and 180 let in", lines)
	}
	if n := r.rate(flooded); n != 2000 {
		t.Errorf("%v a second, want 2,000", n)
	}
}

// A host that was forgotten and is known once more counts from nothing on.
func TestAHostThatBeganAnewHasNotTurnedOver(t *testing.T) {
	const host = Key(7)
	r := newRecent(time.Second, DefaultSurgeRules(), time.Minute)
	add := func(total, refused uint32) {
		x := Count{Key: host, Asked: 10, Total: total, Refused: refused}
		r.add(Counted{Tick: 50 * time.Millisecond, Counts: []Count{x}, Asked: 10, Refused: 5}, true)
	}
	add(5000, 400)
	add(5010, 405)
	add(10, 5)
	if sum := r.asked[host]; sum.asked != 5020 || sum.refused != 410 {
		t.Errorf("%d requests in all, %d refused, want 5020 and 410", sum.asked, sum.refused)
	}
	_, lines := r.traffic(nil)
	if len(lines) != 1 || lines[0].Lately != 30 || lines[0].Admitted != 20 {
		t.Errorf("%+v, want 30 asked and 20 let in: of the first tick nothing was known before", lines)
	}
}

// A door in another program reads hosts and totals one after another, and what a host was
// asked for before it was first seen is in the one and not in the other. Its report says
// more than there was; the next ones must be believed nevertheless, by itself and by others.
func TestWhatWasSaidOnceIsNotTakenBack(t *testing.T) {
	s, err := New(DefaultConfig("a"))
	if err != nil {
		t.Fatal(err)
	}
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for i := range 60 {
		c := Counted{Tick: 50 * time.Millisecond, Asked: uint64(i), Subdomains: 1}
		if i == 3 {
			c.Counts = []Count{{Key: 7, Asked: 500, Total: 500}}
		}
		now = now.Add(c.Tick)
		for _, e := range s.Step(now, c) {
			if n, ok := e.(Note); ok && n.What == Refused {
				t.Fatalf("tick %d: %s", i, n.Text)
			}
		}
	}
}
