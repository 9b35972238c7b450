package failover

import (
	"slices"
	"strings"
	"testing"
	"time"

	"moonwatch/agent"
	"moonwatch/consensus"
	"moonwatch/member"
)

// leased is a fleet with exclusive slots whose members all have a keeper.
func leased(t *testing.T) *tale {
	t.Helper()
	f := webFleet(5, 3, 2, 2)
	f.Pools[0].Exclusive, f.Pools[0].Fence = true, []string{"lease"}
	x := newTale(t, f).serving()
	for _, m := range f.Members {
		x.commit(KindEnforcer, m.ID, Enforcer{Kind: "keeper"})
	}
	return x
}

func (x *tale) renewal(id member.ID) agent.Renewal {
	slot, epoch, _ := x.state.Tenure(id)
	x.raft++
	return agent.Renewal{Holder: id, Seq: x.raft, Slot: slot, Epoch: epoch}
}

func rounds(effects []LessorEffect) (confirms, grants []uint64) {
	for _, e := range effects {
		switch e := e.(type) {
		case Confirm:
			confirms = append(confirms, e.Round)
		case SendGrant:
			grants = append(grants, e.Grant.Renewal.Seq)
		}
	}
	return confirms, grants
}

func TestAGrantWaitsForAConfirmationThatBeganAfterTheRenewalCame(t *testing.T) {
	x := leased(t)
	first, second, third := x.renewal("web-1"), x.renewal("web-2"), x.renewal("web-3")
	asked, granted := rounds(x.lessor.Renewed(x.now, first))
	if len(asked) != 1 || len(granted) != 0 {
		t.Fatalf("the first renewal: confirmations %v, grants %v; want one to be asked for", asked, granted)
	}
	if more, granted := rounds(x.lessor.Renewed(x.now, second)); len(more)+len(granted) != 0 {
		t.Fatalf("the second one while the first confirmation is under way: %v %v", more, granted)
	}
	late := x.now.Add(confirmEvery)
	next, granted := rounds(x.lessor.Confirmed(late, asked[0]))
	if !slices.Equal(granted, []uint64{first.Seq}) || len(next) != 1 {
		t.Fatalf("granted %v, asked %v: the second one came after the confirmation began", granted, next)
	}
	if more, granted := rounds(x.lessor.Renewed(late, third)); len(more)+len(granted) != 0 {
		t.Fatalf("the third one while the second confirmation is under way: %v %v", more, granted)
	}
	if _, granted := rounds(x.lessor.Confirmed(late, asked[0])); len(granted) != 0 {
		t.Fatalf("an old confirmation granted %v", granted)
	}
	if _, granted := rounds(x.lessor.Confirmed(late, next[0])); !slices.Equal(granted, []uint64{second.Seq}) {
		t.Fatalf("granted %v, want the second one", granted)
	}
	if more, _ := rounds(x.lessor.Renewed(late, second)); len(more) != 0 {
		t.Error("a copy of a renewal is looked at again")
	}
}

// A confirmation costs the same for one renewal as for a hundred.
func TestRenewalsAreGatheredForOneConfirmation(t *testing.T) {
	x := leased(t)
	if w := x.lessor.Wake(); !w.IsZero() {
		t.Fatalf("wants to be woken at %v for nothing", w)
	}
	asked, _ := rounds(x.lessor.Renewed(x.now, x.renewal("web-1")))
	x.lessor.Confirmed(x.now, asked[0])
	var want []uint64
	for i, id := range []member.ID{"web-2", "web-3", "web-4"} {
		at := x.now.Add(time.Duration(i+1) * confirmEvery / 4)
		r := x.renewal(id)
		want = append(want, r.Seq)
		if more, granted := rounds(x.lessor.Renewed(at, r)); len(more)+len(granted) != 0 {
			t.Fatalf("%v after the last confirmation: %v %v, want it to wait for the next one", at.Sub(x.now), more, granted)
		}
	}
	due := x.lessor.Wake()
	if got := due.Sub(x.now); got != confirmEvery {
		t.Fatalf("the next confirmation begins %v after the last one, want %v", got, confirmEvery)
	}
	asked, _ = rounds(x.lessor.Woken(due))
	if len(asked) != 1 {
		t.Fatalf("confirmations %v, want one", asked)
	}
	if _, granted := rounds(x.lessor.Confirmed(due, asked[0])); !slices.Equal(granted, want) {
		t.Fatalf("granted %v, want %v", granted, want)
	}
}

// Raft forgets what it was asked when the leader changes, or stands still.
func TestAConfirmationThatIsLostIsAskedForAgain(t *testing.T) {
	x := leased(t)
	first, second := x.renewal("web-1"), x.renewal("web-2")
	lost, _ := rounds(x.lessor.Renewed(x.now, first))
	x.lessor.Renewed(x.now.Add(confirmEvery/2), second)
	due := x.lessor.Wake()
	if got := due.Sub(x.now); got != confirmAgain {
		t.Fatalf("asks again after %v, want %v", got, confirmAgain)
	}
	again, _ := rounds(x.lessor.Woken(due))
	if len(again) != 1 {
		t.Fatalf("confirmations %v, want one", again)
	}
	if _, granted := rounds(x.lessor.Confirmed(due, lost[0])); len(granted) > 0 {
		t.Errorf("the old confirmation granted %v", granted)
	}
	if _, granted := rounds(x.lessor.Confirmed(due, again[0])); !slices.Equal(granted, []uint64{first.Seq, second.Seq}) {
		t.Errorf("granted %v, want both", granted)
	}
}

func TestNobodyIsGrantedALeaseThatIsNotItsOwn(t *testing.T) {
	x, seq := leased(t), uint64(1<<30)
	for name, r := range map[string]agent.Renewal{
		"another slot's":     {Holder: "web-1", Slot: "slot-1", Epoch: 2},
		"another epoch's":    {Holder: "web-1", Slot: "slot-0", Epoch: 1},
		"that of a spare":    {Holder: "web-6", Slot: "slot-0", Epoch: 2},
		"that of a stranger": {Holder: "nobody", Slot: "slot-0", Epoch: 2},
	} {
		seq++
		r.Seq = seq // in whatever order a map gives them
		x.now = x.now.Add(confirmEvery)
		asked, _ := rounds(x.lessor.Renewed(x.now, r))
		if len(asked) != 1 {
			t.Fatalf("%s: no confirmation", name)
		}
		if _, granted := rounds(x.lessor.Confirmed(x.now, asked[0])); len(granted) > 0 {
			t.Errorf("%s lease was granted", name)
		}
	}
	x.lessor.Depose()
	if asked, _ := rounds(x.lessor.Renewed(x.now, x.renewal("web-1"))); len(asked) > 0 {
		t.Error("who does not lead asks for a confirmation")
	}
}

// A case fences the spare that failed it as well, and the next one may be claimed
// at any moment: the old occupant is granted nothing before the case is closed
// (campaign seed 90191).
func TestTheOldOccupantIsGrantedNothingWhileASpareIsFenced(t *testing.T) {
	x := leased(t)
	x.results["web-3"] = neverEnds
	x.results["web-6"] = ResultFailed
	x.judge(consensus.VerdictDown, "web-3")
	fenced := false
	for range 600 {
		c := x.theCase()
		if c.State == Settling {
			break
		}
		if c.Fencee == "web-6" {
			if fenced = true; x.grant("web-3") {
				t.Fatalf("granted while %s is fenced: %s", c.Fencee, walk(c))
			}
		}
		x.run(100 * time.Millisecond)
	}
	if c := x.theCase(); !fenced || c.State != Settling || !x.grant("web-7") {
		t.Fatalf("the first spare was fenced: %v; the next one runs the slot and is granted nothing: %s", fenced, walk(c))
	}
}

// From the moment when FENCING stands in the leader's ledger nothing is granted, and
// the wait is L(1+d) from the last grant.
func TestFencingEndsGrantsAndTheWaitCountsFromTheLastOne(t *testing.T) {
	x := leased(t)
	x.results["web-3"] = neverEnds
	if !x.grant("web-3") {
		t.Fatal("an occupant at rest is granted nothing")
	}
	granted := x.now
	x.judge(consensus.VerdictDown, "web-3")
	x.run(time.Second)
	if !x.grant("web-3") {
		t.Fatal("a condemned occupant that still asks is refused before anything irreversible was begun")
	}
	granted = granted.Add(time.Second)
	x.run(2 * time.Second)
	c := x.theCase()
	if c.State != Fencing || x.grant("web-3") {
		t.Fatalf("%s: granted in FENCING, or not there yet", walk(c))
	}
	want := granted.Add(11110 * time.Millisecond)
	if got := x.lessor.Ends(x.now, c); !got.Equal(want) {
		t.Errorf("ends %v after the last grant, want 11.11 s", got.Sub(granted))
	}
	x.run(want.Sub(x.now) - time.Millisecond)
	if c.State != Fencing {
		t.Errorf("%s before the lease had ended", walk(c))
	}
	x.run(2 * time.Millisecond)
	if c.Proof != proofLease {
		t.Errorf("%s after the lease had ended, proof %q", walk(c), c.Proof)
	}
}

func TestANewLeaderCountsFromItsElectionOrFromTheFencingThatItSaw(t *testing.T) {
	x := leased(t)
	x.results["web-3"] = neverEnds
	x.grant("web-3")
	x.judge(consensus.VerdictDown, "web-3")
	x.run(2500 * time.Millisecond)
	c := x.theCase()
	if c.State != Fencing {
		t.Fatal(walk(c))
	}
	fenced := x.lessor.fence[fencing{tenure{c.Slot, c.FenceEpoch}, c.fencedFrom()}]
	x.now = x.now.Add(5 * time.Second)
	x.lessor.Lead(x.now)
	if got, want := x.lessor.Ends(x.now, c), fenced.Add(11110*time.Millisecond); !got.Equal(want) {
		t.Errorf("who saw the fencing waits until %v, want %v", got, want)
	}
	late := NewLessor(x.state) // an agent that has just started
	late.Noticed(x.now)
	late.Lead(x.now.Add(-900 * time.Millisecond))
	if got, want := late.Ends(x.now, c), x.now.Add(-900*time.Millisecond+11110*time.Millisecond); !got.Equal(want) {
		t.Errorf("who did not see it waits until %v, want %v after its election less one election time-out", got, want)
	}
}

// A change of policy while leases run: those that were granted before are as long as
// they were.
func TestShorterTermsDoNotShortenLeasesThatWereGranted(t *testing.T) {
	x := leased(t)
	x.change(func(f *member.Fleet) { f.Lease = member.LeaseCalm() })
	x.results["web-3"] = neverEnds
	x.grant("web-3")
	granted := x.now
	x.change(func(f *member.Fleet) { f.Lease = member.LeaseTerms{} })
	x.judge(consensus.VerdictDown, "web-3")
	x.run(2500 * time.Millisecond)
	c := x.theCase()
	if got, want := x.lessor.Ends(x.now, c), granted.Add(20200*time.Millisecond); !got.Equal(want) {
		t.Errorf("ends after %v, want 20.2 s: it was granted for 20 s", got.Sub(granted))
	}
	x.lessor.Lead(x.now) // nor does a new leader, who knows of no grant
	x.lessor.fence = map[fencing]time.Time{}
	if got, want := x.lessor.Ends(x.now, c), x.now.Add(20200*time.Millisecond); !got.Equal(want) {
		t.Errorf("for a new leader it ends after %v, want 20.2 s", got.Sub(x.now))
	}
	if later := x.now.Add(time.Hour); !x.lessor.Ends(later, c).Equal(x.now.Add(11110 * time.Millisecond)) {
		t.Error("an hour later the old terms still count")
	}
}

func TestALeaseIsAProofOnlyUnderAnEnforcerThatWasTestedLately(t *testing.T) {
	for name, c := range map[string]struct {
		fence []string
		says  Enforcer
		late  time.Duration
		why   string
	}{
		"a keeper":               {[]string{"lease"}, Enforcer{Kind: "keeper"}, 0, ""},
		"none":                   {[]string{"lease"}, Enforcer{Detail: "its socket is gone"}, 0, "web-3 has no enforcer: its socket is gone"},
		"tested long ago":        {[]string{"lease"}, Enforcer{Kind: "keeper", Age: 14 * time.Minute}, 2 * time.Minute, "last tested 15m59s before, valid for 15m0s"},
		"tested a while ago":     {[]string{"lease"}, Enforcer{Kind: "keeper", Age: 14 * time.Minute}, 30 * time.Second, ""},
		"a watchdog is wanted":   {[]string{"watchdog"}, Enforcer{Kind: "keeper"}, 0, "has no watchdog device"},
		"and there is one":       {[]string{"watchdog"}, Enforcer{Kind: "keeper", Watchdog: true}, 0, ""},
		"the first level helps":  {[]string{"lease", "watchdog"}, Enforcer{Kind: "keeper"}, 0, ""},
		"power alone, as of now": {[]string{"power"}, Enforcer{Kind: "keeper"}, 0, "give no proof against a silent member"},
	} {
		f := webFleet(5, 3, 2, 2)
		f.Pools[0].Exclusive, f.Pools[0].Fence = true, c.fence
		x := newTale(t, f).serving()
		x.commit(KindEnforcer, "web-3", c.says)
		x.commit(KindEnforcer, "web-6", Enforcer{Kind: "keeper", Watchdog: true})
		x.now = x.now.Add(c.late)
		x.judge(consensus.VerdictDown, "web-3")
		x.now = x.now.Add(2 * time.Second)
		reason, why := x.state.ReplaceGate(x.now, x.theCase())
		if c.why == "" && reason != "" || c.why != "" && (reason != HeldFence || !strings.Contains(why, c.why)) {
			t.Errorf("%s: %q (%s), want %q", name, reason, why, c.why)
		}
		if f := x.commit(KindCaseStep, "web-1", CaseStep{Case: x.theCase().ID, Version: x.theCase().Version, To: Fencing}); f.Accepted != (c.why == "") {
			t.Errorf("%s: the ledger accepts FENCING: %v (%s)", name, f.Accepted, f.Reason)
		}
	}
}

func TestALeaderCannotInventAProof(t *testing.T) {
	x := condemned(t, webFleet(5, 3, 2, 2)) // replicated: no lease is a proof
	c := x.theCase()
	for _, proof := range []string{"lease", "self", "power", ""} {
		if f := x.commit(KindCaseStep, "web-1", CaseStep{Case: c.ID, Version: c.Version, To: Fenced, Proof: proof}); f.Accepted {
			t.Errorf("%s: FENCED by %q is accepted", walk(c), proof)
		}
	}
}

func TestAPoolIsNotMadeExclusiveUnderServicesThatNobodyKeeps(t *testing.T) {
	x := newTale(t, webFleet(5, 3, 2, 2)).serving()
	f := *x.ledger.Fleet()
	f.Pools = slices.Clone(f.Pools)
	f.Pools[0].Exclusive, f.Pools[0].Fence = true, []string{"lease"}
	if got := x.commit(consensus.KindFleet, "web-1", f); got.Accepted || !strings.Contains(got.Reason, "slot slot-0 is run by web-1 without an enforcer") {
		t.Errorf("accepted: %v, %s", got.Accepted, got.Reason)
	}
}

// Their leases would end, and all of the pool's services with them.
func TestAPoolStaysExclusiveUnderServicesThatRunByLease(t *testing.T) {
	x := leased(t)
	f := *x.ledger.Fleet()
	f.Pools = slices.Clone(f.Pools)
	f.Pools[0].Exclusive, f.Pools[0].Fence = false, nil
	if got := x.commit(consensus.KindFleet, "web-1", f); got.Accepted || !strings.Contains(got.Reason, "by a lease, which ends its service when nobody renews it") {
		t.Errorf("accepted: %v, %s", got.Accepted, got.Reason)
	}
}

func TestOnlyAMemberSpeaksOfItsOwnEnforcer(t *testing.T) {
	x := leased(t)
	if f := x.commit(KindEnforcer, "stranger", Enforcer{Kind: "keeper"}); f.Accepted {
		t.Error("a stranger has an enforcer")
	}
	if f := x.commit(KindEnforcer, "web-1", Enforcer{Kind: "hope"}); f.Accepted || !strings.Contains(f.Reason, "want keeper, systemd or watchdog") {
		t.Errorf("hope is an enforcer: %s", f.Reason)
	}
	b, err := x.state.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	if err := x.state.Restore(b); err != nil {
		t.Fatal(err)
	}
	if e, ok := x.state.Enforcer("web-1"); !ok || e.Kind != "keeper" {
		t.Errorf("a snapshot forgets the enforcer: %+v", e)
	}
}

// A pool may bring no program that stops its service: the keeper ends an exclusive
// slot all the same, and a word that nothing had to be done would be a proof of nothing.
func TestTheStopOfAnExclusiveSlotIsAskedForEvenWithoutAProgram(t *testing.T) {
	for exclusive, want := range map[bool]int{true: 1, false: 0} {
		f := webFleet(5, 3, 2, 2)
		f.Pools[0].Exclusive, f.Pools[0].Actions.Stop = exclusive, ""
		x := newTale(t, f)
		e := NewExecutor("web-6", x.state, Holding{"slot-0": 1}, x.now)
		steps := 0
		for _, out := range e.Step(x.now, ExecutorWoken{}) {
			if s, ok := out.(DoStep); ok && s.Key.Step == StepStop {
				steps++
			}
		}
		if steps != want {
			t.Errorf("exclusive %v: %d stops are asked for, want %d", exclusive, steps, want)
		}
	}
}

// An occupant whose service the enforcer stopped starts it again under a new lease,
// and without one it does nothing.
func TestWhatALeaseEndedIsStartedUnderTheNextOne(t *testing.T) {
	x := leased(t)
	slot, epoch, _ := x.state.Tenure("web-1")
	e := NewExecutor("web-1", x.state, Holding{slot: epoch}, x.now)
	has := false
	e.Leased(func(time.Time, member.SlotID, member.SlotEpoch) bool { return has })
	if out := e.Step(x.now, Lapsed{Slot: slot, Epoch: epoch, Nth: 4}); len(out) > 0 {
		t.Fatalf("without a lease it does %v", out)
	}
	has = true
	out := e.Step(x.now, ExecutorWoken{})
	if len(out) != 1 || out[0].(DoStep).Key != (StepKey{Step: StepActivate, Slot: slot, Epoch: epoch, Attempt: 4}) {
		t.Fatalf("with one it does %v, want to start %s again", out, slot)
	}
	e.Step(x.now, StepDone{Key: out[0].(DoStep).Key, Result: ResultDone})
	if out := e.Step(x.now, ExecutorWoken{}); len(out) > 0 {
		t.Errorf("and again: %v", out)
	}
	if out := e.Step(x.now, Lapsed{Slot: slot, Epoch: epoch - 1, Nth: 5}); len(out) > 0 {
		t.Errorf("what it ran under an older slot epoch it starts again: %v", out)
	}
}
