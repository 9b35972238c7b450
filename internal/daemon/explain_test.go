package daemon

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"moonwatch/consensus"
	"moonwatch/consensus/disk"
	"moonwatch/failover"
	"moonwatch/status"
)

// aged is an agent whose disk has as many facts, of which the page knows none: each hundredth
// is a case, and the others are its steps.
func aged(t testing.TB, facts int) *Daemon {
	t.Helper()
	store, err := disk.Open(disk.Config{Dir: t.TempDir(), Cluster: cluster, Member: "m1"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { store.Close() })
	began := time.Date(2026, 5, 1, 0, 0, 0, 0, time.UTC)
	var prev consensus.Hash
	var batch []consensus.Fact
	opened := uint64(0)
	for i := 1; i <= facts; i++ {
		at := began.Add(time.Duration(i) * 30 * 24 * time.Hour / time.Duration(facts))
		kind, payload := failover.KindCaseStep, any(failover.CaseStep{Case: opened, To: failover.Ready, Detail: strings.Repeat("silent for 3.1s, and the second roll call agrees; ", 8)})
		if i%100 == 1 {
			opened = uint64(i)
			kind, payload = failover.KindCaseOpened, failover.CaseOpened{Slot: "web-3", Subject: "m3", Verdict: uint64(i)}
		}
		c, err := consensus.NewCommand(kind, "command-"+strconv.Itoa(i), "m1", at, payload)
		if err != nil {
			t.Fatal(err)
		}
		b, err := c.Encode()
		if err != nil {
			t.Fatal(err)
		}
		f := consensus.Fact{Index: uint64(i), Raft: uint64(i), Time: at, Prev: prev, Bytes: b, Command: c}.Sealed()
		prev = f.Hash
		if batch = append(batch, f); len(batch) == 2000 || i == facts {
			if err := store.Keep(batch); err != nil {
				t.Fatal(err)
			}
			batch = nil
		}
	}
	d := &Daemon{store: store, feed: newFeed(store), olden: newOlden()}
	d.feed.status.Head = uint64(facts)
	d.page.Store(&status.Page{Self: status.Self{Name: "m1"}, Knowledge: status.Knowledge{Head: uint64(facts)}})
	return d
}

func TestAFactThatIsOlderThanThePageIsExplained(t *testing.T) {
	d := aged(t, 3000)
	e, err := d.explain("C-101")
	if err != nil {
		t.Fatal(err)
	}
	text := strings.Join(e.Lines, "\n")
	for _, want := range []string{"of kind case-opened", "What followed:", "fact 102: ", "and 59 more facts: moonwatch audit export --from 142"} {
		if !strings.Contains(text, want) {
			t.Errorf("nothing of %q in\n%s", want, text)
		}
	}
	if strings.Contains(text, "fact 201") {
		t.Errorf("the next case follows from it:\n%s", text)
	}
	if e, err := d.explain("102"); err != nil || !strings.Contains(e.Lines[0], "Fact 102, at ") {
		t.Errorf("%+v: %v", e, err)
	}
	for id, say := range map[string]string{"V-101": "is something else", "9999": "no member has that name", "web-9": "no member has that name"} {
		if _, err := d.explain(id); !errors.Is(err, status.ErrUnknown) || !strings.Contains(err.Error(), say) {
			t.Errorf("%s: %v", id, err)
		}
	}
	if _, err := (&Daemon{}).explain("C-1"); err == nil || !strings.Contains(err.Error(), "there is no page yet") {
		t.Errorf("before the first page: %v", err)
	}
}

// BenchmarkExplainOfThirtyDays has a disk with MOONWATCH_FACTS facts, and explains the
// first, one from the middle and the last: each has megabytes after it to look through.
func BenchmarkExplainOfThirtyDays(b *testing.B) {
	facts, err := strconv.Atoi(os.Getenv("MOONWATCH_FACTS"))
	if err != nil {
		facts = 20_000
	}
	d := aged(b, facts)
	for _, x := range []int{1, facts/200*100 + 1, (facts-1)/100*100 + 1} {
		b.Run(fmt.Sprintf("C-%d", x), func(b *testing.B) {
			for b.Loop() {
				if _, err := d.explainOld(d.page.Load(), fmt.Sprintf("C-%d", x), uint64(x), nil); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
