package mind

import (
	"errors"
	"fmt"
	"slices"

	"moonwatch/consensus"
)

// fed takes facts from the feed.
func (m *Mind) fed(facts []consensus.Fact) {
	if m.council != nil && !m.overhear(facts, nil) {
		return // a councillor has them from raft, and only from there
	}
	for _, f := range facts {
		if seat, seated := m.seatIn(m.ledger); seated && seat.Disk != "" {
			return // what follows comes from raft
		}
		f, fresh, err := m.ledger.Follow(f)
		switch {
		case errors.Is(err, consensus.ErrGap):
			m.gap()
			return
		case err != nil:
			m.fail(err)
			return
		case fresh:
			m.applied = append(m.applied, f)
			m.chronicle(f)
		}
	}
}

// replaceLedger takes a whole ledger in place of one that is too far behind.
func (m *Mind) replaceLedger(b []byte) {
	head, err := consensus.SnapshotHead(b)
	if err == nil && head <= m.ledger.Head() {
		return
	}
	if err == nil {
		err = m.ledger.Restore(b)
	}
	if err != nil {
		m.fail(err)
		return
	}
	m.snapAt = m.ledger.Head()
	m.chronicleWhole()
	m.whole = true
	m.reseat()
	// A command that came with the whole ledger never comes as a fact.
	m.wants.list = slices.DeleteFunc(m.wants.list, func(w want) bool { return m.ledger.Repeats(w.id) })
	m.out = append(m.out, KeepSnapshot{Head: m.ledger.Head(), Ledger: b, Whole: true})
}

func (m *Mind) fail(err error) {
	m.broken = true
	m.out = append(m.out, Broken{Err: fmt.Errorf("ledger of %s: %w", m.cfg.Self, err)})
}

// snapshot writes the whole ledger now and then, so that a restart is quick
// and raft's log stays short.
func (m *Mind) snapshot() {
	if m.ledger.Head() >= m.snapAt+m.cfg.SnapshotEvery {
		m.snapshotNow()
	}
}

func (m *Mind) snapshotNow() {
	b, err := m.ledger.Snapshot()
	if err != nil {
		m.fail(err)
		return
	}
	k := KeepSnapshot{Head: m.ledger.Head(), Ledger: b, Keep: m.cfg.KeepEntries}
	if m.council != nil {
		if k.Raft, err = m.council.Compact(m.ledger.Raft(), b, m.cfg.KeepEntries); err != nil {
			m.fail(err)
			return
		}
	}
	m.snapAt = m.ledger.Head()
	m.out = append(m.out, k)
}
