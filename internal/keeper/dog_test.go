package keeper

import "testing"

func TestTheWatchdogIsArmedBeforeTheFirstLeaseIsTaken(t *testing.T) {
	r := newRig(t, true)
	r.wantSaid("arm 0s", "disarm") // what a killed keeper may have left
	r.taken("db-0", 7)
	r.wantSaid("arm 9s")
}

func TestNoLeaseIsTakenWithoutTheWatchdogThatWasAskedFor(t *testing.T) {
	r := newRig(t, true)
	r.noDog = "open /dev/watchdog: device or resource busy"
	wantRefused(t, r.hand("db-0", 7, 0), "device or resource busy")
	wantRefused(t, r.enter("db-0", 7), "no fresh lease")
	r.noDog = ""
	wantRefused(t, r.hand("db-0", 7, 0), "")
}

func TestADeviceThatTakesAnotherTimeOutIsNoEnforcer(t *testing.T) {
	r := newRig(t, true)
	r.device = 60 * second
	wantRefused(t, r.hand("db-0", 7, 0), "the watchdog's time-out is 1m0s, want 9s to 9s")
	r.wantSaid("arm 0s", "disarm", "arm 9s", "disarm")
}

func TestTheWatchdogIsFedByFreshLeasesAlone(t *testing.T) {
	r := newRig(t, true)
	r.taken("db-0", 7)
	fed := r.fed
	r.pass(2 * second)
	if r.fed != fed {
		t.Error("fed by the time alone")
	}
	r.hand("db-0", 7, 1500*milli)
	if r.fed != fed {
		t.Error("fed by a lease that is older than a round trip")
	}
	r.hand("db-0", 7, 900*milli)
	if r.fed != r.now {
		t.Error("not fed by a fresh lease")
	}
}

func TestAStopThatIsConfirmedDisarmsTheWatchdog(t *testing.T) {
	r := newRig(t, true)
	r.taken("db-0", 7)
	r.said = nil
	r.pass(20 * second)
	r.wantSaid("signal db-0 kill=false", "shut db-0", "disarm")
	if r.reset {
		t.Error("the machine was reset although nothing ran")
	}
}

func TestAStopThatIsNotConfirmedLetsTheWatchdogBiteAtW(t *testing.T) {
	r := newRig(t, true)
	r.taken("db-0", 7)
	sent := r.now
	r.stuck = true
	r.pass(8900 * milli)
	r.hand("db-0", 7, 0) // a lease that comes now feeds nobody
	if r.reset {
		t.Error("reset before W")
	}
	r.pass(200 * milli)
	if !r.reset {
		t.Errorf("still up %v after the last fresh lease", r.now-sent)
	}
}

func TestOneSlotOfTwoThatIsNotSeenToEndKeepsTheWatchdogHungry(t *testing.T) {
	r := newRig(t, true)
	r.taken("db-0", 7)
	r.taken("db-1", 9)
	r.stuck = true
	for range 11 {
		r.pass(second)
		r.hand("db-1", 9, 0)
	}
	if !r.reset {
		t.Error("the other slot's leases fed the watchdog")
	}
}

func TestARestartedKeeperDoesNotFeedByOpening(t *testing.T) {
	r := newRig(t, true)
	r.taken("db-0", 7)
	r.stuck = true
	fed := r.fed
	r.now += 5 * second
	r.start(true, r.disk["db-0"])
	wantRefused(t, r.hand("db-0", 7, 2*second), "want at most 1s to arm the watchdog")
	r.pass(3900 * milli)
	if r.fed != fed {
		t.Error("a keeper without a fresh lease put the reset off")
	}
	r.pass(200 * milli)
	if !r.reset {
		t.Error("not reset at W")
	}
}

func TestARestartedKeeperWithAFreshLeaseGoesOn(t *testing.T) {
	r := newRig(t, true)
	r.taken("db-0", 7)
	r.now += 3 * second
	r.start(true, r.disk["db-0"])
	wantRefused(t, r.hand("db-0", 7, 0), "")
	for range 20 {
		r.pass(second)
		r.hand("db-0", 7, 0)
	}
	r.wantState("db-0", Held, 1)
	if r.reset {
		t.Error("the machine was reset")
	}
}
