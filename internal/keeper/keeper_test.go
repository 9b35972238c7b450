package keeper

import (
	"testing"
	"time"
)

const (
	second = time.Second
	milli  = time.Millisecond
)

func TestASlotRunsWhileItsLeaseIsFreshAndIsStoppedAtS(t *testing.T) {
	r := newRig(t, false)
	r.taken("db-0", 7)
	for range 20 {
		r.pass(second)
		r.hand("db-0", 7, 200*milli)
	}
	r.wantState("db-0", Held, 1)
	r.pass(5799 * milli)
	r.wantState("db-0", Held, 1)
	r.pass(2 * milli)
	r.wantState("db-0", Vacant, 0)
	r.wantSaid("signal db-0 kill=false", "shut db-0")
}

func TestALeaseCountsFromWhenItsRenewalWasSent(t *testing.T) {
	r := newRig(t, false)
	r.taken("db-0", 7)
	r.hand("db-0", 7, 0)
	r.pass(3 * second)
	r.hand("db-0", 7, 2*second) // sent one second after the first
	r.pass(3999 * milli)
	r.wantState("db-0", Held, 1)
	r.pass(2 * milli)
	r.wantState("db-0", Vacant, 0)
}

func TestAnOlderLeaseShortensNothing(t *testing.T) {
	r := newRig(t, false)
	r.taken("db-0", 7)
	r.pass(3 * second)
	r.hand("db-0", 7, 0)
	r.hand("db-0", 7, 2*second)
	r.pass(5 * second)
	r.wantState("db-0", Held, 1)
}

func TestWhoDoesNotEndInOrderIsEndedByForceAfterHalfOfDs(t *testing.T) {
	r := newRig(t, false)
	r.taken("db-0", 7)
	r.deaf = true
	r.pass(7400 * milli)
	r.wantState("db-0", Stopping, 1)
	r.wantSaid("signal db-0 kill=false")
	r.pass(150 * milli)
	r.wantState("db-0", Vacant, 0)
	r.wantSaid("shut db-0", "signal db-0 kill=true")
}

func TestAStopThatIsNotConfirmedWithinDsIsUnknownAndTriedOn(t *testing.T) {
	r := newRig(t, false)
	r.taken("db-0", 7)
	r.stuck = true
	r.pass(8900 * milli)
	r.wantState("db-0", Stopping, 1)
	r.pass(200 * milli)
	r.wantState("db-0", Unknown, 1)
	r.stuck = false
	r.pass(second)
	r.wantState("db-0", Vacant, 0)
}

func TestALookThatFailsConfirmsNoStop(t *testing.T) {
	r := newRig(t, false)
	r.taken("db-0", 7)
	r.blind = "permission denied"
	r.pass(20 * second)
	r.wantState("db-0", Unknown, 0)
	r.blind = ""
	r.pass(second)
	r.wantState("db-0", Vacant, 0)
}

func TestALeaseThatComesWhileTheSlotStopsSavesNobody(t *testing.T) {
	r := newRig(t, false)
	r.taken("db-0", 7)
	r.deaf = true
	r.pass(6100 * milli)
	if a := r.hand("db-0", 7, 0); a.Refused != "" || a.Standing.State != Stopping {
		t.Errorf("got %+v, want it noted and the slot still stopping", a)
	}
	r.pass(1500 * milli)
	r.wantState("db-0", Held, 0) // the service may be started again under it
	wantRefused(t, r.enter("db-0", 7), "")
}

func TestNobodyEntersWithoutAFreshLeaseOfItsSlotEpoch(t *testing.T) {
	r := newRig(t, false)
	wantRefused(t, r.enter("db-0", 7), "no fresh lease")
	r.hand("db-0", 7, 0)
	wantRefused(t, r.enter("db-0", 6), "slot epoch is 6, the lease is for 7")
	wantRefused(t, r.enter("db-0", 7), "")
	r.pass(10 * second)
	wantRefused(t, r.enter("db-0", 7), "no fresh lease")
}

func TestWhatRunsWithoutALeaseIsEndedAtOnce(t *testing.T) {
	r := newRig(t, false)
	r.taken("db-0", 7)
	r.pass(10 * second)
	r.said = nil
	r.running["db-0"] = 1
	r.pass(1100 * milli)
	r.wantState("db-0", Vacant, 0)
	r.wantSaid("signal db-0 kill=true")
}

func TestBadLeasesAreRefused(t *testing.T) {
	r := newRig(t, false)
	r.taken("db-0", 7)
	good := Lease{Slot: "db-0", Epoch: 7, Boot: boot, Sent: r.now, Timing: Lan()}
	tests := []struct {
		claim  string
		spoil  func(l *Lease)
		reason string
	}{
		{"of an older slot epoch", func(l *Lease) { l.Epoch = 6 }, "slot epoch is 6, the keeper has seen 7"},
		{"of another boot", func(l *Lease) { l.Boot = "b0" }, "sent in boot b0 of the machine, this is b1"},
		{"from the future", func(l *Lease) { l.Sent += time.Hour }, "sent 1h0m0s from now"},
		{"as old as S", func(l *Lease) { l.Sent -= 6 * second }, "sent 6s ago, want less than 6s"},
		{"of no slot", func(l *Lease) { l.Slot = "" }, "no slot"},
		{"of no slot epoch", func(l *Lease) { l.Epoch = 0 }, "no slot epoch"},
		{"with unsafe timings", func(l *Lease) { l.Timing.Within = 4 * second }, "stop + within is 10s and watchdog is 9s"},
		{"without timings", func(l *Lease) { l.Timing = Timing{} }, "stop is 0s"},
		{"that would last for ever", func(l *Lease) { l.Timing.Stop, l.Timing.Watchdog = 99*time.Hour, 100*time.Hour }, "stop is 99h0m0s"},
		{"that ends before it is known", func(l *Lease) { l.Timing.RoundTrip = 6 * second }, "round_trip is 6s"},
	}
	for _, tt := range tests {
		t.Run(tt.claim, func(t *testing.T) {
			l := good
			tt.spoil(&l)
			before := r.k.Standings(r.now)
			wantRefused(t, r.handed(l), tt.reason)
			if after := r.k.Standings(r.now); len(after) != 1 || after[0] != before[0] {
				t.Errorf("a refused lease changed %+v to %+v", before, after)
			}
		})
	}
}

func TestAReleaseIsAnsweredWhenNothingRunsAnyMore(t *testing.T) {
	r := newRig(t, false)
	r.taken("db-0", 7)
	r.deaf = true
	ask := r.release("db-0", 7)
	r.pass(1400 * milli)
	if a, ok := r.answers[ask]; ok {
		t.Fatalf("answered %+v while the process runs", a)
	}
	r.pass(200 * milli)
	wantRefused(t, r.answer(ask), "")
	r.wantState("db-0", Vacant, 0)
	wantRefused(t, r.hand("db-0", 7, 0), "slot epoch 7 was released")
	wantRefused(t, r.hand("db-0", 8, 0), "")
}

func TestAReleaseIsRememberedByTheNextLife(t *testing.T) {
	r := newRig(t, false)
	r.taken("db-0", 7)
	r.release("db-0", 7)
	r.pass(second)
	r.start(false, r.disk["db-0"])
	wantRefused(t, r.hand("db-0", 7, 0), "slot epoch 7 was released")
}

func TestAReleaseThatCannotBeConfirmedSaysSo(t *testing.T) {
	r := newRig(t, false)
	r.taken("db-0", 7)
	r.stuck = true
	ask := r.release("db-0", 7)
	r.pass(4 * second)
	wantRefused(t, r.answer(ask), "not seen to end: 1 processes run")
	r.wantState("db-0", Unknown, 1)
}

func TestAReleaseOfAnOlderSlotEpochStopsNothing(t *testing.T) {
	r := newRig(t, false)
	r.taken("db-0", 7)
	wantRefused(t, r.answer(r.release("db-0", 6)), "slot epoch is 6, the keeper has seen 7")
	r.wantState("db-0", Held, 1)
	wantRefused(t, r.answer(r.release("db-1", 3)), "") // nothing of it was ever here
}

func TestTwoSlotsEndEachAtItsOwnTime(t *testing.T) {
	r := newRig(t, false)
	r.taken("db-0", 7)
	r.pass(3 * second)
	r.taken("db-1", 9)
	r.pass(3500 * milli)
	r.wantState("db-0", Vacant, 0)
	r.wantState("db-1", Held, 1)
	r.pass(3 * second)
	r.wantState("db-1", Vacant, 0)
}
