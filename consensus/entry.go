package consensus

import (
	"encoding/binary"
	"time"
)

// A raft entry is a command behind the leader's stamp. The time of a fact is the
// stamp, and not the proposer's word: ledger time orders holds, budgets and
// approvals, and anybody's clock may be wrong (docs/adr/046).

// stampMark begins an entry with a stamp; a command begins with a brace.
const stampMark = 'T'

// stampSize is the mark and the time, in nanoseconds since 1970.
const stampSize = 1 + 8

// Stamped is the entry for a command that a leader puts into its log at a time.
func Stamped(command []byte, at time.Time) []byte {
	b := make([]byte, 0, stampSize+len(command))
	b = append(b, stampMark)
	b = binary.BigEndian.AppendUint64(b, uint64(at.UnixNano()))
	return append(b, command...)
}

// Unstamped takes an entry apart. A command that no leader has stamped is all of it,
// and its time is the zero one: nobody leads a ledger that is founded or founded anew.
func Unstamped(entry []byte) (command []byte, at time.Time) {
	if len(entry) < stampSize || entry[0] != stampMark {
		return entry, time.Time{}
	}
	return entry[stampSize:], time.Unix(0, int64(binary.BigEndian.Uint64(entry[1:]))).UTC()
}
