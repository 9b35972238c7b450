package gateway

import (
	"fmt"
	"net/http"
	"slices"
	"testing"
	"time"

	"moonwatch/member"
)

// The figure of the product: 200 requests a second over 5 occupants, one fails;
// at most 2 failed requests before the drain, none after it.
func TestOneLostOccupantCostsAtMostTwoRequests(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		fault func(*testing.T, *service)
	}{
		{"killed", func(_ *testing.T, s *service) { s.kill() }},
		{"silent", func(_ *testing.T, s *service) { s.hush() }},
		{"silent, then killed", func(_ *testing.T, s *service) { s.hush(); time.AfterFunc(600*time.Millisecond, s.kill) }},
		{"slow", func(_ *testing.T, s *service) {
			s.become(func(w http.ResponseWriter, r *http.Request) {
				select {
				case <-time.After(700 * time.Millisecond):
				case <-r.Context().Done():
				}
				fmt.Fprint(w, "ok")
			})
		}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			list := services(t, 5)
			g := open(t, Config{}, tableOf(list))
			l := steady(t, g)
			time.Sleep(500 * time.Millisecond)
			test.fault(t, list[2])
			time.Sleep(2 * time.Second) // as long as a verdict and its drain take at worst
			wait(t, "the lost occupant is ejected", func() bool { return !g.slot(2).EjectedAt.IsZero() })
			before := l.failed.Load()
			g.SetTable(tableOf(list, drain("web-2")))
			l.drained.Store(true)
			time.Sleep(1200 * time.Millisecond) // an ejected one would be tried again within a second
			wait(t, "visitors come after the drain", func() bool {
				return slices.ContainsFunc(list, func(s *service) bool { return s.askedLate.Load() > 0 })
			})
			l.end()
			if before > 2 || l.failedAfter.Load() > 0 {
				t.Errorf("%d requests failed before the drain, want at most 2; %d after it, want 0", before, l.failedAfter.Load())
			}
			if n := list[2].askedLate.Load(); n > 0 {
				t.Errorf("the drained occupant got %d requests of visitors who came after the drain", n)
			}
			t.Logf("%d requests, slowest %v, %d hedged or retried at the lost one", l.requests.Load(), time.Duration(l.slowest.Load()), g.slot(2).Failures)
		})
	}
}

func TestTwoSilentOccupantsAtOnceCostNoRequest(t *testing.T) {
	t.Parallel()
	list := services(t, 5)
	g := open(t, Config{}, tableOf(list))
	l := steady(t, g)
	time.Sleep(500 * time.Millisecond)
	list[1].hush()
	list[3].hush()
	time.Sleep(2 * time.Second)
	l.end()
	if n := l.failed.Load(); n > 2 {
		t.Errorf("%d requests failed, want at most 2", n)
	}
}

func TestAFlappingOccupantCostsNoRequest(t *testing.T) {
	t.Parallel()
	list := services(t, 5)
	g := open(t, Config{}, tableOf(list))
	l := steady(t, g)
	for range 4 {
		time.Sleep(250 * time.Millisecond)
		list[0].kill()
		time.Sleep(250 * time.Millisecond)
		list[0].revive()
	}
	time.Sleep(1200 * time.Millisecond) // one probe interval and some
	l.end()
	if n := l.failed.Load(); n > 2 {
		t.Errorf("%d requests failed, want at most 2", n)
	}
	if o := g.slot(0); !o.EjectedAt.IsZero() {
		t.Errorf("it is back and not readmitted: %+v", o)
	}
}

func TestTablesCanBeSwappedUnderLoad(t *testing.T) {
	t.Parallel()
	list := services(t, 6)
	g := open(t, Config{}, tableOf(list))
	l := steady(t, g)
	for i := range 100 {
		time.Sleep(10 * time.Millisecond)
		g.SetTable(tableOf(list[i%3:i%3+3+i%2], drain(member.SlotID("web-"+string(rune('0'+i%3))))))
	}
	l.end()
	if n := l.failed.Load(); n > 0 {
		t.Errorf("%d of %d requests failed", n, l.requests.Load())
	}
}
