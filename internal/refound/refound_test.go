package refound

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"go.etcd.io/raft/v3/raftpb"

	"moonwatch/consensus"
	"moonwatch/consensus/disk"
	"moonwatch/internal/pki"
	"moonwatch/member"
	"moonwatch/mind"
)

// yard is a cluster of which disks are left.
type yard struct {
	t    *testing.T
	dir  string
	ca   *pki.CA
	keys map[string]*pki.OperatorKey
}

func newYard(t *testing.T) *yard {
	t.Helper()
	ca, err := pki.NewCA("shop", time.Now())
	if err != nil {
		t.Fatal(err)
	}
	y := &yard{t: t, dir: t.TempDir(), ca: ca, keys: map[string]*pki.OperatorKey{}}
	for _, n := range []string{"alice", "bob"} {
		k, err := pki.NewOperatorKey(n)
		if err != nil {
			t.Fatal(err)
		}
		k.Grant = ca.Sign(consensus.GrantText("shop", n, k.PublicKey()))
		y.keys[n] = k
	}
	return y
}

func (y *yard) command(kind consensus.FactKind, id string, by member.ID, payload any) []byte {
	y.t.Helper()
	c, err := consensus.NewCommand(kind, id, by, time.Unix(1000, 0), payload)
	if err != nil {
		y.t.Fatal(err)
	}
	k := y.keys["alice"]
	c.Warrant = &consensus.Warrant{Operator: k.Name, Key: k.PublicKey(), Grant: k.Grant, Signature: k.Sign(consensus.SignedText("shop", c))}
	b, err := c.Encode()
	if err != nil {
		y.t.Fatal(err)
	}
	return b
}

// lay writes the disk of a member: the ledger of genesis and fleet, and a raft log that
// goes on with so many commands.
func (y *yard) lay(id member.ID, tail int) string {
	y.t.Helper()
	must := func(err error) {
		if err != nil {
			y.t.Helper()
			y.t.Fatal(err)
		}
	}
	dir := filepath.Join(y.dir, string(id))
	s, err := disk.Open(disk.Config{Dir: dir, Cluster: "shop", Member: id})
	must(err)
	founded, err := json.Marshal(map[member.ID]string{id: s.ID()})
	must(err)
	if id == "c" {
		must(os.WriteFile(filepath.Join(dir, "founded.json"), founded, 0o600))
	}
	l, err := mind.Read(mind.Boot{})
	must(err)
	first, err := l.Found(consensus.Genesis{Cluster: "shop", Root: y.ca.PublicKey(), Council: []member.ID{"a", "b", "c"}})
	must(err)
	fl := member.Fleet{Version: 1}
	for i, id := range []member.ID{"a", "b", "c", "d", "e"} {
		fl.Members = append(fl.Members, member.Member{ID: id, Domain: member.FailureDomain("xyz"[i%3 : i%3+1]), Council: true})
	}
	second, _, err := l.Commit(2, y.command(consensus.KindFleet, "fleet", "a", fl))
	must(err)
	if !second.Accepted {
		y.t.Fatal(second.Reason)
	}
	must(s.Keep([]consensus.Fact{first, second}))
	p := consensus.Persist{Seat: 3, Sync: true, Hard: &raftpb.HardState{Term: new(uint64), Commit: new(uint64)}}
	*p.Hard.Term, *p.Hard.Commit = 4, 2
	for i := range 1 + tail { // the fleet's entry, and what follows
		index, term := uint64(i+2), uint64(4)
		b := second.Bytes
		if i > 0 {
			b = y.command(consensus.KindDisk, "disk/"+string(rune('a'+i)), member.ID(rune('c'+i)), consensus.Disk{ID: "x"})
		}
		p.Entries = append(p.Entries, &raftpb.Entry{Index: &index, Term: &term, Data: b, Type: raftpb.EntryNormal.Enum()})
	}
	must(s.Persist(p))
	must(s.Close())
	return dir
}

// file writes one JSON value to a file.
func (y *yard) file(name string, v any) string {
	y.t.Helper()
	b, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		y.t.Fatal(err)
	}
	path := filepath.Join(y.dir, name)
	if err := os.WriteFile(path, b, 0o600); err != nil {
		y.t.Fatal(err)
	}
	return path
}

func (y *yard) signed(who string, p consensus.RefoundPlan) string {
	y.t.Helper()
	s, err := Sign(p, y.keys[who])
	if err != nil {
		y.t.Fatal(err)
	}
	return y.file(who+".signed", s)
}

// plan surveys some members.
func (y *yard) plan(dirs ...string) consensus.RefoundPlan {
	y.t.Helper()
	var survivors []consensus.Survivor
	for _, d := range dirs {
		s, err := Survey(d)
		if err != nil {
			y.t.Fatal(err)
		}
		again, err := ReadSurvivor(y.file("x.survivor", s))
		if err != nil {
			y.t.Fatal(err)
		}
		survivors = append(survivors, again)
	}
	p, _, err := consensus.PlanRefounding(survivors, nil, time.Unix(2000, 0))
	if err != nil {
		y.t.Fatal(err)
	}
	p, err = ReadPlan(y.file("plan.json", p))
	if err != nil {
		y.t.Fatal(err)
	}
	return p
}

// begins checks that an agent can go on from a data folder as a councillor.
func (y *yard) begins(dir string, p consensus.RefoundPlan) {
	y.t.Helper()
	o, err := open(dir)
	if err != nil {
		y.t.Fatal(err)
	}
	defer o.store.Close()
	if o.ledger.Head() != p.Head+1 || o.ledger.Refounded() != 1 {
		y.t.Errorf("the ledger ends with fact %d after %d refoundings, want %d after 1", o.ledger.Head(), o.ledger.Refounded(), p.Head+1)
	}
	seat, ok := o.ledger.SeatOf(p.Bearer, o.id, o.founder())
	if !ok || seat.ID != seatOf(p, p.Bearer).ID {
		y.t.Fatalf("seat %+v, %v", seat, ok)
	}
	if _, err := consensus.NewCouncil(consensus.DefaultCouncil(), seat, o.ledger.Founders(), o.ledger.Seats(), o.boot.Raft, o.ledger.Raft(), time.Now()); err != nil {
		y.t.Error(err)
	}
	if len(o.boot.Raft.Entries) != 0 || o.boot.Raft.Hard.GetTerm() != p.Term || o.boot.Raft.Hard.GetVote() != 0 {
		y.t.Errorf("raft goes on with %d entries, %+v", len(o.boot.Raft.Entries), o.boot.Raft.Hard)
	}
}

func TestTheBearerGoesOnWithAllThatItsLogHolds(t *testing.T) {
	y := newYard(t)
	c, d, e := y.lay("c", 2), y.lay("d", 0), y.lay("e", 1)
	p := y.plan(c, d, e)
	if p.Bearer != "c" || p.Head != 4 || p.Raft != 5 || !slices.Equal(p.Lost, []member.ID{"a", "b"}) {
		t.Fatalf("%+v", p)
	}
	r, err := Join(y.signed("alice", p), y.signed("bob", p))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := CarryOut(d, r); err == nil || !strings.Contains(err.Error(), "carry it out there") {
		t.Errorf("elsewhere: %v", err)
	}
	if _, err := CarryOut(c, r); err != nil {
		t.Fatal(err)
	}
	y.begins(c, p)
	if _, err := CarryOut(c, r); err == nil || !strings.Contains(err.Error(), "stands in this ledger already") {
		t.Errorf("again: %v", err)
	}
}

// TestACrashBetweenFactAndLogIsMended by giving the command again.
func TestACrashBetweenFactAndLogIsMended(t *testing.T) {
	y := newYard(t)
	c := y.lay("c", 1)
	p := y.plan(c)
	r, err := Join(y.signed("alice", p), y.signed("bob", p))
	if err != nil {
		t.Fatal(err)
	}
	o, err := open(c)
	if err != nil {
		t.Fatal(err)
	}
	facts, _, _, err := o.agreeAll()
	if err != nil {
		t.Fatal(err)
	}
	f, err := o.ledger.Refound(r)
	if err := errors.Join(err, o.store.Keep(append(facts, f)), o.store.Close()); err != nil {
		t.Fatal(err)
	}
	if _, err := CarryOut(c, r); err != nil {
		t.Fatal(err)
	}
	y.begins(c, p)
}

func TestNothingIsWrittenThatDoesNotFit(t *testing.T) {
	y := newYard(t)
	c := y.lay("c", 1)
	p := y.plan(c)
	other := p
	other.Term++
	if _, err := Join(y.signed("alice", p), y.signed("bob", other)); err == nil || !strings.Contains(err.Error(), "hold different plans") || !strings.Contains(err.Error(), "term") {
		t.Errorf("two plans: %v", err)
	}
	alice, bob := y.signed("alice", p), y.signed("bob", p)
	twice, err := Join(alice, alice)
	if err != nil {
		t.Fatal(err)
	}
	good, err := Join(alice, bob)
	if err != nil {
		t.Fatal(err)
	}
	wrong := good
	wrong.Warrants = slices.Clone(good.Warrants)
	wrong.Warrants[1].Signature = wrong.Warrants[0].Signature
	later := p
	later.Head, later.Hash = p.Head-1, p.Hash
	ran, err := Join(y.signed("alice", later), y.signed("bob", later))
	if err != nil {
		t.Fatal(err)
	}
	for _, x := range []struct {
		what string
		r    consensus.Refounding
		want string
	}{
		{"the same signer twice", twice, `signed twice by "alice"`},
		{"a wrong signature", wrong, `the signature of "bob" does not fit the plan`},
		{"an agent that ran since", ran, "its agent ran since the survey"},
	} {
		if _, err := CarryOut(c, x.r); err == nil || !strings.Contains(err.Error(), x.want) {
			t.Errorf("%s: %v, want ...%s...", x.what, err, x.want)
		}
	}
	s, err := disk.Open(disk.Config{Dir: c, Cluster: "shop", Member: "c"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := CarryOut(c, good); !errors.Is(err, disk.ErrInUse) {
		t.Errorf("while an agent runs: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(filepath.Join(c, "ledger.db"), filepath.Join(c, "old.db")); err != nil {
		t.Fatal(err)
	}
	if _, err := CarryOut(c, good); err == nil || !strings.Contains(err.Error(), "no ledger.db is there") {
		t.Errorf("without a ledger: %v", err)
	}
	y.lay("c", 1)
	if _, err := CarryOut(c, good); err == nil || !strings.Contains(err.Error(), "made anew since the survey") {
		t.Errorf("another file: %v", err)
	}
	if _, err := Survey(c); err != nil {
		t.Error("what was refused changed something:", err)
	}
}

func TestFilesThatAreNoneOfOursAreNamed(t *testing.T) {
	y := newYard(t)
	for name, read := range map[string]func(string) error{
		"plan":     func(p string) error { _, err := ReadPlan(p); return err },
		"survivor": func(p string) error { _, err := ReadSurvivor(p); return err },
		"signed":   func(p string) error { _, err := Join(p, p); return err },
	} {
		for what, content := range map[string]string{"nothing": "", "something else": `{"a": 1}`, "an empty one": "{}", "no JSON": "plan"} {
			path := filepath.Join(y.dir, "file")
			if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
			if err := read(path); err == nil || !strings.Contains(err.Error(), path) {
				t.Errorf("%s that holds %s: %v", name, what, err)
			}
		}
		if err := read(filepath.Join(y.dir, "nowhere")); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("%s that is not there: %v", name, err)
		}
	}
}
