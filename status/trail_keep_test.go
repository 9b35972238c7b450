package status

import (
	"maps"
	"reflect"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"moonwatch/agent"
	"moonwatch/member"
)

// shelf is a disk: what is written on it is there whole, or not at all.
type shelf map[string][]byte

func (s shelf) put(r Records) {
	for key, b := range r {
		if s[key] = b; b == nil {
			delete(s, key)
		}
	}
}

// TestATrailThatWasKeptTellsTheSame whatever was noted, however often it was written, and
// whether the disk took it: at each moment up to what was kept last.
func TestATrailThatWasKeptTellsTheSame(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		trail, disk, begin := &Trail{}, shelf{}, trailBegin
		at := begin
		for range rapid.IntRange(1, 60).Draw(rt, "steps") {
			switch rapid.SampledFrom([]string{"note", "note", "note", "keep", "fail", "unsure", "restart", "back", "later"}).Draw(rt, "step") {
			case "note":
				at = at.Add(time.Duration(rapid.SampledFrom([]int{0, 100, 1000, 14_000, 40_000}).Draw(rt, "after")) * time.Millisecond)
				edges := map[member.ID]byte{}
				for _, id := range []member.ID{"a", "b", "c"} {
					edges[id] = rapid.SampledFrom([]byte{0, 'c', 'l', 's', 'd', 'u'}).Draw(rt, string(id))
				}
				trail.Note(noted(at, rapid.SampledFrom([]agent.Reason{"", agent.Smeared}).Draw(rt, "abstains"), edges))
			case "keep":
				disk.put(trail.Take(0).Records())
				trail.Kept(true)
			case "fail":
				_ = trail.Take(0).Records()
				trail.Kept(false)
			case "unsure":
				disk.put(trail.Take(0).Records())
				trail.Kept(false)
			case "restart":
				trail = recalled(rt, disk)
			case "back":
				at = at.Add(-time.Hour)
			case "later":
				at = at.Add(9 * time.Hour)
			}
		}
		if n := trail.Take(0); n != nil {
			disk.put(n.Records())
			trail.Kept(true)
		}
		if trail.Take(0) != nil {
			rt.Fatal("nothing has changed, and there are news")
		}
		again := recalled(rt, disk)
		if len(disk) > 0 && len(disk) != 1+len(trail.changes) {
			rt.Fatalf("%d records of %d changes", len(disk), len(trail.changes))
		}
		for range 20 {
			moment := at.Add(-time.Duration(rapid.IntRange(0, 30*3600*10).Draw(rt, "ago")) * 100 * time.Millisecond)
			x, ok := trail.At(moment)
			y, too := again.At(moment)
			if ok != too || !reflect.DeepEqual(x, y) || !again.Since().Equal(trail.Since()) {
				rt.Fatalf("%v ago it said %v %+v, and says %v %+v", at.Sub(moment), ok, x, too, y)
			}
		}
		next := noted(at.Add(time.Second), "", map[member.ID]byte{"a": 'c', "c": 's'})
		trail.Note(next)
		again.Note(next)
		if len(trail.changes) != len(again.changes) {
			rt.Fatalf("a note later there are %d changes, and %d of who was started again", len(trail.changes), len(again.changes))
		}
	})
}

func recalled(t rapid.TB, disk shelf) *Trail {
	trail, err := RecallTrail(Records(maps.Clone(disk)))
	if err != nil {
		t.Fatal(err)
	}
	return trail
}

// TestWhileAnAgentWasNotRunningItsTrailKnowsNothing, and before and after it does.
func TestWhileAnAgentWasNotRunningItsTrailKnowsNothing(t *testing.T) {
	trail, disk := &Trail{}, shelf{}
	for i := range 100 {
		trail.Note(noted(trailBegin.Add(time.Duration(i)*time.Second), "", map[member.ID]byte{"a": 'c', "b": 's'}))
	}
	disk.put(trail.Take(0).Records())
	trail = recalled(t, disk)
	back := trailBegin.Add(time.Hour)
	trail.Note(noted(back, "", map[member.ID]byte{"a": 'c', "b": 'c'}))
	for moment, known := range map[time.Duration]bool{50 * time.Second: true, 99 * time.Second: true, 30 * time.Minute: false, time.Hour: true} {
		x, ok := trail.At(trailBegin.Add(moment))
		if ok != known || ok && x.Sees[1].Down() != (moment < time.Hour) {
			t.Errorf("after %v: %v, %+v", moment, ok, x)
		}
	}
	if !trail.Since().Equal(trailBegin) {
		t.Errorf("it knows since %v", trail.Since())
	}
}

// TestACalmTrailIsWrittenRarely: what is on disk of it says until when it was noted.
func TestACalmTrailIsWrittenRarely(t *testing.T) {
	trail := &Trail{}
	writes := 0
	for i := range 3600 {
		trail.Note(noted(trailBegin.Add(time.Duration(i)*time.Second), "", map[member.ID]byte{"a": 'c'}))
		if n := trail.Take(5 * time.Minute); n != nil {
			writes++
			trail.Kept(true)
		}
	}
	if writes != 12 {
		t.Errorf("it was written %d times in a calm hour, want 12", writes)
	}
	if n := trail.Take(0); n == nil || len(n.Records()) != 1 {
		t.Error("at the end it is not said until when it was noted")
	}
}

// TestATrailThatCannotBeReadIsAnError that names the record.
func TestATrailThatCannotBeReadIsAnError(t *testing.T) {
	trail := &Trail{}
	for i := range 4 {
		trail.Note(noted(trailBegin.Add(time.Duration(i)*time.Second), "", map[member.ID]byte{"a": "cl"[i%2]}))
	}
	whole := trail.Take(0).Records()
	for name, x := range map[string]struct {
		spoil func(Records)
		want  string
	}{
		"no head":        {func(r Records) { delete(r, trailHeadKey) }, "record head"},
		"half a head":    {func(r Records) { r[trailHeadKey] = r[trailHeadKey][:40] }, "record head"},
		"another schema": {func(r Records) { r[trailHeadKey] = []byte(`{"schema":2}`) }, "schema is 2, want 1"},
		"no times":       {func(r Records) { clear(r); r[trailHeadKey] = []byte(`{"schema":1}`) }, "no time"},
		"a gap":          {func(r Records) { delete(r, trailKey(1)) }, "record " + trailKey(1)},
		"half a change":  {func(r Records) { r[trailKey(2)] = []byte(`{"at":"2026`) }, "record " + trailKey(2)},
		"another's":      {func(r Records) { r["fortnight"] = []byte("{}") }, "record " + trailKey(4)},
		"out of order":   {func(r Records) { r[trailKey(1)], r[trailKey(3)] = r[trailKey(3)], r[trailKey(1)] }, "want a time from"},
	} {
		r := maps.Clone(whole)
		x.spoil(r)
		if _, err := RecallTrail(r); err == nil || !strings.Contains(err.Error(), x.want) {
			t.Errorf("%s: %v, want %q", name, err, x.want)
		}
	}
	if _, err := RecallTrail(whole); err != nil {
		t.Error(err)
	}
}
