//go:build real && linux

package daemon

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"moonwatch/consensus"
	"moonwatch/failover"
	"moonwatch/internal/config"
	"moonwatch/internal/testbed"
	"moonwatch/member"
	"moonwatch/status"
)

// switchAgent is a fence agent of our own for a switch that is there: it takes a port of
// the bridge down, and its status is what the kernel says of that port. How it does what it
// is told stands in a file.
const switchAgent = `#!/bin/sh
here=%s
at() { %s "$@"; }
while IFS= read -r line; do
	case $line in action=*) action=${line#action=} ;; plug=*) plug=${line#plug=} ;; esac
done
mode=$(cat "$here/mode")
say() { echo "$1" >>"$here/heard"; }
up() { at link show dev "$plug" up | grep -q . ; }
case $action in
metadata) echo '<?xml version="1.0" ?><resource-agent name="fence_switch"><actions><action name="off"/><action name="status"/><action name="monitor"/><action name="metadata"/></actions></resource-agent>' ;;
monitor) at link show dev "$plug" >/dev/null ;;
status)
	if [ "$mode" = garbage ]; then head -c 512 /dev/urandom; echo "Status: OFF"; exit 0; fi
	if up; then say "status on"; echo "Status: ON"; exit 0; fi
	say "status off"
	if [ "$mode" = flaps ]; then at link set "$plug" up; fi
	echo "Status: OFF"; exit 2 ;;
off)
	say "off $mode"
	case $mode in
	lies) echo "Success: Powered OFF" ;;
	hangs) exec sleep 600 ;;
	garbage) head -c 4096 /dev/urandom ;;
	flaps | works) at link set "$plug" down && echo "Success: Powered OFF" ;;
	esac ;;
esac
`

// severing is a fleet of agents that are processes, each on a machine of its own, behind a
// bridge. Its one slot is m4's; the pool is fenced by the network, and m1 can take m4's port
// of the bridge down, with the fence agent above.
type severing struct {
	*apart

	net    *testbed.Segment
	closet string // of the fence agent, where people say how it behaves
}

const severed, severs = member.ID("m4"), member.ID("m1")

func newSevering(t *testing.T) *severing {
	t.Helper()
	net := testbed.NewSegment(t)
	f := layFleet(t, []member.ID{"m1", "m2", "m3", "m4"}, func(i int) netip.Addr { return netip.AddrFrom4([4]byte{10, 77, 0, byte(i + 1)}) })
	f.port = 8080 // each has a namespace of its own
	x := &severing{net: net, closet: filepath.Join(f.dir, "closet")}
	x.apart = newApart(f, func(n member.ID, argv []string) []string { return net.On(string(n), argv...) })
	if err := os.Mkdir(x.closet, 0o755); err != nil {
		t.Fatal(err)
	}
	x.put("closet/mode", "lies\n", 0o600)
	x.put("closet/fence_switch", fmt.Sprintf(switchAgent, x.closet, strings.Join(net.On(testbed.Switch, "ip", "-o"), " ")), 0o755)
	x.put("closet/fences.yaml", fmt.Sprintf("version: 1\nmembers:\n  %s:\n    network:\n      - {agent: fence_switch, plug: %s}\n", severed, testbed.Port(string(severed))), 0o600)
	f.tune = func(n member.ID, a *config.Agent) {
		if n == severs {
			a.FencesFile, a.FenceAgentsDir = filepath.Join(x.closet, "fences.yaml"), x.closet
		}
	}
	net.Host(aClient, "10.77.0.100/24")
	for _, n := range f.names {
		net.Host(string(n), f.addrs[n].String()+"/24")
	}
	for _, n := range f.names {
		x.spawn("web", n, ours("web", ":8080", string(n))...)
		x.startAgent(n)
	}
	x.await("m1", "a leader", func(p status.Page) bool { return p.Council.Leader != "" })
	fl := testFleet(f, 1)
	fl.Pools[0].Fence = []string{"network"}
	slices.Reverse(fl.Members) // the first one takes the slot
	for i := range fl.Members {
		fl.Members[i].Council = fl.Members[i].ID != severed
	}
	x.order(consensus.KindFleet, fl)
	x.await("m1", "m4 serves, with three spares", func(p status.Page) bool {
		return occupant(p) == severed && p.Slots[0].State == status.SlotServing && p.Pools[0].Free == 3
	})
	x.await("m1", "the ledger knows whom m1 can sever", func(p status.Page) bool {
		return slices.ContainsFunc(p.Facts, func(l status.FactLine) bool { return l.Kind == failover.KindFencer && l.By == severs })
	})
	if got := x.answers(aClient); got != string(severed) {
		t.Fatalf("before, %q answers at the address of m4", got)
	}
	return x
}

func (x *severing) put(name, text string, mode os.FileMode) {
	x.t.Helper()
	if err := os.WriteFile(filepath.Join(x.dir, name), []byte(text), mode); err != nil {
		x.t.Fatal(err)
	}
}

// heard is what the fence agent was told to do, in which mode, and what it has seen.
func (x *severing) heard() []string {
	b, err := os.ReadFile(filepath.Join(x.closet, "heard"))
	if err != nil {
		return nil
	}
	return strings.Split(strings.TrimSpace(string(b)), "\n")
}

func (x *severing) count(word string) (n int) {
	for _, h := range x.heard() {
		if h == word {
			n++
		}
	}
	return n
}

// behaves says how the fence agent behaves from now on, and waits until it was so told.
func (x *severing) behaves(mode string) {
	x.t.Helper()
	before := x.count("off " + mode)
	x.put("closet/mode", mode+"\n", 0o600)
	// An order has a minute; it is told again every ten seconds, after twenty if it hangs.
	for end := time.Now().Add(4 * time.Minute); x.count("off "+mode) <= before; time.Sleep(100 * time.Millisecond) {
		if time.Now().After(end) {
			x.t.Fatalf("nobody tells a fence agent in mode %s to switch off; it heard %v", mode, x.heard())
		}
	}
}

// standStill stops m4's agent and service, or lets them go on.
func (x *severing) standStill(still bool) {
	x.t.Helper()
	for _, what := range []string{"agent of m4", "web of m4"} {
		if err := x.procs[what].Process.Signal(map[bool]syscall.Signal{true: syscall.SIGSTOP, false: syscall.SIGCONT}[still]); err != nil {
			x.t.Fatal(err)
		}
	}
}

// answers is who answers at m4's address when somebody asks.
func (x *severing) answers(asker string) string {
	x.t.Helper()
	url := fmt.Sprintf("http://%s:8080/", x.addrs[severed])
	return x.net.Run(asker, "sh", "-c", strings.Join(ours("ask", url), " ")+" 2>/dev/null || true")
}

// occupant is who has the one slot.
func occupant(p status.Page) member.ID {
	if len(p.Slots) == 0 {
		return ""
	}
	return p.Slots[0].Occupant
}

// TestASlotIsGivenAwayWhenItsMemberIsSeveredFromTheNetwork and not before: fence level
// network from fleet.yaml and a fences.yaml to a port of a real bridge. The member stands
// still, its service with it, and may go on at any moment. While the fence agent says ok and
// the port is up, hangs, prints garbage, or the port is down only once, the slot stays where
// it is; when the port has been down twice, a spare takes it, and what goes on then is
// reached by nobody.
func TestASlotIsGivenAwayWhenItsMemberIsSeveredFromTheNetwork(t *testing.T) {
	x := newSevering(t)
	x.standStill(true)
	for _, mode := range []string{"lies", "hangs", "garbage", "flaps"} {
		x.behaves(mode)
		time.Sleep(3 * time.Second) // long enough for a slot to be given away by mistake
		p := x.await("m1", "a page", func(status.Page) bool { return true })
		if who := occupant(p); who != severed {
			t.Fatalf("%s: the slot is with %s, and nobody has seen the port down twice; the fence agent heard %v", mode, who, x.heard())
		}
		for _, c := range p.Cases {
			if c.Proof != "" || c.State != failover.Fencing && c.State != failover.Escalated {
				t.Errorf("%s: case in %s with proof %q (%s)", mode, c.State, c.Proof, c.Why)
			}
		}
	}
	if x.count("status off") == 0 {
		t.Error("a port that flaps was never seen down: nothing was tried")
	}
	x.behaves("works")
	p := x.await("m1", "a spare serves", func(p status.Page) bool { return occupant(p) != severed && occupant(p) != "" })
	if all := x.heard(); !slices.Equal(all[max(0, len(all)-2):], []string{"status off", "status off"}) {
		t.Errorf("given away after %v", all[max(0, len(all)-5):])
	}
	taken := occupant(p)
	p = x.await("m1", "the case is closed", func(p status.Page) bool { return len(p.Cases) > 0 && !p.Cases[0].Open })
	if c := p.Cases[0]; c.Proof != "network" || !strings.Contains(fmt.Sprint(c.Passages), "network of m4 is off: fence_switch said so twice") {
		t.Errorf("closed with proof %q: %+v", c.Proof, c.Passages)
	}
	x.standStill(false)
	if got := x.answers(string(severed)); got != string(severed) {
		t.Errorf("%q answers on the machine that was severed, want its service to go on: else nothing is shown", got)
	}
	if got := x.answers(aClient); got != "" {
		t.Errorf("%q answers at the address of the machine that was severed", got)
	}

	t.Log("people let it in again: it has nothing")
	x.net.Plug(string(severed), true)
	x.await("m1", "it is back", func(p status.Page) bool {
		return slices.ContainsFunc(p.Members, func(m status.Member) bool { return m.ID == severed && m.Verdict == "" })
	})
	x.await(severed, "it knows who has the slot", func(p status.Page) bool { return p.Knowledge.Current && occupant(p) == taken })
}

// TestWhoComesBackBeforeItIsFencedKeepsItsSlot: a case that is given up before FENCED gives
// the slot back as it was. People hold it there, so that the member is back in time.
func TestWhoComesBackBeforeItIsFencedKeepsItsSlot(t *testing.T) {
	x := newSevering(t)
	x.order(failover.KindHold, failover.HoldGiven{Kind: failover.HoldOnly, Scope: failover.Fleet, Reason: "looking", Until: time.Now().Add(time.Hour)})
	x.standStill(true)
	p := x.await("m1", "a case that is held", func(p status.Page) bool {
		return len(p.Cases) > 0 && p.Cases[0].Open && p.Cases[0].Held == failover.HeldHold
	})
	id, epoch := p.Cases[0].ID, p.Slots[0].Epoch
	x.standStill(false)
	p = x.await("m1", "the end of its case", func(p status.Page) bool { return p.Cases[0].ID == id && !p.Cases[0].Open })
	if c := p.Cases[0]; c.Outcome != failover.OutcomeAborted || c.Proof != "" {
		t.Errorf("%s ended as %q with proof %q: %+v", c.ID, c.Outcome, c.Proof, c.Passages)
	}
	x.await("m1", "all is as before", func(p status.Page) bool {
		s := p.Slots[0]
		return s.Occupant == severed && s.Epoch == epoch && s.State == status.SlotServing && !s.Drained && p.Pools[0].Free == 3
	})
	if got := x.answers(aClient); got != string(severed) {
		t.Errorf("%q answers at the address of m4", got)
	}
	if n := x.count("off lies"); n > 0 {
		t.Errorf("it was switched off %d times", n)
	}
}
