package demo

import (
	"net/netip"
	"os"
	"strings"
	"syscall"
	"testing"
)

var someone, another = netip.MustParseAddr("127.77.7.3"), netip.MustParseAddr("127.77.7.4")

// pipeGate is a gate that this test moves like a launcher.
func pipeGate(t *testing.T) (*Gate, *os.File) {
	t.Helper()
	theirs, ours, err := os.Pipe()
	must(t, err)
	fd, err := syscall.Dup(int(theirs.Fd()))
	must(t, err)
	must(t, theirs.Close())
	g, err := GateFromFD(fd)
	must(t, err)
	t.Cleanup(func() {
		_ = ours.Close() // a test may have closed it
		must(t, g.Close())
	})
	return g, ours
}

func TestAGateIsOpenUntilTheLauncherShutsIt(t *testing.T) {
	g, launcher := pipeGate(t)
	if !g.Open(someone) {
		t.Fatal("shut at the start")
	}
	must(t, order(launcher, true, someone))
	await(t, "gate shut", func() bool { return !g.Open(someone) })
	if !g.Open(another) {
		t.Error("shut for another address too")
	}
	if g.Open(netip.MustParseAddr("::ffff:127.77.7.3")) {
		t.Error("open for the same address written as IPv6")
	}
	must(t, order(launcher, false, someone))
	await(t, "gate open", func() bool { return g.Open(someone) })
}

func TestAGateStaysAsItIsWhenTheLauncherIsGone(t *testing.T) {
	g, launcher := pipeGate(t)
	must(t, order(launcher, true, someone))
	must(t, launcher.Close())
	g.read.Wait()
	if g.Open(someone) {
		t.Error("opened by the launcher's end")
	}
}

func TestAGateIgnoresWhatIsNoOrder(t *testing.T) {
	g := newGate()
	for _, line := range []string{"", "block", "block nobody", "melt 127.77.7.3", "block 127.77.7.3 now"} {
		g.obey(line)
	}
	if !g.Open(someone) {
		t.Error("shut by a line that is no order")
	}
}

func TestOnlyAPipeMovesAGate(t *testing.T) {
	file, err := os.CreateTemp(t.TempDir(), "")
	must(t, err)
	defer file.Close()
	if _, err := GateFromFD(int(file.Fd())); err == nil || !strings.Contains(err.Error(), "no pipe") {
		t.Errorf("a file: %v, want a refusal", err)
	}
	if _, err := GateFromFD(1 << 20); err == nil {
		t.Error("took a descriptor that is none")
	}
}

func TestAnAgentWithoutALauncherHasNoGate(t *testing.T) {
	if g, err := Inherited(func(string) string { return "" }); g != nil || err != nil {
		t.Errorf("got %v, %v; want neither", g, err)
	}
	for _, text := range []string{"0", "2", "three"} {
		if _, err := Inherited(func(string) string { return text }); err == nil {
			t.Errorf("took descriptor %q", text)
		}
	}
}
