//go:build real && linux

package unit

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"moonwatch/internal/boottime"
	"moonwatch/internal/keeper"
	"moonwatch/internal/keeper/door"
	"moonwatch/internal/testbed"
)

// aService writes down that it serves, and has a child that shows no goodwill: what
// every database has under a heavy query.
const aService = `#!/bin/sh
tick() { while :; do read -r up _ </proc/uptime; echo "$1 $$ $up" >>%s; sleep 0.05; done; }
( trap '' TERM; tick "$1-child" ) &
tick "$1"
`

// Names of what writes to the witness: of mydb.service, and of another unit of its slot.
const (
	aMain, aChild = "--foreground", "--foreground-child"
	beside        = "--beside"
)

// bound is a machine with a real systemd, on which the keeper and two units of a slot run
// by the files that people copy, byte for byte, and the program of this checkout.
type bound struct {
	*testbed.Machine

	t       *testing.T
	witness string
	keeper  door.Client
	agent   context.CancelFunc // nil: nobody hands over leases
}

func newBound(t *testing.T) *bound {
	t.Helper()
	dir := t.TempDir()
	must(t, os.Chmod(dir, 0o755))
	b := &bound{t: t, witness: filepath.Join(dir, "witness")}
	programs := filepath.Join(dir, "bin")
	must(t, os.Mkdir(programs, 0o755))
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", filepath.Join(programs, "moonwatch"), "moonwatch/cmd/moonwatch").CombinedOutput(); err != nil {
		t.Fatalf("build: %v\n%s", err, out)
	}
	must(t, os.WriteFile(filepath.Join(programs, "mydb"), fmt.Appendf(nil, aService, b.witness), 0o755))
	b.Machine = testbed.Boot(t, testbed.Options{Network: true, Keep: []string{dir}})
	b.Run("ip", "link", "set", "lo", "up")
	if out := b.Run("mount", "-t", "overlay", "overlay", "-o", "lowerdir="+programs+":/usr/bin", "/usr/bin"); out != "" {
		t.Skipf("the program cannot be put where the units want it: %s", out)
	}
	sample := func(name string) string {
		text, err := os.ReadFile(filepath.Join("../../../configs/systemd", name))
		must(t, err)
		return string(text)
	}
	const alone = "[Unit]\nDefaultDependencies=no\n"
	b.Unit("moonwatch-keeper.service", sample("moonwatch-keeper.service"))
	b.Unit("moonwatch-keeper.service.d/alone.conf", alone)
	b.Unit("mydb.service", alone+"[Service]\nExecStart=/usr/bin/mydb\n")
	b.Unit("mydb.service.d/moonwatch.conf", sample("slot.conf"))
	b.Unit("side.service", alone)
	b.Unit("side.service.d/moonwatch.conf", strings.ReplaceAll(sample("slot.conf"), aMain, beside))
	b.Run("systemctl", "start", "moonwatch-keeper.service")
	b.keeper = door.Client{Socket: b.Root + "/run/moonwatch/keeper.sock"}
	must(t, os.WriteFile(b.Root+"/run/moonwatch/mydb.env", []byte("MOONWATCH_SLOT="+slot+"\nMOONWATCH_SLOT_EPOCH=7\n"), 0o600))
	return b
}

// lease begins to hand over leases, or lets the last one end.
func (b *bound) lease(given bool) {
	b.t.Helper()
	if b.agent != nil {
		b.agent()
		b.agent = nil
	}
	if !given {
		b.Wait("the end of its lease", func() bool { s := b.standing(); return s.State == keeper.Vacant && s.Running == 0 })
		return
	}
	boot, err := boottime.ID()
	must(b.t, err)
	ctx, cancel := context.WithCancel(b.t.Context())
	over := make(chan struct{})
	go func() {
		defer close(over)
		for ctx.Err() == nil {
			l := keeper.Lease{Slot: slot, Epoch: 7, Boot: boot, Sent: boottime.Now(), Timing: keeper.Lan()}
			_, _ = b.keeper.Hand(ctx, l) // a keeper that is away comes back
			select {
			case <-ctx.Done():
			case <-time.After(200 * time.Millisecond):
			}
		}
	}()
	b.agent = func() { cancel(); <-over }
	b.Wait("its lease", func() bool { return b.standing().State == keeper.Held })
}

// standing is the slot's, as the keeper has it; empty if that does not answer.
func (b *bound) standing() keeper.Standing {
	st, err := b.keeper.Status(b.t.Context())
	if err != nil || len(st.Slots) == 0 {
		return keeper.Standing{}
	}
	return st.Slots[0]
}

// left lists the processes in the cgroup of the slot.
func (b *bound) left() string {
	return strings.TrimSpace(b.Run("find", "/sys/fs/cgroup", "-path", "*/moonwatch-keeper-*/"+slot+"*", "-name", "cgroup.procs", "-exec", "cat", "{}", "+"))
}

// tick is one line of the witness.
type tick struct {
	who  string
	life int // of the main process
	at   time.Duration
}

func (b *bound) ticks() []tick {
	b.t.Helper()
	text, err := os.ReadFile(b.witness)
	if err != nil {
		return nil
	}
	var all []tick
	for line := range strings.Lines(string(text)) {
		var k tick
		var at float64
		if n, _ := fmt.Sscanf(line, "%s %d %f\n", &k.who, &k.life, &at); n == 3 {
			k.at = time.Duration(at * float64(time.Second))
			all = append(all, k)
		}
	}
	return all
}

// wrote says whether somebody has written since a moment.
func (b *bound) wrote(who string, since time.Duration) bool {
	for _, k := range b.ticks() {
		if k.who == who && k.at > since {
			return true
		}
	}
	return false
}

// serves starts the service, and waits until all of it runs. On a machine that is busy
// the keeper may be found to hang meanwhile; then it is started again.
func (b *bound) serves() {
	b.t.Helper()
	from := boottime.Now()
	b.Wait("mydb serves", func() bool {
		if b.Show("mydb.service", "ActiveState") != "active" {
			b.Run("systemctl", "start", "mydb.service")
		}
		return b.wrote(aMain, from) && b.wrote(aChild, from) && b.Show("mydb.service", "ActiveState") == "active"
	})
}

// ended waits until systemd says that the service has ended, and wants nothing of it to
// have written after that, now and for a while. It gives when it wrote last.
func (b *bound) ended() time.Duration {
	b.t.Helper()
	b.Wait("the end of mydb", func() bool {
		s := b.Show("mydb.service", "ActiveState")
		return s == "inactive" || s == "failed"
	})
	seen := boottime.Now()
	time.Sleep(time.Second)
	var last time.Duration
	for _, k := range b.ticks() {
		if strings.HasPrefix(k.who, beside) {
			continue
		}
		if last = k.at; last > seen {
			b.t.Fatalf("%s of life %d writes %v after systemd said that all of it has ended", k.who, k.life, last-seen)
		}
	}
	return last
}

// refused starts the service, and wants the keeper not to let it in.
func (b *bound) refused() {
	b.t.Helper()
	b.Run("systemctl", "start", "mydb.service")
	b.ended()
	if got := b.Show("mydb.service", "ExecMainStatus"); got != "75" {
		b.t.Errorf("without a lease it ended with %s, want 75", got)
	}
}

// oneAtATime wants nobody of an earlier life of the service to have written once a later
// one has.
func (b *bound) oneAtATime() {
	b.t.Helper()
	lives := map[int]bool{}
	now := 0
	for _, k := range b.ticks() {
		switch {
		case strings.HasPrefix(k.who, beside) || k.life == now:
		case lives[k.life]:
			b.t.Fatalf("%s of life %d writes beside life %d", k.who, k.life, now)
		default:
			lives[k.life], now = true, k.life
		}
	}
}

// anotherKeeper waits for a keeper that is another one than before.
func (b *bound) anotherKeeper(before string) {
	b.t.Helper()
	b.Wait("another keeper", func() bool {
		now := b.Show("moonwatch-keeper.service", "InvocationID")
		_, err := b.keeper.Status(b.t.Context())
		return now != before && now != "" && err == nil
	})
}

func (b *bound) keeperLife() string { return b.Show("moonwatch-keeper.service", "InvocationID") }

func (b *bound) keeperGets(signal string) {
	b.Run("systemctl", "kill", "--kill-who=main", "--signal="+signal, "moonwatch-keeper.service")
}

// What the samples say: WatchdogSec of the keeper, TimeoutStopSec of the service. What a
// busy machine adds to them is added here.
const (
	keeperHangs  = 2 * time.Second
	serviceStops = 2 * time.Second
	busy         = 20 * time.Second
)

func TestSystemdEndsASlotWhenItsKeeperEnds(t *testing.T) {
	b := newBound(t)

	t.Log("nobody runs without a lease")
	b.refused()
	if all := b.ticks(); len(all) > 0 {
		t.Errorf("it wrote %v", all)
	}

	t.Log("a stop in order ends all of the service, and nothing else of its slot")
	b.lease(true)
	b.serves()
	b.Run("systemctl", "start", "side.service")
	b.Wait("another unit of the slot", func() bool { return b.wrote(beside, 0) })
	if b.left() == "" {
		t.Error("nothing is in the cgroup of the slot")
	}
	b.Run("systemctl", "stop", "mydb.service")
	b.ended()
	from := boottime.Now()
	b.Wait("the other unit goes on", func() bool { return b.wrote(beside, from) && b.wrote(beside+"-child", from) })
	b.Run("systemctl", "stop", "side.service")
	if left := b.left(); left != "" {
		t.Errorf("of the slot are left: %s", left)
	}

	t.Log("its lease ends: the keeper ends it")
	b.serves()
	b.lease(false)
	b.ended()

	for _, fault := range []struct {
		what, signal string
		within       time.Duration
	}{
		{"the keeper is killed", "KILL", serviceStops},
		{"the keeper hangs", "STOP", keeperHangs + serviceStops},
	} {
		t.Log(fault.what)
		b.lease(true)
		b.serves()
		before, began := b.keeperLife(), boottime.Now()
		b.keeperGets(fault.signal)
		last := b.ended()
		t.Logf("%s: its service wrote last after %v", fault.what, last-began)
		if most := fault.within + busy; last-began > most {
			t.Errorf("%s: its service wrote for %v, want at most %v", fault.what, last-began, most)
		}
		b.anotherKeeper(before)
		b.Wait("its lease", func() bool { return b.standing().State == keeper.Held })
		b.ended() // nobody has started it, though it might run
		if left := b.left(); left != "" {
			t.Errorf("of the slot are left: %s", left)
		}
		b.lease(false)
		b.refused()
	}

	t.Log("people stop the keeper, and start it again")
	b.lease(true)
	b.serves()
	b.Run("systemctl", "stop", "moonwatch-keeper.service")
	b.ended()
	b.Run("systemctl", "start", "moonwatch-keeper.service")
	b.Wait("its lease", func() bool { return b.standing().State == keeper.Held })
	b.ended()

	t.Log("people restart the keeper: the service is stopped before, and started after by a fresh lease")
	b.serves()
	before := b.keeperLife()
	began := boottime.Now()
	b.Run("systemctl", "restart", "moonwatch-keeper.service")
	b.anotherKeeper(before)
	b.Wait("another life of the service", func() bool {
		all := b.ticks()
		for i, k := range all {
			if k.at > began && k.life != all[max(0, i-1)].life {
				t.Logf("people restart the keeper: an outage of %v", k.at-all[i-1].at)
				return true
			}
		}
		return false
	})
	b.lease(false)
	b.ended()
	b.oneAtATime()
}
