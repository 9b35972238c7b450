package failover

import (
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"moonwatch/consensus"
	"moonwatch/member"
)

// newCarried is a tale whose slots have addresses, and the tellers of web-1 to
// web-3: two occupants and a spare.
func newCarried(t *testing.T, slots int) (*tale, map[member.ID]*Teller) {
	t.Helper()
	f := webFleet(slots, 2, 2, 2, 1)
	d := member.VIPDriver{Addresses: map[member.SlotID]netip.Prefix{}}
	for i, s := range f.Pools[0].Slots {
		d.Addresses[s] = netip.PrefixFrom(netip.AddrFrom4([4]byte{192, 0, 2, byte(i + 1)}), 32)
	}
	f.Pools[0].Drivers = []member.Driver{{Kind: "vip", VIP: &d}}
	x := newTale(t, f).serving()
	all := map[member.ID]*Teller{}
	for _, id := range []member.ID{"web-1", "web-2", "web-3"} {
		all[id] = NewTeller(id, x.state, x.now)
	}
	return x, all
}

// carriers are who has an address by the ledger's word, and what is wrong.
func (x *tale) carriers() string {
	var all []string
	for _, d := range x.state.Doors(x.now) {
		text := string(d.Door)
		for _, b := range d.Behind {
			text += " (" + string(b.Slot) + ": " + b.Why + ")"
		}
		all = append(all, text)
	}
	return strings.Join(all, ", ")
}

func (x *tale) wantCarriers(want string) {
	x.t.Helper()
	if got := x.carriers(); got != want {
		x.t.Errorf("carried by %q, want %q", got, want)
	}
}

// Whoever is not to have an address is told so too: it may have it from before. That
// is worth a word only of somebody who had it.
func TestEveryMemberIsToldWhatToCarryAndOccupantsAloneSaySo(t *testing.T) {
	x, all := newCarried(t, 2)
	x.wantCarriers("web/vip@web-1 (slot-0: nobody has said that it was told), web/vip@web-2 (slot-1: nobody has said that it was told)")
	for _, id := range []member.ID{"web-1", "web-2", "web-3"} {
		wantSteps(t, x.answers(all[id], ToldDone), "slot-0 cutover web-1", "slot-1 cutover web-2")
	}
	x.wantCarriers("web/vip@web-1, web/vip@web-2")
	words := 0
	for _, d := range x.state.s.Doors {
		words++
		if d.Occupant != d.Teller {
			t.Errorf("%s speaks of the address of %s", d.Teller, d.Occupant)
		}
	}
	if words != 2 {
		t.Errorf("%d words for two addresses", words)
	}
}

func TestWhoHadTheAddressSaysThatItIsGoneAndTheCaseWaitsForItWhileItLives(t *testing.T) {
	x, all := newCarried(t, 2)
	for _, tell := range all {
		x.answers(tell, ToldDone)
	}
	s := x.slot("slot-0")
	if f := x.commit(KindSwitchover, "web-1", SwitchoverOrdered{Slot: s.ID, Subject: s.Occupant, Epoch: s.Epoch, To: "web-3", Reason: "new kernel"}); !f.Accepted {
		t.Fatal(f.Reason)
	}
	x.run(20 * time.Second)
	wantSteps(t, x.answers(all["web-3"], ToldDone), "slot-0 cutover web-3", "slot-1 cutover web-2") // the other one is looked at
	x.wantCarriers("web/vip@web-1 (slot-0: web-1 has not said that it told of the last change), web/vip@web-2, web/vip@web-3")
	if c := x.state.Cases()[0]; c.State != Settling {
		t.Fatalf("%s: it does not wait for who has the address too", c.State)
	}
	wantSteps(t, x.answers(all["web-1"], ToldDone), "slot-0 cutover web-3", "slot-1 cutover web-2")
	x.wantCarriers("web/vip@web-2, web/vip@web-3")
	x.run(10 * time.Second)
	if c := x.state.Cases()[0]; c.State != Closed || strings.Contains(c.History[len(c.History)-1].Detail, "door") {
		t.Errorf("%s: %s", c.State, c.History[len(c.History)-1].Detail)
	}
}

// Nobody can tell a machine that is gone. Its agent is told when it comes back.
func TestAnAddressIsNotWaitedForOnAMachineThatIsGone(t *testing.T) {
	x, all := newCarried(t, 2)
	for _, tell := range all {
		x.answers(tell, ToldDone)
	}
	x.judge(consensus.VerdictDown, "web-1")
	for range 60 {
		x.run(500 * time.Millisecond)
		for _, id := range []member.ID{"web-2", "web-3"} {
			x.answers(all[id], ToldDone)
		}
	}
	if c := x.state.Cases()[0]; c.State != Closed || c.Outcome != OutcomeReplaced || strings.Contains(c.History[len(c.History)-1].Detail, "web-1") {
		t.Errorf("%s %s: %s", c.State, c.Outcome, c.History[len(c.History)-1].Detail)
	}
	if !strings.Contains(x.carriers(), "web/vip@web-1 (slot-0: web-1 has not said") {
		t.Errorf("it may still have the address, and nobody says so: %s", x.carriers())
	}
}

// A ledger that may be old says who had the slot. That takes no address from its
// occupant, and gives none back.
func TestAnOldLedgerMovesNoAddress(t *testing.T) {
	x, all := newCarried(t, 2)
	tell := all["web-1"]
	for range 50 {
		if asks, says := x.asks(tell, TellerWoken{}); len(asks)+len(says) > 0 {
			t.Fatalf("%+v %+v", asks, says)
		}
		x.now = x.now.Add(time.Second)
	}
	if w := tell.Wake().Sub(x.now); w > time.Second {
		t.Errorf("it looks again after %v only", w)
	}
	wantSteps(t, x.answers(tell, ToldDone), "slot-0 cutover web-1", "slot-1 cutover web-2")
	x.now = x.now.Add(time.Minute)
	if asks, _ := x.asks(tell, TellerWoken{}); len(asks) > 0 {
		t.Errorf("it looks, and would tell the neighbours: %+v", asks)
	}
}

// The slot's clients know one address: where a verdict takes it away, a stall becomes
// an outage. People may.
func TestOnlyPeopleTakeAnAddressAwayWithoutGivingIt(t *testing.T) {
	x, all := newCarried(t, 4)
	tell := all["web-1"]
	x.answers(tell, ToldDone)
	before := x.carriers()
	x.judge(consensus.VerdictDown, "web-1")
	x.run(time.Second)
	if s, _ := x.state.Slot("slot-0"); !s.Drained {
		t.Fatal("not drained at all")
	}
	wantSteps(t, x.answers(tell, ToldDone))
	x.wantCarriers(before)

	x, all = newCarried(t, 4)
	tell = all["web-1"]
	x.answers(tell, ToldDone)
	if f := x.drain("slot-0", false); !f.Accepted {
		t.Fatal(f.Reason)
	}
	wantSteps(t, x.answers(tell, ToldDone), "slot-0 drain web-1")
	if strings.Contains(x.carriers(), "web-1") {
		t.Errorf("carried by %s", x.carriers())
	}
	if f := x.drain("slot-0", true); !f.Accepted {
		t.Fatal(f.Reason)
	}
	wantSteps(t, x.answers(tell, ToldDone), "slot-0 undrain web-1")
}

// Somebody put a slot's address on a spare by hand: it is not ours to take away, and
// people hear of it until it is gone.
func TestAnAddressThatIsNotOursIsToldOfUntilItIsGone(t *testing.T) {
	x, all := newCarried(t, 2)
	tell := all["web-3"]
	x.answers(tell, ToldFailed)
	if !strings.Contains(x.carriers(), "web/vip@web-3 (slot-0: web-3 says: failed: so it says)") {
		t.Errorf("carried by %s", x.carriers())
	}
	x.now = x.now.Add(time.Minute)
	x.answers(tell, ToldDone)
	if strings.Contains(x.carriers(), "web-3") {
		t.Errorf("carried by %s", x.carriers())
	}
}

func TestAnAddressIsSpokenOfInFactsOfItsOwnKind(t *testing.T) {
	x, _ := newCarried(t, 2)
	word := DoorsTold{Door: "web/vip@web-1", Version: 1 << 60, Routes: []DoorTreating{{Slot: "slot-0", Epoch: 2, Occupant: "web-1", Result: ToldDone}}}
	wantRefusal(t, x.commit(KindTold, "web-1", word), "kind is doors-told, want address-told")
	wantRefusal(t, x.commit(KindCarried, "web-2", word), "it does not tell it")
	if f := x.commit(KindCarried, "web-1", word); !f.Accepted {
		t.Error(f.Reason)
	}
}

// Whoever may be lent to the pool may get its address, and who serves a slot of it has
// one also when nobody lends any more.
func TestWhoIsLentCarriesTheBorrowersAddress(t *testing.T) {
	x, _ := newCarried(t, 2)
	f := *x.ledger.Fleet()
	f.Members = append(slices.Clone(f.Members), member.Member{ID: "batch-1", Domain: "a", Pool: "batch"})
	f.Pools = append(slices.Clone(f.Pools), member.Pool{Name: "batch", Fence: []string{"none"}})
	for want, lends := range [][]string{nil, {"batch"}} {
		f.Pools[0].Spares.BorrowFrom = lends
		if f := x.commit(consensus.KindFleet, "web-1", f); !f.Accepted {
			t.Fatal(f.Reason)
		}
		if got := x.state.Carrying("batch-1"); len(got) != want || want > 0 && (got[0].Pool != "web" || got[0].Driver != "vip" || len(got[0].Slots) != 2) {
			t.Errorf("lent by %q: %+v", lends, got)
		}
	}
	f.Pools[0].Spares.BorrowFrom = nil
	x.commit(consensus.KindFleet, "web-1", f)
	x.state.s.Slots["slot-0"].Occupant = "batch-1"
	if got := x.state.Carrying("batch-1"); len(got) != 1 {
		t.Errorf("it has the slot: %+v", got)
	}
}
