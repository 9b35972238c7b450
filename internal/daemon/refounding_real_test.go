//go:build real

package daemon

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"moonwatch/consensus"
	"moonwatch/consensus/disk"
	"moonwatch/internal/pki"
	"moonwatch/internal/refound"
	"moonwatch/member"
	"moonwatch/status"
)

// TestANewCouncilDecidesAfterMostOfTheOldOneIsLost on real sockets and disks: of seven
// members two of the three councillors are lost with facts that nobody else has. Two
// operators found a new council from what is left; the fleet decides again. An old
// councillor that comes back leaves its seat and follows, one with facts that went
// another way is refused and told why.
func TestANewCouncilDecidesAfterMostOfTheOldOneIsLost(t *testing.T) {
	f := newFleet(t, []member.ID{"a", "b", "c", "d", "e", "f", "g"})
	f.until("g", "council", 30*time.Second, func(p status.Page) bool { return p.Council.Leader != "" })
	f.apply(testFleet(f, 1))
	for _, n := range f.names {
		f.until(n, "learners", 60*time.Second, func(p status.Page) bool { return len(p.Council.Learners) == 2 })
	}
	if _, err := refound.Survey(f.data("g")); !errors.Is(err, disk.ErrInUse) {
		t.Fatalf("survey of an agent that runs: %v", err)
	}
	for _, n := range f.names {
		f.stop(n)
	}
	if err := os.CopyFS(filepath.Join(f.dir, "a.before"), os.DirFS(f.data("a"))); err != nil {
		t.Fatal(err)
	}
	// What a and b agree on alone, all others have to do without.
	f.start("a")
	f.start("b")
	f.until("a", "the old council", 60*time.Second, func(p status.Page) bool { return p.Council.Leader != "" && p.Council.Quorum })
	before := f.agents["a"].Page().Knowledge.Head
	f.applyAt("a", testFleet(f, 2))
	alone := func(p status.Page) bool { return p.Knowledge.Head > before }
	f.until("a", "a fact that is to be lost", 30*time.Second, alone)
	f.until("b", "a fact that is to be lost", 30*time.Second, alone)
	f.stop("a")
	f.stop("b")

	for _, n := range []member.ID{"d", "e", "f", "g"} { // they wait, and nothing is decided
		f.start(n)
	}
	var survivors []consensus.Survivor
	for _, n := range []member.ID{"c", "d", "e"} {
		f.stop(n)
		s, err := refound.Survey(f.data(n))
		if err != nil {
			t.Fatal(err)
		}
		survivors = append(survivors, s)
	}
	plan, warnings, err := consensus.PlanRefounding(survivors, nil, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(plan.Lost, []member.ID{"a", "b"}) || len(plan.Council) != 3 {
		t.Fatalf("%+v (%v)", plan, warnings)
	}
	r := f.signedByTwo(plan)
	other := "c"
	if plan.Bearer == "c" {
		other = "d"
	}
	if _, err := refound.CarryOut(f.data(member.ID(other)), r); err == nil || !strings.Contains(err.Error(), "goes on from the ledger of "+string(plan.Bearer)) {
		t.Fatalf("on another survivor: %v", err)
	}
	if _, err := refound.CarryOut(f.data(plan.Bearer), r); err != nil {
		t.Fatal(err)
	}
	if _, err := refound.CarryOut(f.data(plan.Bearer), r); err == nil || !strings.Contains(err.Error(), "already") {
		t.Fatalf("carried out twice: %v", err)
	}
	for _, n := range []member.ID{"c", "d", "e"} {
		f.start(n)
	}
	anew := func(p status.Page) bool {
		return slices.Equal(p.Council.Councillors, []member.ID{"c", "d", "e"}) && p.Council.Quorum && p.Council.Leader != ""
	}
	for _, n := range []member.ID{"c", "d", "e", "f", "g"} {
		f.until(n, "the new council", 90*time.Second, anew)
	}
	head := f.agents["g"].Page().Knowledge.Head
	f.apply(testFleet(f, 1))
	f.until("g", "it decides", 30*time.Second, func(p status.Page) bool { return p.Knowledge.Head > head })

	if err := os.Rename(f.data("a"), filepath.Join(f.dir, "a.alone")); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(filepath.Join(f.dir, "a.before"), f.data("a")); err != nil {
		t.Fatal(err)
	}
	f.start("a")
	f.until("a", "an old councillor follows", 60*time.Second, func(p status.Page) bool { return anew(p) && p.Knowledge.Current })
	f.start("b")
	select {
	case <-f.over["b"]:
	case <-time.After(90 * time.Second):
		t.Error("a councillor whose ledger went another way is not refused")
	}
	ended := f.stops["b"]
	delete(f.stops, "b")
	if err := ended(); !errors.Is(err, consensus.ErrSuperseded) {
		t.Errorf("a councillor whose ledger went another way: %v", err)
	}
	for _, n := range []member.ID{"a", "c", "d", "e", "f", "g"} {
		f.until(n, "one ledger", 60*time.Second, func(p status.Page) bool {
			return anew(p) && p.Knowledge.Hash == f.agents["g"].Page().Knowledge.Hash
		})
	}
}

// data is a member's data folder.
func (f *fleet) data(n member.ID) string { return filepath.Join(f.dir, string(n), "data") }

// signedByTwo lets the fleet's operator and another one sign a plan.
func (f *fleet) signedByTwo(p consensus.RefoundPlan) consensus.Refounding {
	f.t.Helper()
	second, err := pki.NewOperatorKey("second")
	if err != nil {
		f.t.Fatal(err)
	}
	second.Grant = f.ca.Sign(consensus.GrantText(cluster, "second", second.PublicKey()))
	var r consensus.Refounding
	for _, k := range []*pki.OperatorKey{f.op, second} {
		s, err := refound.Sign(p, k)
		if err != nil {
			f.t.Fatal(err)
		}
		r.Plan, r.Warrants = s.Plan, append(r.Warrants, s.Warrant)
	}
	return r
}
