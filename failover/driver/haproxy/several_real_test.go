//go:build real

package haproxy

import (
	"os"
	"strings"
	"testing"
	"time"

	"moonwatch/failover/driver"
	"moonwatch/failover/driver/conform"
)

// twins are two HAProxies with one configuration, as on two machines. The second
// is reached over a wire and keeps no file.
func twins(t *testing.T) (a, b *proxy, wire *conform.Wire, at addresses, d *Driver) {
	t.Helper()
	a = newProxy(t)
	b = newProxy(t, "/var/lib/haproxy/slots.map", a.marks())
	at = addresses{"web-1": newOccupant(t).addrPort(), "spare-1": newOccupant(t).addrPort()}
	wire = conform.NewWire(t, "unix", b.Socket())
	d = drives(t, a, at, a.instance("haproxy-a"), Instance{Name: "haproxy-b", Socket: wire.Address()})
	does(t, d, request(driver.StepCutover, "web-1", 42))
	if differ := d.Divergence(t.Context(), "web-0"); differ != "" {
		t.Fatalf("both were told, but %s", differ)
	}
	return a, b, wire, at, d
}

func TestAnInstanceThatCannotBeAskedHoldsUpNoOtherAndTheStepIsHalfWay(t *testing.T) {
	for name, spoil := range map[string]func(*conform.Wire){
		"gone":   (*conform.Wire).Down,
		"hangs":  func(w *conform.Wire) { w.Treat(func(int) conform.Treatment { return conform.Hang }) },
		"babble": func(w *conform.Wire) { w.Treat(func(int) conform.Treatment { return conform.Say("\n") }) },
	} {
		t.Run(name, func(t *testing.T) {
			a, b, wire, _, d := twins(t)
			d.config.AnswerWithin /= 10
			drain := request(driver.StepDrain, "web-1", 42)
			spoil(wire)
			wants(t, d.Apply(t.Context(), drain), driver.Unknown, "haproxy-a: done", "haproxy-b: retryable", "not treated alike")
			if got := a.slotState("web-0"); !strings.HasSuffix(got, "/drained") {
				t.Errorf("the one that could be asked has %s", got)
			}
			wants(t, d.Observe(t.Context(), drain), driver.Unknown, "haproxy-b cannot be asked")

			if name == "gone" {
				wire.Up()
			}
			wire.Treat(nil)
			wants(t, d.Observe(t.Context(), drain), driver.Unknown, "haproxy-b has web-1 at slot epoch 42 by its mark")
			does(t, d, drain)
			if a, b := a.slotState("web-0"), b.slotState("web-0"); a != b {
				t.Errorf("they have\n%s\n%s", a, b)
			}
		})
	}
}

func TestIfOneInstanceKnowsANewerSlotEpochNoneIsChanged(t *testing.T) {
	a, b, _, at, d := twins(t)
	does(t, drives(t, a, at, Instance{Name: "haproxy-b", Socket: b.Socket()}), request(driver.StepCutover, "spare-1", 57))
	before := a.slotState("web-0")
	wants(t, d.Apply(t.Context(), request(driver.StepDrain, "web-1", 42)), driver.Refused, "spare-1 at slot epoch 57")
	if got := a.slotState("web-0"); got != before {
		t.Errorf("haproxy-a has\n%s\nand had\n%s", got, before)
	}
	differ := d.Divergence(t.Context(), "web-0")
	for _, text := range []string{"haproxy-a has web-1 at slot epoch 42", "haproxy-b has spare-1 at slot epoch 57"} {
		if !strings.Contains(differ, text) {
			t.Errorf("the alert is %q, want %q in it", differ, text)
		}
	}
}

// The disk of a busy machine takes its time for two files, and the clients are
// served by then.
func TestTheTimeOfACutoverEndsWithItsEffect(t *testing.T) {
	a, _, _, _, d := twins(t)
	const slow = 10 * time.Second
	d.files.Lock() // as a disk that takes its time for an earlier step
	began := time.Now()
	time.AfterFunc(slow, d.files.Unlock)
	result := does(t, d, request(driver.StepCutover, "spare-1", 57))
	if whole := time.Since(began); whole < slow {
		t.Errorf("ended after %v, before its files could be written", whole)
	}
	if result.Took <= 0 || result.Took >= slow {
		t.Errorf("took %v, want less than the %v in which nothing could be written", result.Took, slow)
	}
	if kept, err := os.ReadFile(a.marks()); err != nil || !strings.Contains(string(kept), "57") {
		t.Errorf("the map's file has %q, %v: want slot epoch 57", kept, err)
	}
}
