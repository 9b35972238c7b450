package audit

import (
	"crypto/rand"
	"encoding/binary"
	"encoding/json"
	"hash/crc32"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	bolt "go.etcd.io/bbolt"

	"moonwatch/consensus"
	"moonwatch/consensus/disk"
	"moonwatch/mind"
	"moonwatch/sim"
)

// life is what the agents of a simulated fleet agreed on, of which a member died and was
// replaced, and what one of them says that stands.
type life struct {
	facts []consensus.Fact
	whole []byte
	err   error
}

var lived = sync.OnceValue(func() (l life) {
	chance := rand.Reader // which a world replaces
	defer func() { rand.Reader = chance }()
	cfg := sim.Demo()
	cfg.Seed = 7
	w, err := sim.New(cfg)
	if err != nil {
		return life{err: err}
	}
	if l.err = w.Run(10 * time.Second); l.err != nil {
		return l
	}
	w.Hit(sim.Crash, "web-3")
	if l.err = w.Run(20 * time.Second); l.err == nil {
		l.facts = w.Facts()
		l.whole, l.err = w.State().Ledger().Snapshot()
	}
	return l
})

func aLife(t *testing.T) ([]consensus.Fact, []byte) {
	t.Helper()
	l := lived()
	no(t, l.err)
	return l.facts, l.whole
}

// asOf is the whole ledger as of a fact.
func asOf(t *testing.T, facts []consensus.Fact, n int) []byte {
	t.Helper()
	l := mind.NewFold().Ledger
	for _, f := range facts[:n] {
		_, _, err := l.Follow(f)
		no(t, err)
	}
	b, err := l.Snapshot()
	no(t, err)
	return b
}

// stored is the data folder of a member that wrote the whole ledger down after n facts, and
// dropped those before the first.
func stored(t *testing.T, facts []consensus.Fact, n, first int, whole []byte) string {
	t.Helper()
	l := consensus.NewLedger()
	_, _, err := l.Follow(facts[0])
	no(t, err)
	cfg := disk.Config{Dir: t.TempDir(), Cluster: l.Cluster(), Member: "web-1"}
	for _, f := range facts[first-1 : n] {
		cfg.KeepBytes += uint64(len(f.Encode()))
	}
	s, err := disk.Open(cfg)
	no(t, err)
	no(t, s.Keep(facts[:n]))
	no(t, s.KeepSnapshot(uint64(n), whole, nil, 0, false))
	no(t, s.Keep(facts[n:]))
	no(t, s.Close())
	return cfg.Dir
}

// edit changes the whole ledger in a data folder at one place, and puts its checksum right.
func edit(t *testing.T, dir, path string, value any) {
	t.Helper()
	db, err := bolt.Open(filepath.Join(dir, disk.FileName), 0o600, nil)
	no(t, err)
	no(t, db.Update(func(tx *bolt.Tx) error {
		b := tx.Bucket([]byte("ledger"))
		content := change(t, b.Get([]byte("whole"))[4:], path, value)
		sum := crc32.Checksum(slices.Concat([]byte("ledgerwhole"), content), castagnoli)
		return b.Put([]byte("whole"), append(binary.BigEndian.AppendUint32(nil, sum), content...))
	}))
	no(t, db.Close())
}

// change puts a value at a place of a whole ledger; nil takes away what is there.
func change(t *testing.T, whole []byte, path string, value any) []byte {
	t.Helper()
	var all map[string]any
	no(t, json.Unmarshal(whole, &all))
	at := all
	names := strings.Split(path, "/")
	for _, name := range names[:len(names)-1] {
		below, is := at[name].(map[string]any)
		if !is {
			t.Fatalf("%s: there is no %s", path, name)
		}
		at = below
	}
	if last := names[len(names)-1]; value == nil {
		delete(at, last)
	} else {
		at[last] = value
	}
	b, err := json.Marshal(all)
	no(t, err)
	return b
}

func folding(t *testing.T, r Report) Folding {
	t.Helper()
	if len(r.Folded) != 1 {
		t.Fatalf("%+v, want one folding", r.Folded)
	}
	return r.Folded[0]
}

func TestAWholeLedgerIsHeldAgainstItsFacts(t *testing.T) {
	facts, whole := aLife(t)
	n := len(facts)
	for name, dir := range map[string]string{
		"of an agent": stored(t, facts, n, 1, whole), "with facts behind it": stored(t, facts, n-5, 1, asOf(t, facts, n-5)),
	} {
		r := check(t, dir)
		if f := folding(t, r); !r.OK || !f.Agrees || f.First != 1 || f.Not != "" || f.Onto != "" {
			t.Errorf("%s: ok %v, %+v, %+v", name, r.OK, f, r.Breaks)
		}
	}
}

// TestAnEditedWholeLedgerIsNamed although its checksum is right, and each link of the chain.
func TestAnEditedWholeLedgerIsNamed(t *testing.T) {
	facts, whole := aLife(t)
	for _, x := range []struct {
		path          string
		value         any
		record, field string
		found         string
	}{
		{"parts/failover/slots/web-0/occupant", "spare-1", "slot web-0", "occupant", `"spare-1"`},
		{"parts/failover/slots/web-0", nil, "slot web-0", "", "nothing"},
		{"parts/failover/slots/web-0/epoch", 1, "slot web-0", "epoch", "1"},
		{"parts/failover/uses/web-0/duty", "spare", "member web-0", "duty", `"spare"`},
		{"parts/failover/brake/modes", map[string]any{"fleet": map[string]any{"mode": "cascade"}}, "the brake", "modes", ""},
		{"parts/failover/spent", nil, "the budget's replacements", "", "nothing"},
		{"state/seats/next", 99, "the council", "next", "99"},
		{"state/standing", nil, "the verdict on web-3", "", "nothing"},
		{"state/records", nil, "the earlier verdicts on web-3", "", "nothing"},
		{"state/fleet/version", 2, "the fleet.yaml that was applied", "version", "2"},
		{"state/genesis/council", []string{"web-1"}, "the founding of the cluster", "", ""},
		{"state/commands", nil, "the commands that count as repeated", "", "nothing"},
		{"state/time", "2030-01-01T00:00:00Z", "the ledger itself", "time", `"2030-01-01T00:00:00Z"`},
	} {
		dir := stored(t, facts, len(facts), 1, whole)
		edit(t, dir, x.path, x.value)
		r := check(t, dir, witness("web-2", facts))
		if f := folding(t, r); r.OK || f.Agrees || len(r.Breaks) != 1 {
			t.Errorf("%s: ok %v, %+v, %+v", x.path, r.OK, f, r.Breaks)
			continue
		}
		b := r.Breaks[0]
		if b.What != "differs" || b.Fact != uint64(len(facts)) || b.Record != x.record || b.Field != x.field || x.found != "" && b.Found != x.found || b.Found == b.Expected {
			t.Errorf("%s: %+v", x.path, b)
		}
	}
}

// TestAWholeLedgerWhoseFactsWereDropped is folded from where something is to fold onto: an
// export of the facts, or a whole ledger of before. Without that it is said that it is not.
func TestAWholeLedgerWhoseFactsWereDropped(t *testing.T) {
	facts, whole := aLife(t)
	n, first := len(facts), len(facts)/2
	dir, bad := stored(t, facts, n, first, whole), stored(t, facts, n, first, whole)
	edit(t, bad, "parts/failover/slots/web-0/occupant", "spare-1")
	r := check(t, dir)
	if f := folding(t, r); !r.OK || f.First != 0 || f.Agrees || !strings.Contains(f.Not, "facts 1 to") || r.First != uint64(first) {
		t.Errorf("ok %v from fact %d: %+v", r.OK, r.First, f)
	}

	beside := map[string]Witness{
		"an export":         read(t, write(t, export(t, facts[:first+3]))),
		"a backup":          standing(t, asOf(t, facts, first+2)),
		"another ledger":    read(t, stored(t, facts, first+4, 1, asOf(t, facts, first+4))+"/"+disk.FileName),
		"one as of the end": standing(t, whole), // of an agent whose ledger was not edited
	}
	for name, w := range beside {
		r := check(t, dir, w)
		done := r.Folded[len(r.Folded)-1]
		if !r.OK || !done.Agrees || done.Not != "" || (done.Onto != "") != (name != "an export") {
			t.Errorf("%s: ok %v, %+v, %+v", name, r.OK, r.Folded, r.Breaks)
		}
		r = check(t, bad, w)
		if r.OK || len(r.Breaks) != 1 || r.Breaks[0].Record != "slot web-0" || r.Breaks[0].Found != `"spare-1"` {
			t.Errorf("%s: an edit is not found: %+v, %+v", name, r.Folded, r.Breaks)
		}
	}

	stranger := chain(t, 3, 0)
	r = check(t, dir, standing(t, asOf(t, stranger, 1)))
	if len(r.Folded) != 2 || r.Folded[0].Not == "" || r.Folded[1].Not == "" || r.Folded[1].OntoAt != 1 {
		t.Errorf("of another cluster: %+v", r.Folded)
	}
}

// TestALaterWholeLedgerShowsAnEdit: the facts after it are folded onto what was edited.
func TestALaterWholeLedgerShowsAnEdit(t *testing.T) {
	facts, whole := aLife(t)
	n := len(facts) - 6
	dir := stored(t, facts, n, n/2, asOf(t, facts, n))
	w := standing(t, whole)
	if r := check(t, dir, w); !r.OK || !r.Folded[len(r.Folded)-1].Agrees {
		t.Errorf("%+v, %+v", r.Folded, r.Breaks)
	}
	edit(t, dir, "parts/failover/slots/web-0/epoch", 1)
	r := check(t, dir, w)
	if r.OK || len(r.Breaks) != 1 || r.Breaks[0].Record != "slot web-0" || r.Breaks[0].Expected != "1" {
		t.Errorf("%+v", r.Breaks)
	}
}

func TestWhatThisBuildDoesNotKnowIsNotFolded(t *testing.T) {
	facts := chain(t, 9, 0) // of a kind that nobody has
	r := check(t, stored(t, facts, 9, 1, asOf(t, facts, 9)))
	if f := folding(t, r); !r.OK || !strings.Contains(f.Not, "a newer build wrote it") {
		t.Errorf("ok %v, %+v, %+v", r.OK, f, r.Breaks)
	}
}

func TestAWholeLedgerThatCannotBeReadIsDamage(t *testing.T) {
	facts, whole := aLife(t)
	dir := stored(t, facts, len(facts), 1, whole)
	edit(t, dir, "parts/failover", []int{1})
	if r := check(t, dir); r.OK || len(r.Breaks) != 1 || r.Breaks[0].What != "damaged" || !strings.Contains(r.Breaks[0].Detail, "the whole ledger as of fact") {
		t.Errorf("%+v", r.Breaks)
	}
}

func write(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "file")
	no(t, os.WriteFile(path, []byte(text), 0o600))
	return path
}

func read(t *testing.T, path string) Witness {
	t.Helper()
	w, err := WitnessOf(path)
	no(t, err)
	return w
}

// standing is a whole ledger, of a backup, say.
func standing(t *testing.T, whole []byte) Witness {
	t.Helper()
	w, err := WholeOf("shop.backup", whole)
	no(t, err)
	return w.Witness()
}
