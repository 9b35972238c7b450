// Package disk keeps what one agent must not forget: its copy of the ledger
// and, on a councillor, raft's log. All of it is one bbolt file,
// DATA_DIR/ledger.db, and one transaction writes all of it.
//
// # What a crash can take
//
// Persist with Sync, and KeepSnapshot, return when their bytes have survived
// fdatasync; neither a killed process nor a power cut takes them back. What
// need not be durable at once, facts and raft's commit index, waits in memory
// and goes with the next durable write, at the latest after Config.FlushAfter.
// A crash of either kind may take what waits. It can be had again: from raft's
// log on a councillor, from the feed elsewhere. As everything is written in the
// order in which it was asked for, and in whole transactions, a crash leaves
// the state of some earlier moment: no torn record, no gap, no fact that is
// ahead of the raft entry that carried it.
//
// Writing without fdatasync and catching up later is not an option: bbolt
// reuses the pages that a transaction freed, so a power cut could damage what
// was durable before. A durable write costs bbolt two fdatasyncs, one for the
// pages and one for the page that makes them valid, and seldom a third when the
// file grows. Whatever waits goes along for nothing. The list of free pages is
// written too: without it, opening would map and touch the whole file.
//
// A full disk fails a write with ErrFull and changes nothing: the same call
// succeeds once there is space. After any other failure it is unknown what the
// disk holds, and the Store refuses all further writes until it is opened anew.
//
// # What a damaged file can do
//
// bbolt maps the file and believes it: a truncated or altered one can end the
// process. So Open reads it first with plain reads, page by page, and bbolt
// sees it only if every page is in its place, every record carries its right
// checksum, and the records are exactly those of the inventory that the last
// write left. Every other file is an error that names what is wrong and the
// way back; there is no repair, for a councillor that forgets its vote is worse
// than one that is missing.
package disk

import (
	"errors"
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"go.uber.org/zap"

	"moonwatch/member"
)

// Config says whose store it is and how long it keeps what.
type Config struct {
	Dir     string    // of this agent alone; made if it is not there
	Cluster string    // a store of another cluster is refused
	Member  member.ID // and one of another member

	LockTimeout time.Duration // how long Open waits for another process to leave the folder; 0: 1 s
	FlushAfter  time.Duration // longer: fewer writes, and a crash takes more facts; 0: 200 ms
	KeepAge     time.Duration // facts older than that are dropped at a snapshot; 0: 30 days
	KeepBytes   uint64        // and the oldest above so many bytes; 0: 256 MiB

	Log        *zap.Logger           // nil: silent
	Registerer prometheus.Registerer // nil: a private one
}

// withDefaults fills in what is zero.
func (c Config) withDefaults() Config {
	if c.LockTimeout == 0 {
		c.LockTimeout = time.Second
	}
	if c.FlushAfter == 0 {
		c.FlushAfter = 200 * time.Millisecond
	}
	if c.KeepAge == 0 {
		c.KeepAge = 30 * 24 * time.Hour
	}
	if c.KeepBytes == 0 {
		c.KeepBytes = 256 << 20
	}
	if c.Log == nil {
		c.Log = zap.NewNop()
	}
	return c
}

// Validate lists every mistake.
func (c Config) Validate() error {
	var mistakes []error
	for _, f := range []struct{ key, value string }{{"dir", c.Dir}, {"cluster", c.Cluster}, {"member", string(c.Member)}} {
		if f.value == "" {
			mistakes = append(mistakes, fmt.Errorf("%s is empty", f.key))
		}
	}
	for _, f := range []struct {
		key   string
		value time.Duration
	}{{"lock_timeout", c.LockTimeout}, {"flush_after", c.FlushAfter}, {"keep_age", c.KeepAge}} {
		if f.value < 0 {
			mistakes = append(mistakes, fmt.Errorf("%s is %v, want more than 0", f.key, f.value))
		}
	}
	return errors.Join(mistakes...)
}
