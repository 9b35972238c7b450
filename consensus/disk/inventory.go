package disk

import (
	"encoding/json"
	"errors"
	"fmt"

	"moonwatch/member"
)

// formatVersion is that of the records. A file of a higher one is refused.
const formatVersion = 1

// format is the file's first record, written once. All versions can read it.
type format struct {
	Version int       `json:"version"`
	Cluster string    `json:"cluster"`
	Member  member.ID `json:"member"`
	ID      string    `json:"id,omitempty"` // of this file, drawn when it was made; files of early builds have none
}

// check refuses a file that is not for this agent.
func (f format) check(cfg Config) error {
	switch {
	case f.Version != formatVersion:
		return fmt.Errorf("has format %d, this agent knows %d: upgrade the agent", f.Version, formatVersion)
	case f.Cluster != cfg.Cluster:
		return fmt.Errorf("belongs to cluster %s, this agent to %s: set data_dir to a folder of its own", f.Cluster, cfg.Cluster)
	case f.Member != cfg.Member:
		return fmt.Errorf("belongs to member %s, this agent is %s: every agent needs a data_dir of its own", f.Member, cfg.Member)
	default:
		return nil
	}
}

// span is a run of indices without a gap. First 0 means that there never was
// one; Last is First-1 where everything up to there is gone again.
type span struct {
	First uint64 `json:"first"`
	Last  uint64 `json:"last"`
}

func (s span) empty() bool { return s.First == 0 || s.Last < s.First }

// count is 0 for an empty span.
func (s span) count() uint64 {
	if s.empty() {
		return 0
	}
	return s.Last - s.First + 1
}

// inventory is rewritten with every transaction. It says which records the file
// holds, so that a missing one is found, and carries raft's small state.
type inventory struct {
	Facts     span   `json:"facts"`
	FactBytes uint64 `json:"fact_bytes"`
	Entries   span   `json:"entries"`
	Head      uint64 `json:"head"`               // last fact of the whole ledger, 0: there is none
	Seat      uint64 `json:"seat,omitempty"`     // in the council, whose raft this is; 0: a founder's, of an early build
	Hard      []byte `json:"hard,omitempty"`     // raft's hard state
	Snapshot  []byte `json:"snapshot,omitempty"` // metadata of raft's snapshot; its data is the whole ledger
}

// head is the last fact that is on disk, alone or as part of the whole ledger.
func (v inventory) head() uint64 {
	if v.Facts.empty() {
		return v.Head
	}
	return max(v.Head, v.Facts.Last)
}

// audit holds the records of a file, as a survey brings them, against the
// inventory.
type audit struct {
	cfg    Config
	format bool // was there
	id     string
	stock  *inventory
	found  map[string]span
}

func newAudit(cfg Config) *audit { return &audit{cfg: cfg, found: map[string]span{}} }

// record checks one record. Their order is that of buckets and keys.
func (a *audit) record(bucket string, k, value []byte) error {
	content, err := unseal(bucket, k, value)
	if err != nil {
		return err
	}
	switch {
	case bucket == bucketAbout && string(k) == string(formatKey):
		a.format = true
		f, err := decode[format](bucket, k, content)
		a.id = f.ID
		return errors.Join(err, f.check(a.cfg))
	case bucket == bucketAbout && string(k) == string(inventoryKey):
		v, err := decode[inventory](bucket, k, content)
		a.stock = &v
		return err
	case bucket == bucketLedger && string(k) == string(wholeKey):
		a.found[bucket] = span{1, 1}
		return nil
	case (bucket == bucketFacts || bucket == bucketEntries) && len(k) == 8:
		return a.follows(bucket, k)
	default:
		return fmt.Errorf("%w: %s does not belong there", ErrDamaged, describe(bucket, k))
	}
}

// follows finds a gap between two facts or two entries.
func (a *audit) follows(bucket string, k []byte) error {
	index := indexOf(k)
	was := a.found[bucket]
	if was.empty() {
		a.found[bucket] = span{index, index}
		return nil
	}
	if index != was.Last+1 {
		return fmt.Errorf("%w: %s is missing", ErrDamaged, describe(bucket, key(was.Last+1)))
	}
	a.found[bucket] = span{was.First, index}
	return nil
}

// close checks that nothing is missing.
func (a *audit) close() error {
	if !a.format || a.stock == nil {
		return fmt.Errorf("%w: the record of its format or inventory is missing", ErrDamaged)
	}
	for _, x := range []struct {
		bucket string
		want   span
	}{{bucketFacts, a.stock.Facts}, {bucketEntries, a.stock.Entries}} {
		got := a.found[x.bucket]
		if got.count() != x.want.count() || !got.empty() && got != x.want {
			return fmt.Errorf("%w: %s %d to %d are there, want %d to %d", ErrDamaged, x.bucket, got.First, got.Last, x.want.First, x.want.Last)
		}
	}
	if a.found[bucketLedger].empty() != (a.stock.Head == 0) {
		return fmt.Errorf("%w: the whole ledger at fact %d is missing", ErrDamaged, a.stock.Head)
	}
	return nil
}

// decode reads a small record. Its checksum was right, so an error means that
// we wrote nonsense.
func decode[T any](bucket string, k, content []byte) (T, error) {
	var v T
	if err := json.Unmarshal(content, &v); err != nil {
		return v, fmt.Errorf("%w: %s: %w", ErrDamaged, describe(bucket, k), err)
	}
	return v, nil
}
