package consensus

import (
	"errors"
	"fmt"

	"go.etcd.io/raft/v3"
	"go.etcd.io/raft/v3/raftpb"
)

// Compact lets raft forget its log up to applied, whose state is ledger. The
// caller has the ledger on disk already. Keep is how many entries stay for
// councillors that lag a little.
func (c *Council) Compact(applied uint64, ledger []byte, keep uint64) (*raftpb.Snapshot, error) {
	if last, _ := c.store.LastIndex(); applied > last {
		return nil, nil // a new seat: the ledger came by the feed, and its log has not come yet
	}
	snap, err := c.store.CreateSnapshot(applied, c.confs, ledger)
	if errors.Is(err, raft.ErrSnapOutOfDate) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("council: snapshot at raft entry %d: %w", applied, err)
	}
	if applied > keep {
		if err := c.store.Compact(applied - keep); err != nil && !errors.Is(err, raft.ErrCompacted) {
			return nil, fmt.Errorf("council: compact to raft entry %d: %w", applied-keep, err)
		}
	}
	return snap, nil
}
