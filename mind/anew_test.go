package mind

import (
	"testing"
	"time"

	"moonwatch/consensus"
)

// dismissed is a story in which web-2 becomes a learner of the council and is taken
// out again: its facts, how many there are with the first word of its seat, and with
// the last before it is gone.
func dismissed(t *testing.T) (facts []consensus.Fact, seated, gone int) {
	t.Helper()
	leader := found(t, "web-1", "web-1")
	leader.run(3 * time.Second)
	leader.submit(consensus.KindFleet, "fleet/1", webFleet("web-1", "web-2"))
	leader.submitBy("web-2", consensus.KindDisk, "disk/web-2/d-2", consensus.Disk{ID: "d-2"})
	leader.run(5 * time.Second)
	story := func() (all []consensus.Fact) {
		for _, e := range leader.did {
			if a, ok := e.(Applied); ok {
				all = append(all, a.Facts...)
			}
		}
		return all
	}
	seated = len(story())
	if n := len(leader.mind.Ledger().Seats().Learners); n != 1 {
		t.Fatalf("%d learners", n)
	}
	for _, id := range []string{"fleet/2", "fleet/3", "fleet/4"} {
		leader.submit(consensus.KindFleet, id, webFleet("web-1"))
	}
	gone = len(story())
	leader.run(2 * time.Minute)
	if n := len(leader.mind.Ledger().Seats().Learners); n != 0 {
		t.Fatalf("%d learners", n)
	}
	return story(), seated, gone
}

// forlorn is web-2, which took its seat and hears nothing there.
func forlorn(t *testing.T, story []consensus.Fact) *host {
	t.Helper()
	cfg := Default("web-2", 1)
	cfg.Disk = "d-2"
	m, err := New(cfg, Boot{}, noon)
	if err != nil {
		t.Fatal(err)
	}
	h := &host{t: t, mind: m, now: noon}
	h.step(FactsFed{Facts: story})
	if _, sits := m.Seat(); !sits || m.Listens() {
		t.Fatal("it has no seat, or still wants to be fed")
	}
	h.run(10 * time.Second)
	if !m.Listens() {
		t.Fatal("it hears nothing from the council and wants nothing from the feed")
	}
	return h
}

// A feed brings each fact once. Who put facts aside and learns from a later one that
// its seat is gone has to have all of them again.
func TestWhoLosesItsSeatIsFedWhatItOnlyOverheard(t *testing.T) {
	facts, seated, gone := dismissed(t)
	h := forlorn(t, facts[:seated])
	h.step(FactsFed{Facts: facts[seated:gone]})
	if n := len(all[FeedAnew](h)); n != 0 || h.mind.Ledger().Head() != uint64(seated) {
		t.Fatalf("asked %d times, head %d", n, h.mind.Ledger().Head())
	}
	h.step(FactsFed{Facts: facts[gone:]})
	if _, sits := h.mind.Seat(); sits {
		t.Fatal("it still sits")
	}
	if n := len(all[FeedAnew](h)); n != 1 {
		t.Fatalf("it lacks facts %d to %d, and asked for them %d times", seated+1, gone, n)
	}
	h.step(FactsFed{Facts: facts[h.mind.Ledger().Head():]})
	if head := h.mind.Ledger().Head(); head != uint64(len(facts)) {
		t.Errorf("its ledger ends with fact %d of %d", head, len(facts))
	}
}

func TestAGapIsNotAskedForWithEveryFact(t *testing.T) {
	facts, seated, _ := dismissed(t)
	for name, h := range map[string]*host{"follower": wake(t, "web-9", Boot{Facts: genesisFacts(t)}), "seated": forlorn(t, facts[:seated])} {
		for i := range 39 {
			h.step(FactsFed{Facts: []consensus.Fact{{Index: uint64(1000 + i)}}})
			h.run(50 * time.Millisecond)
		}
		if n := len(all[FeedAnew](h)); n != 2 {
			t.Errorf("%s: asked %d times within 2 s, want at once and after a second", name, n)
		}
	}
}

// What was put aside in one outage is no base for what is heard in the next.
func TestTheNextOutageBeginsFromTheLedger(t *testing.T) {
	facts, seated, gone := dismissed(t)
	h := forlorn(t, facts[:seated])
	h.step(FactsFed{Facts: facts[seated : seated+1]})
	for _, f := range facts[seated : gone-1] { // raft was heard again, for a while
		if _, _, err := h.mind.ledger.Follow(f); err != nil {
			t.Fatal(err)
		}
	}
	h.step(FactsFed{Facts: facts[gone-1 : gone]})
	if n := len(all[FeedAnew](h)); n != 0 || h.mind.aside == nil {
		t.Errorf("asked %d times for what it has", n)
	}
}
