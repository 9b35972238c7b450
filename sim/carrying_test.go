package sim

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"moonwatch/member"
)

// withAddresses gives each slot of a world's first pool an address.
func withAddresses(cfg Config) Config {
	cfg.Fleet.Pools = slices.Clone(cfg.Fleet.Pools)
	d := member.VIPDriver{Addresses: map[member.SlotID]netip.Prefix{}}
	for i, s := range cfg.Fleet.Pools[0].Slots {
		d.Addresses[s] = netip.PrefixFrom(netip.AddrFrom4([4]byte{192, 0, 2, byte(i + 1)}), 32)
	}
	cfg.Fleet.Pools[0].Drivers = []member.Driver{{Kind: "vip", VIP: &d}}
	return cfg
}

// carriers are who has a slot's address, living or not.
func (w *World) carriers(slot member.SlotID) []member.ID {
	var all []member.ID
	for _, m := range w.machines {
		if m.carries(slot) {
			all = append(all, m.id)
		}
	}
	return all
}

// TestAddressesFollowTheirSlotsInEverySeed plays stories of the swarm in which the
// slots have addresses. The checker sees who takes one that was given away; in the
// end every occupant has its own, and nobody else one.
func TestAddressesFollowTheirSlotsInEverySeed(t *testing.T) {
	for seed := uint64(1); seed <= 6; seed++ {
		cfg, faults := Swarm(seed, 16, swarmStorm)
		w, err := New(withAddresses(cfg))
		if err != nil {
			t.Fatal(err)
		}
		w.Strike(faults...)
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

// TestWhoComesBackDoesNotTakeItsOldAddress: the occupant is lost in one way or
// another, its slot is given away, and it comes back with a disk that says that the
// slot is its own.
func TestWhoComesBackDoesNotTakeItsOldAddress(t *testing.T) {
	for _, how := range []FaultKind{Crash, Isolate, Pause} {
		for _, sits := range []bool{true, false} { // in the council
			cfg := withAddresses(Fleet(7))
			cfg.Seed = 11
			slot := member.SlotID("web-1")
			if !sits {
				slot = "web-5"
			}
			w, err := New(cfg)
			if err != nil {
				t.Fatal(err)
			}
			if err := w.Run(30 * time.Second); err != nil {
				t.Fatal(err)
			}
			s, _ := w.State().Slot(slot)
			victim := s.Occupant
			if got := w.carriers(slot); !slices.Equal(got, []member.ID{victim}) {
				t.Fatalf("%s has the address of %s, want %s", got, slot, victim)
			}
			w.Strike(Fault{At: 31 * time.Second, Do: how, Whom: []member.ID{victim}, For: 40 * time.Second})
			if err := w.Run(20 * time.Second); err != nil {
				t.Fatal(err)
			}
			s, _ = w.State().Slot(slot)
			spare := s.Occupant
			got := w.carriers(slot)
			if spare == victim || !slices.Contains(got, spare) {
				t.Fatalf("%s: %s has the slot, %v have its address", how, spare, got)
			}
			if had := slices.Contains(got, victim); had != (how != Crash) {
				t.Errorf("%s: the kernel of %s has the address: %t", how, victim, had)
			}
			if err := w.Run(60 * time.Second); err != nil { // the checker looks at who takes it
				t.Fatal(err)
			}
			if got := w.carriers(slot); !slices.Equal(got, []member.ID{spare}) {
				t.Errorf("%s: %v have the address, want %s alone", how, got, spare)
			}
			for _, x := range w.Unsettled() {
				if strings.Contains(x.Text, "address") || strings.Contains(x.Text, "door") {
					t.Errorf("%s: %s", how, x)
				}
			}
		}
	}
}

// TestAStallTakesNoAddressAway: a verdict drains the slot, and its clients know no
// other address.
func TestAStallTakesNoAddressAway(t *testing.T) {
	cfg := withAddresses(Fleet(7))
	cfg.Seed = 12
	w, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Run(30 * time.Second); err != nil {
		t.Fatal(err)
	}
	victim := cfg.Fleet.Members[1].ID
	s, _ := w.State().Slot("web-1")
	if s.Occupant != victim {
		t.Fatalf("%s has web-1", s.Occupant)
	}
	w.Strike(Fault{At: 31 * time.Second, Do: Pause, Whom: []member.ID{victim}, For: 2500 * time.Millisecond})
	drained := false
	for w.Now() < 90*time.Second {
		if err := w.Run(100 * time.Millisecond); err != nil {
			t.Fatal(err)
		}
		s, _ := w.State().Slot("web-1")
		drained = drained || s.Drained
		if got := w.carriers("web-1"); !slices.Equal(got, []member.ID{victim}) {
			t.Fatalf("at %v %v have the address", w.Now(), got)
		}
	}
	if !drained {
		t.Error("the slot was not drained: this test says nothing")
	}
}

// TestACouncillorThatIsBackWithASlowDiskTakesNoOldAddress: it hears the leader at once,
// and has what was agreed meanwhile only when its disk has taken it.
func TestACouncillorThatIsBackWithASlowDiskTakesNoOldAddress(t *testing.T) {
	for _, slow := range []time.Duration{1200 * time.Millisecond, 1800 * time.Millisecond} {
		cfg := withAddresses(Fleet(7))
		cfg.Seed = 13
		w, err := New(cfg)
		if err != nil {
			t.Fatal(err)
		}
		if err := w.Run(30 * time.Second); err != nil {
			t.Fatal(err)
		}
		s, _ := w.State().Slot("web-1")
		victim := s.Occupant
		w.Strike(
			Fault{At: 31 * time.Second, Do: Crash, Whom: []member.ID{victim}, For: 40 * time.Second},
			Fault{At: 60 * time.Second, Do: SlowDisk, Whom: []member.ID{victim}, Delay: slow, For: time.Minute},
		)
		for w.Now() < 130*time.Second {
			if err := w.Run(100 * time.Millisecond); err != nil {
				t.Fatal(err)
			}
			if got := w.carriers("web-1"); w.Now() > 50*time.Second && slices.Contains(got, victim) {
				t.Fatalf("a write takes %v longer: at %v %v have the address, and %s was replaced", slow, w.Now(), got, victim)
			}
		}
		if s, _ := w.State().Slot("web-1"); s.Occupant == victim || !slices.Equal(w.carriers("web-1"), []member.ID{s.Occupant}) {
			t.Errorf("%s has the slot, %v its address", s.Occupant, w.carriers("web-1"))
		}
	}
}
