package failover

import (
	"fmt"
	"slices"
	"time"

	"moonwatch/consensus"
	"moonwatch/member"
)

// An activation has two steps where a pool has an action for the first: a spare
// prepares (what takes long, and can be taken back: no traffic, no lease, no effect for
// the slot), and goes live. To prepare may begin while the old occupant is still being
// fenced, and two spares may do it at once; to go live is for one of them, after FENCED
// (PROTOCOL 5). A pool without such an action goes live in one step.

// StepPrepare makes a spare ready to go live. Its opposite is a stop of what was only
// prepared, by the pool's action for that.
const StepPrepare StepKind = "prepare"

// The kinds of facts about spares that prepare.
const (
	KindPrepare consensus.FactKind = "spare-prepare"
	KindRelease consensus.FactKind = "spare-release"
)

// Preparing stands in a case's history where a spare begins to prepare, or is ready:
// the case goes on in its state meanwhile.
const Preparing CaseState = "PREPARING"

// PrepareOrdered gives a spare to a case, to prepare for its slot. Like a step it is a
// compare-and-swap on Version.
type PrepareOrdered struct {
	Case    uint64    `json:"case"`
	Version int       `json:"version"`
	Spare   member.ID `json:"spare"`
	Detail  string    `json:"detail,omitempty"`
}

// SpareReleased takes a spare away from a case that will not be ready in time, or at
// all.
type SpareReleased struct {
	Case    uint64    `json:"case"`
	Version int       `json:"version"`
	Spare   member.ID `json:"spare"`
	Detail  string    `json:"detail"`
}

// Preparation is one spare that prepares for a case's slot.
type Preparation struct {
	Spare    member.ID        `json:"spare"`
	Epoch    member.SlotEpoch `json:"slot_epoch"` // of its claim: no slot ever has it
	At       time.Time        `json:"at"`
	Deadline time.Time        `json:"deadline"`
	Ready    bool             `json:"ready,omitempty"`
}

// mostPrepare is how many spares prepare for one slot at once: one, and one more where
// that takes long. A third would wait for the same cause.
const mostPrepare = 2

// twoSteps reports that a case's spares prepare before one of them goes live.
func (st *State) twoSteps(c *Case) bool {
	pool, _ := st.ledger.Fleet().Pool(c.Pool)
	return pool.Actions.Prepare != "" || len(c.Preparing) > 0 // the policy may change while it goes on
}

// preparation finds the one of a spare.
func (c *Case) preparation(id member.ID) (Preparation, bool) {
	i := slices.IndexFunc(c.Preparing, func(p Preparation) bool { return p.Spare == id })
	if i < 0 {
		return Preparation{}, false
	}
	return c.Preparing[i], true
}

// prepares reports that a case may have spares prepare now: it may still be going to
// give its slot to one of them.
func (c *Case) prepares() bool {
	switch c.State {
	case Fencing, Fenced, Claiming, Escalated:
		return !c.Restart
	default:
		return false
	}
}

// checkPrepare holds the gates of a spare that begins to prepare.
func (st *State) checkPrepare(now time.Time, p PrepareOrdered) error {
	c, ok := st.s.Cases[p.Case]
	switch {
	case !ok:
		return fmt.Errorf("prepare: no case C-%d", p.Case)
	case c.Version != p.Version:
		return fmt.Errorf("case %s: prepare from version %d, it is at %d", c.Name(), p.Version, c.Version)
	case !c.prepares():
		return fmt.Errorf("case %s: %s, and nobody prepares for it", c.Name(), c.State)
	case !st.twoSteps(c):
		return fmt.Errorf("case %s: pool %s has no action to prepare", c.Name(), c.Pool)
	}
	if reason, why := st.brakeGate(now, c, true); reason != "" {
		return fmt.Errorf("case %s: prepare held: %s: %s", c.Name(), reason, why)
	}
	if len(c.Preparing) > 0 {
		if why := st.hedgeHeld(now, c); why != "" {
			return fmt.Errorf("case %s: one more spare: %s", c.Name(), why)
		}
	}
	return st.checkClaim(now, c, p.Spare)
}

// hedgeHeld says why no further spare prepares beside the one that does, empty if one
// may: the first has to be slower than such spares are, and nobody may be in greater
// need of the second. One of the two comes back, so no floor is asked.
func (st *State) hedgeHeld(now time.Time, c *Case) string {
	first := c.Preparing[0]
	estimate := st.Estimate(c.Pool).Likely
	switch {
	case len(c.Preparing) >= mostPrepare:
		return fmt.Sprintf("%d prepare already", len(c.Preparing))
	case first.Ready:
		return fmt.Sprintf("%s is ready", first.Spare)
	case now.Sub(first.At) < estimate:
		return fmt.Sprintf("%s prepares for %v, which is expected within %v", first.Spare, now.Sub(first.At).Round(time.Millisecond), estimate)
	}
	for _, x := range st.OpenCases() {
		if x != c && x.Pool == c.Pool && x.Spare == "" && len(x.Preparing) == 0 && (x.prepares() || x.Held == HeldPoolEmpty) {
			return x.Name() + " has no spare yet"
		}
	}
	return ""
}

// prepare gives a case a spare that begins to prepare.
func (st *State) prepare(f consensus.Fact, p PrepareOrdered) {
	c := st.s.Cases[p.Case]
	c.Version++
	epoch := member.SlotEpoch(f.Index)
	c.Preparing = append(slices.Clip(c.Preparing), Preparation{
		Spare: p.Spare, Epoch: epoch, At: f.Time, Deadline: f.Time.Add(st.timing().Activate),
	})
	u := st.s.Uses[p.Spare]
	u.Duty, u.Slot, u.Case, u.Since, u.LastUsed = Claimed, c.Slot, c.ID, f.Time, f.Time
	c.pass(f, Preparing, join(string(p.Spare), p.Detail))
}

func join(who, detail string) string {
	if detail == "" {
		return who
	}
	return who + ": " + detail
}

// pass books something that happens to a case in its present state, which goes on: a
// fence that is under way still began when it began.
func (c *Case) pass(f consensus.Fact, s CaseState, detail string) {
	c.History = append(c.History, Passage{State: s, At: f.Time, Fact: f.Index, Detail: detail})
}

func (st *State) checkRelease(p SpareReleased) error {
	c, ok := st.s.Cases[p.Case]
	if !ok {
		return fmt.Errorf("release of %s: no case C-%d", p.Spare, p.Case)
	}
	if c.Version != p.Version {
		return fmt.Errorf("case %s: release from version %d, it is at %d", c.Name(), p.Version, c.Version)
	}
	if _, ok := c.preparation(p.Spare); !ok {
		return fmt.Errorf("case %s: release of %s, which does not prepare for it", c.Name(), p.Spare)
	}
	return nil
}

// fellShort takes a spare away from a case that could not prepare.
func (st *State) fellShort(f consensus.Fact, c *Case, id member.ID, detail string) {
	p, _ := c.preparation(id)
	c.Preparing = slices.DeleteFunc(slices.Clone(c.Preparing), func(x Preparation) bool { return x.Spare == id })
	if u := st.release(f, c, p); u != nil {
		st.strike(u, f.Time)
	}
	c.pass(f, Preparing, join(string(id), detail))
}

// giveBack returns the spares that prepared for a case to the pool: they are well, and
// somebody else serves, or nobody has to.
func (st *State) giveBack(f consensus.Fact, c *Case) {
	for _, p := range c.Preparing {
		if u := st.release(f, c, p); u != nil {
			u.LetGo = f.Time
		}
	}
	c.Preparing = nil
}

// release ends the claim on a spare that prepared. What it has prepared may be there, so
// it is a spare again only when it says itself that it has taken that back: a claim
// never ends by time alone.
func (st *State) release(f consensus.Fact, c *Case, p Preparation) *Use {
	u := st.s.Uses[p.Spare]
	if u == nil || u.Duty != Claimed || u.Case != c.ID {
		return nil
	}
	u.Duty, u.Since, u.Case, u.Slot, u.LetGo = Quarantined, f.Time, 0, "", time.Time{}
	u.Lent = nil
	u.left(c.Slot, p.Epoch)
	u.shadow(c.Slot)
	return u
}

// shadow notes that a leftover was prepared and never live.
func (u *Use) shadow(slot member.SlotID) {
	if u.Shadow == nil {
		u.Shadow = map[member.SlotID]bool{}
	}
	u.Shadow[slot] = true
}

// checkLive refuses to let a spare go live that is not ready, or not well any more.
func (st *State) checkLive(now time.Time, c *Case, id member.ID) error {
	p, ok := c.preparation(id)
	if !ok || !p.Ready {
		return fmt.Errorf("case %s: %s goes live and is not prepared", c.Name(), id)
	}
	if v, stands := st.ledger.Standing(id); stands {
		return fmt.Errorf("case %s: %s goes live and is under a verdict: %s", c.Name(), id, v.Kind)
	}
	if err := st.enforceable(now, id); err != nil {
		return fmt.Errorf("case %s: %s goes live: %w", c.Name(), id, err)
	}
	if h := st.spared(now, id, c.Proof != ""); h != nil {
		return fmt.Errorf("case %s: %s goes live: %s", c.Name(), id, h.why())
	}
	return nil
}

// checkPrepared refuses the word of anybody but a spare that prepares.
func (c *Case) checkPrepared(by member.ID, p Report) error {
	x, ok := c.preparation(by)
	if !ok || x.Ready || p.Epoch != x.Epoch {
		return fmt.Errorf("report of %s on %s of %s: it does not prepare for it", by, p.Step, c.Name())
	}
	return nil
}

// prepared applies the word of a spare that prepares. How long it took is counted from
// the fact that gave it to the case: that is what the next one will take.
func (st *State) prepared(f consensus.Fact, c *Case, p Report) {
	by := f.Command.Proposer
	if !p.Done {
		st.fellShort(f, c, by, p.Detail)
		return
	}
	c.Preparing = slices.Clone(c.Preparing)
	for i, x := range c.Preparing {
		if x.Spare == by {
			c.Preparing[i].Ready = true
			st.took(c.Pool, f.Time.Sub(x.At))
			c.pass(f, Preparing, fmt.Sprintf("%s is ready after %v", by, f.Time.Sub(x.At).Round(time.Millisecond)))
		}
	}
}

// prepare keeps one spare preparing for a case, or two where that takes long. It
// proposes at most one thing.
func (c *Conductor) prepare(now time.Time, x *Case, out []ConductorEffect) []ConductorEffect {
	if gone := c.letGo(now, x, out); len(gone) > len(out) {
		return gone
	}
	free := c.st.FreeSpares(now, x)
	if len(free) == 0 || len(x.Preparing) >= mostPrepare {
		return out
	}
	p := PrepareOrdered{Case: x.ID, Version: x.Version, Spare: c.unaccused(free)}
	if len(x.Preparing) > 0 {
		p.Detail = "beside " + string(x.Preparing[0].Spare) + ", which takes long"
	}
	if c.st.checkPrepare(now, p) != nil {
		return out
	}
	return c.propose(now, out, KindPrepare, fmt.Sprintf("%s/%d/prepare/%s", x.Name(), x.Version, p.Spare), p)
}

// letGo takes a spare away from a case that will not be ready, or is ready and may not
// go live any more.
func (c *Conductor) letGo(now time.Time, x *Case, out []ConductorEffect) []ConductorEffect {
	return c.release(now, x, func(p Preparation) string { return c.fallsShort(now, p) }, out)
}

// letFallenGo releases one that is condemned alone. In a cascade those that take long go
// on: nobody else may prepare instead of them.
func (c *Conductor) letFallenGo(now time.Time, x *Case, out []ConductorEffect) []ConductorEffect {
	return c.release(now, x, c.fallen, out)
}

// release gives up the first spare of which why says anything.
func (c *Conductor) release(now time.Time, x *Case, why func(Preparation) string, out []ConductorEffect) []ConductorEffect {
	for _, p := range x.Preparing {
		if why := why(p); why != "" {
			return c.propose(now, out, KindRelease, fmt.Sprintf("%s/%d/release/%s", x.Name(), x.Version, p.Spare),
				SpareReleased{Case: x.ID, Version: x.Version, Spare: p.Spare, Detail: why})
		}
	}
	return out
}

// fallen says under which verdict a spare that prepares fell, empty if it stands.
func (c *Conductor) fallen(p Preparation) string {
	switch v, _ := c.st.ledger.Standing(p.Spare); v.Kind {
	case consensus.VerdictDown:
		return "it is down"
	case consensus.VerdictDomainCut:
		return "it is out of reach with its whole failure domain"
	default: // it answers for itself
		return ""
	}
}

// fallsShort says why a spare that prepares will not be ready, empty if it may be. The
// deadline is one of ledger time, or of as long a time that this leader saw itself.
func (c *Conductor) fallsShort(now time.Time, p Preparation) string {
	if why := c.fallen(p); why != "" {
		return why
	}
	if p.Ready {
		if err := c.st.enforceable(now, p.Spare); err != nil {
			return err.Error()
		}
		return ""
	}
	if limit := p.Deadline.Sub(p.At); !now.Before(p.Deadline) || now.Sub(c.seen(now, p.Epoch)) >= limit {
		return fmt.Sprintf("not ready within %v", limit)
	}
	return ""
}

// seen is since when this leader sees a spare prepare.
func (c *Conductor) seen(now time.Time, epoch member.SlotEpoch) time.Time {
	if len(c.preparing) > 1024 {
		clear(c.preparing)
	}
	if _, ok := c.preparing[epoch]; !ok {
		c.preparing[epoch] = now
	}
	return c.preparing[epoch]
}

// goLive lets a spare that is ready take the slot, or keeps one preparing for it.
func (c *Conductor) goLive(now time.Time, x *Case, out []ConductorEffect) []ConductorEffect {
	for _, p := range x.Preparing {
		if p.Ready && c.st.checkLive(now, x, p.Spare) == nil {
			if c.mayBeBack(now, x) {
				return c.lookBack(now, x, out)
			}
			return c.step(now, x, Activating, CaseStep{Spare: p.Spare, Detail: "it is prepared"}, out)
		}
	}
	if len(x.Preparing) == 0 && len(c.st.FreeSpares(now, x)) == 0 {
		if x.State == Escalated {
			return out
		}
		return c.step(now, x, Escalated, CaseStep{Detail: "no free spare in pool " + x.Pool}, out)
	}
	return c.prepare(now, x, out)
}

// mayBeBack reports that nobody has looked lately whether the member is still gone whose
// slot a spare is about to take. Where no proof is wanted it can come back while the
// spare prepares, and nothing is lost by leaving the slot to it.
func (c *Conductor) mayBeBack(now time.Time, x *Case) bool {
	return x.State == Fenced && x.Proof == noProof && !x.Planned && now.Sub(x.Since) >= c.st.timing().LookFresh && !c.stillLost(now, x)
}

// preparingDue is the preparation that the ledger shows for this member now.
func (e *Executor) preparingDue(due []DoStep) []DoStep {
	for _, c := range e.st.OpenCases() {
		if p, ok := c.preparation(e.self); ok && !p.Ready {
			due = append(due, e.want(StepKey{Case: c.ID, Step: StepPrepare, Slot: c.Slot, Epoch: p.Epoch}, p.Deadline))
		}
	}
	return due
}

// abort ends the preparations under way that nobody wants any more: what comes next
// here would wait for their end.
func (e *Executor) abort(due []DoStep, out []ExecutorEffect) []ExecutorEffect {
	for _, k := range e.Doing() {
		wanted := k.Step != StepPrepare || slices.ContainsFunc(due, func(d DoStep) bool { return d.Key == k })
		if !wanted && !e.aborted[k] {
			e.aborted[k] = true
			out = append(out, AbortStep{Key: k})
		}
	}
	return out
}
