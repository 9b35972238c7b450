package demo

import (
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"net"
	"net/netip"
	"slices"
	"strconv"

	"moonwatch/member"
)

// The cluster's size: seven members, five of them with a slot.
const (
	slots  = 5
	spares = 2
)

// The ports of every member. Each has a loopback address of its own, so all
// use the same ones, as real machines do.
const (
	portGossip  = 7946
	portLink    = 7947
	portHTTP    = 7980
	portDebug   = 7981
	portService = 8080
	portDoor    = 8081 // of the members that are doors in the story of a flood
)

// launcherName is what the embedded agent is called. It is in no roster.
const launcherName member.ID = "launcher"

// place is one member of the cluster to be.
type place struct {
	Name    member.ID
	Domain  member.FailureDomain // empty: the launcher
	Council bool
	Addr    netip.Addr
}

// layout says who is where: failure domains 3+2+2, councillors 2+2+1. In a and
// in c one member is no councillor, so two members can be lost in different
// failure domains with at most one councillor among them.
type layout struct {
	places   []place // vm-1 .. vm-7
	launcher place
	doors    int // the first so many members open a gateway; 0: the launcher's is the only one
}

func newLayout(network [2]byte) layout {
	var l layout
	for i, x := range []struct {
		domain  member.FailureDomain
		council bool
	}{
		{"a", true},
		{"a", true},
		{"a", false},
		{"b", true},
		{"b", true},
		{"c", true},
		{"c", false},
	} {
		l.places = append(l.places, place{
			Name: member.ID("vm-" + strconv.Itoa(i+1)), Domain: x.domain, Council: x.council,
			Addr: netip.AddrFrom4([4]byte{127, network[0], network[1], byte(i + 1)}),
		})
	}
	last := byte(len(l.places) + 1)
	l.launcher = place{Name: launcherName, Addr: netip.AddrFrom4([4]byte{127, network[0], network[1], last})}
	return l
}

// everybody is all places, the launcher's last.
func (l layout) everybody() []place { return append(slices.Clone(l.places), l.launcher) }

// shielded are the members that open a gateway.
func (l layout) shielded() []place { return l.places[:l.doors] }

func (l layout) council() []member.ID {
	var ids []member.ID
	for _, p := range l.places {
		if p.Council {
			ids = append(ids, p.Name)
		}
	}
	return ids
}

// inLargest reports whether a member is in the largest failure domain.
func (l layout) inLargest(id member.ID) bool {
	n := map[member.FailureDomain]int{}
	for _, p := range l.places {
		n[p.Domain]++
	}
	at := slices.IndexFunc(l.places, func(p place) bool { return p.Name == id })
	return at >= 0 && n[l.places[at].Domain] == slices.Max(slices.Collect(maps.Values(n)))
}

// inOrder lists the members as fleet.yaml names them: those with a slot first.
// The spares are two councillors that do not lead, in two failure domains. So
// the leader holds a slot and can be the victim of a story.
func (l layout) inOrder(leader member.ID) []place {
	var spare []place
	for _, p := range slices.Backward(l.places) {
		free := p.Council && p.Name != leader && len(spare) < spares
		if free && !slices.ContainsFunc(spare, func(s place) bool { return s.Domain == p.Domain }) {
			spare = append(spare, p)
		}
	}
	serving := slices.DeleteFunc(slices.Clone(l.places), func(p place) bool { return slices.Contains(spare, p) })
	return append(serving, spare...)
}

// drawLayout draws loopback addresses on which nobody uses our ports. Between
// this look and the start somebody could take one; then the agent says so.
func drawLayout() (layout, error) {
	const tries = 20
	var failed error
	for range tries {
		// 127.0 is the machine's own, with its resolver and the like.
		l := newLayout([2]byte{byte(16 + rand.IntN(224)), byte(1 + rand.IntN(250))})
		if failed = l.free(); failed == nil {
			return l, nil
		}
	}
	return layout{}, fmt.Errorf("find free loopback addresses: %d tries: %w", tries, failed)
}

// free binds every port of every address once.
func (l layout) free() (err error) {
	for _, p := range l.everybody() {
		for _, port := range []uint16{portGossip, portLink, portHTTP, portDebug, portService, portDoor} {
			at := netip.AddrPortFrom(p.Addr, port)
			t, bad := net.ListenTCP("tcp", net.TCPAddrFromAddrPort(at))
			if bad != nil {
				return bad
			}
			err = errors.Join(err, t.Close())
		}
		u, bad := net.ListenUDP("udp", net.UDPAddrFromAddrPort(netip.AddrPortFrom(p.Addr, portGossip)))
		if bad != nil {
			return bad
		}
		err = errors.Join(err, u.Close())
	}
	return err
}
