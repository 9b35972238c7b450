package sim

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"hash/fnv"
	"time"

	"moonwatch/consensus"
	"moonwatch/failover"
	"moonwatch/member"
	"moonwatch/mind"
)

// checker judges everything that happens by the promises of the product. It
// keeps its own books, made from facts and from what really happened, and does
// not ask the decisions how they came to theirs. The first broken promise ends
// the run.
//
// It looks at what an event touches; what no single event shows is looked at in
// a sweep once per virtual second, and what only a whole run shows in Audit.
type checker struct {
	w         *World
	broken    *Broken
	looks     [ruleCount]int
	books     books
	throttles *mind.Throttles
	fold      *consensus.Ledger // the agreed story, applied once more
	state     *failover.State
	hash      [sha256.Size]byte
	words     map[saying]spoken
	polls     polls
	calls     map[string]call // commands that were proposed and are not agreed yet
	stand     map[uint64]bool // hashes of those that are
	past      history
	growth    growth
	sweeps    sweeps
	traffic   traffic
	holds     holds
	leases    leaseBook
	stood     map[string]uint64           // commands, by id: their fact
	unheard   map[member.ID]time.Duration // since when nothing of the council comes to an agent
	ways      map[member.ID]wayBack       // of who is to be a spare again
	fits      map[fitting]fitted          // what spares said about other pools
	proofs    map[member.ID]proofBook     // that spares are ready

	before   []consensus.Seat // the voters before the last change of the council
	changed  time.Duration    // when that was
	byPeople bool             // operators write facts to a disk now: those of a refounding, and what it takes for agreed

	limit, limitWas int           // of open subjects, from which on it is a cascade: by this fleet, and by the one before
	limitSince      time.Duration // when this fleet was agreed on
	times, timesWas failover.Timing

	counts    Counts
	acted     time.Duration // when a case's step last began
	Verdicts  int           // that condemned somebody
	Destroyed int           // destructive actions that began
}

func newChecker(w *World) *checker {
	c := &checker{w: w, books: newBooks(), words: map[saying]spoken{}, calls: map[string]call{}, stand: map[uint64]bool{}, growth: newGrowth(), sweeps: newSweeps(), leases: newLeaseBook()}
	c.stood, c.unheard, c.ways = map[string]uint64{}, map[member.ID]time.Duration{}, map[member.ID]wayBack{}
	c.fits, c.polls = map[fitting]fitted{}, newPolls()
	c.proofs = map[member.ID]proofBook{}
	fold := mind.NewFold()
	c.state, c.fold, c.throttles = fold.State, fold.Ledger, fold.Throttles
	return c
}

// call is when a command first came to a councillor's disk, as a part of raft's
// log: whatever becomes of it becomes of it after that.
type call struct {
	at    time.Duration
	tick  int64 // in the order of the checker's history
	by    member.ID
	well  []member.ID // whom it condemns although they were well then, if it is a verdict
	amiss string      // what that leaves out of its counts
}

// persisting notes what a councillor is about to write.
func (c *checker) persisting(m *machine, e mind.Persist) {
	for _, x := range e.Entries {
		b, _ := consensus.Unstamped(x.GetData())
		if len(b) == 0 {
			continue
		}
		if c.stand[hashOf(b)] {
			if m.mind.Leading().Leader == m.id {
				c.w.seldom("duplicate-command")
			}
		} else if _, known := c.calls[string(b)]; !known {
			k := call{at: c.w.now, tick: c.past.next(), by: m.id}
			c.proposes(m, b, &k)
			c.calls[string(b)] = k
		}
	}
}

func hashOf(b []byte) uint64 {
	h := fnv.New64a()
	h.Write(b)
	return h.Sum64()
}

// applied checks a fact that one agent has taken into its ledger.
func (c *checker) applied(m *machine, f consensus.Fact) {
	w := c.w
	c.look(ruleAgree)
	known := w.before + uint64(len(w.facts))
	switch {
	case f.Index <= w.before:
		return // the world began after it
	case f.Index <= known:
		if g := w.facts[f.Index-w.before-1]; g.Hash != f.Hash || g.Accepted != f.Accepted {
			c.fail(ruleAgree, "fact %d of %s is %v %v, others have %v %v", f.Index, m.id, f.Hash, f.Accepted, g.Hash, g.Accepted)
		}
		return
	case f.Index > known+1:
		c.fail(ruleAgree, "%s applied fact %d, the story ends with %d", m.id, f.Index, known)
		return
	}
	w.facts = append(w.facts, f)
	w.note(m.i, fmt.Sprintf("fact %d %s %s %v %s", f.Index, f.Command.Kind, f.Command.ID, f.Accepted, f.Reason))
	c.agreed(f)
	c.chain(f)
	c.aged(f)
	c.once(f)
	old := c.w.seats()
	g, _, err := c.fold.Follow(f)
	if c.fold.Seats().Changed != old.Changed && !c.byPeople {
		c.seated(f, old)
	}
	c.look(ruleAudit)
	switch {
	case err != nil:
		c.fail(ruleAudit, "fact %d: %v", f.Index, err)
		return
	case g.Accepted != f.Accepted || g.Reason != f.Reason:
		c.fail(ruleAudit, "fact %d is %v %q at %s, and %v %q applied again", f.Index, f.Accepted, f.Reason, m.id, g.Accepted, g.Reason)
	}
	if f.Accepted {
		c.compare(c.fact(f))
	}
	delete(c.calls, string(f.Bytes))
	c.stand[hashOf(f.Bytes)] = true
	w.tell(Happening{What: Agreed, Member: m.id, Fact: &f})
}

// agreed checks S7 and S11: at the moment at which the first agent takes a fact
// for agreed, a majority of the councillors' disks has it, and most councillors
// could have been asked within the last while.
func (c *checker) agreed(f consensus.Fact) {
	if f.Command.Kind == consensus.KindGenesis || c.byPeople {
		return // nobody votes on these: founders and operators write them
	}
	c.look(ruleMinority)
	if enough, n, all := c.w.most(func(s consensus.Seat) bool { return c.w.hasFact(s, f) || c.w.justEmptied(s) }); !enough && !c.agreedBefore(f) {
		c.fail(ruleMinority, "fact %d is on %d of %d councillors' disks", f.Index, n, all)
	}
	if since, lost := c.quorumLost(); lost && c.w.now-since > grace {
		c.fail(ruleMinority, "fact %d was agreed %v after most councillors had lost each other", f.Index, c.w.now-since)
	}
}

// onDisks counts the councillors' disks that have a fact.
func (c *checker) onDisks(f consensus.Fact) (n, all int) {
	for _, s := range c.w.seats().Voters {
		if c.w.hasFact(s, f) {
			n++
		}
		all++
	}
	return n, all
}

// agreedBefore reports that the council that was in force before the last change has
// a fact on most of its disks: raft agrees on what stands behind a change in its log
// with the council that it had before it came to the change. That is over within a
// moment: a council that was dissolved agrees on nothing later.
func (c *checker) agreedBefore(f consensus.Fact) bool {
	if c.w.now-c.changed > grace {
		return false
	}
	n := 0
	for _, s := range c.before {
		if c.w.hasFact(s, f) {
			n++
		}
	}
	return 2*n > len(c.before)
}

// justEmptied reports that the disk to which a seat belongs was lost a moment ago: its
// word that it had a fact may still be under way.
func (w *World) justEmptied(s consensus.Seat) bool {
	m := w.machine(s.Member)
	return m.emptied > 0 && w.now-m.emptied < time.Second
}

// hasFact reports that the disk to which a seat belongs has a fact.
func (w *World) hasFact(s consensus.Seat, f consensus.Fact) bool {
	return w.holds(s) && w.machine(s.Member).disk.has(f.Raft, f.Bytes)
}

// chain computes the audit chain once more (S12).
func (c *checker) chain(f consensus.Fact) {
	h := sha256.New()
	h.Write(c.hash[:])
	var n [24]byte
	binary.BigEndian.PutUint64(n[0:], f.Index)
	binary.BigEndian.PutUint64(n[8:], f.Raft)
	binary.BigEndian.PutUint64(n[16:], uint64(f.Time.UnixNano()))
	h.Write(n[:])
	h.Write(f.Bytes)
	h.Sum(c.hash[:0])
	if c.hash != f.Hash {
		c.fail(ruleAudit, "the hash of fact %d is %v, want %x", f.Index, f.Hash, c.hash[:8])
	}
}

// fact checks what an accepted fact allows, books it, and says what it moved.
// The fold has taken it in already, the books have not.
func (c *checker) fact(f consensus.Fact) []move {
	c.books.now = c.w.now
	k, known := c.calls[string(f.Bytes)]
	if !known {
		k = call{at: c.w.now, tick: c.past.next(), by: f.Command.Proposer}
	}
	if said := c.w.said(f.Command.Proposer, f.Command.Time); said < k.at {
		if k.at-said > grace { // it was under way for so long that they may be well again
			k.well = nil
		}
		k.at = said
	}
	switch f.Command.Kind {
	case consensus.KindVerdict:
		v := payload[consensus.Verdict](f)
		for _, x := range v.Findings {
			c.verdict(f, k, v, x)
		}
		c.polls.judges(f, c.w.now, v)
	case failover.KindCaseStep:
		c.caseStep(f, k, payload[failover.CaseStep](f))
	case failover.KindPrepare:
		p := payload[failover.PrepareOrdered](f)
		if x := c.books.cases[p.Case]; x != nil {
			c.calm(f, failover.CaseStep{Case: p.Case, To: failover.Preparing}, x)
		}
		c.heldSpare(f, p.Case, p.Spare)
		c.ready(f, p.Case, p.Spare)
	case failover.KindFits:
		p := payload[failover.Fits](f)
		c.fits[fitting{f.Command.Proposer, p.Pool}] = fitted{p.Good, f.Said()}
	case failover.KindForced:
		p := payload[failover.Forced](f)
		c.counts.Cases++
		c.forces(f, p.Request, f.Index)
		if a := c.books.asked[p.Request]; a != nil {
			c.drain(failover.CaseOpened{Slot: a.Slot})
		}
	case failover.KindBorrowed:
		c.lends(f, payload[failover.SpareBorrowed](f))
	case failover.KindReport:
		c.proves(f)
	case failover.KindDrillEnded:
		c.drillFailed(payload[failover.DrillEnded](f).Member, true)
	case failover.KindCleared:
		c.drillFailed(payload[failover.StrikesCleared](f).Member, false)
	case failover.KindDrill, failover.KindDrillDue:
		c.drills(f, payload[failover.DrillOrdered](f).Member)
	case failover.KindCaseOpened:
		c.counts.Cases++
		c.drain(payload[failover.CaseOpened](f))
	case failover.KindDrain:
		c.drainOrdered(payload[failover.DrainOrdered](f))
	case failover.KindRequest:
		c.books.asks(f, payload[failover.Requested](f), func(x *caseBook) []failover.Scope {
			s := c.scopes(x)
			return append(s[:], failover.HoldOf(x.subject))
		})
	case failover.KindAnswer:
		c.answered(f, payload[failover.Answered](f))
	case failover.KindAnnounced:
		c.books.asked[payload[failover.Announced](f).Request].announced = f.Time
	case consensus.KindFleet:
		c.holds.outlive(c.fold.Fleet())
		defer c.limited()
	case failover.KindBrake:
		b := payload[failover.Brakes](f)
		c.held(f, b)
		c.fell(f, b)
	default: // no promise of its own
	}
	moves, err := c.books.write(f)
	if err != nil {
		c.fail(err.rule, "%s", err.text)
	}
	c.drillsOn(f)
	c.past.book(k, moves)
	c.follows(f, k, moves)
	return moves
}

func payload[T any](f consensus.Fact) T {
	v, err := consensus.DecodePayload[T](f)
	if err != nil {
		panic(fmt.Sprintf("sim: accepted fact %d: %v", f.Index, err))
	}
	return v
}

// see is the checker's own look at everything that happens, before that of other
// onlookers.
func (w *World) see(h Happening) {
	if h.What == ServiceUp {
		if m := w.machine(h.Member); m.running[h.Slot] != nil {
			w.checker.past.runs(h.Member, h.Slot, m.running[h.Slot].epoch)
		}
	}
	w.checker.traffic.weather(h)
	w.assume(h)
	w.notice(h)
}
