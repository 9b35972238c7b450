package consensus

import (
	"crypto/ed25519"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"moonwatch/member"
)

// orphans is a fleet of seven whose council of three may be lost.
type orphans struct {
	t    *testing.T
	ca   ed25519.PrivateKey
	root []byte
	keys map[string]ed25519.PrivateKey
}

func newOrphans(t *testing.T) *orphans {
	t.Helper()
	root, ca, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	o := &orphans{t: t, ca: ca, root: root, keys: map[string]ed25519.PrivateKey{}}
	for _, n := range []string{"alice", "bob"} {
		_, o.keys[n], _ = ed25519.GenerateKey(nil)
	}
	return o
}

func (o *orphans) warrant(name string, text []byte) Warrant {
	key := o.keys[name]
	public := key.Public().(ed25519.PublicKey)
	return Warrant{Operator: name, Key: public, Grant: ed25519.Sign(o.ca, GrantText("c", name, public)), Signature: ed25519.Sign(key, text)}
}

// ledger is that of the fleet, with its roster applied.
func (o *orphans) ledger() *Ledger {
	o.t.Helper()
	l := NewLedger()
	if _, err := l.Found(Genesis{Cluster: "c", Root: o.root, Council: []member.ID{"a", "b", "d"}}); err != nil {
		o.t.Fatal(err)
	}
	fl := member.Fleet{Version: 1}
	for i, id := range []member.ID{"a", "b", "c", "d", "e", "f", "g"} {
		fl.Members = append(fl.Members, member.Member{ID: id, Domain: member.FailureDomain("xyz"[i%3 : i%3+1]), Council: id != "g"})
	}
	c, err := NewCommand(KindFleet, "fleet", "a", time.Unix(100, 0), fl)
	if err != nil {
		o.t.Fatal(err)
	}
	w := o.warrant("alice", SignedText("c", c))
	c.Warrant = &w
	b, _ := c.Encode()
	if f, _, err := l.Commit(2, b); err != nil || !f.Accepted {
		o.t.Fatal(err, f.Reason)
	}
	return l
}

// survivor is what is left of a member that has the ledger.
func (o *orphans) survivor(id member.ID, l *Ledger) Survivor {
	s := Survivor{Cluster: "c", Member: id, Disk: "disk-" + string(id), Raft: l.Raft(), In: 3, Term: 3, Seats: l.Seats(), Refounded: l.Refounded(), Sitters: map[member.ID]member.FailureDomain{}}
	h := l.HeadHash()
	s.Agreed = Mark{l.Head(), h[:]}
	s.Log, s.Marks = s.Agreed, []Mark{s.Agreed}
	if seat, ok := l.SeatOf(id, s.Disk, true); ok {
		s.Seat = seat.ID
	}
	for _, m := range l.Roster().Members {
		if m.Council {
			s.Sitters[m.ID] = m.Domain
		}
	}
	return s
}

func (o *orphans) sign(p RefoundPlan, who ...string) Refounding {
	b, err := json.Marshal(p)
	if err != nil {
		o.t.Fatal(err)
	}
	r := Refounding{Plan: b}
	for _, n := range who {
		r.Warrants = append(r.Warrants, o.warrant(n, RefoundText("c", b)))
	}
	return r
}

func (o *orphans) plan(survivors ...Survivor) RefoundPlan {
	o.t.Helper()
	p, _, err := PlanRefounding(survivors, nil, time.Unix(200, 0))
	if err != nil {
		o.t.Fatal(err)
	}
	return p
}

func TestANewCouncilIsFoundedFromWhatSurvived(t *testing.T) {
	o := newOrphans(t)
	l := o.ledger()
	p := o.plan(o.survivor("c", l), o.survivor("d", l), o.survivor("e", l), o.survivor("f", l), o.survivor("g", l))
	if got := holders(p.Council); len(got) != 3 || slices.Contains(got, "g") || !slices.Equal(p.Lost, []member.ID{"a", "b"}) {
		t.Fatalf("council %v, lost %v", got, p.Lost)
	}
	if p.Term <= 3 || p.Council[0].ID != 4 {
		t.Fatalf("%+v: an old councillor could be heard", p)
	}
	f, err := l.Refound(o.sign(p, "alice", "bob"))
	if err != nil {
		t.Fatal(err)
	}
	if l.Refounded() != 1 || l.Councillor("a") || l.SpeaksAs("a", 1) || !l.Councillor(p.Bearer) || l.Seats().Next != 7 {
		t.Fatalf("after %+v: %+v", f, l.Seats())
	}
	follower := o.ledger()
	if f, _, err := follower.Follow(f); err != nil || !f.Accepted || follower.HeadHash() != l.HeadHash() {
		t.Fatalf("who follows: %v, %+v", err, f)
	}
	b, err := l.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	again := NewLedger()
	if err := again.Restore(b); err != nil || again.Refounded() != 1 || again.Refounding() == nil {
		t.Fatalf("restored: %v, %d", err, again.Refounded())
	}
}

func TestARefoundingIsRefused(t *testing.T) {
	o := newOrphans(t)
	l := o.ledger()
	plan := o.plan(o.survivor("c", l), o.survivor("e", l), o.survivor("f", l))
	altered := func(change func(*RefoundPlan)) Refounding {
		p := plan
		p.Council = slices.Clone(plan.Council)
		change(&p)
		return o.sign(p, "alice", "bob")
	}
	stranger := newOrphans(t)
	strange := o.sign(plan, "alice")
	strange.Warrants = append(strange.Warrants, stranger.warrant("bob", RefoundText("c", strange.Plan)))
	forged := o.sign(plan, "alice", "bob")
	forged.Plan = altered(func(p *RefoundPlan) { p.Council[1].Member = "d" }).Plan
	for _, x := range []struct {
		what string
		r    Refounding
		want string
	}{
		{"one operator", o.sign(plan, "alice"), "signed by 1, want two operators"},
		{"nobody", o.sign(plan), "signed by 0, want two operators"},
		{"the same one twice", o.sign(plan, "alice", "alice"), `signed twice by "alice"`},
		{"a stranger", strange, `"bob" has no grant of this cluster's CA`},
		{"another plan than was signed", forged, `the signature of "alice" does not fit the plan`},
		{"another cluster", altered(func(p *RefoundPlan) { p.Cluster = "other" }), "refounding of cluster other, this is c"},
		{"an older ledger", altered(func(p *RefoundPlan) { p.Head-- }), "of a ledger that ends with fact 1"},
		{"another ledger", altered(func(p *RefoundPlan) { p.Hash = make([]byte, 32) }), "of a ledger that ends with fact 2"},
		{"the second before the first", altered(func(p *RefoundPlan) { p.Number = 2 }), "refounding 2: this ledger has 0"},
		{"an old seat", altered(func(p *RefoundPlan) { p.Council[0].ID = 1 }), "seat 1 for"},
		{"an even council", altered(func(p *RefoundPlan) { p.Council = p.Council[:2] }), "a council of 2"},
		{"a seat without a disk", altered(func(p *RefoundPlan) { p.Council[1].Disk = "" }), "its disk is not named"},
		{"who may not sit", altered(func(p *RefoundPlan) { p.Council[1].Member = "g" }), "g may not sit in the council"},
		{"a member with two seats", altered(func(p *RefoundPlan) { p.Council[1].Member = p.Council[0].Member }), "has two seats"},
		{"a bearer without a seat", altered(func(p *RefoundPlan) { p.Bearer = "d" }), "d, whose ledger it is, has no seat"},
	} {
		if _, err := o.ledger().Refound(x.r); err == nil || !strings.Contains(err.Error(), x.want) {
			t.Errorf("%s: %v, want ...%s...", x.what, err, x.want)
		}
	}
}

func TestWhoCannotProveARefoundingIsNotBelieved(t *testing.T) {
	o := newOrphans(t)
	old := o.ledger()
	plan := o.plan(o.survivor("c", old), o.survivor("e", old), o.survivor("f", old))
	if _, anew, err := old.Superseded(o.sign(plan, "alice")); anew || err != nil {
		t.Errorf("one operator's word: %v, %v", anew, err)
	}
	if _, anew, err := old.Superseded(o.sign(plan, "alice", "bob")); !anew || err != nil {
		t.Errorf("two operators' word: %v, %v", anew, err)
	}
	further := o.ledger()
	c, _ := NewCommand(KindDisk, "disk/c", "c", time.Unix(150, 0), Disk{ID: "x"})
	b, _ := c.Encode()
	if _, _, err := further.Commit(3, b); err != nil {
		t.Fatal(err)
	}
	if _, anew, err := further.Superseded(o.sign(plan, "alice", "bob")); !anew || !errors.Is(err, ErrSuperseded) {
		t.Errorf("a ledger that went another way: %v, %v", anew, err)
	}
	if _, err := old.Refound(o.sign(plan, "alice", "bob")); err != nil {
		t.Fatal(err)
	}
	if _, anew, err := old.Superseded(o.sign(plan, "alice", "bob")); anew || err != nil {
		t.Errorf("who has it already: %v, %v", anew, err)
	}
}

func TestTheBestLedgerGoesOn(t *testing.T) {
	o := newOrphans(t)
	l := o.ledger()
	mark := func(index uint64, b byte) Mark { return Mark{index, slices.Repeat([]byte{b}, 32)} }
	at := func(id member.ID, agreed, log Mark, in uint64, marks ...Mark) Survivor {
		s := o.survivor(id, l)
		s.Agreed, s.Log, s.In, s.Marks = agreed, log, in, marks
		return s
	}
	for _, x := range []struct {
		what string
		all  []Survivor
		best member.ID
	}{
		{"the one that has more", []Survivor{at("c", mark(8, 1), mark(8, 1), 1, mark(8, 1)), at("e", mark(9, 1), mark(9, 1), 1, mark(8, 1), mark(9, 1)), at("f", mark(7, 1), mark(7, 1), 1, mark(7, 1))}, "e"},
		{"a log that goes on counts", []Survivor{at("c", mark(8, 1), mark(8, 1), 1, mark(8, 1)), at("e", mark(7, 1), mark(9, 1), 1, mark(7, 1), mark(8, 1), mark(9, 1)), at("f", mark(7, 1), mark(7, 1), 1, mark(7, 1))}, "e"},
		{"not against what is agreed", []Survivor{at("c", mark(8, 1), mark(8, 1), 1, mark(8, 1)), at("e", mark(7, 1), mark(9, 2), 1, mark(7, 1), mark(8, 2), mark(9, 2)), at("f", mark(7, 1), mark(7, 1), 1, mark(7, 1))}, "c"},
		{"the later term, of two logs", []Survivor{at("c", mark(7, 1), mark(8, 1), 5, mark(7, 1), mark(8, 1)), at("e", mark(7, 1), mark(9, 2), 4, mark(7, 1), mark(8, 2), mark(9, 2)), at("f", mark(7, 1), mark(7, 1), 1, mark(7, 1))}, "c"},
	} {
		if p := o.plan(x.all...); p.Bearer != x.best {
			t.Errorf("%s: %s, want %s", x.what, p.Bearer, x.best)
		}
	}
}

func TestAPlanIsNotMade(t *testing.T) {
	o := newOrphans(t)
	l := o.ledger()
	other := o.survivor("e", l)
	other.Cluster = "other"
	for _, x := range []struct {
		what    string
		all     []Survivor
		council []member.ID
		want    string
	}{
		{"of nothing", nil, nil, "no survivor"},
		{"of two clusters", []Survivor{o.survivor("c", l), other}, nil, "e is of cluster other, c of c"},
		{"of one surveyed twice", []Survivor{o.survivor("c", l), o.survivor("c", l)}, nil, "c was surveyed twice"},
		{"while a quorum is left", []Survivor{o.survivor("a", l), o.survivor("b", l), o.survivor("e", l)}, nil, "councillors a, b are left: that is a quorum"},
		{"with somebody unknown", []Survivor{o.survivor("c", l)}, []member.ID{"c", "e", "f"}, "councillor e was not surveyed"},
		{"with two", []Survivor{o.survivor("c", l), o.survivor("e", l)}, []member.ID{"c", "e"}, "a council of 2"},
		{"with one twice", []Survivor{o.survivor("c", l), o.survivor("e", l)}, []member.ID{"c", "e", "e"}, "councillor e is named twice"},
		{"of nobody who may sit", []Survivor{o.survivor("g", l)}, nil, "g: it may not sit in the council"},
	} {
		if _, _, err := PlanRefounding(x.all, x.council, time.Unix(200, 0)); err == nil || !strings.Contains(err.Error(), x.want) {
			t.Errorf("%s: %v, want ...%s...", x.what, err, x.want)
		}
	}
}

func TestAPlanSaysWhatItLoses(t *testing.T) {
	o := newOrphans(t)
	l := o.ledger()
	tail := o.survivor("c", l)
	tail.Log = Mark{4, make([]byte, 32)}
	tail.Marks = append(tail.Marks, tail.Log)
	knows := o.survivor("e", l)
	knows.Remembered = Mark{9, make([]byte, 32)}
	_, warnings, err := PlanRefounding([]Survivor{tail, knows}, nil, time.Unix(200, 0))
	if err != nil {
		t.Fatal(err)
	}
	all := strings.Join(warnings, "\n")
	for _, want := range []string{"the last 2 facts of c stand in its raft log alone", "e knows of facts up to 9, the new council goes on after 4", "the council had 3, the new one has 1"} {
		if !strings.Contains(all, want) {
			t.Errorf("warnings: %s\nwant %s", all, want)
		}
	}
}
