//go:build real && linux

package daemon

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"moonwatch/consensus"
	"moonwatch/internal/testbed"
	"moonwatch/member"
	"moonwatch/status"
)

// moving is a fleet on a segment whose one slot has an address of each family, and a
// client that asks at the first one all the time.
type moving struct {
	*apart

	net  *testbed.Segment
	file string // what the client heard
}

const (
	address4 = "10.77.0.200"
	address6 = "fd00:77::200"
	aClient  = "client"
)

func newMoving(t *testing.T) *moving {
	t.Helper()
	s := testbed.NewSegment(t)
	names := []member.ID{"m1", "m2", "m3", "m4"}
	f := layFleet(t, names, func(i int) netip.Addr { return netip.AddrFrom4([4]byte{10, 77, 0, byte(i + 1)}) })
	f.port = 8080 // a namespace of its own
	x := &moving{net: s, file: filepath.Join(f.dir, "heard")}
	x.apart = newApart(f, func(n member.ID, argv []string) []string { return s.On(string(n), argv...) })
	s.Host(aClient, "10.77.0.100/24", "fd00:77::100/64")
	for i, n := range names {
		s.Host(string(n), f.addrs[n].String()+"/24", fmt.Sprintf("fd00:77::%d/64", i+1))
	}
	for _, n := range names {
		x.serve(n)
		x.startAgent(n)
	}
	x.spawn("asker", aClient, ours("asker", "http://"+address4+":8080/", x.file)...)
	x.await("m1", "a leader", func(p status.Page) bool { return p.Council.Leader != "" })
	fl := testFleet(f, 1)
	slices.Reverse(fl.Members) // m4, which is no councillor, takes the slot
	for i := range fl.Members {
		fl.Members[i].Council = fl.Members[i].ID != "m4"
	}
	x.order(consensus.KindFleet, fl)
	x.await("m1", "m4 has the slot", func(p status.Page) bool { return len(p.Slots) == 1 && p.Slots[0].State == status.SlotServing })
	return x
}

// serve starts a member's service, at all of its addresses, also those that come.
func (x *moving) serve(n member.ID) {
	x.spawn("web", n, ours("web", ":8080", string(n))...)
}

// addresses gives the slot its addresses, or takes them from it.
func (x *moving) addresses(given bool) {
	x.t.Helper()
	fl := x.agentFleet()
	fl.Pools[0].Drivers = []member.Driver{{Kind: "gateway"}}
	if given {
		for name, a := range map[string]string{"vip": address4 + "/32", "vip6": address6 + "/128"} {
			fl.Pools[0].Drivers = append(fl.Pools[0].Drivers, member.Driver{Kind: "vip", Name: name, VIP: &member.VIPDriver{
				Addresses: map[member.SlotID]netip.Prefix{"web-0": netip.MustParsePrefix(a)},
			}})
		}
	}
	x.order(consensus.KindFleet, fl)
}

// agentFleet is the fleet in force.
func (x *moving) agentFleet() member.Fleet {
	x.t.Helper()
	c := x.client("m1")
	defer c.Close()
	f, err := c.Fleet(x.t.Context())
	if err != nil {
		x.t.Fatal(err)
	}
	return *f.Fleet
}

// answered is who answered the client, "-" for nobody.
type answered struct {
	at  time.Time
	who member.ID
}

func (x *moving) heard() []answered {
	x.t.Helper()
	b, err := os.ReadFile(x.file)
	if err != nil {
		return nil
	}
	var all []answered
	for line := range strings.Lines(string(b)) {
		ns, who, whole := strings.Cut(strings.TrimSuffix(line, "\n"), " ")
		n, err := strconv.ParseInt(ns, 10, 64)
		if err == nil && whole && strings.HasSuffix(line, "\n") {
			all = append(all, answered{time.Unix(0, n), member.ID(who)})
		}
	}
	return all
}

// until waits for something, and says what it was when it does not come.
func (x *moving) until(what string, ok func() bool) {
	x.t.Helper()
	for end := time.Now().Add(2 * time.Minute); !ok(); time.Sleep(100 * time.Millisecond) {
		if time.Now().After(end) {
			for _, n := range append(x.names, aClient) {
				x.t.Logf("%s: %s%s", n, x.net.Run(string(n), "ip", "-o", "addr", "show", "dev", "eth0"), x.net.Run(string(n), "ip", "neigh"))
			}
			all := x.heard()
			x.t.Fatalf("%s: not within 2 minutes; the client heard %v at last", what, all[max(0, len(all)-20):])
		}
	}
}

// served waits until somebody other than some answers at both addresses, and the
// client's neighbours are as they should be. It says who, and when first.
func (x *moving) served(besides ...member.ID) (who member.ID, first time.Time) {
	x.t.Helper()
	began := time.Now()
	x.until(fmt.Sprintf("somebody besides %v answers", besides), func() bool {
		for _, r := range x.heard() {
			if r.at.After(began) && r.who != "-" && !slices.Contains(besides, r.who) {
				who, first = r.who, r.at
				return true
			}
		}
		return false
	})
	for _, a := range []string{address4, address6} {
		x.until(fmt.Sprintf("%s answers at %s, by its own Ethernet address", who, a), func() bool {
			url := "http://" + netip.AddrPortFrom(netip.MustParseAddr(a), 8080).String()
			asked := x.net.Run(aClient, "sh", "-c", strings.Join(ours("ask", url), " ")+" || true")
			return asked == string(who) && strings.Contains(x.net.Run(aClient, "ip", "neigh", "show", "to", a), x.net.MAC(string(who)))
		})
	}
	return who, first
}

// has waits until a member has both addresses, or none.
func (x *moving) has(n member.ID, want bool) {
	x.t.Helper()
	x.until(fmt.Sprintf("%s has the addresses: %t", n, want), func() bool {
		return x.net.Has(string(n), address4) == want && x.net.Has(string(n), address6) == want
	})
}

// steady wants nobody but one member to answer for a while. That nobody answers may
// happen on a machine that stands still for a moment.
func (x *moving) steady(who member.ID, within time.Duration) {
	x.t.Helper()
	began := time.Now()
	time.Sleep(within)
	answers := 0
	for _, r := range x.heard() {
		switch {
		case !r.at.After(began) || r.who == "-":
		case r.who == who:
			answers++
		default:
			x.t.Errorf("%q answers after %v, want %s", r.who, r.at.Sub(began), who)
		}
	}
	if answers == 0 {
		x.t.Errorf("%s answers never within %v", who, within)
	}
}

func TestAnAddressMovesWithItsSlotBetweenMachines(t *testing.T) {
	x := newMoving(t)
	x.has("m4", false)
	x.addresses(true)
	if who, _ := x.served(); who != "m4" {
		t.Fatalf("%s answers, want the occupant", who)
	}
	x.await("m1", "the ledger knows who has them", func(p status.Page) bool {
		return len(p.Doors) == 2 && p.Doors[0].Teller == "m4" && len(p.Doors[0].Behind)+len(p.Doors[1].Behind) == 0
	})

	// A machine whose cable is pulled keeps its addresses, and cannot be told.
	pulled := time.Now()
	x.net.Plug("m4", false)
	second, first := x.served("m4")
	t.Logf("cable pulled: %s answers after %v", second, first.Sub(pulled).Round(time.Millisecond))
	x.has("m4", true)
	x.net.Plug("m4", true)
	x.has("m4", false)
	x.served("m4")
	x.steady(second, 5*time.Second)
	x.calm("m1")

	// A machine whose agent and service die answers for the address, and serves nobody.
	killed := time.Now()
	x.kill("agent", second, syscall.SIGKILL)
	x.kill("web", second, syscall.SIGKILL)
	third, first := x.served("m4", second)
	t.Logf("agent and service killed: %s answers after %v", third, first.Sub(killed).Round(time.Millisecond))
	x.has(second, true)
	x.startAgent(second)
	x.serve(second)
	x.has(second, false)
	x.served("m4", second)
	x.steady(third, 5*time.Second)
	x.calm(third)

	// An agent that is started anew leaves the address where it is.
	x.kill("agent", third, syscall.SIGKILL)
	x.startAgent(third)
	x.steady(third, 5*time.Second)
	x.await(third, "its agent knows the fleet", func(p status.Page) bool { return p.Knowledge.Current && len(p.Slots) == 1 })

	x.addresses(false)
	x.has(third, false)
}
