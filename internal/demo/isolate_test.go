package demo

import (
	"bufio"
	"net/netip"
	"os"
	"testing"
)

// gated is a launcher whose agents are nothing but gates. obeyed gives the gate
// of a member after all orders so far.
func gated(t *testing.T, network [2]byte) (l *launcher, obeyed func(of int) *Gate) {
	t.Helper()
	where := newLayout(network)
	l = &launcher{kit: &kit{layout: where}, console: &console{gate: newGate()}}
	var ends []*os.File
	gates := make([]*Gate, len(where.places))
	for i, p := range where.places {
		theirs, ours, err := os.Pipe()
		must(t, err)
		t.Cleanup(func() { _ = theirs.Close() }) // read to its end
		l.children = append(l.children, &child{place: p, gate: ours})
		ends, gates[i] = append(ends, theirs), newGate()
	}
	return l, func(of int) *Gate {
		l.children[of].closeGate()
		for lines := bufio.NewScanner(ends[of]); lines.Scan(); {
			gates[of].obey(lines.Text())
		}
		return gates[of]
	}
}

func TestAHealedMemberStaysApartFromOneThatIsStillIsolated(t *testing.T) {
	l, obeyed := gated(t, [2]byte{9, 9})
	first, second := l.children[0], l.children[1]
	must(t, l.isolate(first, true))
	must(t, l.isolate(second, true))
	must(t, l.isolate(first, false))
	healed, isolated := obeyed(0), obeyed(1)
	for _, x := range l.children[2:] {
		if !healed.Open(x.Addr) || isolated.Open(x.Addr) {
			t.Errorf("%s: open for the healed %t, for the isolated %t", x.Name, healed.Open(x.Addr), isolated.Open(x.Addr))
		}
	}
	if healed.Open(second.Addr) || isolated.Open(first.Addr) {
		t.Error("the isolated member reaches the healed one")
	}
	for _, a := range []netip.Addr{first.Addr, second.Addr} {
		if l.console.gate.Open(a) != (a == first.Addr) {
			t.Errorf("the launcher's gate for %v is wrong", a)
		}
	}
}
