package consensus

import (
	"crypto/ed25519"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"moonwatch/member"
)

// keyed is a ledger of a cluster whose CA and operators really sign.
type keyed struct {
	*Ledger
	t    *testing.T
	ca   ed25519.PrivateKey
	raft uint64
}

func seedKey(name string) ed25519.PrivateKey {
	seed := make([]byte, ed25519.SeedSize)
	copy(seed, name)
	return ed25519.NewKeyFromSeed(seed)
}

func pubOf(name string) []byte { return seedKey(name).Public().(ed25519.PublicKey) }

func newKeyed(t *testing.T, council ...member.ID) *keyed {
	t.Helper()
	k := &keyed{Ledger: NewLedger(), t: t, ca: seedKey("ca"), raft: 1}
	if _, err := k.Found(Genesis{Cluster: "shop", Root: pubOf("ca"), Council: council}); err != nil {
		t.Fatal(err)
	}
	f := member.Fleet{Version: 1}
	for _, id := range []member.ID{"a", "b", "c", "d", "e"} {
		f.Members = append(f.Members, member.Member{ID: id, Domain: member.FailureDomain(id)})
	}
	if f := k.signed("alice", KindFleet, f); !f.Accepted {
		t.Fatal(f.Reason)
	}
	return k
}

// signed commits what an operator orders.
func (k *keyed) signed(by string, kind FactKind, payload any) Fact {
	k.t.Helper()
	k.raft++
	c, err := NewCommand(kind, fmt.Sprintf("%s-%d", kind, k.raft), "a", time.Unix(int64(k.raft), 0), payload)
	if err != nil {
		k.t.Fatal(err)
	}
	c.Warrant = &Warrant{Operator: by, Key: pubOf(by), Grant: ed25519.Sign(k.ca, GrantText("shop", by, pubOf(by)))}
	c.Warrant.Signature = ed25519.Sign(seedKey(by), SignedText("shop", c))
	b, err := c.Encode()
	if err != nil {
		k.t.Fatal(err)
	}
	f, _, err := k.Commit(k.raft, b)
	if err != nil {
		k.t.Fatal(err)
	}
	return f
}

func TestAWithdrawnOperatorOrdersNothing(t *testing.T) {
	k := newKeyed(t, "a", "b", "c")
	if f := k.signed("bob", KindRevoked, Revoke{Operator: "alice", Key: pubOf("alice"), Reason: "her laptop is gone"}); !f.Accepted {
		t.Fatal(f.Reason)
	}
	f := k.signed("alice", KindFleet, member.Fleet{Version: 1})
	if f.Accepted || !strings.Contains(f.Reason, "the key of operator alice was withdrawn in fact 3: her laptop is gone") {
		t.Errorf("accepted: %v, %s", f.Accepted, f.Reason)
	}
	if f := k.signed("alice", KindRevoked, Revoke{Operator: "bob", Key: pubOf("bob"), Reason: "revenge"}); f.Accepted {
		t.Error("a withdrawn key withdraws another one")
	}
	if f := k.signed("bob", KindFleet, *k.Fleet()); !f.Accepted {
		t.Errorf("bob is refused: %s", f.Reason)
	}
	if err := k.FromOperator(Command{Warrant: &Warrant{Operator: "alice", Key: pubOf("alice")}}); !errors.Is(err, ErrNoWarrant) {
		t.Errorf("a hold that is gossiped: %v", err)
	}
}

func TestRevocationsAreChecked(t *testing.T) {
	k := newKeyed(t, "a", "b", "c")
	long := strings.Repeat("x", 300)
	for name, x := range map[string]struct {
		revoke Revoke
		say    string
	}{
		"nobody":     {Revoke{Key: pubOf("x"), Reason: "why"}, "want a member or an operator"},
		"both":       {Revoke{Member: "d", Operator: "bob", Key: pubOf("x"), Reason: "why"}, "want a member or an operator"},
		"no key":     {Revoke{Member: "d", Reason: "why"}, "a key of 0 bytes, want 32"},
		"no reason":  {Revoke{Member: "d", Key: pubOf("x")}, "a reason of 0 bytes"},
		"a novel":    {Revoke{Member: "d", Key: pubOf("x"), Reason: long}, "a reason of 300 bytes"},
		"a long one": {Revoke{Member: member.ID(long), Key: pubOf("x"), Reason: "why"}, "the name is too long"},
	} {
		if f := k.signed("alice", KindRevoked, x.revoke); f.Accepted || !strings.Contains(f.Reason, x.say) {
			t.Errorf("%s: accepted %v, %s", name, f.Accepted, f.Reason)
		}
	}
	if f := k.signed("alice", KindRevoked, Revoke{Member: "gone-long-ago", Key: pubOf("x"), Reason: "its disk was sold"}); !f.Accepted {
		t.Errorf("of a member that is in no roster: %s", f.Reason)
	}
	if f := k.signed("alice", KindRevoked, Revoke{Member: "gone-long-ago", Key: pubOf("x"), Reason: "again"}); f.Accepted || !strings.Contains(f.Reason, "already") {
		t.Errorf("twice: %v %s", f.Accepted, f.Reason)
	}
	c, err := NewCommand(KindRevoked, "unsigned", "a", time.Unix(100, 0), Revoke{Member: "d", Key: pubOf("d"), Reason: "why"})
	if err != nil {
		t.Fatal(err)
	}
	b, err := c.Encode()
	if err != nil {
		t.Fatal(err)
	}
	if f, _, _ := k.Commit(1000, b); f.Accepted {
		t.Error("root on one member withdraws another one's certificate")
	}
}

func TestTheCouncilKeepsItsQuorum(t *testing.T) {
	k := newKeyed(t, "a", "b", "c")
	revoke := func(id member.ID, force bool) Fact {
		return k.signed("alice", KindRevoked, Revoke{Member: id, Key: pubOf(string(id)), Reason: "stolen", Force: force})
	}
	if f := revoke("d", false); !f.Accepted {
		t.Fatalf("one without a seat: %s", f.Reason)
	}
	if f := revoke("a", false); !f.Accepted {
		t.Fatalf("the first councillor: %s", f.Reason)
	}
	f := revoke("b", false)
	if f.Accepted || !strings.Contains(f.Reason, "without b 1 of 3 councillors are left, and 2 are wanted ([a] cannot be counted on)") {
		t.Errorf("the second: %v %s", f.Accepted, f.Reason)
	}
	if f := revoke("b", true); !f.Accepted {
		t.Errorf("the second, forced: %s", f.Reason)
	}
	if _, is := k.Refuses(pubOf("b")); !is || len(k.Revocations()) != 3 {
		t.Errorf("revocations: %+v", k.Revocations())
	}

	// They are in snapshots, and those who have read them keep what they read.
	before := k.Revocations()
	b, err := k.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	l := NewLedger()
	if err := l.Restore(b); err != nil {
		t.Fatal(err)
	}
	if r, is := l.Refuses(pubOf("a")); !is || r.By != "alice" || r.Whose() != "member a" {
		t.Errorf("restored: %+v", r)
	}
	revoke("e", true)
	if len(before) != 3 {
		t.Error("a list that was handed out has grown")
	}
	// Alone in the council: without it there is none.
	one := newKeyed(t, "a")
	if err := one.MayExpel("a"); err == nil {
		t.Error("the only councillor may go")
	}
	if err := one.MayExpel("stranger"); err != nil {
		t.Errorf("whoever has no seat: %v", err)
	}
}

// TestAnExpelledMemberGetsNoSeat, until it is called up again.
func TestAnExpelledMemberGetsNoSeat(t *testing.T) {
	l := newOrphans(t).ledger() // a, b and d sit there
	now := time.Unix(1000, 0)
	l.s.Disks = map[member.ID]Disk{"c": {ID: "disk-c"}, "e": {ID: "disk-e"}}
	care := func() string {
		t.Helper()
		w := Warmth{Agreed: 5, Has: map[uint64]uint64{}}
		for _, x := range l.Seats().Learners {
			w.Has[x.ID] = 5
		}
		r, waits := l.Care(now, w, func(member.ID) string { return "" })
		if r == nil {
			return waits
		}
		return fmt.Sprintf("%s %s", r.Do, r.Member)
	}
	want := func(when, what string) {
		t.Helper()
		if got := care(); got != what {
			t.Errorf("%s: %q, want %q", when, got, what)
		}
	}
	want("c has a failure domain of its own", "learn c")
	l.s.Revoked = []Revoked{{Member: "c", Key: pubOf("c"), At: now}}
	want("c is withdrawn", "learn e")

	seats := l.Seats()
	seats.Learners = []Seat{{ID: 4, Member: "c", Disk: "disk-c"}, {ID: 5, Member: "e", Disk: "disk-e"}}
	l.s.Seats = &seats
	l.s.Standing["b"] = Standing{Kind: VerdictDown, At: now.Add(-time.Hour)}
	want("both are learners", "swap e")
	seats.Learners = seats.Learners[:1]
	l.s.Disks = map[member.ID]Disk{"c": {ID: "disk-c"}}
	want("c alone is one", "councillor b is lost (down): no learner has caught up")

	l.s.Records["c"] = Record{LastUp: now}
	want("called up in the same moment", "councillor b is lost (down): no learner has caught up")
	l.s.Records["c"] = Record{LastUp: now.Add(time.Second)}
	want("called up since", "swap c")
	if l.Expels(Revoked{Operator: "bob", Key: pubOf("bob"), At: now}) {
		t.Error("an operator's key expels a member")
	}
}
