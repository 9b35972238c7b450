package daemon

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"moonwatch/member"
	"moonwatch/status"
)

// alone is an agent that knows of nobody else, and looks back.
func alone(t *testing.T) *Daemon {
	t.Helper()
	d := &Daemon{self: "m1"}
	d.sightings.open(d)
	d.hindsight.open(d)
	d.page.Store(&status.Page{Members: []status.Member{{ID: "m1"}, {ID: "m2"}}})
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := d.hindsight.askAll(ctx); err != nil {
			t.Error(err)
		}
	}()
	t.Cleanup(func() { cancel(); <-done })
	synctest.Wait()
	return d
}

// TestVisitorsWithManyMomentsDoNotMakeTheFleetWork: a moment has one round, and another one
// its own a second later; a few are kept, for a while.
func TestVisitorsWithManyMomentsDoNotMakeTheFleetWork(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := &alone(t).hindsight
		at := time.Now().Add(-time.Hour).Truncate(hindsightGrid)
		first, ok := h.Then(at)
		if !ok || first.Partial || !first.Moment.Equal(at) || len(first.By) != 2 {
			t.Fatalf("%v, %+v", ok, first)
		}
		rounds := 0
		for i := range 100 {
			if _, ok := h.Then(at.Add(-time.Duration(i+1) * hindsightGrid)); ok {
				rounds++
			}
		}
		if rounds != 0 {
			t.Errorf("%d rounds at once", rounds)
		}
		if again, ok := h.Then(at.Add(-time.Second)); !ok || !again.AsOf.Equal(first.AsOf) {
			t.Errorf("the moment that was asked for: %v, %+v", ok, again)
		}
		for i := range 3 * hindsightKept {
			time.Sleep(hindsightPause + time.Millisecond)
			synctest.Wait()
			if _, ok := h.Then(at.Add(-time.Duration(i+1) * hindsightGrid)); !ok {
				t.Fatalf("refused a second later")
			}
		}
		if n := h.keeps(); n != hindsightKept {
			t.Errorf("%d moments are kept", n)
		}
		time.Sleep(3 * hindsightFor)
		synctest.Wait()
		if n := h.keeps(); n != 0 {
			t.Errorf("%d moments are kept that nobody asks for", n)
		}
	})
}

// keeps is how many moments are kept.
func (h *hindsight) keeps() int {
	h.mu.Lock()
	defer h.mu.Unlock()
	return len(h.kept)
}

// TestAnAnswerOfNowIsNoneOfThen: a build of before knows no other, and a trail that does not
// reach back says since when it does.
func TestAnAnswerOfNowIsNoneOfThen(t *testing.T) {
	moment := time.Date(2026, 5, 4, 12, 0, 0, 0, time.UTC)
	sees := []status.LiveSees{{Subject: "m1", RTTMicros: 300}}
	for name, x := range map[string]struct {
		answer status.LiveFrom
		heard  bool
		says   string
	}{
		"of then":         {status.LiveFrom{At: moment, Moment: moment, Since: moment.Add(-time.Hour), Sees: sees}, true, ""},
		"of now":          {status.LiveFrom{At: moment, Sees: sees}, false, "now alone"},
		"of another":      {status.LiveFrom{At: moment, Moment: moment.Add(time.Second), Sees: sees}, false, "answered of"},
		"not so far back": {status.LiveFrom{Moment: moment, Since: moment.Add(time.Minute)}, false, "nothing of before 2026-05-04 12:01:00 UTC"},
		"stood still":     {status.LiveFrom{Moment: moment, Since: moment.Add(-time.Hour)}, false, "stood still"},
		"nothing noted":   {status.LiveFrom{Moment: moment}, false, "seen nothing"},
	} {
		l := &lookBack{moment: moment, heard: map[member.ID]status.LiveFrom{}}
		b, err := json.Marshal(x.answer)
		if err != nil {
			t.Fatal(err)
		}
		new(hindsight).hear(l, "m2", b, nil)
		got := l.heard["m2"]
		if got.At.IsZero() == x.heard || (len(got.Sees) > 0) != x.heard || got.Observer != "m2" || !strings.Contains(got.Trouble, x.says) || x.heard && got.Trouble != "" {
			t.Errorf("%s: %+v", name, got)
		}
	}
}

// TestTheNextMomentOfTheGridIsAskedFor if it has come: who was counted for a verdict accused
// before it.
func TestTheNextMomentOfTheGridIsAskedFor(t *testing.T) {
	at := time.Date(2026, 5, 4, 12, 0, 7, 0, time.UTC)
	for after, want := range map[time.Duration]int{0: 5, 2 * time.Second: 5, 3 * time.Second: 10, time.Hour: 10} {
		if got := gridOf(at, at.Add(after)); got.Second() != want {
			t.Errorf("asked %v later: %v", after, got)
		}
	}
	if on := at.Truncate(hindsightGrid); !gridOf(on, at).Equal(on) {
		t.Errorf("of the grid: %v", gridOf(on, at))
	}
}
