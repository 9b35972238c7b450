package keeper

import (
	"testing"
	"time"

	"moonwatch/member"
)

func TestAKeeperThatIsBackWithinSGoesOn(t *testing.T) {
	r := newRig(t, false)
	r.taken("db-0", 7)
	r.now += 5 * second
	r.start(false, r.disk["db-0"])
	r.wantState("db-0", Held, 1)
	r.hand("db-0", 7, 0)
	r.pass(5 * second)
	r.wantState("db-0", Held, 1)
	r.wantSaid()
}

func TestWhatRanWithoutAKeeperForLongerThanSIsStoppedAtOnce(t *testing.T) {
	for _, tt := range []struct {
		claim string
		away  time.Duration
		force bool
	}{{"within the slot's own time to end", 6500 * milli, false}, {"later", 8 * second, true}, {"much later", time.Hour, true}} {
		t.Run(tt.claim, func(t *testing.T) {
			r := newRig(t, false)
			r.taken("db-0", 7)
			r.now += tt.away
			r.start(false, r.disk["db-0"])
			r.wantState("db-0", Vacant, 0)
			if tt.force {
				r.wantSaid("shut db-0", "signal db-0 kill=true")
			} else {
				r.wantSaid("signal db-0 kill=false", "shut db-0")
			}
		})
	}
}

func TestAKeeperThatStoodStillStopsBeforeItListens(t *testing.T) {
	r := newRig(t, false)
	r.taken("db-0", 7)
	r.sleep(time.Minute)
	r.wantState("db-0", Vacant, 0)
	r.wantSaid("shut db-0", "signal db-0 kill=true")
}

func TestARecordOfAnotherBootHoldsNothing(t *testing.T) {
	r := newRig(t, false)
	r.taken("db-0", 7)
	record := r.disk["db-0"]
	old := *record.Lease
	old.Boot = "b0"
	record.Lease = &old
	clear(r.running) // the machine was reset
	r.start(false, record)
	r.wantState("db-0", Vacant, 0)
	wantRefused(t, r.enter("db-0", 7), "no fresh lease")
	wantRefused(t, r.hand("db-0", 6, 0), "the keeper has seen 7")
	wantRefused(t, r.hand("db-0", 7, 0), "")
}

func TestARecordThatCannotBeReadStopsWhatRuns(t *testing.T) {
	r := newRig(t, false)
	r.running["db-0"] = 2
	r.k = New(Config{Boot: boot}, nil, []member.SlotID{"db-0"})
	r.step(Woken{})
	r.wantState("db-0", Vacant, 0)
	r.wantSaid("signal db-0 kill=true")
}

func TestARecordWithALeaseThatFitsNothingHoldsNothing(t *testing.T) {
	good := Lease{Slot: "db-0", Epoch: 7, Boot: boot, Sent: 99 * second, Timing: Lan()}
	for claim, spoil := range map[string]func(*Record){
		"of another slot":       func(r *Record) { r.Lease.Slot = "db-1" },
		"of another slot epoch": func(r *Record) { r.Highest = 8 },
		"released":              func(r *Record) { r.Released = true },
		"with unsafe timings":   func(r *Record) { r.Lease.Timing.Stop = 0 },
	} {
		t.Run(claim, func(t *testing.T) {
			l := good
			rec := Record{Slot: "db-0", Highest: 7, Lease: &l}
			spoil(&rec)
			r := newRig(t, false)
			r.running["db-0"] = 1
			r.start(false, rec)
			r.wantState("db-0", Vacant, 0)
		})
	}
}
