package consensus

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"moonwatch/member"
)

// TestEveryKindIsListed as one that every build knows, or as one that came later.
func TestEveryKindIsListed(t *testing.T) {
	declared := regexp.MustCompile(`FactKind\s*= "([a-z-]+)"`)
	n := 0
	for _, pattern := range []string{"*.go", "../failover/*.go", "../mind/*.go"} {
		files, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, file := range files {
			b, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			for _, m := range declared.FindAllSubmatch(b, -1) {
				n++
				if k := FactKind(m[1]); !slices.Contains(firstKinds, k) && !slices.Contains(laterKinds, k) {
					t.Errorf("%s declares the kind %s: add it to laterKinds in consensus/kinds.go, or it is never proposed", file, k)
				}
			}
		}
	}
	if n < 15 {
		t.Fatalf("%d kinds found", n)
	}
}

func TestALaterKindWaitsUntilEveryCouncillorKnowsIt(t *testing.T) {
	o := newOrphans(t)
	l := o.ledger()
	old := map[member.ID]bool{"b": true}
	told := func(id member.ID) ([]FactKind, bool) {
		if old[id] {
			return []FactKind{KindRefound}, id != "stranger"
		}
		return []FactKind{KindDisk, KindCouncil}, id != "stranger"
	}
	may := func(kind FactKind) string {
		stops, ok := l.MayPropose(kind, told)
		return fmt.Sprintf("%v %s", ok, stops)
	}
	for _, x := range []struct {
		kind FactKind
		want string
	}{{KindVerdict, "true "}, {"case-step", "true "}, {KindDisk, "false b"}, {"of-a-newer-build", "false "}} {
		if got := may(x.kind); got != x.want {
			t.Errorf("%s: %q, want %q", x.kind, got, x.want)
		}
	}
	l.s.Standing["b"] = Standing{Kind: VerdictDown}
	if got := may(KindDisk); got != "true " {
		t.Errorf("with the old one condemned: %q", got)
	}
	delete(l.s.Standing, "b")
	old["b"] = false
	if got := may(KindDisk); got != "true " {
		t.Errorf("after its upgrade: %q", got)
	}
	old["a"] = true
	c, _ := NewCommand(KindDisk, "disk/c", "c", time.Unix(150, 0), Disk{ID: "x"})
	b, _ := c.Encode()
	if _, _, err := l.Commit(3, b); err != nil {
		t.Fatal(err)
	}
	if got := may(KindDisk); got != "true " {
		t.Errorf("a kind that stands already: %q", got)
	}
	whole, err := l.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	again := NewLedger()
	if err := again.Restore(whole); err != nil {
		t.Fatal(err)
	}
	if _, ok := again.MayPropose(KindDisk, told); !ok {
		t.Error("a snapshot forgets which kinds stand")
	}
}

// TestASnapshotOfAKindOfTomorrowStopsDeciding: what such facts brought is in fields that
// this build passes over, in its own snapshots too.
func TestASnapshotOfAKindOfTomorrowStopsDeciding(t *testing.T) {
	l := newOrphans(t).ledger()
	snapshot := func(l *Ledger) []byte {
		t.Helper()
		b, err := l.Snapshot()
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	restored := func(b []byte) *Ledger {
		t.Helper()
		l := NewLedger()
		if err := l.Restore(b); err != nil {
			t.Fatal(err)
		}
		return l
	}
	l.s.Spoken = slices.Clone(laterKinds) // also those of folders, which this ledger does not have
	if why := restored(snapshot(l)).Blocked(); why != "" {
		t.Errorf("with all kinds that this build has: %s", why)
	}
	l.s.Spoken = append(l.s.Spoken, "note-of-tomorrow")
	today := restored(snapshot(l))
	if why := today.Blocked(); !strings.Contains(why, "the ledger as of fact 2 holds facts of kind note-of-tomorrow") || !strings.Contains(why, "upgrade it") {
		t.Errorf("still deciding: %q", why)
	}
	// The build of tomorrow must not trust what this one wrote.
	if restored(snapshot(today)).Blocked() == "" {
		t.Error("a snapshot forgets that it was not understood")
	}
	// Nor does a whole ledger that is understood leave it stopped.
	l.s.Spoken = laterKinds
	if err := today.Restore(snapshot(l)); err != nil || today.Blocked() != "" {
		t.Errorf("still blocked: %v, %q", err, today.Blocked())
	}
}
