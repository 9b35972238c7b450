package sim

import (
	"slices"
	"strings"
	"testing"
	"time"

	"moonwatch/failover"
	"moonwatch/member"
)

// behindDoors puts the first pool of a world behind two doors: one that two members
// may tell, and one of a member's own.
func behindDoors(cfg Config) Config {
	cfg.Fleet.Pools = slices.Clone(cfg.Fleet.Pools)
	last := len(cfg.Fleet.Members)
	tellers := []member.ID{cfg.Fleet.Members[last-1].ID, cfg.Fleet.Members[0].ID}
	cfg.Fleet.Pools[0].Drivers = []member.Driver{
		{Kind: "haproxy", Name: "far", On: tellers, HAProxy: &member.HAProxyDriver{Instances: map[string]string{"x": "192.0.2.1:9999"}}},
		{Kind: "haproxy", Name: "near", On: tellers[1:], HAProxy: &member.HAProxyDriver{Socket: "/run/haproxy/admin.sock"}},
	}
	return cfg
}

// TestDoorsFollowTheLedgerInEverySeed plays stories of the swarm with doors that
// forget now and then. Drivers hang, fail and lie in some of them.
func TestDoorsFollowTheLedgerInEverySeed(t *testing.T) {
	for seed := uint64(1); seed <= 4; seed++ {
		cfg, faults := Swarm(seed, 16, swarmStorm)
		cfg = behindDoors(cfg)
		w, err := New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		w.Strike(faults...)
		for at := time.Minute; at < swarmStorm; at += 50 * time.Second {
			w.At(at, func() {
				w.Forget("pool-0/far")
				for d := range w.proxies {
					w.Forget(d)
				}
			})
		}
		if err := w.Run(swarmStorm); err != nil {
			t.Fatalf("seed %d: %v", seed, err)
		}
		var troubles []string
		for w.Now() < swarmStorm+swarmSettle {
			if err := w.Run(10 * time.Second); err != nil {
				t.Fatalf("seed %d: %v", seed, err)
			}
			if troubles = w.Troubles(); len(troubles) == 0 {
				break
			}
		}
		if len(troubles) > 0 {
			t.Errorf("seed %d: %q", seed, troubles)
		}
		if err := w.Audit(); err != nil {
			t.Errorf("seed %d: %v", seed, err)
		}
	}
}

// TestTheNextMemberTellsASharedDoor: two may tell it; the one that does is lost,
// and then a slot is.
func TestTheNextMemberTellsASharedDoor(t *testing.T) {
	cfg := behindDoors(Fleet(7))
	cfg.Seed = 3
	w, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	tellers := cfg.Fleet.Pools[0].Drivers[0].On
	w.Strike(
		Fault{At: 30 * time.Second, Do: Crash, Whom: tellers[:1]},
		Fault{At: 40 * time.Second, Do: Crash, Whom: []member.ID{cfg.Fleet.Members[1].ID}},
	)
	if err := w.Run(90 * time.Second); err != nil {
		t.Fatal(err)
	}
	var by []member.ID
	for _, f := range w.Facts() {
		if f.Command.Kind == failover.KindTold && f.Accepted && strings.Contains(string(f.Command.Payload), "/far") && !slices.Contains(by, f.Command.Proposer) {
			by = append(by, f.Command.Proposer)
		}
	}
	if !slices.Equal(by, tellers) {
		t.Errorf("told by %v, want %v, one after the other", by, tellers)
	}
	for _, x := range w.Unsettled() {
		if strings.Contains(x.Text, "door") {
			t.Error(x)
		}
	}
}

// TestASharedDoorGoesToWhoReachesIt: the first who may tell it is well, and cannot.
func TestASharedDoorGoesToWhoReachesIt(t *testing.T) {
	for _, fate := range []FaultKind{HangActions, FailActions} {
		cfg := behindDoors(Fleet(7))
		cfg.Seed = 7
		w, err := New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		tellers := cfg.Fleet.Pools[0].Drivers[0].On
		w.Strike(
			Fault{At: 20 * time.Second, Do: fate, Whom: tellers[:1]},
			Fault{At: 30 * time.Second, Do: Crash, Whom: []member.ID{cfg.Fleet.Members[1].ID}},
		)
		if err := w.Run(150 * time.Second); err != nil {
			t.Fatal(err)
		}
		for _, d := range w.State().Doors(w.time()) {
			if strings.Contains(string(d.Door), "/far") && (d.Teller != tellers[1] || len(d.Behind) > 0) {
				t.Errorf("%s: %+v, want it told by %s", fate, d, tellers[1])
			}
		}
	}
}

// TestALyingDoorIsFoundOut: a driver that says done and did nothing is believed,
// and found out by the next look after it stops lying.
func TestALyingDoorIsFoundOut(t *testing.T) {
	for _, fate := range []FaultKind{LyingActions, HangActions, FailActions, UnknownActions} {
		cfg := behindDoors(Fleet(7))
		cfg.Seed = 5
		w, err := New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		teller := cfg.Fleet.Pools[0].Drivers[1].On[0]
		victim := cfg.Fleet.Members[1].ID
		w.Strike(
			Fault{At: 30 * time.Second, Do: fate, Whom: []member.ID{teller}, For: 40 * time.Second},
			Fault{At: 32 * time.Second, Do: Crash, Whom: []member.ID{victim}},
		)
		if err := w.Run(65 * time.Second); err != nil {
			t.Fatal(err)
		}
		behind := 0
		for _, d := range w.State().Doors(w.time()) {
			if strings.Contains(string(d.Door), "/near") {
				behind = len(d.Behind)
			}
		}
		if lies := fate == LyingActions; (behind == 0) != lies {
			t.Errorf("%s: the ledger says that %d slots are behind", fate, behind)
		}
		if err := w.Run(60 * time.Second); err != nil {
			t.Fatal(err)
		}
		var troubles []string
		for _, x := range w.Unsettled() {
			if strings.Contains(x.Text, "door") {
				troubles = append(troubles, x.Text)
			}
		}
		if len(troubles) > 0 {
			t.Errorf("%s: %q", fate, troubles)
		}
	}
}
