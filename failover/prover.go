package failover

import (
	"fmt"
	"time"

	"moonwatch/member"
)

// A member that is no occupant tests itself again and again: for its own pool, and for
// every pool that may borrow it. What it finds is a fact only if it is news.

// SayFits asks for a member's word to be committed about whether it could run the slots
// of a pool that may borrow it.
type SayFits struct {
	ID   string
	Fits Fits
}

func (SayFits) isExecutorEffect() {}

// prover is when an executor tests its own member.
type prover struct {
	n     int // tests so far
	tests map[string]*tested
	asked map[StepKey]string // the pool that a test under way is for
}

// tested is the last test for one pool.
type tested struct {
	busy  bool
	began time.Time
}

// tests are those that are due now.
func (e *Executor) tests(now time.Time) []DoStep {
	u := e.st.Use(e.self)
	if u.Duty != Spare && u.Duty != Quarantined && u.Duty != BurnIn {
		return nil
	}
	var due []DoStep
	m, _ := e.st.ledger.Roster().Member(e.self)
	if e.testDue(now, m.Pool, u.Proof != nil) {
		due = append(due, e.test(now, m.Pool))
	}
	for _, pool := range e.st.borrowers(m.Pool) {
		if _, has := u.Fits[pool]; e.testDue(now, pool, has) {
			due = append(due, e.test(now, pool))
		}
	}
	return due
}

func (e *Executor) testDue(now time.Time, pool string, proven bool) bool {
	t := e.prover.tests[pool]
	switch {
	case t == nil:
		return true
	case t.busy && now.Sub(t.began) < 2*TestDeadline: // an end that never comes is asked for again
		return false
	default:
		ago := now.Sub(t.began)
		return ago >= TestDeadline && (!proven || ago >= e.sooner(testEvery))
	}
}

// sooner is up to a quarter less than the interval, for each member another part of it:
// the proofs of a fleet that started at once are not renewed at once.
func (e *Executor) sooner(interval time.Duration) time.Duration {
	return interval - member.Phase(string(e.self), interval/4)
}

// test begins a test for a pool.
func (e *Executor) test(now time.Time, pool string) DoStep {
	p := &e.prover
	if p.tests == nil || len(p.asked) > 64 { // tests that never end
		p.tests, p.asked = map[string]*tested{}, map[StepKey]string{}
	}
	p.n++
	k := StepKey{Step: StepTest, Attempt: p.n, Epoch: member.SlotEpoch(now.UnixMilli())}
	p.tests[pool], p.asked[k] = &tested{busy: true, began: now}, pool
	return DoStep{Key: k, Pool: pool, Deadline: now.Add(TestDeadline)}
}

// proven reports what a test has found, if it is news or the last proof grows old.
func (e *Executor) proven(ev StepDone, out []ExecutorEffect) []ExecutorEffect {
	pool, known := e.prover.asked[ev.Key]
	if !known {
		return out // of long ago
	}
	delete(e.prover.asked, ev.Key)
	t := e.prover.tests[pool]
	t.busy = false
	u, good := e.st.Use(e.self), ev.Result == ResultDone
	m, _ := e.st.ledger.Roster().Member(e.self)
	old, has := u.Fits[pool]
	own := pool == m.Pool
	if own && u.Proof != nil {
		old, has = *u.Proof, true
	}
	if has && old.Good == good && old.Says == ev.Detail && max(e.st.ledger.Time().Sub(old.At), t.began.Sub(old.At)) < e.sooner(e.st.proofRenew()) {
		return out
	}
	if own {
		return append(out, e.report(ev, ""))
	}
	return append(out, SayFits{
		ID:   fmt.Sprintf("fits/%s/%s/%d", e.self, pool, ev.Key.Epoch),
		Fits: Fits{Pool: pool, Good: good, Says: ev.Detail},
	})
}
