package disk

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"

	bolt "go.etcd.io/bbolt"
	"go.etcd.io/raft/v3/raftpb"
	"google.golang.org/protobuf/proto"

	"moonwatch/consensus"
)

// writer changes the file within one transaction, and the inventory with it.
type writer struct {
	tx    *bolt.Tx
	stock *inventory
}

// put writes one record.
func put(tx *bolt.Tx, bucket string, k, content []byte) error {
	b := tx.Bucket([]byte(bucket))
	b.FillPercent = 0.9 // keys only grow: a split leaves the old page full
	if err := b.Put(k, seal(bucket, k, content)); err != nil {
		return fmt.Errorf("%s: %w", describe(bucket, k), err)
	}
	return nil
}

// get reads one record, nil if it is not there. The content must be copied
// before the transaction ends.
func get(tx *bolt.Tx, bucket string, k []byte) ([]byte, error) {
	value := tx.Bucket([]byte(bucket)).Get(k)
	if value == nil {
		return nil, nil
	}
	return unseal(bucket, k, value)
}

// must reads a record that the inventory names.
func must(tx *bolt.Tx, bucket string, k []byte) ([]byte, error) {
	content, err := get(tx, bucket, k)
	if content == nil && err == nil {
		err = fmt.Errorf("%w: %s is missing", ErrDamaged, describe(bucket, k))
	}
	return content, err
}

// keep appends facts; they follow what is there.
func (w *writer) keep(list []kept) error {
	for _, f := range list {
		if f.index <= w.stock.head() {
			continue // a whole ledger has overtaken it
		}
		if err := put(w.tx, bucketFacts, key(f.index), f.bytes); err != nil {
			return err
		}
		if w.stock.Facts.empty() {
			w.stock.Facts.First = f.index
		}
		w.stock.Facts.Last = f.index
		w.stock.FactBytes += uint64(len(f.bytes))
	}
	return nil
}

// append puts entries in place of all from the first one's index on.
func (w *writer) append(list []*raftpb.Entry) error {
	if len(list) == 0 {
		return nil
	}
	first, log := list[0].GetIndex(), &w.stock.Entries
	if log.First == 0 {
		*log = span{first, first - 1}
	}
	if first < log.First || first > log.Last+1 {
		return fmt.Errorf("raft entry %d does not fit a log of %d to %d", first, log.First, log.Last)
	}
	for i, e := range list {
		if e.GetIndex() != first+uint64(i) {
			return fmt.Errorf("raft entry %d follows %d", e.GetIndex(), first+uint64(i)-1)
		}
		b, err := proto.Marshal(e)
		if err != nil {
			return fmt.Errorf("raft entry %d: %w", e.GetIndex(), err)
		}
		if err := put(w.tx, bucketEntries, key(e.GetIndex()), b); err != nil {
			return err
		}
	}
	was := log.Last
	log.Last = first + uint64(len(list)) - 1
	return w.remove(bucketEntries, log.Last+1, was)
}

// sit begins with a seat of the council: what another one had written of raft is of
// no use to it. Anew says that the seat begins empty.
func (w *writer) sit(seat uint64, anew bool) error {
	was := w.stock.Seat
	w.stock.Seat = seat
	if !anew && (was == seat || was == 0) {
		return nil
	}
	w.stock.Hard, w.stock.Snapshot, w.stock.Entries = nil, nil, span{}
	return w.clear(bucketEntries)
}

// install takes a snapshot of raft in place of log and ledger.
func (w *writer) install(snap *raftpb.Snapshot) error {
	at := snap.GetMetadata().GetIndex()
	head, err := consensus.SnapshotHead(snap.GetData())
	if err != nil {
		return fmt.Errorf("raft's snapshot at entry %d: %w", at, err)
	}
	if err := w.whole(head, snap.GetData()); err != nil {
		return err
	}
	if err := w.clear(bucketEntries); err != nil {
		return err
	}
	w.stock.Entries = span{at + 1, at}
	w.stock.Snapshot, err = proto.Marshal(snap.GetMetadata())
	return err
}

// compact notes raft's snapshot and forgets the log before it, but for the last
// few entries.
func (w *writer) compact(m *raftpb.SnapshotMetadata, few uint64) (err error) {
	if w.stock.Snapshot, err = proto.Marshal(m); err != nil {
		return err
	}
	at, log := m.GetIndex(), &w.stock.Entries
	if at > log.Last {
		*log = span{at + 1, at}
		return w.clear(bucketEntries)
	}
	if at <= few || at-few < log.First {
		return nil
	}
	was := log.First
	log.First = at - few + 1
	return w.remove(bucketEntries, was, log.First-1)
}

// whole replaces the whole ledger. Facts that do not reach up to it go: what
// follows it would not follow them.
func (w *writer) whole(head uint64, b []byte) error {
	if head == 0 {
		return errors.New("a ledger without facts")
	}
	was, err := get(w.tx, bucketLedger, wholeKey)
	if err != nil {
		return err
	}
	if head != w.stock.Head || !bytes.Equal(was, b) {
		if err := put(w.tx, bucketLedger, wholeKey, b); err != nil {
			return err
		}
		w.stock.Head = head
	}
	if w.stock.Facts.Last < head {
		return w.forgetFacts()
	}
	return nil
}

// forgetFacts drops the facts up to the whole ledger's head.
func (w *writer) forgetFacts() error {
	f := &w.stock.Facts
	if f.Last > w.stock.Head {
		return w.dropFacts(w.stock.Head)
	}
	*f, w.stock.FactBytes = span{}, 0
	return w.clear(bucketFacts)
}

// dropFacts drops the facts up to last; later ones remain.
func (w *writer) dropFacts(last uint64) error {
	b := w.tx.Bucket([]byte(bucketFacts))
	for ; w.stock.Facts.First <= last; w.stock.Facts.First++ {
		k := key(w.stock.Facts.First)
		w.stock.FactBytes -= uint64(max(len(b.Get(k))-checksumSize, 0))
		if err := b.Delete(k); err != nil {
			return fmt.Errorf("drop fact %d: %w", w.stock.Facts.First, err)
		}
	}
	return nil
}

// retainStep bounds how many facts one snapshot drops, and so how long it
// takes; it is four times what comes between two snapshots.
const retainStep = 8192

// retain drops facts of the whole ledger that are too old or too many. Age is
// counted in the ledger's time, back from its head.
func (w *writer) retain(cfg Config) error {
	v := w.stock
	if v.Facts.empty() || v.Facts.First > v.Head {
		return nil
	}
	newest, err := w.fact(v.Head)
	if err != nil {
		return err
	}
	drop, size := v.Facts.First-1, v.FactBytes
	for drop+1 < v.Head && drop+1-v.Facts.First < retainStep {
		f, err := w.fact(drop + 1)
		if err != nil {
			return err
		}
		if size <= cfg.KeepBytes && newest.Time.Sub(f.Time) <= cfg.KeepAge {
			break
		}
		size -= uint64(len(f.Encode()))
		drop++
	}
	return w.dropFacts(drop)
}

func (w *writer) fact(index uint64) (consensus.Fact, error) {
	b, err := must(w.tx, bucketFacts, key(index))
	if err != nil {
		return consensus.Fact{}, err
	}
	return consensus.DecodeFact(b)
}

// remove deletes records from first to last, if there are any.
func (w *writer) remove(bucket string, first, last uint64) error {
	b := w.tx.Bucket([]byte(bucket))
	for i := first; i <= last; i++ {
		if err := b.Delete(key(i)); err != nil {
			return fmt.Errorf("drop %s: %w", describe(bucket, key(i)), err)
		}
	}
	return nil
}

// clear empties a bucket, without a look at what it holds.
func (w *writer) clear(bucket string) error {
	if err := w.tx.DeleteBucket([]byte(bucket)); err != nil {
		return fmt.Errorf("clear %s: %w", bucket, err)
	}
	_, err := w.tx.CreateBucket([]byte(bucket))
	return err
}

// close writes the inventory: nothing is there that it does not name.
func (w *writer) close() error {
	b, err := json.Marshal(w.stock)
	if err != nil {
		return err
	}
	return put(w.tx, bucketAbout, inventoryKey, b)
}
