package sim

import (
	"time"

	"moonwatch/consensus"
	"moonwatch/member"
	"moonwatch/mind"
)

// growth remembers what may only grow.
type growth struct {
	leaders map[uint64]member.ID // by term
	terms   map[member.ID]uint64 // that an agent has seen in its present life
	lives   map[member.ID]member.Incarnation
	roster  member.RosterEpoch
	time    time.Time     // of the last fact
	shown   time.Duration // the latest time that most councillors' clocks have shown
}

func newGrowth() growth {
	return growth{leaders: map[uint64]member.ID{}, terms: map[member.ID]uint64{}, lives: map[member.ID]member.Incarnation{}}
}

// led checks S3 whenever an agent hears of a leader: a term has one. And S8: a
// councillor's term does not fall while it lives.
func (c *checker) led(m *machine, l mind.Led) {
	c.look(ruleGrowth)
	if l.Term < c.growth.terms[m.id] && m.mind.Councillor() {
		c.fail(ruleGrowth, "%s is in term %d after term %d", m.id, l.Term, c.growth.terms[m.id])
	}
	c.growth.terms[m.id] = l.Term
	if l.Leader == "" {
		return
	}
	c.look(ruleAgree)
	switch known := c.growth.leaders[l.Term]; known {
	case "":
		c.growth.leaders[l.Term] = l.Leader
	case l.Leader:
	default:
		c.fail(ruleAgree, "%s is led by %s in term %d, others by %s", m.id, l.Leader, l.Term, known)
	}
}

// started checks S8 and S11 when an agent comes up: it lives for the first time
// under this incarnation, and most disks still have what was agreed.
func (c *checker) started(m *machine) {
	c.look(ruleGrowth)
	if m.born <= c.growth.lives[m.id] && c.w.Void() == "" {
		c.fail(ruleGrowth, "%s starts its life %d after life %d", m.id, m.born, c.growth.lives[m.id])
	}
	c.growth.lives[m.id] = m.born
	c.growth.terms[m.id] = 0 // it may have died before the disk had it
	c.kept()
}

// aheadMost is by how much the ledger may be ahead of the world: councillors whose clocks
// are off by two seconds may lead, and a jump by two more is taken for nothing.
const aheadMost = 5 * time.Second

// aged checks S8 on every fact: the ledger's time and the roster's epoch. What most
// councillors' clocks have shown together nobody can tell from the right time.
func (c *checker) aged(f consensus.Fact) {
	c.look(ruleGrowth)
	if f.Time.Before(c.growth.time) {
		c.fail(ruleGrowth, "fact %d is of %v, the one before of %v", f.Index, f.Time, c.growth.time)
	}
	c.growth.time = f.Time
	c.growth.shown = max(c.growth.shown, c.w.now, c.w.councilWall())
	if at := f.Time.Sub(c.w.epoch); at > c.growth.shown+aheadMost {
		c.fail(ruleGrowth, "fact %d is dated %v, %v ahead of what most councillors' clocks have shown", f.Index, at, at-c.growth.shown)
	}
	if e := c.fold.Roster().Epoch; e < c.growth.roster {
		c.fail(ruleGrowth, "roster epoch %d after %d", e, c.growth.roster)
	} else {
		c.growth.roster = e
	}
}

// kept checks S11: the last fact is still on most councillors' disks. Raft's log
// has no gaps, so the ones before it are as well; Audit looks at each of them.
func (c *checker) kept() {
	w := c.w
	if len(w.facts) == 0 {
		return
	}
	c.look(ruleKept)
	f := w.facts[len(w.facts)-1]
	if f.Command.Kind == consensus.KindGenesis {
		return
	}
	if n, all := c.onDisks(f); c.forgettable(n, all) && w.Void() == "" {
		c.fail(ruleKept, "fact %d was agreed and is left on %d of %d councillors' disks", f.Index, n, all)
	}
}

// forgettable reports that the councillors without a fact that n of them have on
// disk could elect a leader. Those whose disk was emptied vote no more, and those
// that were seated by a refounding do not vote before they have heard of it, so a fact
// may be on fewer than most disks and safe all the same.
func (c *checker) forgettable(n, all int) bool {
	return 2*(all-len(c.w.forgotten())-c.w.untaken()-n) > all
}

// untaken counts the seats of a refounding of which their members do not know yet.
func (w *World) untaken() int {
	n := 0
	for _, s := range w.seats().Voters {
		if w.refounded > 0 && !w.holds(s) && !w.assumptions.emptied[s.ID] {
			n++
		}
	}
	return n
}
