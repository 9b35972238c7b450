package sim

import (
	"bytes"

	"go.etcd.io/raft/v3/raftpb"

	"moonwatch/consensus"
	"moonwatch/member"
	"moonwatch/mind"
)

// disk is one member's disk: what survives the end of the agent. Everything
// that waits to be written, and everything about faults, is in writer.
type disk struct {
	id       string             // of the ledger's file
	seat     uint64             // whose raft it holds
	genesis  *consensus.Genesis // until the first start has written it
	snapshot []byte
	base     uint64 // facts up to this one are in the snapshot only
	facts    []consensus.Fact
	hard     *raftpb.HardState
	entries  []*raftpb.Entry
	raftSnap *raftpb.Snapshot
	journal  journal
	life     member.Incarnation // of the last start
	emptied  bool               // its ledger was lost once: whoever sat in the council with it follows from now on
	flipped  bool               // a record's checksum is wrong: the store refuses to open
	seen     bool
}

func newDisk() *disk { return &disk{journal: newJournal()} }

// loseLedger is what people do with a ledger that is damaged: they move its file
// away, and no other. A councillor's votes go with it; the journal of steps, the
// last incarnation and what else lies beside it stay.
func (d *disk) loseLedger() {
	old := *d
	*d = *newDisk()
	d.emptied, d.journal, d.life = true, old.journal, old.life
}

// boot is what an agent finds at its start.
func (d *disk) boot() mind.Boot {
	b := mind.Boot{
		Snapshot: d.snapshot, Facts: d.facts, Holding: d.journal.holding, Follower: d.emptied,
		Raft: consensus.Saved{Seat: d.seat, Hard: d.hard, Snapshot: d.raftSnap, Entries: d.entries},
	}
	if !d.seen && d.genesis != nil {
		b.Genesis = d.genesis
	}
	return b
}

// persist writes raft's state.
func (d *disk) persist(p consensus.Persist) {
	if p.Anew || p.Seat != d.seat && d.seat != 0 {
		d.hard, d.raftSnap, d.entries = nil, nil, nil
	}
	d.seat = p.Seat
	if p.Hard != nil {
		d.hard = p.Hard
	}
	if p.Snapshot != nil {
		d.raftSnap = p.Snapshot
		d.entries = nil
		// One transaction: a ledger that is behind raft's log could not go on.
		if head, err := consensus.SnapshotHead(p.Snapshot.GetData()); err == nil && head > d.base+uint64(len(d.facts)) {
			d.snapshot, d.facts, d.base, d.seen = p.Snapshot.GetData(), nil, head, true
		}
	}
	if len(p.Entries) > 0 {
		first := p.Entries[0].GetIndex()
		for n := len(d.entries); n > 0 && d.entries[n-1].GetIndex() >= first; n-- {
			d.entries = d.entries[:n-1]
		}
		d.entries = append(d.entries, p.Entries...)
	}
}

func (d *disk) keep(facts []consensus.Fact) {
	d.seen = true
	d.facts = append(d.facts, facts...)
}

// fedFacts are kept from before a snapshot, so that a follower that lags a
// little is fed facts and not a whole ledger.
const fedFacts = 256

func (d *disk) keepSnapshot(k mind.KeepSnapshot) {
	d.seen = true
	d.snapshot = k.Ledger
	if k.Whole {
		d.facts = nil
		d.base = k.Head
		return
	}
	for len(d.facts) > 0 && d.facts[0].Index+fedFacts <= k.Head {
		d.base = d.facts[0].Index
		d.facts = d.facts[1:]
	}
	if k.Raft != nil {
		d.raftSnap = k.Raft
		first := k.Raft.GetMetadata().GetIndex()
		for len(d.entries) > 0 && d.entries[0].GetIndex()+k.Keep <= first {
			d.entries = d.entries[1:]
		}
	}
}

// has reports whether a raft entry of this content is on the disk, or in a
// snapshot there.
func (d *disk) has(index uint64, content []byte) bool {
	if d.raftSnap.GetMetadata().GetIndex() >= index {
		return true
	}
	for i := len(d.entries) - 1; i >= 0; i-- {
		if e := d.entries[i]; e.GetIndex() == index {
			return bytes.Contains(e.GetData(), content) // a change of the council carries it
		}
	}
	return false
}
