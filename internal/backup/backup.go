// Package backup keeps a whole ledger outside of the fleet: it writes one down, says
// whether a file holds what was written, and makes a member's ledger of it when the
// disks are lost. What it holds is what stands: for the facts before, one by one, there
// is the export of the audit chain.
//
// A restored ledger is a new disk. It has promised no vote and sits in no council, so
// that it can do no harm to one that is alive: its agent follows, and only 'council
// recover', which two operators sign, founds a council on it.
package backup

import (
	"bytes"
	"crypto/ed25519"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"moonwatch/consensus"
	"moonwatch/consensus/disk"
	"moonwatch/member"
	"moonwatch/mind"
)

// kind tells a backup from whatever else is JSON.
const kind = "moonwatch ledger backup"

// schema is the version of the format.
const schema = 1

// maxFile bounds a file that is read: the ledger of the largest fleet is a few MiB.
const maxFile = 1 << 30

// madeIn is where a ledger is made, in the data folder that it is for.
const madeIn = "ledger.restoring"

// ErrDamaged is of a file that is not what was written.
var ErrDamaged = errors.New("damaged")

// Backup is a file.
type Backup struct {
	Schema  int       `json:"schema"`
	Kind    string    `json:"kind"`
	Cluster string    `json:"cluster"`
	From    member.ID `json:"from"` // whose agent was asked
	Taken   time.Time `json:"taken"`
	Head    uint64    `json:"head"`   // the last fact that is in it
	Hash    string    `json:"hash"`   // the audit chain's there, in hex
	SHA256  string    `json:"sha256"` // of Ledger, in hex
	// Ledger is consensus.Ledger's snapshot.
	Ledger json.RawMessage `json:"ledger"`

	folded *consensus.Ledger
}

// New makes a backup of a whole ledger.
func New(from member.ID, taken time.Time, ledger []byte) (*Backup, error) {
	whole, err := json.Marshal(json.RawMessage(ledger))
	if err != nil {
		return nil, fmt.Errorf("back up: the ledger: %w", err)
	}
	b := &Backup{Schema: schema, Kind: kind, From: from, Taken: taken.UTC(), Ledger: whole}
	if b.folded, err = fold(whole); err != nil {
		return nil, fmt.Errorf("back up: %w", err)
	}
	if b.folded.Head() == 0 {
		return nil, errors.New("back up: the ledger is empty")
	}
	sum := sha256.Sum256(whole)
	b.Cluster, b.Head, b.Hash, b.SHA256 = b.folded.Cluster(), b.folded.Head(), hashOf(b.folded), hex.EncodeToString(sum[:])
	return b, nil
}

// fold builds the ledger up, decisions of all packages included, as an agent does.
func fold(whole []byte) (*consensus.Ledger, error) {
	l, err := mind.Read(mind.Boot{Snapshot: whole})
	if err != nil {
		return nil, fmt.Errorf("fold the ledger: %w", err)
	}
	return l, nil
}

func hashOf(l *consensus.Ledger) string {
	h := l.HeadHash()
	return hex.EncodeToString(h[:])
}

// Members is who is in the fleet that the backup knows.
func (b *Backup) Members() []member.ID {
	var ids []member.ID
	for _, m := range b.folded.Roster().Members {
		ids = append(ids, m.ID)
	}
	return ids
}

// Bytes is the file.
func (b *Backup) Bytes() ([]byte, error) {
	text, err := json.Marshal(b)
	if err != nil {
		return nil, fmt.Errorf("back up: %w", err)
	}
	return append(text, '\n'), nil
}

// Is reports whether a file calls itself a backup; whether it is one is for Read to say.
func Is(path string) bool {
	f, err := os.Open(path)
	if err != nil {
		return false
	}
	defer func() { _ = f.Close() }() // only read
	var title struct {
		Kind string `json:"kind"`
	}
	return json.NewDecoder(f).Decode(&title) == nil && title.Kind == kind
}

// Read reads a file and says whether it is what was written: its sum is right, the ledger
// in it can be built up, and ends where the file says. That nobody has put both right
// after a change, only an agent that remembers the head can say.
func Read(path string) (*Backup, error) {
	b, err := read(path)
	if err != nil {
		return nil, fmt.Errorf("backup %s: %w", path, err)
	}
	return b, nil
}

func read(path string) (*Backup, error) {
	info, err := os.Stat(path)
	switch {
	case err != nil:
		return nil, errors.Unwrap(err)
	case !info.Mode().IsRegular() || info.Size() > maxFile:
		return nil, fmt.Errorf("%d bytes, mode %v: want a file that 'moonwatch ledger backup' wrote", info.Size(), info.Mode())
	}
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var b Backup
	if err := json.Unmarshal(text, &b); err != nil || b.Kind != kind {
		if bytes.HasPrefix(text, []byte(`{"schema":1,"kind":"`+kind)) {
			return nil, fmt.Errorf("%w: it is cut off, or was edited: %w", ErrDamaged, err)
		}
		return nil, errors.New("want a file that 'moonwatch ledger backup' wrote ('moonwatch audit verify' reads data folders, ledger.db and exports)")
	}
	if b.Schema > schema {
		return nil, fmt.Errorf("it is of schema %d, this program reads %d: use a newer one", b.Schema, schema)
	}
	whole, err := json.Marshal(b.Ledger)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	if sum := sha256.Sum256(whole); hex.EncodeToString(sum[:]) != b.SHA256 {
		return nil, fmt.Errorf("%w: the ledger's SHA-256 is %x, the file says %s", ErrDamaged, sum, b.SHA256)
	}
	b.Ledger = whole
	if b.folded, err = fold(whole); err != nil {
		return nil, fmt.Errorf("%w: %w", ErrDamaged, err)
	}
	if b.folded.Cluster() != b.Cluster || b.folded.Head() != b.Head || hashOf(b.folded) != b.Hash {
		return nil, fmt.Errorf("%w: it says cluster %s, fact %d, hash %s; the ledger in it is of %s and ends with fact %d, hash %s",
			ErrDamaged, b.Cluster, b.Head, b.Hash, b.folded.Cluster(), b.folded.Head(), hashOf(b.folded))
	}
	return &b, nil
}

// Restore makes the ledger of a member whose disk is lost, in its data folder. The file
// is there whole or not at all. It refuses where a ledger is: its disk has promised
// votes, which a ledger in its place would forget. An empty one, of an agent that was
// started on an empty disk, has promised nothing, and gives way.
//
// roots are the keys of the CAs that the agent trusts. Two clusters may have one name; one
// that was founded under a CA that the agent does not trust is another one, and would obey
// its operators.
func (b *Backup) Restore(dir, cluster string, roots []ed25519.PublicKey, self member.ID) error {
	var err error
	root := b.folded.Root()
	switch {
	case b.Cluster != cluster:
		err = fmt.Errorf("the backup is of cluster %s, this agent is of %s", b.Cluster, cluster)
	case len(root) > 0 && !slices.ContainsFunc(roots, func(r ed25519.PublicKey) bool { return bytes.Equal(r, root) }):
		err = fmt.Errorf("the backup is of another cluster that is called %s, too: it was founded under a CA that this agent does not trust; "+
			"if that CA was replaced since, put its certificate into tls.ca beside the present one", cluster)
	case b.folded.Roster().Index(self) < 0:
		err = fmt.Errorf("%s is no member of the fleet in this backup", self)
	default:
		err = b.restore(dir, self)
	}
	if err != nil {
		return fmt.Errorf("restore: %w", err)
	}
	return nil
}

// restore builds the file inside of the folder, which may be a mount of its own.
func (b *Backup) restore(dir string, self member.ID) (err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	path, put := filepath.Join(dir, disk.FileName), os.Link // unlike a rename it overwrites nothing
	if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
		empty, err := b.hold(dir, self)
		if err != nil {
			return err
		}
		// It is held until another one is in its place, and no agent begins with it.
		defer func() { err = errors.Join(err, empty.Close()) }()
		put = os.Rename
	}
	made := filepath.Join(dir, madeIn)
	if err := os.RemoveAll(made); err != nil { // of a try that a crash ended
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(made)) }()
	if err := b.fill(made, self); err != nil {
		return err
	}
	if err := put(filepath.Join(made, disk.FileName), path); err != nil {
		return err
	}
	return syncFolder(dir)
}

// hold takes an empty ledger, so that no agent uses it. Any other one is an error.
func (b *Backup) hold(dir string, self member.ID) (*disk.Store, error) {
	there, err := disk.Open(disk.Config{Dir: dir, Cluster: b.Cluster, Member: self})
	if err != nil {
		return nil, fmt.Errorf("there is a ledger in %s, and it is not known to be empty (if it is of no use, move it away first): %w", dir, err)
	}
	boot, err := there.Load()
	switch raft := boot.Raft; {
	case err != nil:
	case !boot.Fresh:
		err = fmt.Errorf("there is a ledger in %s: while it is good it knows more than a backup; if it is not, move it away first", dir)
	case raft.Hard != nil || raft.Snapshot != nil || len(raft.Entries) > 0 || raft.Seat != 0:
		err = fmt.Errorf("there is a ledger in %s that has no fact, but a promise to a council that is being founded: start its agent; if that council is lost, move the ledger away first", dir)
	default:
		return there, nil
	}
	return nil, errors.Join(err, there.Close())
}

// fill makes a store that holds the ledger, as a follower keeps one that it was fed with.
func (b *Backup) fill(dir string, self member.ID) (err error) {
	store, err := disk.Open(disk.Config{Dir: dir, Cluster: b.Cluster, Member: self})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	if err := store.KeepSnapshot(b.Head, b.Ledger, nil, 0, true); err != nil {
		return err
	}
	_, err = store.Load()
	return err
}

func syncFolder(dir string) error {
	f, err := os.Open(dir)
	if err == nil {
		err = errors.Join(f.Sync(), f.Close())
	}
	if err != nil {
		return fmt.Errorf("the ledger is in %s, but a power cut may take it: %w", dir, err)
	}
	return nil
}
