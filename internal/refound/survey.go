// Package refound founds a council anew when most of the old one is lost for good:
// it reads what the survivors' disks hold, and writes the refounding that two
// operators have signed to the disk of one of them. No agent runs meanwhile.
//
// What may become the new council, and who has to stand behind it, is decided in
// consensus (Refounding); this package reads and writes files.
package refound

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"moonwatch/consensus"
	"moonwatch/consensus/disk"
	"moonwatch/internal/audit"
	"moonwatch/member"
	"moonwatch/mind"
)

// maxMarks is how far back the chains of two survivors can be compared.
const maxMarks = 1024

// opened is the data folder of an agent that does not run.
type opened struct {
	dir    string
	store  *disk.Store
	about  disk.Inspection
	id     string // of the ledger's file
	boot   disk.Boot
	ledger *consensus.Ledger // up to what was surely agreed on
}

// open reads a data folder. It fails while an agent holds it.
func open(dir string) (o *opened, err error) {
	about, err := disk.Inspect(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("data folder %s: no ledger.db is there: want the data_dir of a member's agent.yaml", dir)
	}
	if err != nil {
		return nil, err
	}
	store, err := disk.Open(disk.Config{Dir: dir, Cluster: about.Cluster, Member: about.Member})
	if err != nil {
		return nil, err
	}
	o = &opened{dir: dir, store: store, about: about}
	if err := o.read(); err != nil {
		return nil, errors.Join(fmt.Errorf("data folder %s: %w", dir, err), store.Close())
	}
	return o, nil
}

func (o *opened) read() (err error) {
	if o.boot, err = o.store.Load(); err != nil {
		return err
	}
	if o.boot.Fresh {
		return errors.New("its ledger is empty: nothing can go on from it")
	}
	if o.ledger, err = mind.Read(mind.Boot{Snapshot: o.boot.Snapshot, Facts: o.boot.Facts, Raft: o.boot.Raft}); err != nil {
		return err
	}
	if why := o.ledger.Blocked(); why != "" {
		return errors.New(why)
	}
	if o.id = o.store.ID(); o.id == "" {
		b, err := os.ReadFile(filepath.Join(o.dir, "nonce")) // of an early build, which keeps it there
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		o.id = strings.TrimSpace(string(b))
	}
	return nil
}

// founder reports that this file is the one with which its member founded.
func (o *opened) founder() bool {
	b, err := os.ReadFile(filepath.Join(o.dir, "founded.json"))
	if err != nil {
		return false
	}
	var nonces map[member.ID]string
	return json.Unmarshal(b, &nonces) == nil && nonces[o.about.Member] == o.id && o.id != ""
}

// agreeAll takes the tail of raft's log in. The ledger is that of the whole log then.
func (o *opened) agreeAll() (facts []consensus.Fact, last, term uint64, err error) {
	facts, last, term, err = o.ledger.AgreeAll(o.boot.Raft)
	if err == nil && o.ledger.Blocked() != "" {
		err = errors.New(o.ledger.Blocked())
	}
	return facts, last, term, err
}

// Survey reads what a survivor's data folder holds, and changes nothing.
func Survey(dir string) (s consensus.Survivor, err error) {
	o, err := open(dir)
	if err != nil {
		return s, fmt.Errorf("survey: %w", err)
	}
	defer func() { err = errors.Join(err, o.store.Close()) }()
	s = consensus.Survivor{Cluster: o.about.Cluster, Member: o.about.Member, Disk: o.id, Sitters: map[member.ID]member.FailureDomain{}}
	s.Agreed = head(o.ledger)
	tail, last, term, err := o.agreeAll()
	if err != nil {
		return s, fmt.Errorf("survey %s: %w", dir, err)
	}
	l := o.ledger
	s.Refounded, s.Log, s.Raft, s.In, s.Seats = l.Refounded(), head(l), last, term, l.Seats()
	s.Term = max(term, o.boot.Raft.Hard.GetTerm())
	if seat, ok := l.SeatOf(s.Member, s.Disk, o.founder()); ok {
		s.Seat = seat.ID
	}
	for _, m := range l.Roster().Members {
		if m.Council {
			s.Sitters[m.ID] = m.Domain
		}
	}
	if s.Remembered, s.Marks, err = marks(dir, o.boot, s.Agreed, tail); err != nil {
		return s, fmt.Errorf("survey %s: %w", dir, err)
	}
	return s, nil
}

func head(l *consensus.Ledger) consensus.Mark {
	h := l.HeadHash()
	return consensus.Mark{Index: l.Head(), Hash: h[:]}
}

// marks are the last places of the chain: those that the agent remembers, those of the
// facts that the file holds one by one, and those of the tail.
func marks(dir string, boot disk.Boot, agreed consensus.Mark, tail []consensus.Fact) (remembered consensus.Mark, out []consensus.Mark, err error) {
	at := map[uint64]consensus.Mark{agreed.Index: agreed}
	heads, err := audit.ReadMemory(filepath.Join(dir, audit.MemoryName))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return remembered, nil, err
	}
	for _, h := range heads {
		m := consensus.Mark{Index: h.Index, Hash: slices.Clone(h.Hash[:])}
		if h.Index > remembered.Index {
			remembered = m
		}
		if h.Index < agreed.Index {
			at[h.Index] = m
		}
	}
	for _, f := range slices.Concat(boot.Facts, tail) {
		at[f.Index] = consensus.Mark{Index: f.Index, Hash: slices.Clone(f.Hash[:])}
	}
	indices := slices.Sorted(maps.Keys(at))
	for _, i := range indices[max(0, len(indices)-maxMarks):] {
		out = append(out, at[i])
	}
	return remembered, out, nil
}
