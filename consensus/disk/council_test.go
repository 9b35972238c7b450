package disk

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"moonwatch/consensus"
	"moonwatch/member"
)

// councillor is a council of one on a real store, driven by hand.
type councillor struct {
	t       *testing.T
	cfg     Config
	now     time.Time
	store   *Store
	council *consensus.Council
	ledger  *consensus.Ledger
}

// start begins a life with what the disk holds.
func (c *councillor) start() {
	store, err := Open(c.cfg)
	no(c.t, err)
	b := load(c.t, store)
	c.store, c.ledger = store, consensus.NewLedger()
	if b.Fresh {
		f, err := c.ledger.Found(consensus.Genesis{Cluster: "night", Council: []member.ID{"web-3"}, Unsigned: true})
		no(c.t, err)
		no(c.t, store.Keep([]consensus.Fact{f}))
	}
	if b.Snapshot != nil {
		no(c.t, c.ledger.Restore(b.Snapshot))
	}
	for _, f := range b.Facts {
		_, _, err := c.ledger.Follow(f)
		no(c.t, err)
	}
	seat, _ := c.ledger.SeatOf("web-3", "", true)
	c.council, err = consensus.NewCouncil(consensus.DefaultCouncil(), seat, c.ledger.Founders(), c.ledger.Seats(), b.Raft, c.ledger.Raft(), c.now)
	no(c.t, err)
}

func (c *councillor) step(ev consensus.CouncilEvent) {
	for _, e := range c.council.Step(c.now, ev) {
		switch e := e.(type) {
		case consensus.Persist:
			no(c.t, c.store.Persist(e))
			c.step(consensus.Persisted{Seq: e.Seq})
		case consensus.Committed:
			f, fresh, err := c.ledger.Commit(e.Raft, e.Entry)
			no(c.t, err)
			if fresh {
				no(c.t, c.store.Keep([]consensus.Fact{f}))
			}
		}
	}
}

func (c *councillor) lead() {
	for range 100 {
		c.now = c.now.Add(100 * time.Millisecond)
		c.step(consensus.CouncilWoken{})
		if c.council.Leads() {
			return
		}
	}
	c.t.Fatal("no leader after 10 s")
}

func TestACouncilGoesOnWhereItsDiskStands(t *testing.T) {
	c := &councillor{t: t, cfg: config(t.TempDir()), now: dawn}
	var want []string
	for life := range 6 {
		c.start()
		c.lead()
		for i := range 40 {
			n := life*40 + i
			c.step(consensus.Propose{Command: command(n, c.now, 30)})
			want = append(want, fmt.Sprint("note-", n))
			if i == 25 && life%2 == 1 {
				whole, err := c.ledger.Snapshot()
				no(t, err)
				snap, err := c.council.Compact(c.ledger.Raft(), whole, 10)
				no(t, err)
				no(t, c.store.KeepSnapshot(c.ledger.Head(), whole, snap, 10, false))
			}
		}
		if head := c.ledger.Head(); head != uint64(1+len(want)) {
			t.Fatalf("life %d: the ledger has %d facts, want %d", life, head, 1+len(want))
		}
		if life == 3 { // a killed process leaves the file as it is: facts that waited are gone
			c.cfg = config(place(t, cut(t, c.cfg.Dir)))
		}
		no(t, c.store.Close())
	}
	c.start()
	c.lead() // what was lost comes back from raft's log
	defer func() { no(t, c.store.Close()) }()
	var got []string
	list, ok := c.store.Facts(2, 1<<20)
	if !ok {
		t.Fatal("fact 2 is gone")
	}
	for _, b := range list {
		f, err := consensus.DecodeFact(b)
		no(t, err)
		got = append(got, f.Command.ID)
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %v", got)
	}
}
