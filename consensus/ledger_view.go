package consensus

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"moonwatch/member"
)

// Head is the index of the last fact, 0 for an empty ledger.
func (l *Ledger) Head() uint64 { return l.s.Head }

// HeadHash is the last link of the audit chain.
func (l *Ledger) HeadHash() Hash {
	if l.s.Head == 0 {
		return Hash{}
	}
	return Hash(l.s.Hash)
}

// Repeats reports whether a command with this id stands in the ledger, as far
// back as ids are remembered: handed in again it would leave no fact.
func (l *Ledger) Repeats(id string) bool { return l.seen[id] }

// Raft is the index of the last raft entry that was taken in.
func (l *Ledger) Raft() uint64 { return l.s.Raft }

// Time is the ledger's time: that of its last fact.
func (l *Ledger) Time() time.Time { return l.s.Time }

// Roster is the committed list of members, shared and never changed.
func (l *Ledger) Roster() *member.Roster { return l.roster }

// Overlay is who observes whom under the present roster.
func (l *Ledger) Overlay() *Overlay { return l.overlay }

// Fleet is the last accepted fleet.yaml, nil before the first.
func (l *Ledger) Fleet() *member.Fleet { return l.s.Fleet }

// FleetIndex is the fact that brought it.
func (l *Ledger) FleetIndex() uint64 { return l.s.FleetAt }

// Cluster is the cluster's name, empty in an empty ledger.
func (l *Ledger) Cluster() string {
	if l.s.Genesis == nil {
		return ""
	}
	return l.s.Genesis.Cluster
}

// Root is the key of the CA with which the cluster was founded: all operators' grants go
// back to it. Nil before a genesis, and of one without signatures.
func (l *Ledger) Root() []byte {
	if l.s.Genesis == nil {
		return nil
	}
	return slices.Clone(l.s.Genesis.Root)
}

// Founders are the councillors of the first council, sorted.
func (l *Ledger) Founders() []member.ID {
	if l.s.Genesis == nil {
		return nil
	}
	return l.s.Genesis.Council
}

// Councillor reports whether a member sits in the council and votes there.
func (l *Ledger) Councillor(id member.ID) bool {
	return slices.ContainsFunc(l.Seats().Voters, func(s Seat) bool { return s.Member == id })
}

// SpeaksAs reports whether a member holds the seat with this number in raft.
func (l *Ledger) SpeaksAs(id member.ID, raft uint64) bool {
	return slices.ContainsFunc(l.Seats().All(), func(s Seat) bool { return s.ID == raft && s.Member == id })
}

// FromCouncil refuses a command that only a councillor may propose: what the
// leader decides. The link takes a command from nobody but its proposer, so the
// name in it is the certificate's.
func (l *Ledger) FromCouncil(c Command) error {
	if l.Councillor(c.Proposer) {
		return nil
	}
	return fmt.Errorf("%s %s: proposed by %s, which is no councillor", c.Kind, c.ID, c.Proposer)
}

// FromOperator refuses a command that only people may give and that no operator
// of this cluster has signed.
func (l *Ledger) FromOperator(c Command) error {
	switch {
	case l.s.Genesis == nil:
		return fmt.Errorf("%s %s: no cluster yet", c.Kind, c.ID)
	case l.s.Genesis.Unsigned:
		return nil
	case c.Warrant != nil:
		if r, is := l.Refuses(c.Warrant.Key); is {
			return fmt.Errorf("%s %s: %w: the key of %s was withdrawn in fact %d: %s", c.Kind, c.ID, ErrNoWarrant, r.Whose(), r.Fact, r.Reason)
		}
	}
	return checkWarrant(l.s.Genesis.Cluster, l.s.Genesis.Root, c)
}

// Standing is the verdict under which a member stands; false if it is up.
func (l *Ledger) Standing(id member.ID) (Standing, bool) {
	s, ok := l.s.Standing[id]
	return s, ok
}

// Condemned lists the members under any verdict, sorted.
func (l *Ledger) Condemned() []member.ID {
	ids := make([]member.ID, 0, len(l.s.Standing))
	for id := range l.s.Standing {
		ids = append(ids, id)
	}
	slices.Sort(ids)
	return ids
}

// Record is a member's history of verdicts.
func (l *Ledger) Record(id member.ID) Record { return l.s.Records[id] }

// DomainCut reports whether a failure domain is under a domain-cut.
func (l *Ledger) DomainCut(d member.FailureDomain) bool {
	for _, s := range l.s.Standing {
		if s.Kind == VerdictDomainCut && s.Domain == d {
			return true
		}
	}
	return false
}

// Blocked says why this agent must stop deciding, empty if it may: it met a
// fact that it does not understand, so it no longer knows the whole state.
func (l *Ledger) Blocked() string { return l.unknown }

// snapshot is the whole state at one fact.
type snapshot struct {
	State   state                      `json:"state"`
	Unknown string                     `json:"unknown,omitempty"`
	Parts   map[string]json.RawMessage `json:"parts"`
}

// Snapshot gives the whole state as bytes.
func (l *Ledger) Snapshot() ([]byte, error) {
	if b := l.folds.written(l); b != nil {
		return b, nil
	}
	s := snapshot{State: l.s, Unknown: l.unknown, Parts: map[string]json.RawMessage{}}
	for _, p := range l.folders {
		b, err := p.Snapshot()
		if err != nil {
			return nil, fmt.Errorf("snapshot of %s at fact %d: %w", p.Name(), l.s.Head, err)
		}
		if b != nil { // a part without content is none: an older build has never heard of it
			s.Parts[p.Name()] = b
		}
	}
	b, err := json.Marshal(s)
	if err != nil {
		return nil, fmt.Errorf("snapshot at fact %d: %w", l.s.Head, err)
	}
	l.folds.wrote(l, b)
	return b, nil
}

// Restore replaces the state by a snapshot's. On an error the ledger must not
// be used any further.
func (l *Ledger) Restore(b []byte) error {
	if l.folds.restored(l, b) {
		return nil
	}
	var s snapshot
	if err := json.Unmarshal(b, &s); err != nil {
		return fmt.Errorf("snapshot of %d bytes: %w", len(b), err)
	}
	if s.State.Head > 0 && len(s.State.Hash) != len(Hash{}) {
		return fmt.Errorf("snapshot at fact %d: hash of %d bytes", s.State.Head, len(s.State.Hash))
	}
	l.s, l.unknown = s.State, s.Unknown
	l.missBeyond()
	l.shared, l.taken = false, nil
	if l.s.Standing == nil {
		l.s.Standing = map[member.ID]Standing{}
	}
	if l.s.Seats == nil && l.s.Genesis != nil { // of a build that knew the founding council only
		l.s.Seats = foundingSeats(*l.s.Genesis)
	}
	if l.s.Records == nil {
		l.s.Records = map[member.ID]Record{}
	}
	l.seen = make(map[string]bool, len(l.s.Commands))
	for _, id := range l.s.Commands {
		l.seen[id] = true
	}
	l.adoptRoster()
	for _, p := range l.folders {
		if err := p.Restore(s.Parts[p.Name()]); err != nil {
			return fmt.Errorf("snapshot of %s at fact %d: %w", p.Name(), l.s.Head, err)
		}
	}
	l.folds.wrote(l, b)
	return nil
}

// missBeyond stops an agent whose snapshot comes of facts of a kind that this build does
// not have: what they brought is in fields that it has passed over. Asked for is the
// build's list and not the folders, for some read a ledger without any.
func (l *Ledger) missBeyond() {
	i := slices.IndexFunc(l.s.Spoken, func(k FactKind) bool { return !slices.Contains(laterKinds, k) })
	if i < 0 || l.unknown != "" {
		return
	}
	l.unknown = fmt.Sprintf("the ledger as of fact %d holds facts of kind %s; this agent knows format %d and not that kind: upgrade it",
		l.s.Head, l.s.Spoken[i], FormatVersion)
}

// SnapshotHead reads which fact a snapshot ends with, without restoring it.
func SnapshotHead(b []byte) (uint64, error) {
	var s struct {
		State struct {
			Head uint64 `json:"head"`
		} `json:"state"`
	}
	if err := json.Unmarshal(b, &s); err != nil {
		return 0, fmt.Errorf("snapshot of %d bytes: %w", len(b), err)
	}
	return s.State.Head, nil
}
