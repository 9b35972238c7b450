package consensus

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"go.etcd.io/raft/v3/raftpb"

	"moonwatch/member"
)

// chamber is a council in memory: its effects are carried by hand, 1 ms per
// message and per write.
type chamber struct {
	t       testing.TB
	now     time.Time
	names   []member.ID
	seats   map[member.ID]*seat
	waiting []delivery
}

type seat struct {
	council   *Council
	hard      *raftpb.HardState
	snapshot  *raftpb.Snapshot
	entries   []*raftpb.Entry
	applied   uint64
	commands  []string
	installed [][]byte
	confirmed uint64
	cameUp    uint64
	stalled   bool // its disk
	away      bool // neither sends nor receives
}

type delivery struct {
	at time.Time
	to member.ID
	ev CouncilEvent
}

func newChamber(t testing.TB, names ...member.ID) *chamber {
	t.Helper()
	c := &chamber{t: t, now: noon, names: names, seats: map[member.ID]*seat{}}
	for _, id := range names {
		council, err := newCouncillor(id, names, Saved{}, 1, noon)
		if err != nil {
			t.Fatal(err)
		}
		c.seats[id] = &seat{council: council, applied: 1}
	}
	return c
}

func (c *chamber) step(id member.ID, ev CouncilEvent) {
	s := c.seats[id]
	for _, e := range s.council.Step(c.now, ev) {
		switch e := e.(type) {
		case Persist:
			s.persist(e)
			c.waiting = append(c.waiting, delivery{c.now.Add(time.Millisecond), id, Persisted{Seq: e.Seq}})
		case SendRaft:
			if !s.away {
				c.waiting = append(c.waiting, delivery{c.now.Add(time.Millisecond), e.To, RaftReceived{Message: e.Message}})
			}
		case Committed:
			if e.Raft <= s.applied {
				c.t.Fatalf("%s: raft entry %d after %d", id, e.Raft, s.applied)
			}
			s.applied = e.Raft
			command, _ := Unstamped(e.Entry)
			s.commands = append(s.commands, string(command))
		case Confirmed:
			s.confirmed = e.Round
		case CameUp:
			s.cameUp = e.Round
			s.commands = append(s.commands, "came up")
		case Installed:
			s.installed = append(s.installed, e.Ledger)
		}
	}
}

func (s *seat) persist(p Persist) {
	if p.Hard != nil {
		s.hard = p.Hard
	}
	if p.Snapshot != nil {
		s.snapshot, s.entries = p.Snapshot, nil
		s.applied = p.Snapshot.GetMetadata().GetIndex()
	}
	if len(p.Entries) > 0 {
		first := p.Entries[0].GetIndex()
		s.entries = slices.DeleteFunc(s.entries, func(e *raftpb.Entry) bool { return e.GetIndex() >= first })
		s.entries = append(s.entries, p.Entries...)
	}
}

func (c *chamber) run(d time.Duration) {
	end := c.now.Add(d)
	for {
		at, who := end.Add(1), member.ID("")
		for _, id := range c.names {
			if w := c.seats[id].council.Wake(); w.Before(at) {
				at, who = w, id
			}
		}
		next := -1
		for i, x := range c.waiting {
			s := c.seats[x.to]
			_, write := x.ev.(Persisted)
			if write && s.stalled {
				continue
			}
			if !x.at.After(at) && (next < 0 || x.at.Before(c.waiting[next].at)) {
				next = i
			}
		}
		if next >= 0 {
			x := c.waiting[next]
			c.waiting = slices.Delete(c.waiting, next, next+1)
			if x.at.After(c.now) {
				c.now = x.at
			}
			if _, write := x.ev.(Persisted); write || !c.seats[x.to].away {
				c.step(x.to, x.ev)
			}
			continue
		}
		if at.After(end) {
			c.now = end
			return
		}
		if at.After(c.now) {
			c.now = at
		}
		c.step(who, CouncilWoken{})
	}
}

// leader is who leads in the highest term, and nil while nobody does.
func (c *chamber) leader() member.ID {
	var leader member.ID
	var term uint64
	for _, id := range c.names {
		if l := c.seats[id].council.Leader(); l.Leader == id && l.Term > term {
			leader, term = id, l.Term
		}
	}
	return leader
}

// elect waits for a leader other than those named.
func (c *chamber) elect(within time.Duration, other ...member.ID) member.ID {
	c.t.Helper()
	for end := c.now.Add(within); c.now.Before(end); c.run(50 * time.Millisecond) {
		if l := c.leader(); l != "" && !slices.Contains(other, l) {
			return l
		}
	}
	c.t.Fatalf("no leader within %v", within)
	return ""
}

// restart begins a councillor's next life with what its disk holds.
func (c *chamber) restart(id member.ID) {
	c.t.Helper()
	s := c.seats[id]
	c.waiting = slices.DeleteFunc(c.waiting, func(x delivery) bool { return x.to == id })
	council, err := newCouncillor(id, c.names, Saved{Hard: s.hard, Snapshot: s.snapshot, Entries: s.entries}, s.applied, c.now)
	if err != nil {
		c.t.Fatal(err)
	}
	s.council = council
}

func TestThreeCouncillorsAgree(t *testing.T) {
	c := newChamber(t, "a", "b", "c")
	leader := c.elect(6 * time.Second)
	for i := range 20 {
		c.step(c.names[i%3], Propose{Command: fmt.Appendf(nil, "command %d", i)})
		c.run(20 * time.Millisecond)
	}
	c.run(500 * time.Millisecond)
	want := c.seats[leader].commands
	if len(want) != 20 {
		t.Errorf("%d of 20 commands agreed", len(want))
	}
	for _, id := range c.names {
		if !slices.Equal(c.seats[id].commands, want) {
			t.Errorf("%s has %q, the leader %q", id, c.seats[id].commands, want)
		}
	}
}

func TestALoneCouncillorLeadsItself(t *testing.T) {
	c := newChamber(t, "a")
	c.elect(3 * time.Second)
	c.step("a", Propose{Command: []byte("x")})
	c.run(100 * time.Millisecond)
	if !slices.Equal(c.seats["a"].commands, []string{"x"}) {
		t.Errorf("agreed on %q", c.seats["a"].commands)
	}
}

func TestNothingIsAgreedWithoutAMajority(t *testing.T) {
	c := newChamber(t, "a", "b", "c")
	leader := c.elect(6 * time.Second)
	for _, id := range c.names {
		c.seats[id].away = id != leader
	}
	c.step(leader, Propose{Command: []byte("alone")})
	c.run(5 * time.Second)
	if len(c.seats[leader].commands) != 0 {
		t.Error("one of three agreed with itself")
	}
	if c.seats[leader].council.Leads() {
		t.Error("still leads without a majority for 5 s")
	}
}

func TestAStalledDiskCostsTheLeadership(t *testing.T) {
	c := newChamber(t, "a", "b", "c")
	old := c.elect(6 * time.Second)
	c.seats[old].stalled = true
	c.step(old, Propose{Command: []byte("stuck")})
	next := c.elect(8*time.Second, old)
	c.step(next, Propose{Command: []byte("goes on")})
	c.run(2 * time.Second)
	if !slices.Contains(c.seats[next].commands, "goes on") {
		t.Errorf("the new leader agreed on %q", c.seats[next].commands)
	}
	if c.seats[old].council.Leads() {
		t.Error("the stalled one still holds its office")
	}
	c.seats[old].stalled = false
	c.run(3 * time.Second)
	if !slices.Equal(c.seats[old].commands, c.seats[next].commands) {
		t.Errorf("it came back with %q, want %q", c.seats[old].commands, c.seats[next].commands)
	}
}

func TestASlowLeadersLogHasARepeatedCommandOnce(t *testing.T) {
	c := newChamber(t, "a", "b", "c")
	leader := c.elect(6 * time.Second)
	other := c.names[(slices.Index(c.names, leader)+1)%3]
	c.seats[leader].stalled = true
	for range 4 {
		c.step(leader, Propose{Command: []byte("mine")})
		c.step(other, Propose{Command: []byte("handed on")})
		c.run(100 * time.Millisecond)
	}
	c.seats[leader].stalled = false
	c.run(2 * time.Second)
	got := slices.Sorted(slices.Values(c.seats[leader].commands))
	if !slices.Equal(got, []string{"handed on", "mine"}) {
		t.Errorf("agreed on %q", got)
	}
	c.step(leader, Propose{Command: []byte("mine")})
	c.run(time.Second)
	if n := len(c.seats[leader].commands); n != 3 {
		t.Errorf("%d commands agreed: what was asked for once more afterwards is the ledger's to refuse", n)
	}
}

func TestANewTermTakesARepeatedCommandAgain(t *testing.T) {
	c := newChamber(t, "a", "b", "c")
	old := c.elect(6 * time.Second)
	c.seats[old].away = true
	c.step(old, Propose{Command: []byte("lost with its leader")})
	next := c.elect(8*time.Second, old)
	c.seats[old].away = false
	c.seats[next].away = true
	c.elect(8*time.Second, next)
	c.seats[next].away = false
	for range 20 {
		c.step(old, Propose{Command: []byte("lost with its leader")})
		c.run(100 * time.Millisecond)
	}
	if !slices.Contains(c.seats[old].commands, "lost with its leader") {
		t.Errorf("%s agreed on %q", old, c.seats[old].commands)
	}
}

func TestNothingLeavesBeforeItIsOnDisk(t *testing.T) {
	c := newChamber(t, "a", "b", "c")
	c.elect(6 * time.Second)
	id := c.names[0]
	for _, x := range c.names {
		if x != c.leader() {
			id = x
		}
	}
	leader := c.leader()
	c.seats[id].stalled = true
	c.step(leader, Propose{Command: []byte("x")})
	c.run(200 * time.Millisecond)
	for _, w := range c.waiting {
		if m, ok := w.ev.(RaftReceived); ok && m.Message.GetType() == raftpb.MsgAppResp && c.names[m.Message.GetFrom()-1] == id {
			t.Error("acknowledged an entry that is not on its disk")
		}
	}
	if slices.Contains(c.seats[id].commands, "x") {
		t.Error("applied an entry that is not on its disk")
	}
}

func TestAnOldPersistedIsIgnored(t *testing.T) {
	c := newChamber(t, "a", "b", "c")
	c.elect(6 * time.Second)
	if out := c.seats["a"].council.Step(c.now, Persisted{Seq: 0}); len(out) != 0 {
		t.Errorf("a write that was never asked for released %v", out)
	}
}

func TestARestartedCouncillorAnswersNoVoteRequestForOneElectionTimeOut(t *testing.T) {
	c := newChamber(t, "a", "b", "c")
	leader := c.elect(6 * time.Second)
	c.step(leader, Propose{Command: []byte("x")})
	c.run(300 * time.Millisecond)
	var id, asker member.ID
	for _, x := range c.names {
		switch {
		case x == leader:
		case id == "":
			id = x
		default:
			asker = x
		}
	}
	c.restart(id)
	s := c.seats[id]
	ask := func(term uint64) bool {
		kind := raftpb.MsgPreVote
		from, to := uint64(slices.Index(c.names, asker)+1), uint64(slices.Index(c.names, id)+1)
		logTerm, index := s.hard.GetTerm(), s.applied+100
		for _, e := range s.council.Step(c.now, RaftReceived{Message: &raftpb.Message{
			Type: &kind, From: &from, To: &to, Term: &term, LogTerm: &logTerm, Index: &index,
		}}) {
			if m, ok := e.(SendRaft); ok && m.Message.GetType() == raftpb.MsgPreVoteResp {
				return true
			}
		}
		return false
	}
	c.now = c.now.Add(900 * time.Millisecond)
	if ask(s.hard.GetTerm() + 1) {
		t.Error("answered 900 ms after its restart: the leader that it forgot may still grant")
	}
	c.now = c.now.Add(200 * time.Millisecond)
	if !ask(s.hard.GetTerm() + 1) {
		t.Error("still silent 1.1 s after its restart")
	}
}

func TestARestartForgetsNothing(t *testing.T) {
	c := newChamber(t, "a", "b", "c")
	leader := c.elect(6 * time.Second)
	c.step(leader, Propose{Command: []byte("one")})
	c.run(500 * time.Millisecond)
	for _, id := range c.names {
		c.restart(id)
	}
	next := c.elect(10 * time.Second)
	c.step(next, Propose{Command: []byte("two")})
	c.run(time.Second)
	for _, id := range c.names {
		if !slices.Equal(c.seats[id].commands, []string{"one", "two"}) {
			t.Errorf("%s has %q", id, c.seats[id].commands)
		}
	}
}

func TestAnOffClockMayNotLead(t *testing.T) {
	c := newChamber(t, "a", "b", "c")
	old := c.elect(6 * time.Second)
	c.step(old, ClockJudged{Good: false})
	next := c.elect(5*time.Second, old)
	if c.seats[next].council.Leader().Leader != next {
		t.Fatal("nobody took over")
	}
	for _, id := range c.names {
		if id != old {
			c.seats[id].away = true
		}
	}
	c.run(5 * time.Second)
	for _, id := range c.names {
		c.seats[id].away = false
	}
	c.run(5 * time.Second)
	if c.leader() == old {
		t.Error("it leads again, and its clock is still off")
	}
}

func TestWhoMayNotLeadFindsOutThatNobodyDoes(t *testing.T) {
	c := newChamber(t, "a", "b", "c")
	leader := c.elect(6 * time.Second)
	off := c.names[(slices.Index(c.names, leader)+1)%3]
	c.step(off, ClockJudged{Good: false})
	c.run(3 * time.Second)
	if l := c.seats[off].council.Leader(); l.Leader != leader {
		t.Fatalf("it follows %q, and %s leads", l.Leader, leader)
	}
	for _, id := range c.names {
		c.seats[id].away = id != off
	}
	c.run(5 * time.Second)
	if l := c.seats[off].council.Leader(); l.Leader != "" {
		t.Errorf("it has heard nothing for 5 s and follows %s", l.Leader)
	}
	for _, id := range c.names {
		c.seats[id].away = false
	}
	c.run(4 * time.Second)
	if l := c.seats[off].council.Leader(); l.Leader == "" || l.Leader == off {
		t.Errorf("the others are back, and it follows %q", l.Leader)
	}
}

func TestWhoWasTooFarBehindGetsTheWholeLedger(t *testing.T) {
	c := newChamber(t, "a", "b", "c")
	leader := c.elect(6 * time.Second)
	var late member.ID
	for _, id := range c.names {
		if id != leader {
			late = id
		}
	}
	c.seats[late].away = true
	for i := range 30 {
		c.step(leader, Propose{Command: fmt.Appendf(nil, "command %d", i)})
		c.run(10 * time.Millisecond)
	}
	c.run(500 * time.Millisecond)
	for _, id := range c.names {
		if id == late {
			continue
		}
		if _, err := c.seats[id].council.Compact(c.seats[id].applied, []byte("the whole ledger"), 2); err != nil {
			t.Fatal(err)
		}
	}
	c.seats[late].away = false
	c.run(10 * time.Second)
	s := c.seats[late]
	if len(s.installed) != 1 || string(s.installed[0]) != "the whole ledger" {
		t.Fatalf("installed %q", s.installed)
	}
	c.step(c.leader(), Propose{Command: []byte("after")})
	c.run(time.Second)
	if !slices.Equal(s.commands, []string{"after"}) {
		t.Errorf("after the ledger it got %q", s.commands)
	}
	c.restart(late) // from its snapshot
}

func TestCompactingTwiceIsHarmless(t *testing.T) {
	c := newChamber(t, "a")
	c.elect(3 * time.Second)
	c.step("a", Propose{Command: []byte("x")})
	c.run(100 * time.Millisecond)
	s := c.seats["a"]
	for i := range 2 {
		snap, err := s.council.Compact(s.applied, []byte("ledger"), 0)
		if err != nil || (snap == nil) != (i == 1) {
			t.Errorf("round %d: snapshot %v, %v", i, snap, err)
		}
	}
}

// A learner's ledger comes by the feed, and may be far ahead of its log.
func TestALogThatHasNotComeYetIsNotCompacted(t *testing.T) {
	c, err := newCouncillor("a", []member.ID{"a", "b", "c"}, Saved{}, 1, noon)
	if err != nil {
		t.Fatal(err)
	}
	if snap, err := c.Compact(70, []byte("ledger"), 0); snap != nil || err != nil {
		t.Errorf("snapshot %v, %v", snap, err)
	}
}

// What raft would panic about is a refusal to start that names the entry.
func TestASpoiledDiskIsARefusalToStart(t *testing.T) {
	num := func(n uint64) *uint64 { return &n }
	entries := func(indices ...uint64) []*raftpb.Entry {
		var out []*raftpb.Entry
		for _, i := range indices {
			out = append(out, &raftpb.Entry{Index: num(i), Term: num(1)})
		}
		return out
	}
	snapshot := func(i uint64) *raftpb.Snapshot {
		return &raftpb.Snapshot{Metadata: &raftpb.SnapshotMetadata{
			Index: num(i), Term: num(1), ConfState: &raftpb.ConfState{Voters: []uint64{1, 2, 3}},
		}}
	}
	hard := func(commit uint64) *raftpb.HardState { return &raftpb.HardState{Term: num(1), Commit: num(commit)} }
	founders := []member.ID{"a", "b", "c"}
	for name, c := range map[string]struct {
		saved   Saved
		applied uint64
		want    string // empty: starts
	}{
		"empty":                        {Saved{}, 1, ""},
		"whole":                        {Saved{Hard: hard(4), Entries: entries(2, 3, 4)}, 3, ""},
		"after a snapshot":             {Saved{Hard: hard(9), Snapshot: snapshot(8), Entries: entries(7, 8, 9)}, 8, ""},
		"applied, not marked":          {Saved{Hard: hard(2), Entries: entries(2, 3, 4)}, 4, ""},
		"snapshot newer than the mark": {Saved{Hard: hard(5), Snapshot: snapshot(8)}, 8, ""},
		"hole":                         {Saved{Hard: hard(2), Entries: entries(2, 4)}, 2, "raft entry 4 follows 2"},
		"hole after snapshot":          {Saved{Hard: hard(8), Snapshot: snapshot(8), Entries: entries(10)}, 8, "raft entry 10 follows 8"},
		"log lost":                     {Saved{Hard: hard(7), Entries: entries(2, 3)}, 3, "committed up to raft entry 7, the log ends with 3"},
		"ledger ahead of the log":      {Saved{Hard: hard(3), Entries: entries(2, 3)}, 9, "the ledger stands at raft entry 9, the log ends with 3"},
		"ledger behind the log":        {Saved{Hard: hard(9), Snapshot: snapshot(8), Entries: entries(9)}, 5, "the ledger stands at raft entry 5, the log begins after 8"},
	} {
		_, err := newCouncillor("a", founders, c.saved, c.applied, noon)
		switch {
		case c.want == "" && err != nil:
			t.Errorf("%s: %v", name, err)
		case c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
			t.Errorf("%s: want %q, got %v", name, c.want, err)
		}
	}
	if _, err := newCouncillor("x", founders, Saved{}, 1, noon); err == nil || !strings.Contains(err.Error(), "x is not one of its founders") {
		t.Errorf("a stranger in the council: %v", err)
	}
}

// newCouncillor is one of the founders, under the founding council.
func newCouncillor(id member.ID, founders []member.ID, saved Saved, applied uint64, now time.Time) (*Council, error) {
	seat := Seat{ID: uint64(slices.Index(founders, id) + 1), Member: id}
	return NewCouncil(DefaultCouncil(), seat, founders, *foundingSeats(Genesis{Council: founders}), saved, applied, now)
}
