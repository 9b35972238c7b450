package sim

import (
	"strings"
	"testing"
	"time"

	"moonwatch/member"
)

// loaded is the demo's fleet with 50 requests a second.
func loaded(t *testing.T, seed uint64) *World {
	t.Helper()
	cfg := Demo()
	cfg.Load = []Load{{Host: "www.example.com", Pool: "web", RPS: 50}}
	return story(t, cfg, seed)
}

func failures(w *World) int { return w.Requests()[0].Failed }

func TestInCalmWeatherNoRequestFails(t *testing.T) {
	w := loaded(t, 50)
	run(t, w, 30*time.Second)
	r := w.Requests()[0]
	if r.Failed > 0 || r.Host != "www.example.com" {
		t.Errorf("%d of %d failed", r.Failed, r.Total)
	}
	if s := r.Seconds[40]; s.Total != 50 {
		t.Errorf("%d requests in a second, want 50", s.Total)
	}
}

func TestALostOccupantCostsAtMostTheRequestsThatMayNotBeSentTwice(t *testing.T) {
	for _, do := range []FaultKind{Crash, Pause, KillService, Isolate} {
		w := loaded(t, 51)
		id, _ := ordinary(w)
		w.Begin(Fault{Do: do, Whom: []member.ID{id}})
		run(t, w, time.Minute)
		if n := failures(w); n > 5 {
			t.Errorf("%s: %d requests failed", do, n)
		}
	}
}

func TestAFloodThatMeetsAFallingOccupantEmptiesTheRetryBudget(t *testing.T) {
	w := loaded(t, 52)
	id, _ := ordinary(w)
	w.Begin(Fault{Do: Flood, Host: "www.example.com", Share: 40})
	w.Begin(Fault{Do: Crash, Whom: []member.ID{id}})
	run(t, w, 10*time.Second)
	r := w.Requests()[0]
	last := r.Seconds[len(r.Seconds)-1]
	if r.Failed < 20 || r.Failed > 150 || last.Failed > 0 || last.Total != 2000 {
		t.Errorf("%d failed, in the last second %+v: want some of the first third of a second", r.Failed, last)
	}
}

func TestASickServiceFailsRequestsUntilItIsDrained(t *testing.T) {
	w := loaded(t, 53)
	id, slot := ordinary(w)
	w.Hit(Sicken, id)
	within(t, w, time.Minute, "replaced or restarted", func() bool { return w.Served(slot) })
	before := failures(w)
	run(t, w, 20*time.Second)
	if before == 0 || failures(w) > before+20 {
		t.Errorf("%d failed before the service was well again, %d after", before, failures(w)-before)
	}
}

func TestWithoutAnyOccupantEveryRequestFails(t *testing.T) {
	w := loaded(t, 54)
	var all []member.ID
	for _, m := range w.machines {
		all = append(all, m.id)
	}
	w.Hit(KillService, all...)
	run(t, w, 500*time.Millisecond)
	if n := failures(w); n < 20 {
		t.Errorf("%d failed of about 25", n)
	}
}

func TestALoadThatCannotBeIsRefused(t *testing.T) {
	cfg := Demo()
	cfg.Load = []Load{{Pool: "web", RPS: 1}, {Host: "a", Pool: "wab", RPS: 1}, {Host: "b", Pool: "web"}, {Host: "b", Pool: "web", RPS: 1}}
	_, err := New(cfg)
	for _, want := range []string{"host is empty", "load a: no pool wab", "load b: rps is 0", "load b: named twice"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %s", err, want)
		}
	}
}
