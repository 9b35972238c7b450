package consensus

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"time"

	"moonwatch/member"
)

// Folder is a part of the state that facts build up. The Ledger asks every
// Folder first whether the command may stand, then lets all of them apply it,
// in one fixed order, the same on every agent.
type Folder interface {
	// Name is the part's key in snapshots.
	Name() string
	// Knows reports whether the kind is this part's own.
	Knows(kind FactKind) bool
	// Check says why a command must be refused now, nil if it may stand. It
	// is asked about all kinds and changes nothing.
	Check(f Fact) error
	// Apply takes an accepted fact into the state.
	Apply(f Fact)
	Snapshot() (json.RawMessage, error)
	Restore(json.RawMessage) error
}

// Genesis is the content of the first fact: it is the same on all founding
// councillors, so that they can write it without agreeing first.
type Genesis struct {
	Cluster  string      `json:"cluster"`
	Root     []byte      `json:"root"`    // the CA's Ed25519 public key, which grants operators
	Council  []member.ID `json:"council"` // the founding councillors, sorted
	Unsigned bool        `json:"unsigned,omitempty"`
}

// Standing is the verdict under which a member stands.
type Standing struct {
	Kind        VerdictKind          `json:"kind"`
	Index       uint64               `json:"index"` // of the verdict's fact
	Since       time.Time            `json:"since"` // of the first of the verdicts that follow each other
	At          time.Time            `json:"at,omitzero"`
	SilentSince time.Time            `json:"silent_since,omitzero"`
	Incarnation member.Incarnation   `json:"incarnation,omitempty"`
	Domain      member.FailureDomain `json:"domain,omitempty"` // of a domain-cut
}

// Record is a member's history of verdicts, as far as later ones depend on it.
type Record struct {
	Downs    int       `json:"downs"` // graver verdicts since the last quiet day
	LastDown time.Time `json:"last_down,omitzero"`
	LastUp   time.Time `json:"last_up,omitzero"`
}

// Ledger folds the committed facts, one after the other, and keeps the audit
// chain. It never reads a clock: time is what the facts say.
type Ledger struct {
	s       state
	roster  *member.Roster
	overlay *Overlay
	folders []Folder
	seen    map[string]bool
	unknown string

	folds  *Folds // nil: this ledger shares nothing
	shared bool   // others may have what is above: it is copied before it is changed
	taken  *fold  // the shared state as which it stands, nil: none
}

// state is what a snapshot carries.
type state struct {
	Head      uint64                 `json:"head"`
	Raft      uint64                 `json:"raft"`
	Hash      []byte                 `json:"hash"`
	Time      time.Time              `json:"time"`
	Genesis   *Genesis               `json:"genesis,omitempty"`
	Fleet     *member.Fleet          `json:"fleet,omitempty"`
	FleetAt   uint64                 `json:"fleet_at,omitempty"`
	Roster    member.RosterEpoch     `json:"roster,omitempty"`
	Standing  map[member.ID]Standing `json:"standing,omitempty"`
	Records   map[member.ID]Record   `json:"records,omitempty"`
	Commands  []string               `json:"commands,omitempty"` // ids of the last commands, oldest first
	Operators map[string]int         `json:"operators,omitempty"`
	Seats     *Seats                 `json:"seats,omitempty"` // never changed in place
	Disks     map[member.ID]Disk     `json:"disks,omitempty"`

	Refounding  *Refounding `json:"refounding,omitempty"` // the last one, never changed in place
	RefoundedAs uint64      `json:"refounded_as,omitempty"`
	Spoken      []FactKind  `json:"spoken,omitempty"` // later kinds of which a fact stands
	Revoked     []Revoked   `json:"revoked,omitempty"`
}

// rememberedCommands is how many command ids a ledger remembers: a command is
// repeated for seconds, and 200 facts a second are the most there are.
const rememberedCommands = 8192

// NewLedger makes an empty ledger with its folders in their fixed order.
func NewLedger(folders ...Folder) *Ledger {
	l := &Ledger{folders: folders, seen: map[string]bool{}}
	l.s.Standing, l.s.Records = map[member.ID]Standing{}, map[member.ID]Record{}
	l.adoptRoster()
	return l
}

// Found writes the first fact. The ledger must be empty.
func (l *Ledger) Found(g Genesis) (Fact, error) {
	if l.s.Head != 0 {
		return Fact{}, fmt.Errorf("found cluster %s: the ledger has %d facts", g.Cluster, l.s.Head)
	}
	slices.Sort(g.Council)
	c, err := NewCommand(KindGenesis, "genesis", "", time.Unix(0, 0), g)
	if err != nil {
		return Fact{}, err
	}
	b, err := c.Encode()
	if err != nil {
		return Fact{}, err
	}
	f, _, err := l.Commit(1, b)
	return f, err
}

// Commit takes one committed raft entry. It reports false for a command that stands
// in the ledger already: the repeat leaves no fact. The fact's time is the leader's
// stamp, and never before the last fact's.
func (l *Ledger) Commit(raft uint64, entry []byte) (Fact, bool, error) {
	if raft <= l.s.Raft {
		return Fact{}, false, nil // replayed after a restart
	}
	command, at := Unstamped(entry)
	c, err := DecodeCommand(command)
	if err != nil {
		return Fact{}, false, fmt.Errorf("raft entry %d: %w", raft, err)
	}
	if l.seen[c.ID] {
		l.s.Raft = raft
		return Fact{}, false, nil
	}
	if at.IsZero() {
		at = c.Time.UTC()
	}
	f := Fact{Index: l.s.Head + 1, Raft: raft, Time: at, Bytes: command, Command: c}
	if f.Time.Before(l.s.Time) {
		f.Time = l.s.Time
	}
	copy(f.Prev[:], l.s.Hash)
	f.seal()
	l.apply(&f)
	return f, true, nil
}

// ErrGap says that a fact does not follow the last one: some are missing in
// between, and a snapshot is wanted.
var ErrGap = errors.New("facts are missing before it")

// ErrChain says that a fact's hash does not fit: somebody's ledger was changed.
var ErrChain = errors.New("the audit chain is broken")

// Follow takes a fact from the feed or the disk. An older one is skipped
// (false); one that does not follow the chain is an error.
func (l *Ledger) Follow(f Fact) (Fact, bool, error) {
	switch {
	case f.Index <= l.s.Head:
		return f, false, nil
	case f.Index > l.s.Head+1:
		return f, false, fmt.Errorf("fact %d after %d: %w", f.Index, l.s.Head, ErrGap)
	case l.s.Head > 0 && f.Prev != Hash(l.s.Hash):
		return f, false, fmt.Errorf("fact %d follows %v, head is %v: %w", f.Index, f.Prev, Hash(l.s.Hash), ErrChain)
	}
	l.apply(&f)
	return f, true, nil
}

func (l *Ledger) apply(f *Fact) {
	if l.folds.found(l, f) {
		return
	}
	l.own()
	err := l.check(*f)
	f.Accepted = err == nil
	if err != nil {
		f.Reason = err.Error()
	} else {
		l.applyOwn(*f)
		for _, p := range l.folders {
			p.Apply(*f)
		}
	}
	l.spoke(f.Command.Kind)
	l.s.Head, l.s.Raft, l.s.Time, l.s.Hash = f.Index, f.Raft, f.Time, slices.Clone(f.Hash[:])
	l.remember(f.Command.ID)
	l.folds.leave(l, f)
}

func (l *Ledger) remember(id string) {
	l.s.Commands = append(l.s.Commands, id)
	l.seen[id] = true
	if len(l.s.Commands) > rememberedCommands {
		delete(l.seen, l.s.Commands[0])
		l.s.Commands = l.s.Commands[1:]
	}
}

// check asks everybody whether the fact may stand.
func (l *Ledger) check(f Fact) error {
	switch f.Command.Kind {
	case KindGenesis:
		if l.s.Genesis != nil {
			return errors.New("genesis: the cluster is founded already")
		}
	case KindFleet:
		if err := l.checkFleet(f); err != nil {
			return err
		}
	case KindVerdict:
		if err := l.checkVerdict(f); err != nil {
			return err
		}
	case KindCouncil:
		if err := l.checkReform(f); err != nil {
			return err
		}
	case KindDisk:
		if err := l.checkDisk(f); err != nil {
			return err
		}
	case KindRefound:
		if err := l.checkRefound(f); err != nil {
			return err
		}
	case KindRevoked:
		if err := l.checkRevoke(f); err != nil {
			return err
		}
	default: // a folder's
	}
	for _, p := range l.folders {
		if err := p.Check(f); err != nil {
			return err
		}
	}
	if !l.knows(f.Command.Kind) || f.Command.Format > FormatVersion {
		l.unknown = fmt.Sprintf("fact %d is of kind %s, format %d; this agent knows format %d and not that kind: upgrade it",
			f.Index, f.Command.Kind, f.Command.Format, FormatVersion)
	}
	return nil
}

func (l *Ledger) checkFleet(f Fact) error {
	if err := l.FromOperator(f.Command); err != nil {
		return err
	}
	fl, err := decode[member.Fleet](f)
	if err != nil {
		return err
	}
	return fl.Validate()
}

func (l *Ledger) checkVerdict(f Fact) error {
	if err := l.FromCouncil(f.Command); err != nil {
		return err
	}
	v, err := decode[Verdict](f)
	if err != nil {
		return err
	}
	if len(v.Findings) == 0 {
		return errors.New("verdict about nobody")
	}
	for _, x := range v.Findings {
		if _, ok := l.roster.Member(x.Subject); !ok {
			return fmt.Errorf("verdict on %s: not in the roster", x.Subject)
		}
		if err := x.check(l.overlay); err != nil {
			return err
		}
		old, stands := l.s.Standing[x.Subject]
		switch {
		case x.Kind == VerdictUp && !stands:
			return fmt.Errorf("verdict on %s: up, and under no verdict", x.Subject)
		case x.Kind != VerdictUp && stands && x.Kind.rank() <= old.Kind.rank():
			return fmt.Errorf("verdict on %s: %s, and under %s already", x.Subject, x.Kind, old.Kind)
		}
	}
	return nil
}

func (l *Ledger) applyOwn(f Fact) {
	switch f.Command.Kind {
	case KindGenesis:
		g, _ := decode[Genesis](f)
		l.s.Genesis, l.s.Seats = &g, foundingSeats(g)
	case KindFleet:
		fl, _ := decode[member.Fleet](f)
		l.s.Fleet, l.s.FleetAt = &fl, f.Index
		l.s.Roster = member.RosterEpoch(f.Index)
		l.adoptRoster()
		maps.DeleteFunc(l.s.Standing, func(id member.ID, _ Standing) bool { return l.roster.Index(id) < 0 })
	case KindVerdict:
		v, _ := decode[Verdict](f)
		for _, x := range v.Findings {
			l.stand(f, v, x)
		}
	case KindCouncil:
		r, _ := decode[Reform](f)
		l.s.Seats = l.s.Seats.after(f, r)
	case KindDisk:
		d, _ := decode[Disk](f)
		l.noteDisk(f.Command.Proposer, Disk{ID: d.ID, Since: f.Time})
	case KindRefound:
		l.applyRefound(f)
	case KindRevoked:
		l.applyRevoke(f)
	default: // a folder's
	}
}

func (l *Ledger) stand(f Fact, v Verdict, x Finding) {
	r := l.s.Records[x.Subject]
	if x.Kind == VerdictUp {
		delete(l.s.Standing, x.Subject)
		r.LastUp = f.Time
		l.s.Records[x.Subject] = r
		return
	}
	since := f.Time
	old, stood := l.s.Standing[x.Subject]
	if stood {
		since = old.Since
	}
	l.s.Standing[x.Subject] = Standing{
		Kind: x.Kind, Index: f.Index, Since: since, At: f.Time, SilentSince: x.SilentSince,
		Incarnation: x.Incarnation, Domain: v.Domain,
	}
	// A verdict that gets graver is the same fall: of a machine that shuts down the
	// agent is missed first, or the service, and a member of a lost failure domain is
	// voted on anew.
	if x.Kind != VerdictPartial && (!stood || old.Kind == VerdictPartial) {
		if f.Time.Sub(r.LastDown) > quietDay {
			r.Downs = 0
		}
		r.Downs++
		r.LastDown = f.Time
		l.s.Records[x.Subject] = r
	}
}

// quietDay without a verdict clears a member's record.
const quietDay = 24 * time.Hour

func (l *Ledger) adoptRoster() {
	var members []member.Member
	if l.s.Fleet != nil {
		members = l.s.Fleet.Members
	}
	l.roster = member.NewRoster(l.s.Roster, members)
	l.overlay = NewOverlay(l.roster)
}

// decode reads a fact's payload.
func decode[T any](f Fact) (T, error) {
	var v T
	if err := json.Unmarshal(f.Command.Payload, &v); err != nil {
		return v, fmt.Errorf("%s %s: %w", f.Command.Kind, f.Command.ID, err)
	}
	return v, nil
}

// DecodePayload reads the payload of a fact of another package's kind.
func DecodePayload[T any](f Fact) (T, error) { return decode[T](f) }
