package consensus

import (
	"bytes"
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"moonwatch/agent"
	"moonwatch/member"
)

// book writes facts into one ledger and keeps them.
type book struct {
	t      testing.TB
	ledger *Ledger
	facts  []Fact
	raft   uint64
	now    time.Time
}

func newBook(t testing.TB, g Genesis, folders ...Folder) *book {
	t.Helper()
	b := &book{t: t, ledger: NewLedger(folders...), raft: 1, now: noon}
	f, err := b.ledger.Found(g)
	if err != nil {
		t.Fatal(err)
	}
	b.facts = append(b.facts, f)
	return b
}

func (b *book) command(kind FactKind, id string, payload any) Command {
	b.t.Helper()
	c, err := NewCommand(kind, id, "a1", b.now, payload)
	if err != nil {
		b.t.Fatal(err)
	}
	return c
}

func (b *book) commit(c Command) (Fact, bool) {
	b.t.Helper()
	bytes, err := c.Encode()
	if err != nil {
		b.t.Fatal(err)
	}
	b.raft++
	f, fresh, err := b.ledger.Commit(b.raft, bytes)
	if err != nil {
		b.t.Fatal(err)
	}
	if fresh {
		b.facts = append(b.facts, f)
	}
	return f, fresh
}

var unsigned = Genesis{Cluster: "test", Council: []member.ID{"c", "a1", "b"}, Unsigned: true}

func threeMembers() member.Fleet {
	return member.Fleet{Version: 1, Members: []member.Member{
		{ID: "a1", Domain: "a"}, {ID: "b1", Domain: "b"}, {ID: "c1", Domain: "c"},
	}}
}

// wellVoted is a verdict that the ledger takes.
func wellVoted(subject member.ID, kind VerdictKind, by ...member.ID) Verdict {
	c := Count{Assigned: 2, Standing: 2, Eligible: 2, Needed: 2, Downs: len(by)}
	for _, id := range by {
		c.Votes = append(c.Votes, VoteCount{Observer: id, Stance: agent.Down})
	}
	return Verdict{Term: 1, Findings: []Finding{{Subject: subject, Kind: kind, Agent: c, Service: c}}}
}

func TestTheFirstFactIsTheSameForAllFounders(t *testing.T) {
	one := newBook(t, Genesis{Cluster: "x", Council: []member.ID{"a", "b"}})
	two := newBook(t, Genesis{Cluster: "x", Council: []member.ID{"b", "a"}})
	if one.facts[0].Hash != two.facts[0].Hash {
		t.Error("two founders write different first facts")
	}
	if one.ledger.Cluster() != "x" || len(one.ledger.Founders()) != 2 {
		t.Errorf("cluster %q, founders %v", one.ledger.Cluster(), one.ledger.Founders())
	}
	if _, err := one.ledger.Found(unsigned); err == nil {
		t.Error("a cluster was founded twice")
	}
	again, _ := one.commit(one.command(KindGenesis, "second", unsigned))
	if again.Accepted || one.ledger.Cluster() != "x" {
		t.Errorf("a second genesis stands: %q", one.ledger.Cluster())
	}
}

func TestRepeatsLeaveNoFact(t *testing.T) {
	b := newBook(t, unsigned)
	c := b.command(KindFleet, "fleet/1", threeMembers())
	first, fresh := b.commit(c)
	if !fresh || !first.Accepted {
		t.Fatalf("not taken: %s", first.Reason)
	}
	head := b.ledger.HeadHash()
	if _, fresh := b.commit(c); fresh || b.ledger.HeadHash() != head {
		t.Error("the same command stands twice")
	}
	if b.ledger.Raft() != b.raft {
		t.Errorf("raft entry %d was taken in, the ledger says %d", b.raft, b.ledger.Raft())
	}
	if _, fresh, err := b.ledger.Commit(1, []byte("anything")); fresh || err != nil {
		t.Errorf("a raft entry that is taken in already: %v, %v", fresh, err)
	}
}

func TestARefusalIsAFactToo(t *testing.T) {
	b := newBook(t, unsigned)
	bad := threeMembers()
	bad.Version = 9
	f, fresh := b.commit(b.command(KindFleet, "fleet/1", bad))
	if !fresh || f.Accepted || !strings.Contains(f.Reason, "version is 9") || b.ledger.Fleet() != nil {
		t.Errorf("fresh %v, accepted %v: %s", fresh, f.Accepted, f.Reason)
	}
	if b.ledger.Head() != 2 || b.ledger.HeadHash() != f.Hash {
		t.Error("the refusal is not in the chain")
	}
}

func TestLedgerTimeNeverGoesBack(t *testing.T) {
	b := newBook(t, unsigned)
	b.commit(b.command(KindFleet, "fleet/1", threeMembers()))
	b.now = noon.Add(-time.Hour)
	f, _ := b.commit(b.command(KindFleet, "fleet/2", threeMembers()))
	if !f.Time.Equal(noon) {
		t.Errorf("the clock of the proposer is an hour behind: fact at %v", f.Time)
	}
	b.now = noon.Add(time.Hour)
	if f, _ = b.commit(b.command(KindFleet, "fleet/3", threeMembers())); !f.Time.Equal(b.now) {
		t.Errorf("fact at %v, want the proposer's time", f.Time)
	}
}

func TestFollowingNeedsEveryFactUnchanged(t *testing.T) {
	b := newBook(t, unsigned)
	b.commit(b.command(KindFleet, "fleet/1", threeMembers()))
	b.commit(b.command(KindFleet, "fleet/2", threeMembers()))

	follow := func(facts ...Fact) error {
		l := NewLedger()
		for _, f := range facts {
			read, err := DecodeFact(f.Encode())
			if err != nil {
				return err
			}
			if _, _, err := l.Follow(read); err != nil {
				return err
			}
		}
		if l.HeadHash() != b.ledger.HeadHash() {
			return errors.New("another head")
		}
		return nil
	}
	if err := follow(b.facts...); err != nil {
		t.Error(err)
	}
	if err := follow(b.facts[0], b.facts[1], b.facts[1], b.facts[0], b.facts[2]); err != nil {
		t.Errorf("facts that come twice: %v", err)
	}
	if err := follow(b.facts[0], b.facts[2]); !errors.Is(err, ErrGap) {
		t.Errorf("a fact is missing: %v", err)
	}
	forged := b.facts[1]
	forged.Bytes = bytes.Replace(forged.Bytes, []byte(`"b1"`), []byte(`"x1"`), 1)
	if err := follow(b.facts[0], forged, b.facts[2]); !errors.Is(err, ErrChain) {
		t.Errorf("a byte was altered: %v", err)
	}
	late := b.facts[1]
	late.Time = late.Time.Add(1)
	if err := follow(b.facts[0], late, b.facts[2]); !errors.Is(err, ErrChain) {
		t.Errorf("a time was altered: %v", err)
	}
}

func TestWhatIsNoFactIsRefused(t *testing.T) {
	b := newBook(t, unsigned)
	good := b.facts[0].Encode()
	other := bytes.Clone(good)
	other[1] = FormatVersion + 1
	for _, bad := range [][]byte{nil, []byte("F"), []byte(strings.Repeat("x", 200)), good[:len(good)-1], other} {
		if _, err := DecodeFact(bad); err == nil {
			t.Errorf("%d bytes %q were taken for a fact", len(bad), bad[:min(len(bad), 8)])
		}
	}
	for _, bad := range []string{"", "{", `{"id":"x"}`, `{"kind":"x"}`} {
		if _, _, err := b.ledger.Commit(99, []byte(bad)); err == nil {
			t.Errorf("%q was taken for a command", bad)
		}
	}
}

func TestACommandIsAtMost64KiB(t *testing.T) {
	c, err := NewCommand("x", "x", "a1", noon, strings.Repeat("x", MaxCommand))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Encode(); err == nil || !strings.Contains(err.Error(), "want at most 65536") {
		t.Errorf("a command above the limit: %v", err)
	}
	if _, err := NewCommand("x", "x", "a1", noon, func() {}); err == nil {
		t.Error("a payload that cannot be written down")
	}
}

func TestAnUnknownKindIsKeptAndStopsDeciding(t *testing.T) {
	for name, spoil := range map[string]func(*Command){
		"kind":   func(c *Command) { c.Kind = "levitation" },
		"format": func(c *Command) { c.Format = FormatVersion + 1 },
	} {
		b := newBook(t, unsigned)
		if b.ledger.Blocked() != "" {
			t.Fatal("blocked from the start")
		}
		c := b.command(KindFleet, "new", threeMembers())
		spoil(&c)
		f, fresh := b.commit(c)
		if !fresh || b.ledger.HeadHash() != f.Hash {
			t.Errorf("%s: the fact is not kept", name)
		}
		if !strings.Contains(b.ledger.Blocked(), "upgrade") {
			t.Errorf("%s: still deciding: %q", name, b.ledger.Blocked())
		}
		snap, err := b.ledger.Snapshot()
		if err != nil {
			t.Fatal(err)
		}
		restored := NewLedger()
		if err := restored.Restore(snap); err != nil || restored.Blocked() == "" {
			t.Errorf("%s: after a restart it decides again (%v)", name, err)
		}
	}
}

// operator signs commands of cluster test under a CA.
type operator struct {
	root ed25519.PrivateKey
	key  ed25519.PrivateKey
}

func seeded(b byte) ed25519.PrivateKey {
	return ed25519.NewKeyFromSeed(bytes.Repeat([]byte{b}, ed25519.SeedSize))
}

func public(k ed25519.PrivateKey) ed25519.PublicKey { return k.Public().(ed25519.PublicKey) }

func (o operator) sign(cluster string, c Command) Command {
	c.Warrant = &Warrant{Operator: "ann", Key: public(o.key)}
	c.Warrant.Grant = ed25519.Sign(o.root, GrantText(cluster, "ann", public(o.key)))
	c.Warrant.Signature = ed25519.Sign(o.key, SignedText(cluster, c))
	return c
}

func TestOnlyAnOperatorOfThisClusterChangesTheFleet(t *testing.T) {
	ca := seeded(1)
	ann := operator{root: ca, key: seeded(2)}
	for name, c := range map[string]struct {
		make func(Command) Command
		want bool
	}{
		"signed":          {func(c Command) Command { return ann.sign("test", c) }, true},
		"unsigned":        {func(c Command) Command { return c }, false},
		"another cluster": {func(c Command) Command { return ann.sign("other", c) }, false},
		"another CA":      {func(c Command) Command { return operator{root: seeded(3), key: seeded(2)}.sign("test", c) }, false},
		"another key": {func(c Command) Command {
			c = ann.sign("test", c)
			c.Warrant.Signature = ed25519.Sign(seeded(4), SignedText("test", c))
			return c
		}, false},
		"another operator's grant": {func(c Command) Command {
			c = ann.sign("test", c)
			c.Warrant.Operator = "bob"
			return c
		}, false},
		"altered payload": {func(c Command) Command {
			c = ann.sign("test", c)
			c.Payload = json.RawMessage(bytes.Replace(c.Payload, []byte("b1"), []byte("x1"), 1))
			return c
		}, false},
		"altered time": {func(c Command) Command {
			c = ann.sign("test", c)
			c.Time = c.Time.Add(time.Second)
			return c
		}, false},
		"another id": {func(c Command) Command {
			c = ann.sign("test", c)
			c.ID = "played again"
			return c
		}, false},
		"a key of no length": {func(c Command) Command {
			c = ann.sign("test", c)
			c.Warrant.Key = nil
			return c
		}, false},
	} {
		b := newBook(t, Genesis{Cluster: "test", Root: public(ca), Council: []member.ID{"a1"}})
		f, _ := b.commit(c.make(b.command(KindFleet, "fleet/1", threeMembers())))
		if f.Accepted != c.want || !c.want && !strings.Contains(f.Reason, ErrNoWarrant.Error()) {
			t.Errorf("%s: accepted %v: %s", name, f.Accepted, f.Reason)
		}
	}
}

func TestTheLedgerCountsTheVotesItself(t *testing.T) {
	for name, c := range map[string]struct {
		verdict Verdict
		want    string // empty: accepted
	}{
		"two of two":      {wellVoted("a1", VerdictDown, "b1", "c1"), ""},
		"one of two":      {wellVoted("a1", VerdictDown, "b1"), "1 down votes, want 2"},
		"one twice":       {wellVoted("a1", VerdictDown, "b1", "b1"), "1 down votes, want 2"},
		"the subject":     {wellVoted("a1", VerdictDown, "b1", "a1"), "a1 is not one of its observers"},
		"a stranger":      {wellVoted("a1", VerdictDown, "b1", "x1"), "x1 is not one of its observers"},
		"on a stranger":   {wellVoted("x1", VerdictDown, "b1", "c1"), "not in the roster"},
		"of no kind":      {wellVoted("a1", "wounded", "b1", "c1"), "unknown kind"},
		"on nobody":       {Verdict{Term: 1}, "verdict about nobody"},
		"up for nothing":  {wellVoted("a1", VerdictUp), "under no verdict"},
		"partial":         {wellVoted("a1", VerdictPartial), ""},
		"service, no one": {wellVoted("a1", VerdictServiceDown, "b1"), "1 down votes, want 2"},
	} {
		b := newBook(t, unsigned)
		b.commit(b.command(KindFleet, "fleet/1", threeMembers()))
		f, _ := b.commit(b.command(KindVerdict, "v", c.verdict))
		if f.Accepted != (c.want == "") || !strings.Contains(f.Reason, c.want) {
			t.Errorf("%s: accepted %v: %s; want %q", name, f.Accepted, f.Reason, c.want)
		}
	}
}

func TestAVerdictIsFollowedByAGraverOneOrByUp(t *testing.T) {
	kinds := []VerdictKind{VerdictPartial, VerdictAgentLost, VerdictServiceDown, VerdictDomainCut, VerdictDown}
	rank := map[VerdictKind]int{VerdictPartial: 1, VerdictAgentLost: 2, VerdictServiceDown: 2, VerdictDomainCut: 3, VerdictDown: 4}
	for _, old := range kinds {
		for _, next := range kinds {
			b := newBook(t, unsigned)
			b.commit(b.command(KindFleet, "fleet/1", threeMembers()))
			b.commit(b.command(KindVerdict, "v1", wellVoted("a1", old, "b1", "c1")))
			b.now = noon.Add(time.Second)
			f, _ := b.commit(b.command(KindVerdict, "v2", wellVoted("a1", next, "b1", "c1")))
			if f.Accepted != (rank[next] > rank[old]) {
				t.Errorf("%s after %s: accepted %v", next, old, f.Accepted)
			}
			if s, _ := b.ledger.Standing("a1"); !s.Since.Equal(noon) {
				t.Errorf("%s after %s: in trouble since %v, want since the first verdict", next, old, s.Since)
			}
			if up, _ := b.commit(b.command(KindVerdict, "v3", wellVoted("a1", VerdictUp))); !up.Accepted {
				t.Errorf("up after %s: %s", old, up.Reason)
			}
			if len(b.ledger.Condemned()) != 0 {
				t.Errorf("condemned after up: %v", b.ledger.Condemned())
			}
		}
	}
}

func TestAQuietDayClearsTheRecord(t *testing.T) {
	b := newBook(t, unsigned)
	b.commit(b.command(KindFleet, "fleet/1", threeMembers()))
	fall := func(want int) {
		t.Helper()
		b.commit(b.command(KindVerdict, fmt.Sprint("down", b.raft), wellVoted("a1", VerdictDown, "b1", "c1")))
		b.commit(b.command(KindVerdict, fmt.Sprint("up", b.raft), wellVoted("a1", VerdictUp)))
		if got := b.ledger.Record("a1").Downs; got != want {
			t.Errorf("fallen %d times, want %d", got, want)
		}
	}
	fall(1)
	b.now = b.now.Add(23 * time.Hour)
	fall(2)
	b.now = b.now.Add(25 * time.Hour)
	fall(1)
}

// register is a Folder that remembers what it was given.
type register struct{ Lines []string }

func (r *register) Name() string             { return "register" }
func (r *register) Knows(kind FactKind) bool { return kind == "line" || kind == "refused" }
func (r *register) Check(f Fact) error {
	if f.Command.Kind == "refused" {
		return errors.New("as always")
	}
	return nil
}

func (r *register) Apply(f Fact) {
	if f.Command.Kind == "line" {
		r.Lines = append(r.Lines, string(f.Command.Payload))
	}
}
func (r *register) Snapshot() (json.RawMessage, error) { return json.Marshal(r) }
func (r *register) Restore(b json.RawMessage) error {
	r.Lines = nil
	return json.Unmarshal(b, r)
}

// A ledger that was restored from a snapshot anywhere on the way goes on as if
// it had seen every fact, repeats and refusals included.
func TestASnapshotIsAsGoodAsTheFacts(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		b := newBook(t, unsigned, &register{})
		n := rapid.IntRange(1, 30).Draw(rt, "facts")
		cut := rapid.IntRange(0, n).Draw(rt, "snapshot after")
		var other *Ledger
		for i := range n + 1 {
			if i == cut {
				snap, err := b.ledger.Snapshot()
				if err != nil {
					rt.Fatal(err)
				}
				other = NewLedger(&register{})
				if err := other.Restore(snap); err != nil {
					rt.Fatal(err)
				}
				if head, err := SnapshotHead(snap); err != nil || head != b.ledger.Head() {
					rt.Fatalf("snapshot at fact %d: %d, %v", b.ledger.Head(), head, err)
				}
			}
			b.now = b.now.Add(time.Duration(rapid.IntRange(-1000, 5000).Draw(rt, "ms")) * time.Millisecond)
			id := fmt.Sprint("c", rapid.IntRange(0, 20).Draw(rt, "id"))
			var c Command
			switch rapid.IntRange(0, 4).Draw(rt, "kind") {
			case 0:
				c = b.command(KindFleet, id, threeMembers())
			case 1:
				c = b.command(KindVerdict, id, wellVoted("a1", rapid.SampledFrom([]VerdictKind{VerdictDown, VerdictPartial, VerdictUp}).Draw(rt, "verdict"), "b1", "c1"))
			case 2:
				c = b.command("refused", id, 1)
			default:
				c = b.command("line", id, i)
			}
			before := len(b.facts)
			b.commit(c)
			if other == nil {
				continue
			}
			for _, f := range b.facts[before:] {
				read, err := DecodeFact(f.Encode())
				if err != nil {
					rt.Fatal(err)
				}
				got, _, err := other.Follow(read)
				if err != nil || got.Accepted != f.Accepted || got.Reason != f.Reason {
					rt.Fatalf("fact %d: accepted %v (%s), elsewhere %v (%s), %v", f.Index, f.Accepted, f.Reason, got.Accepted, got.Reason, err)
				}
			}
		}
		one, err1 := b.ledger.Snapshot()
		two, err2 := other.Snapshot()
		if err1 != nil || err2 != nil {
			rt.Fatal(err1, err2)
		}
		// A repeat moves raft's index and leaves no fact for followers.
		if b.ledger.Raft() == other.Raft() && !bytes.Equal(one, two) {
			rt.Fatalf("the states differ:\n%s\n%s", one, two)
		}
		if b.ledger.HeadHash() != other.HeadHash() {
			rt.Fatal("the chains differ")
		}
	})
}

func TestASpoiledSnapshotIsRefused(t *testing.T) {
	for _, bad := range []string{"", "{", `{"state":{"head":3,"hash":"AAAA"}}`} {
		if err := NewLedger().Restore([]byte(bad)); err == nil {
			t.Errorf("%q was restored", bad)
		}
	}
	if _, err := SnapshotHead([]byte("{")); err == nil {
		t.Error("a snapshot without an end has a head")
	}
}

func TestAFolderMayRefuse(t *testing.T) {
	b := newBook(t, unsigned, &register{})
	f, _ := b.commit(b.command("refused", "x", 1))
	if f.Accepted || f.Reason != "as always" || b.ledger.Blocked() != "" {
		t.Errorf("accepted %v: %s; blocked: %q", f.Accepted, f.Reason, b.ledger.Blocked())
	}
}
