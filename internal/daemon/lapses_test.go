package daemon

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"moonwatch/failover"
	"moonwatch/internal/keeper"
	"moonwatch/internal/keeper/door"
)

func keeps(boot string, stops, running int, state keeper.State) door.Status {
	return door.Status{Boot: boot, Slots: []keeper.Standing{{Slot: "db-0", Epoch: 7, Stops: stops, Running: running, State: state}}}
}

func TestASlotThatItsKeeperStoppedIsStartedAgainOncePerStop(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lapses")
	x, err := openLapses(path)
	if err != nil {
		t.Fatal(err)
	}
	want := func(claim string, st door.Status, nth int) {
		t.Helper()
		got, err := x.note("db-0", 7, st)
		if err != nil {
			t.Fatal(err)
		}
		if got.Nth != nth || nth > 0 && got != (failover.Lapsed{Slot: "db-0", Epoch: 7, Nth: nth}) {
			t.Errorf("%s: got %+v, want the %dth", claim, got, nth)
		}
	}
	want("it runs", keeps("b1", 0, 1, keeper.Held), 0)
	want("it ended by itself: that is for a verdict", keeps("b1", 0, 0, keeper.Held), 0)
	want("it is being stopped", keeps("b1", 0, 1, keeper.Stopping), 0)
	want("it was stopped", keeps("b1", 1, 0, keeper.Vacant), 1)
	want("and is told once", keeps("b1", 1, 0, keeper.Held), 0)
	want("it runs again", keeps("b1", 1, 1, keeper.Held), 0)
	want("stopped again, seen only when it ran", keeps("b1", 2, 1, keeper.Held), 0)
	want("and then stopped a third time", keeps("b1", 3, 0, keeper.Vacant), 3)
	want("the machine was reset", keeps("b2", 0, 0, keeper.Vacant), 4)
	want("and its keeper knows nothing", door.Status{Boot: "b3"}, 5)

	if x, err = openLapses(path); err != nil {
		t.Fatal(err)
	}
	want("a new life of the agent tells it again, under the same number", door.Status{Boot: "b3"}, 5)
	if got, err := x.note("db-0", 8, door.Status{Boot: "b3"}); err != nil || got.Nth != 0 {
		t.Errorf("a newer slot epoch begins anew: got %+v, %v", got, err)
	}
	if got, err := x.note("db-0", 6, keeps("b3", 0, 0, keeper.Held)); err != nil || got.Nth != 0 {
		t.Errorf("an older slot epoch than the keeper's: got %+v, %v", got, err)
	}
}

func TestALapseIsNotToldBeforeItIsOnTheDisk(t *testing.T) {
	dir := t.TempDir()
	x, err := openLapses(filepath.Join(dir, "lapses"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := x.note("db-0", 7, keeps("b1", 0, 1, keeper.Held)); err != nil {
		t.Fatal(err)
	}
	x.path = filepath.Join(dir, "gone", "lapses")
	if got, err := x.note("db-0", 7, keeps("b1", 1, 0, keeper.Vacant)); !errors.Is(err, os.ErrNotExist) || got.Nth != 0 {
		t.Errorf("got %+v, %v", got, err)
	}
	x.path = filepath.Join(dir, "lapses")
	if got, err := x.note("db-0", 7, keeps("b1", 1, 0, keeper.Vacant)); err != nil || got.Nth != 1 {
		t.Errorf("with the next look: got %+v, %v", got, err)
	}
}

func TestDamagedLapsesRefuseToStart(t *testing.T) {
	path := filepath.Join(t.TempDir(), "lapses")
	if err := os.WriteFile(path, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := openLapses(path); err == nil {
		t.Error("taken for no lapses at all")
	}
}
