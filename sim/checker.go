package sim

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"time"

	"moonwatch/agent"
	"moonwatch/consensus"
	"moonwatch/failover"
	"moonwatch/member"
	"moonwatch/mind"
)

// checker judges everything that happens by the promises of the product
// (DESIGN 1). It keeps its own books, made from facts and from what really
// happened, and does not ask the decisions how they came to theirs. The first
// broken promise ends the run.
type checker struct {
	w      *World
	broken error
	books  books
	fold   *consensus.Ledger // the agreed story, applied once more
	state  *failover.State
	hash   [sha256.Size]byte
	words  map[saying]time.Duration

	Verdicts  int // that condemned somebody
	Destroyed int // destructive actions that began
}

// saying is one observer's word against one subject.
type saying struct {
	observer, subject member.ID
	kind              agent.Kind
}

func newChecker(w *World) *checker {
	c := &checker{w: w, books: newBooks(), words: map[saying]time.Duration{}}
	c.state = failover.NewState()
	c.fold = consensus.NewLedger(c.state)
	c.state.Bind(c.fold)
	return c
}

func (c *checker) fail(format string, args ...any) {
	if c.broken == nil {
		c.broken = fmt.Errorf("seed %d at %v: "+format, append([]any{c.w.cfg.Seed, c.w.now}, args...)...)
	}
}

// applied checks a fact that one agent has taken into its ledger.
func (c *checker) applied(m *machine, f consensus.Fact) {
	w := c.w
	switch {
	case f.Index <= w.before+uint64(len(w.facts)):
		if f.Index <= w.before {
			return
		}
		if g := w.facts[f.Index-w.before-1]; g.Hash != f.Hash || g.Accepted != f.Accepted {
			c.fail("promise 8: fact %d of %s is %v %v, others have %v %v", f.Index, m.id, f.Hash, f.Accepted, g.Hash, g.Accepted)
		}
		return
	case f.Index > w.before+uint64(len(w.facts))+1:
		c.fail("promise 8: %s applied fact %d, the story ends with %d", m.id, f.Index, w.before+uint64(len(w.facts)))
		return
	}
	w.facts = append(w.facts, f)
	w.note(m.i, fmt.Sprintf("fact %d %s %s %v %s", f.Index, f.Command.Kind, f.Command.ID, f.Accepted, f.Reason))
	c.agreed(f)
	c.chain(f)
	if _, _, err := c.fold.Follow(f); err != nil {
		c.fail("promise 8: %v", err)
		return
	}
	if f.Accepted {
		c.fact(f)
	}
	c.compare()
	w.tell(Happening{What: Agreed, Member: m.id, Fact: &f})
}

// agreed checks promises 2 and 8: at the moment at which the first agent takes
// a fact for agreed, a majority of the councillors' disks has it.
func (c *checker) agreed(f consensus.Fact) {
	if f.Command.Kind == consensus.KindGenesis {
		return // every founder writes it for itself
	}
	n := 0
	for _, id := range c.w.cfg.Council {
		if c.w.machine(id).disk.has(f.Raft, f.Bytes) {
			n++
		}
	}
	if 2*n <= len(c.w.cfg.Council) {
		c.fail("promise 2: fact %d is on %d of %d councillors' disks", f.Index, n, len(c.w.cfg.Council))
	}
}

// chain computes the audit chain once more (promise 8).
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
		c.fail("promise 8: the hash of fact %d is %v, want %x", f.Index, f.Hash, c.hash[:8])
	}
}

// fact checks what an accepted fact allows, and books it.
func (c *checker) fact(f consensus.Fact) {
	switch f.Command.Kind {
	case consensus.KindVerdict:
		v := payload[consensus.Verdict](f)
		for _, x := range v.Findings {
			c.verdict(f, x)
		}
	case failover.KindCaseStep:
		c.caseStep(f, payload[failover.CaseStep](f))
	case failover.KindCaseOpened:
		c.drain(payload[failover.CaseOpened](f))
	default: // no promise of its own
	}
	if err := c.books.write(f); err != nil {
		c.fail("%v", err)
	}
}

func payload[T any](f consensus.Fact) T {
	v, err := consensus.DecodePayload[T](f)
	if err != nil {
		panic(fmt.Sprintf("sim: accepted fact %d: %v", f.Index, err))
	}
	return v
}

// wordLife is how long an observer's down vote may count: its own life of up to
// 15 s in a mass failure, and the time on its way.
const wordLife = 16 * time.Second

// said books what an observer really said.
func (c *checker) said(m *machine, st agent.Statement) {
	for _, v := range st.Votes {
		if v.Stance == agent.Down {
			c.words[saying{m.id, v.Subject, v.Kind}] = c.w.now
		}
	}
}

// verdict checks promise 1: an observer quorum behind it, of observers that
// really said so, and a member that is really in trouble.
//
// It is judged as of its proposal. A council that loses its quorum for a while
// may commit afterwards what its leader had proposed before; no ledger can tell
// that from a slow disk. Such a verdict is true, and late: nothing irreversible
// follows from it without a second roll call.
func (c *checker) verdict(f consensus.Fact, x consensus.Finding) {
	proposed := c.w.said(f.Command.Proposer, f.Command.Time)
	if x.Kind == consensus.VerdictUp || x.Kind == consensus.VerdictPartial {
		return
	}
	c.Verdicts++
	count, kind := x.Agent, agent.OfAgent
	if x.Kind == consensus.VerdictServiceDown {
		count, kind = x.Service, agent.OfService
	}
	downs := map[member.ID]bool{}
	for _, v := range count.Votes {
		if v.Stance != agent.Down {
			continue
		}
		downs[v.Observer] = true
		if said, ok := c.words[saying{v.Observer, x.Subject, kind}]; !ok || proposed-said > wordLife {
			c.fail("promise 1: %s on %s counts a vote that %s has not cast", x.Kind, x.Subject, v.Observer)
		}
	}
	if len(downs) < 2 || len(downs)*10 < count.Eligible*6 {
		c.fail("promise 1: %s on %s with %d down votes of %d eligible", x.Kind, x.Subject, len(downs), count.Eligible)
	}
	m := c.w.machine(x.Subject)
	switch {
	case c.w.now-proposed > grace, !m.well(c.w.machine(f.Command.Proposer)):
	case x.Kind == consensus.VerdictServiceDown && !c.books.serves(m):
	default:
		c.fail("promise 1: %s on %s, which is well", x.Kind, x.Subject)
	}
}

// caseStep checks promises 2 to 6 where a case does what cannot be undone.
func (c *checker) caseStep(f consensus.Fact, p failover.CaseStep) {
	destructive := p.To == failover.Fencing || p.To == failover.Restarting || p.To == failover.Activating
	if !destructive {
		return
	}
	if mode := c.books.mode; mode == failover.Cascade {
		c.fail("promise 6: C-%d goes to %s in cascade", p.Case, p.To)
	}
	if n, limit := len(c.books.unsettled()), cascadeAt(len(c.books.roster)); n >= limit {
		c.fail("promise 6: C-%d goes to %s with %d members condemned, cascade from %d", p.Case, p.To, n, limit)
	}
	if p.To != failover.Fencing {
		return
	}
	window := failover.TimingOf(c.fold.Fleet().Profile).BudgetWindow
	n := len(c.books.roster)
	if spent := c.books.spent(f.Time, window); spent >= max(2, n/10) {
		c.fail("promise 6: replacement %d within %v, at most %d", spent+1, window, max(2, n/10))
	}
	if flying := c.books.inFlight(); flying >= max(1, n/20) {
		c.fail("promise 6: replacement %d at once, at most %d", flying+1, max(1, n/20))
	}
}

// cascadeAt is PROTOCOL 7's count of open subjects, worked out once more.
func cascadeAt(n int) int { return max(2, min(max(3, (n+4)/5), (n+1)/2)) }

// drain checks promise 9 before a case takes traffic away.
func (c *checker) drain(p failover.CaseOpened) {
	b := &c.books
	if s, ok := c.state.Slot(p.Slot); !ok || !s.Drained {
		return
	}
	pool := b.slots[p.Slot].pool
	n, serving := 0, 0
	for id, s := range b.slots {
		if s.pool != pool {
			continue
		}
		n++
		if id != p.Slot && !s.drained {
			serving++
		}
	}
	if floor := max(1, (n+1)/2); serving < floor {
		c.fail("promise 9: the drain of %s leaves %d serving in pool %s, at least %d", p.Slot, serving, pool, floor)
	}
}

// acts checks an action that an agent is about to run.
func (c *checker) acts(m *machine, e mind.DoStep) {
	c.Destroyed++
	k := e.Key
	if k.Case == 0 {
		c.alone(m, k)
		return
	}
	x, ok := c.books.cases[k.Case]
	if !ok {
		c.fail("promise 2: %s does %s of C-%d, which nobody committed", m.id, k.Step, k.Case)
		return
	}
	if who := x.executor[k.Attempt]; who.id != m.id || who.step != k.Step || who.epoch != k.Epoch {
		c.fail("promise 7: %s does %s of C-%d/%d at slot epoch %d, the ledger says %s does %s at %d",
			m.id, k.Step, k.Case, k.Attempt, k.Epoch, who.id, who.step, who.epoch)
	}
	key := fmt.Sprintf("C-%d/%d/%s/%d in boot %d", k.Case, k.Attempt, k.Step, e.Try, m.boots)
	if by, twice := c.books.effects[key]; twice {
		c.fail("promise 5: %s was done by %s and again by %s", key, by, m.id)
	}
	c.books.effects[key] = m.id
}

// alone checks an action outside of a case: an occupant starts the slot that
// the fleet gave it, and whoever lost one stops it.
func (c *checker) alone(m *machine, k failover.StepKey) {
	s := c.books.slots[k.Slot]
	switch {
	case s == nil:
		c.fail("promise 7: %s does %s of slot %s, which nobody declared", m.id, k.Step, k.Slot)
	case k.Step == failover.StepStop && s.occupant == m.id && s.epoch == k.Epoch:
		c.fail("promise 7: %s stops slot %s, which is its own", m.id, k.Slot)
	case k.Step == failover.StepActivate && !s.had(m.id, k.Epoch):
		c.fail("promise 7: %s starts slot %s at slot epoch %d without having been its occupant", m.id, k.Slot, k.Epoch)
	}
}

// serves checks promise 3 when a service has come up: of an exclusive slot no
// other one runs.
func (c *checker) serves(m *machine, slot member.SlotID, epoch member.SlotEpoch) {
	pool, _ := c.fold.Fleet().PoolOfSlot(slot)
	if !pool.Exclusive {
		return
	}
	for _, x := range c.w.machines {
		if s := x.running[slot]; x != m && s != nil && x.on {
			c.fail("promise 3: %s runs exclusive slot %s at slot epoch %d while %s runs it at %d", m.id, slot, epoch, x.id, s.epoch)
		}
	}
}

// compare holds the state that the product folded against the books.
func (c *checker) compare() {
	for _, s := range c.state.Slots() {
		b := c.books.slots[s.ID]
		if b == nil || b.occupant != s.Occupant || b.epoch != s.Epoch {
			c.fail("promise 7: slot %s is held by %s at slot epoch %d, the books say %+v", s.ID, s.Occupant, s.Epoch, b)
			return
		}
		b.drained = s.Drained
	}
	used := map[member.ID]member.SlotID{}
	serving, slots := map[string]int{}, map[string]int{}
	for _, id := range c.books.slotNames() {
		s := c.books.slots[id]
		if other, twice := used[s.occupant]; twice && s.occupant != "" {
			c.fail("promise 4: %s is in slots %s and %s", s.occupant, other, id)
		}
		used[s.occupant] = id
		if s.occupant == "" {
			continue
		}
		slots[s.pool]++
		if !s.drained {
			serving[s.pool]++
		}
	}
	for _, s := range c.books.slots {
		if slots[s.pool] > 0 && serving[s.pool] == 0 {
			c.fail("promise 9: pool %s has no serving occupant left", s.pool)
		}
	}
}
