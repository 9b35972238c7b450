package sim

import (
	"fmt"
	"testing"
	"time"

	"moonwatch/failover"
	"moonwatch/member"
)

// demoFleet is the fleet of the demo: seven members, five slots, two spares.
func demoFleet() Config {
	f := member.Fleet{Version: 1}
	for i, d := range []member.FailureDomain{"a", "b", "c", "a", "b"} {
		f.Members = append(f.Members, member.Member{ID: member.ID(fmt.Sprintf("web-%d", i)), Domain: d, Pool: "web", Council: true})
	}
	f.Members = append(f.Members,
		member.Member{ID: "spare-0", Domain: "a", Pool: "web"}, member.Member{ID: "spare-1", Domain: "c", Pool: "web"})
	f.Pools = []member.Pool{{
		Name: "web", Fence: []string{"none"}, Armed: true,
		Slots:   []member.SlotID{"web-0", "web-1", "web-2", "web-3", "web-4"},
		Checks:  member.Checks{HTTP: &member.HTTPCheck{Port: 8080, Path: "/healthz", Interval: 2 * time.Second, Timeout: 500 * time.Millisecond}},
		Actions: member.Actions{Activate: "web-start", Stop: "web-stop", Restart: "web-restart"},
	}}
	return Config{
		Fleet: f, Council: []member.ID{"web-0", "web-1", "web-2", "web-3", "web-4"},
		Net:    Net{Delay: 200 * time.Microsecond, Jitter: 500 * time.Microsecond},
		Disk:   Disk{Sync: Span{Min: 500 * time.Microsecond, Max: 8 * time.Millisecond}},
		Action: Span{Min: 200 * time.Millisecond, Max: 900 * time.Millisecond},
	}
}

func start(t *testing.T, cfg Config, seed uint64) *World {
	t.Helper()
	cfg.Seed = seed
	w, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	w.Verbose = true
	if err := w.Run(20 * time.Second); err != nil {
		t.Fatal(err, w.Lines())
	}
	for slot := range w.Occupants() {
		if !w.Served(slot) {
			t.Fatalf("slot %s is not served after 20 s: %v", slot, w.Lines())
		}
	}
	return w
}

func TestACrashedMemberIsReplacedByASpare(t *testing.T) {
	w := start(t, demoFleet(), 1)
	victim := w.Occupants()["web-3"]
	at := w.Now()
	w.Crash(victim)
	err := w.RunUntil(10*time.Second, func() bool { return w.Occupants()["web-3"] != victim && w.Served("web-3") })
	for _, l := range w.Lines() {
		t.Log(l)
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Log("served after", w.Now()-at)
	if n := w.checker.False; n > 0 {
		t.Fatalf("%d false verdicts", n)
	}
	if m := w.best().Brake().Mode(); m != failover.Normal {
		t.Fatalf("mode %s, want normal", m)
	}
}
