package sim

import (
	"fmt"
	"time"
)

// Broken is a promise of the product that a world saw broken. It ends the run.
type Broken struct {
	Promise string        // its name in Promises: the same fault has the same name in every run
	At      time.Duration // since the world began
	Seed    uint64
	Text    string // what happened, with the members and facts concerned
}

func (b *Broken) Error() string {
	return fmt.Sprintf("seed %d at %v: %s: %s", b.Seed, b.At, b.Promise, b.Text)
}

// Promise is something that a world checks for as long as it runs.
type Promise struct {
	Name string // S1 to S12, the promise of DESIGN 1 that none of these covers, or hold and two (PROTOCOL 8)
	Says string // one sentence
}

// rule is a promise's place in the list.
type rule uint8

const (
	ruleQuorum   rule = iota // S1
	ruleWell                 // S2
	ruleAgree                // S3
	ruleOwner                // S4
	ruleConserve             // S5
	ruleBudget               // S6
	ruleMinority             // S7
	ruleGrowth               // S8
	ruleBounds               // S10
	ruleKept                 // S11
	ruleAudit                // S12
	ruleOnce                 // promise 5
	ruleOrders               // promise 7
	ruleDrain                // promise 9
	ruleHeld                 // hold
	ruleTwo                  // two
	ruleShield               // S9
	ruleCount
)

// promises is in the order in which people are shown it.
var promises = [ruleCount]Promise{
	ruleQuorum:   {"S1", "a verdict names an observer quorum: distinct observers with an edge to the member, who really said so about this life of it"},
	ruleWell:     {"S2", "no verdict condemns, and no case begins to replace or restart, a member that most of its observers have reached all along"},
	ruleAgree:    {"S3", "a term has one leader, and ledgers with the same index are the same ledger"},
	ruleOwner:    {"S4", "a slot has one occupant and a spare is in one slot at most; an exclusive slot runs on one member"},
	ruleConserve: {"S5", "every member of a pool is occupant, spare, claimed, quarantined or in burn-in, exactly one of these, none vanishes, none is a spare again before it was watched, none is given a slot that has not proven lately that it is ready, and no slot is taken out of the fleet that may still run"},
	ruleBudget:   {"S6", "never more actions than the budget allows, one case at a time when guarded, nothing destructive in a cascade"},
	ruleMinority: {"S7", "nothing is agreed without most councillors, and nothing irreversible done that was not agreed"},
	ruleGrowth:   {"S8", "slot epochs, roster epochs, terms, lives and the ledger's time only grow, and a verdict never hits a later life"},
	ruleShield:   {"S9", "a flood of one subdomain leaves the others 99 % of what they ask for; nobody is refused below its limit, and no cap lets more through than burst + rate x time"},
	ruleBounds:   {"S10", "queues are bounded, and what a member sends stays within its budget"},
	ruleKept:     {"S11", "what was agreed stays on most councillors' disks over every crash, and a restarted agent finds it"},
	ruleAudit:    {"S12", "the audit chain holds, and all facts applied again give the same state"},
	ruleOnce:     {"promise 5", "a failover happens once: one cutover per case, to a spare that serves, and no step begun twice"},
	ruleOrders:   {"promise 7", "a member does only what the ledger orders it to do, at the slot epoch of the order"},
	ruleHeld:     {"hold", "where people hold, nothing destructive begins: no restart, no fence, no claim of a held spare"},
	ruleTwo:      {"two", "what takes two people is approved by another operator than the one who asked, in time, for the same plan, or was announced and not vetoed"},
	ruleDrain:    {"promise 9", "a drain leaves half of the pool serving, and never takes the last serving occupant"},
}

// Promises lists what a world checks.
func Promises() []Promise { return append([]Promise(nil), promises[:]...) }

// Checks says how often each promise was looked at. One that was never looked
// at was not checked by this run.
func (w *World) Checks() map[string]int {
	out := make(map[string]int, len(promises))
	for r, p := range promises {
		out[p.Name] = w.checker.looks[r]
	}
	return out
}

// Counts sums up what the council decided and what was done about it.
type Counts struct {
	Verdicts    int // findings that condemn a member: all but up and partial
	False       int // of these, on members that were well
	Destructive int // actions that began: activations, restarts, stops
	Cases       int // failovers that were opened
	Replaced    int // of these, that gave a slot to a spare
	Switched    int // slots that people moved to a spare
}

// Counted gives the counts so far. False verdicts are counted by what is really
// the case, also where no promise is checked.
func (w *World) Counted() Counts {
	c := w.checker.counts
	c.Verdicts, c.Destructive = w.checker.Verdicts, w.checker.Destroyed
	return c
}

// look counts that a promise was looked at.
func (c *checker) look(r rule) { c.looks[r]++ }

// fail books a broken promise; the first one stands.
func (c *checker) fail(r rule, format string, args ...any) {
	if c.broken == nil {
		c.broken = &Broken{Promise: promises[r].Name, At: c.w.now, Seed: c.w.cfg.Seed, Text: fmt.Sprintf(format, args...)}
	}
}

// Broken is the first broken promise, nil if none is.
func (w *World) Broken() *Broken { return w.checker.broken }

// verdictOf is the broken promise as an error, for whoever runs the world.
func (w *World) verdictOf() error {
	if b := w.checker.broken; b != nil {
		return b
	}
	return nil
}
