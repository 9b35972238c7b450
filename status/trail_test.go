package status

import (
	"fmt"
	"reflect"
	"testing"
	"time"

	"pgregory.net/rapid"

	"moonwatch/agent"
	"moonwatch/member"
)

var trailBegin = time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)

// noted is a note of edges, each as its one letter says: calm, losing probes, silent, its
// service down, not heard yet.
func noted(at time.Time, abstains agent.Reason, edges map[member.ID]byte) LiveFrom {
	x := LiveFrom{At: at, Abstains: abstains}
	for _, id := range []member.ID{"a", "b", "c"} {
		s := LiveSees{Subject: id, RTTMicros: 300}
		switch edges[id] {
		case 0:
			continue
		case 'l':
			s.LossPct, s.LostRun, s.Uneasy = 20, 2, true
		case 's':
			s.LostRun, s.SilentFor, s.Accuses = 5, 1200, agent.Silence
		case 'd':
			s.Service = true
		case 'u':
			s.RTTMicros, s.Uneasy = 0, true
		}
		x.Sees = append(x.Sees, s)
	}
	return x
}

// TestATrailSaysOfAMomentWhatWasNotedLastBeforeIt whatever was noted, and when: but where
// nothing was noted for long.
func TestATrailSaysOfAMomentWhatWasNotedLastBeforeIt(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		var trail Trail
		var all []LiveFrom
		at := trailBegin
		for range rapid.IntRange(1, 40).Draw(rt, "notes") {
			at = at.Add(time.Duration(rapid.SampledFrom([]int{0, 100, 1000, 5000, 14_000, 15_000, 40_000}).Draw(rt, "after")) * time.Millisecond)
			edges := map[member.ID]byte{}
			for _, id := range []member.ID{"a", "b", "c"} {
				edges[id] = rapid.SampledFrom([]byte{0, 'c', 'l', 's', 'd', 'u'}).Draw(rt, string(id))
			}
			x := noted(at, rapid.SampledFrom([]agent.Reason{"", agent.Smeared}).Draw(rt, "abstains"), edges)
			trail.Note(x)
			all = append(all, x)
		}
		moment := trailBegin.Add(time.Duration(rapid.IntRange(-1000, int(at.Sub(trailBegin).Milliseconds())+20_000).Draw(rt, "moment")) * time.Millisecond)
		got, ok := trail.At(moment)
		var want *LiveFrom
		for i, x := range all {
			if !x.At.After(moment) && moment.Sub(x.At) < trailGap || x.At.Equal(moment) {
				want = &all[i]
			}
		}
		if ok != (want != nil) {
			rt.Fatalf("at %v: known %v, want %v", moment.Sub(trailBegin), ok, want != nil)
		}
		if !ok {
			return
		}
		if got.Abstains != want.Abstains || !reflect.DeepEqual(forms(got), forms(*want)) {
			rt.Fatalf("at %v: %+v, noted last: %+v", moment.Sub(trailBegin), got, *want)
		}
	})
}

func forms(x LiveFrom) map[member.ID]Form {
	out := map[member.ID]Form{}
	for _, s := range x.Sees {
		out[s.Subject] = s.Form()
	}
	return out
}

// TestATrailTellsWithWhichFiguresItBegan and since when, however long it lasts.
func TestATrailTellsWithWhichFiguresItBegan(t *testing.T) {
	var trail Trail
	for i := range 60 {
		edges := map[member.ID]byte{"a": 'c', "b": 'c'}
		if i >= 10 {
			edges["b"] = 's'
		}
		x := noted(trailBegin.Add(time.Duration(i)*time.Second), "", edges)
		x.Sees[1].SilentFor += Millis(i * 1000)
		trail.Note(x)
	}
	x, ok := trail.At(trailBegin.Add(50 * time.Second))
	if !ok || len(x.Sees) != 2 {
		t.Fatalf("%v, %+v", ok, x)
	}
	if b := x.Sees[1]; b.Accuses != agent.Silence || b.SilentFor != 11_200 || !b.Since.Equal(trailBegin.Add(10*time.Second)) {
		t.Errorf("%+v", b)
	}
	if n := len(trail.changes); n != 3 {
		t.Errorf("%d changes are kept, want 3", n)
	}
}

// TestATrailIsBounded in number and age, forgets the oldest first, and says since when it
// knows; what stood still all the while is known to the end.
func TestATrailIsBounded(t *testing.T) {
	var trail Trail
	at := trailBegin
	for i := range 3 * trailChanges {
		at = trailBegin.Add(time.Duration(i) * time.Second)
		trail.Note(noted(at, "", map[member.ID]byte{"a": 'd', "b": "cl"[i%2]}))
		if len(trail.changes) > trailChanges {
			t.Fatalf("%d changes", len(trail.changes))
		}
	}
	if want := at.Add(-trailChanges * time.Second); !trail.Since().Equal(want) {
		t.Errorf("it knows since %v, want %v", trail.Since(), want)
	}
	if _, ok := trail.At(trail.Since().Add(-time.Millisecond)); ok {
		t.Error("it knows of what it has forgotten")
	}
	if x, ok := trail.At(trail.Since()); !ok || len(x.Sees) != 2 || !x.Sees[0].Service || !x.Sees[0].Since.Equal(trailBegin) {
		t.Errorf("where it begins: %v, %+v", ok, x)
	}
	for range 25 * 3600 / 10 {
		at = at.Add(10 * time.Second)
		trail.Note(noted(at, "", map[member.ID]byte{"a": 'd'}))
	}
	if len(trail.changes) != 0 {
		t.Errorf("a day later %d changes are kept", len(trail.changes))
	}
	if x, ok := trail.At(at.Add(-24 * time.Hour)); !ok || len(x.Sees) != 1 || !x.Sees[0].Service {
		t.Errorf("a day ago: %v, %+v", ok, x)
	}
}

// TestAClockThatIsSetBackBeginsANewTrail and one that wavers does not.
func TestAClockThatIsSetBackBeginsANewTrail(t *testing.T) {
	var trail Trail
	trail.Note(noted(trailBegin, "", map[member.ID]byte{"a": 'c'}))
	trail.Note(noted(trailBegin.Add(-2*time.Second), "", map[member.ID]byte{"a": 's'}))
	if x, ok := trail.At(trailBegin); !ok || !trail.Since().Equal(trailBegin) || !x.Sees[0].Down() {
		t.Errorf("wavers: %v, %+v", ok, x)
	}
	back := trailBegin.Add(-time.Hour)
	trail.Note(noted(back, "", map[member.ID]byte{"a": 'c'}))
	if x, ok := trail.At(back); !ok || !trail.Since().Equal(back) || x.Sees[0].Down() {
		t.Errorf("set back: %v, %+v", ok, x)
	}
}

// TestANoteOfNothingNewAllocatesNothing: the agent's loop makes ten a second.
func TestANoteOfNothingNewAllocatesNothing(t *testing.T) {
	var trail Trail
	x := LiveFrom{At: trailBegin}
	for i := range 16 {
		x.Sees = append(x.Sees, LiveSees{Subject: member.ID(fmt.Sprintf("m%02d", i)), RTTMicros: 300})
	}
	trail.Note(x)
	if n := testing.AllocsPerRun(100, func() {
		x.At = x.At.Add(time.Second)
		x.Sees[3].RTTMicros++
		trail.Note(x)
	}); n != 0 {
		t.Errorf("%v allocations a note", n)
	}
}
