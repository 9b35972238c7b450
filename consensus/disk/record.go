package disk

import (
	"encoding/binary"
	"fmt"
	"hash/crc32"
)

// The buckets of the file. About sorts first, so that whoever reads the file
// learns its format before anything else.
const (
	bucketAbout   = "about"   // two records: format and inventory
	bucketEntries = "entries" // of raft's log, by index
	bucketFacts   = "facts"   // by index in the ledger
	bucketLedger  = "ledger"  // one record: the last whole ledger
)

var buckets = []string{bucketAbout, bucketEntries, bucketFacts, bucketLedger}

var (
	formatKey    = []byte("format")
	inventoryKey = []byte("inventory")
	wholeKey     = []byte("whole")
)

// key of an entry or a fact: big endian, so that bbolt's order is theirs.
func key(index uint64) []byte { return binary.BigEndian.AppendUint64(nil, index) }

// indexOf reads a key.
func indexOf(k []byte) uint64 { return binary.BigEndian.Uint64(k) }

// describe names a record for people.
func describe(bucket string, k []byte) string {
	switch {
	case bucket == bucketFacts && len(k) == 8:
		return fmt.Sprintf("fact %d", indexOf(k))
	case bucket == bucketEntries && len(k) == 8:
		return fmt.Sprintf("raft entry %d", indexOf(k))
	case bucket == bucketLedger && string(k) == string(wholeKey):
		return "the whole ledger"
	default:
		return fmt.Sprintf("record %s/%q", bucket, k)
	}
}

const checksumSize = 4

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// checksum covers a record's place too: a record that turns up elsewhere is
// damage.
func checksum(bucket string, k, content []byte) uint32 {
	c := crc32.Update(0, castagnoli, []byte(bucket))
	c = crc32.Update(c, castagnoli, k)
	return crc32.Update(c, castagnoli, content)
}

// seal puts the checksum before a record's content.
func seal(bucket string, k, content []byte) []byte {
	value := make([]byte, checksumSize, checksumSize+len(content))
	binary.BigEndian.PutUint32(value, checksum(bucket, k, content))
	return append(value, content...)
}

// unseal gives a record's content, which is part of value, or says which
// record is damaged.
func unseal(bucket string, k, value []byte) ([]byte, error) {
	if len(value) < checksumSize {
		return nil, fmt.Errorf("%s is %w (%d bytes)", describe(bucket, k), ErrDamaged, len(value))
	}
	content := value[checksumSize:]
	if binary.BigEndian.Uint32(value) != checksum(bucket, k, content) {
		return nil, fmt.Errorf("%s is %w (checksum)", describe(bucket, k), ErrDamaged)
	}
	return content, nil
}
