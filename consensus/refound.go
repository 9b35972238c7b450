package consensus

import (
	"bytes"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"go.etcd.io/raft/v3/raftpb"

	"moonwatch/member"
)

// KindRefound is the kind of a Refounding.
const KindRefound FactKind = "refound"

// refoundMark stands in every command of that kind, and in few others.
var refoundMark = []byte(`"kind":"refound"`)

// Refounding is how people found a new council when most of the old one is lost for
// good. It is the one fact that nobody votes on: it is written to the disk of one
// member whose agent does not run, and all others follow it from there. So two
// operators stand behind it, and everybody can verify that, also a member that has
// the old council's ledger only.
type Refounding struct {
	Plan     json.RawMessage `json:"plan"`               // a RefoundPlan, as it was signed
	Warrants []Warrant       `json:"warrants,omitempty"` // over RefoundText, by two operators
}

// RefoundPlan says which ledger goes on, and with whom.
type RefoundPlan struct {
	Cluster string      `json:"cluster"`
	Number  uint64      `json:"number"` // of the cluster's refoundings, from 1
	Bearer  member.ID   `json:"bearer"` // whose ledger it is
	Head    uint64      `json:"head"`   // the last fact of it
	Hash    []byte      `json:"hash"`   // of the audit chain there
	Raft    uint64      `json:"raft"`   // the raft index that the refounding takes
	Term    uint64      `json:"term"`   // in which the new council begins, above all that the old one knew
	Time    time.Time   `json:"time"`
	Council []Seat      `json:"council"` // new seats: numbers that nobody had
	Lost    []member.ID `json:"lost"`    // the councillors that are gone, as both operators know
}

// RefoundText is what operators sign of a plan.
func RefoundText(cluster string, plan []byte) []byte {
	return fmt.Appendf(nil, "moonwatch council refounding\n%s\n%s", cluster, plan)
}

// Unsigned is a plan that nobody has signed, for clusters in which nothing is.
func (p RefoundPlan) Unsigned() (Refounding, error) {
	b, err := json.Marshal(p)
	if err != nil {
		return Refounding{}, fmt.Errorf("refounding: %w", err)
	}
	return Refounding{Plan: b}, nil
}

// Read reads the plan.
func (r Refounding) Read() (RefoundPlan, error) {
	var p RefoundPlan
	if err := json.Unmarshal(r.Plan, &p); err != nil {
		return p, fmt.Errorf("refounding: its plan: %w", err)
	}
	return p, nil
}

// Verify checks who stands behind a refounding of this ledger's cluster.
func (l *Ledger) Verify(r Refounding) (RefoundPlan, error) {
	p, err := r.Read()
	if err != nil {
		return p, err
	}
	g := l.s.Genesis
	switch {
	case g == nil:
		return p, errors.New("refounding: no cluster yet")
	case p.Cluster != g.Cluster:
		return p, fmt.Errorf("refounding of cluster %s, this is %s", p.Cluster, g.Cluster)
	case g.Unsigned:
		return p, nil
	}
	for _, w := range r.Warrants {
		if x, is := l.Refuses(w.Key); is {
			return p, fmt.Errorf("refounding: %w: the key of %s was withdrawn in fact %d: %s", ErrNoWarrant, x.Whose(), x.Fact, x.Reason)
		}
	}
	return p, verifyRefounding(g.Cluster, g.Root, r)
}

// verifyRefounding wants the signatures of two operators.
func verifyRefounding(cluster string, root []byte, r Refounding) error {
	var plan bytes.Buffer
	if err := json.Compact(&plan, r.Plan); err != nil {
		return fmt.Errorf("refounding: its plan: %w", err)
	}
	text := RefoundText(cluster, plan.Bytes())
	for i, w := range r.Warrants {
		switch {
		case len(root) != ed25519.PublicKeySize || len(w.Key) != ed25519.PublicKeySize || !ed25519.Verify(root, GrantText(cluster, w.Operator, w.Key), w.Grant):
			return fmt.Errorf("refounding: %w: %q has no grant of this cluster's CA", ErrNoWarrant, w.Operator)
		case !ed25519.Verify(w.Key, text, w.Signature):
			return fmt.Errorf("refounding: %w: the signature of %q does not fit the plan", ErrNoWarrant, w.Operator)
		}
		for _, x := range r.Warrants[:i] {
			if x.Operator == w.Operator || bytes.Equal(x.Key, w.Key) {
				return fmt.Errorf("refounding: signed twice by %q: want two operators", w.Operator)
			}
		}
	}
	if n := len(r.Warrants); n != 2 {
		return fmt.Errorf("refounding: signed by %d, want two operators", n)
	}
	return nil
}

// checkRefound accepts a refounding at the one place for which it was signed.
func (l *Ledger) checkRefound(f Fact) error {
	r, err := decode[Refounding](f)
	if err != nil {
		return err
	}
	p, err := l.Verify(r)
	switch {
	case err != nil:
		return err
	case p.Number != l.Refounded()+1:
		return fmt.Errorf("refounding %d: this ledger has %d", p.Number, l.Refounded())
	case p.Head != l.s.Head || !bytes.Equal(p.Hash, l.s.Hash):
		return fmt.Errorf("refounding: of a ledger that ends with fact %d, head %v; this one ends with %d, head %v",
			p.Head, pad(p.Hash), l.s.Head, Hash(l.s.Hash))
	case p.Raft != f.Raft:
		return fmt.Errorf("refounding: at raft entry %d, signed for %d", f.Raft, p.Raft)
	}
	return l.checkNewCouncil(p)
}

// pad makes a hash of whatever somebody wrote.
func pad(b []byte) (h Hash) {
	copy(h[:], b)
	return h
}

func (l *Ledger) checkNewCouncil(p RefoundPlan) error {
	if n := len(p.Council); n%2 == 0 {
		return fmt.Errorf("refounding: a council of %d, want 1, 3, 5 or 7", n)
	}
	next := l.Seats().Next
	for i, s := range p.Council {
		m, listed := l.roster.Member(s.Member)
		switch {
		case s.ID != next+uint64(i):
			return fmt.Errorf("refounding: seat %d for %s: want %d", s.ID, s.Member, next+uint64(i))
		case s.Disk == "":
			return fmt.Errorf("refounding: seat %d for %s: its disk is not named", s.ID, s.Member)
		case !listed || !m.Council:
			return fmt.Errorf("refounding: %s may not sit in the council: want council: allowed in fleet.yaml", s.Member)
		case slices.ContainsFunc(p.Council[:i], func(x Seat) bool { return x.Member == s.Member }):
			return fmt.Errorf("refounding: %s has two seats", s.Member)
		}
	}
	if !slices.ContainsFunc(p.Council, func(s Seat) bool { return s.Member == p.Bearer }) {
		return fmt.Errorf("refounding: %s, whose ledger it is, has no seat", p.Bearer)
	}
	return nil
}

// applyRefound seats the new council. Nothing else changes: verdicts, cases and
// claims go on under the new one.
func (l *Ledger) applyRefound(f Fact) {
	r, _ := decode[Refounding](f)
	p, _ := r.Read()
	next := p.Council[len(p.Council)-1].ID + 1
	l.s.Seats = &Seats{Voters: slices.Clone(p.Council), Next: next, Changed: f.Index}
	l.s.Refounding, l.s.RefoundedAs = &r, p.Number
	for _, s := range p.Council {
		l.noteDisk(s.Member, Disk{ID: s.Disk, Since: f.Time})
	}
}

// Refounded is how often the council was founded anew.
func (l *Ledger) Refounded() uint64 { return l.s.RefoundedAs }

// Refounding is the last one, nil if there was none: the proof for those who did not
// hear of it.
func (l *Ledger) Refounding() *Refounding { return l.s.Refounding }

// Refound writes a refounding as the next fact of a ledger that nobody else changes
// now. An error says why it may not be; the ledger must not be used any further then.
func (l *Ledger) Refound(r Refounding) (Fact, error) {
	p, err := l.Verify(r)
	if err != nil {
		return Fact{}, err
	}
	c, err := NewCommand(KindRefound, fmt.Sprintf("refound/%d", p.Number), p.Bearer, p.Time, r)
	if err != nil {
		return Fact{}, err
	}
	b, err := c.Encode()
	if err != nil {
		return Fact{}, err
	}
	f, fresh, err := l.Commit(p.Raft, b)
	switch {
	case err != nil:
		return f, err
	case !fresh:
		return f, fmt.Errorf("refounding %d: the ledger has it already", p.Number)
	case !f.Accepted:
		return f, errors.New(f.Reason)
	}
	return f, nil
}

// Begin is what the bearer's disk has to hold of raft: the beginning of a new log,
// under a seat that nobody had, in a term above all earlier ones.
func (p RefoundPlan) Begin(ledger []byte) (Persist, error) {
	i := slices.IndexFunc(p.Council, func(s Seat) bool { return s.Member == p.Bearer })
	if i < 0 {
		return Persist{}, fmt.Errorf("refounding: %s has no seat", p.Bearer)
	}
	seats := Seats{Voters: p.Council}
	return Persist{
		Seat: p.Council[i].ID, Anew: true, Sync: true,
		Hard:     &raftpb.HardState{Term: &p.Term, Commit: &p.Raft},
		Snapshot: &raftpb.Snapshot{Data: ledger, Metadata: &raftpb.SnapshotMetadata{Index: &p.Raft, Term: &p.Term, ConfState: seats.State()}},
	}, nil
}

// ErrSuperseded says that the council was founded anew from another ledger than this
// one: what this one has beyond it is void.
var ErrSuperseded = errors.New("the council was founded anew without this ledger")

// Superseded judges a refounding that somebody tells of. False: it is none, or this
// ledger has it already. True without an error: the old council has no say any more,
// and this ledger may go on to the new one; ErrSuperseded: it cannot, for it went
// another way.
func (l *Ledger) Superseded(r Refounding) (RefoundPlan, bool, error) {
	p, err := l.Verify(r)
	if err != nil || p.Number <= l.Refounded() {
		return p, false, nil //nolint:nilerr // whoever cannot prove it is not believed
	}
	if l.s.Head > p.Head || l.s.Head == p.Head && !bytes.Equal(l.s.Hash, p.Hash) {
		return p, true, fmt.Errorf("%w: it ends with fact %d, and the new council of refounding %d goes on after fact %d of %s",
			ErrSuperseded, l.s.Head, p.Number, p.Head, p.Bearer)
	}
	return p, true, nil
}

// AgreeAll takes in what a saved raft log has beyond the ledger, as if all of it had
// been agreed on: what the lost councillors had acknowledged may stand there alone,
// and what they had not is harmless, for it was proposed in good faith. It gives the
// facts that came of it, and index and term of the log's last entry.
func (l *Ledger) AgreeAll(saved Saved) (facts []Fact, last, term uint64, err error) {
	last, term = saved.Snapshot.GetMetadata().GetIndex(), saved.Snapshot.GetMetadata().GetTerm()
	for _, e := range saved.Entries {
		last, term = e.GetIndex(), e.GetTerm()
		entry := e.GetData()
		if e.GetType() == raftpb.EntryConfChangeV2 {
			entry = contextOf(e)
		}
		if len(entry) == 0 || e.GetIndex() <= l.Raft() {
			continue
		}
		f, fresh, err := l.Commit(e.GetIndex(), entry)
		if err != nil {
			return facts, last, term, err
		}
		if fresh {
			facts = append(facts, f)
		}
	}
	return facts, max(last, l.Raft()), term, nil
}
