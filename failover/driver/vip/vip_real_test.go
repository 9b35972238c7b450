//go:build real

package vip

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/vishvananda/netlink"
	"go.uber.org/goleak"
	"golang.org/x/sys/unix"

	"moonwatch/failover/driver"
	"moonwatch/failover/driver/conform"
	"moonwatch/member"
)

const inside = "MOONWATCH_TEST_NETWORK"

// TestMain runs the tests in a network namespace of their own, where nothing is
// but what they make: "ours" and "peer", the two ends of a cable.
func TestMain(m *testing.M) {
	if os.Getenv(inside) != "" {
		if err := cable(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		goleak.VerifyTestMain(m)
		return
	}
	if _, err := exec.LookPath("unshare"); err != nil || os.Getuid() != 0 {
		fmt.Println("SKIP: a network namespace needs unshare and root")
		os.Exit(0)
	}
	cmd := exec.Command("unshare", append([]string{"-n", "--"}, os.Args...)...)
	cmd.Env, cmd.Stdout, cmd.Stderr = append(os.Environ(), inside+"=1"), os.Stdout, os.Stderr
	err := cmd.Run()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		os.Exit(exit.ExitCode())
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func cable() error {
	attrs := netlink.NewLinkAttrs()
	attrs.Name = "ours"
	if err := netlink.LinkAdd(&netlink.Veth{LinkAttrs: attrs, PeerName: "peer"}); err != nil {
		return err
	}
	for _, name := range []string{"ours", "peer", "lo"} {
		link, err := netlink.LinkByName(name)
		if err == nil {
			err = netlink.LinkSetUp(link)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// drives opens a driver of web-1 in which slot n has address n of a network.
func drives(t *testing.T, folder string) *Driver {
	t.Helper()
	c := Config{Self: "web-1", Interface: "ours", Folder: folder, Addresses: map[member.SlotID]netip.Prefix{}}
	for n := range 200 {
		c.Addresses[member.SlotID(fmt.Sprintf("v4-%d", n))] = netip.PrefixFrom(netip.AddrFrom4([4]byte{192, 0, 2, byte(n + 1)}), 24)
		six := netip.MustParseAddr("2001:db8::").As16()
		six[15] = byte(n + 1)
		c.Addresses[member.SlotID(fmt.Sprintf("v6-%d", n))] = netip.PrefixFrom(netip.AddrFrom16(six), 64)
	}
	d, err := New(c)
	must(t, err)
	return d
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func present(t *testing.T, address netip.Addr) bool {
	t.Helper()
	link, err := netlink.LinkByName("ours")
	must(t, err)
	list, err := netlink.AddrList(link, netlink.FAMILY_ALL)
	must(t, err)
	for _, a := range list {
		if have, ok := netip.AddrFromSlice(a.IP); ok && have.Unmap() == address {
			return true
		}
	}
	return false
}

func TestTheAddressConforms(t *testing.T) {
	for _, family := range []string{"v4", "v6"} {
		t.Run(family, func(t *testing.T) {
			next := 0
			folder := t.TempDir()
			req := func(step string, who member.ID, epoch member.SlotEpoch) driver.Request {
				return driver.Request{Case: "C-12", Step: step, Attempt: 1, Member: who, Pool: "web", SlotEpoch: epoch}
			}
			held := req(driver.StepCutover, "web-1", 42)
			drained := req(driver.StepDrain, "web-1", 42)
			conform.Run(t, conform.Subject{
				Fresh: func(t *testing.T) *conform.Target {
					slot := member.SlotID(fmt.Sprintf("%s-%d", family, next))
					next++
					address := drives(t, folder).config.Addresses[slot].Addr()
					return &conform.Target{
						Slot: slot,
						Open: func() driver.Driver { return drives(t, folder) },
						State: func() string {
							r, _, err := drives(t, folder).readMark(slot)
							must(t, err)
							return fmt.Sprintf("present %t, %s", present(t, address), r.route.Mark())
						},
					}
				},
				Steps: []conform.Step{
					{Request: held, Words: []string{"42/web-1"}},
					{Before: []driver.Request{held}, Request: drained, Words: []string{"drained"}, Reversible: true},
					{Before: []driver.Request{held, drained}, Request: req(driver.StepUndrain, "web-1", 42), Reversible: true},
					{Before: []driver.Request{held}, Request: req(driver.StepCutover, "spare-1", 57), Words: []string{"57/spare-1"}},
				},
				NoWire: "the kernel of this machine is asked: nothing lies between",
			})
		})
	}
}

func cutover(who member.ID, slot member.SlotID, epoch member.SlotEpoch) driver.Request {
	return driver.Request{Case: "C-12", Step: driver.StepCutover, Attempt: 1, Member: who, Slot: slot, SlotEpoch: epoch, Deadline: time.Now().Add(10 * time.Second)}
}

// heard collects frames at the cable's other end that hold some bytes.
func heard(t *testing.T, want []byte, during func()) int {
	t.Helper()
	const every = unix.ETH_P_ALL&0xff<<8 | unix.ETH_P_ALL>>8
	socket, err := unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, every)
	must(t, err)
	defer func() { _ = unix.Close(socket) }()
	link, err := netlink.LinkByName("peer")
	must(t, err)
	must(t, unix.Bind(socket, &unix.SockaddrLinklayer{Protocol: every, Ifindex: link.Attrs().Index}))
	must(t, unix.SetsockoptTimeval(socket, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Usec: 300_000}))
	during()
	count, frame := 0, make([]byte, 2048)
	for {
		n, err := unix.Read(socket, frame)
		if err != nil {
			return count
		}
		if bytes.Contains(frame[:n], want) {
			count++
		}
	}
}

func TestNeighboursHearOfACutoverThreeTimesAndAgainLater(t *testing.T) {
	for _, family := range []string{"v4", "v6"} {
		slot := member.SlotID(family + "-199")
		d := drives(t, t.TempDir())
		link, err := netlink.LinkByName("ours")
		must(t, err)
		mac := link.Attrs().HardwareAddr
		address := d.config.Addresses[slot].Addr()
		var says []byte
		if address.Is4() {
			says = arpFrame(mac, address)[12:] // all but to whom and from whom
		} else {
			says = advertisement(mac, address)[4:] // all but the checksum
		}
		taken := cutover("web-1", slot, 42)
		if n := heard(t, says, func() {
			if r := d.Apply(context.Background(), taken); r.Outcome != driver.Done {
				t.Errorf("%v (%s)", r.Outcome, r.Detail)
			}
		}); n != announcements {
			t.Errorf("%s: heard %d times at the cutover, want %d", family, n, announcements)
		}
		if n := heard(t, says, func() { d.Observe(context.Background(), taken) }); n != 0 {
			t.Errorf("%s: heard %d times at once again", family, n)
		}
		d.announced[slot] = time.Now().Add(-d.config.AnnounceEvery)
		if n := heard(t, says, func() { d.Observe(context.Background(), taken) }); n != 1 {
			t.Errorf("%s: heard %d times later, want once", family, n)
		}
		// So does an agent that was started anew, which has nothing else to do.
		d = drives(t, d.config.Folder)
		if n := heard(t, says, func() { d.Apply(context.Background(), taken) }); n != 1 {
			t.Errorf("%s: heard %d times after a new start, want once", family, n)
		}
		if n := heard(t, says, func() { d.Apply(context.Background(), cutover("spare-1", slot, 57)) }); n != 0 {
			t.Errorf("%s: who gives the address away says that it has it", family)
		}
	}
}

func TestWhatPeopleChangedByHandIsNoticedAndMended(t *testing.T) {
	d := drives(t, t.TempDir())
	req := cutover("web-1", "v4-198", 42)
	if r := d.Apply(t.Context(), req); r.Outcome != driver.Done {
		t.Fatalf("%v (%s)", r.Outcome, r.Detail)
	}
	must(t, take(placed{d.config.Addresses["v4-198"], "ours"}))
	if r := d.Observe(t.Context(), req); r.Outcome != driver.Unknown || !strings.Contains(r.Detail, "half-way") {
		t.Errorf("%v (%s)", r.Outcome, r.Detail)
	}
	if r := d.Apply(t.Context(), req); r.Outcome != driver.Done || !present(t, netip.MustParseAddr("192.0.2.199")) {
		t.Errorf("%v (%s)", r.Outcome, r.Detail)
	}
}

// wants applies a request and looks at its outcome, its words and the address.
func wants(t *testing.T, d *Driver, req driver.Request, outcome driver.Outcome, says string, here bool) {
	t.Helper()
	r := d.Apply(t.Context(), req)
	if r.Outcome != outcome || !strings.Contains(r.Detail, says) {
		t.Errorf("%v (%s), want %v with %q", r.Outcome, r.Detail, outcome, says)
	}
	if address := d.config.Addresses[req.Slot].Addr(); present(t, address) != here {
		t.Errorf("%s is here: %t, want %t", address, !here, here)
	}
}

func TestAnAddressThatPeoplePutThereIsNeverTakenAway(t *testing.T) {
	d := drives(t, t.TempDir())
	byHand := placed{d.config.Addresses["v4-196"], "ours"}
	must(t, give(byHand))
	wants(t, d, cutover("web-1", "v4-196", 42), driver.Permanent, "ip address del 192.0.2.197/24 dev ours", true)
	wants(t, d, cutover("spare-1", "v4-196", 57), driver.Permanent, "does not take it away", true)
	must(t, take(byHand))
	wants(t, d, cutover("spare-1", "v4-196", 57), driver.Done, "", false)
	wants(t, d, cutover("web-1", "v4-196", 60), driver.Done, "", true)
	// What is ours goes also where people put it on another interface as well.
	other := placed{d.config.Addresses["v4-196"], "peer"}
	must(t, give(other))
	wants(t, d, cutover("spare-1", "v4-196", 61), driver.Permanent, "is on peer", false)
	must(t, take(other))
	wants(t, d, cutover("spare-1", "v4-196", 61), driver.Done, "", false)
}

func TestTheInterfaceIsTheOneInWhoseNetworkTheAddressIs(t *testing.T) {
	own := placed{netip.MustParsePrefix("198.51.100.2/24"), "peer"}
	must(t, give(own))
	defer func() { must(t, take(own)) }()
	d := drives(t, t.TempDir())
	d.config.Interface = ""
	d.config.Addresses["found"] = netip.MustParsePrefix("198.51.100.77/32")
	wants(t, d, cutover("web-1", "found", 42), driver.Done, "", false) // not on ours
	if on, err := d.home(netip.MustParseAddr("198.51.100.77")); err != nil || on != "peer" {
		t.Errorf("%q: %v", on, err)
	}
	wants(t, d, cutover("spare-1", "found", 57), driver.Done, "", false)
	d.config.Addresses["lost"] = netip.MustParsePrefix("203.0.113.7/32")
	wants(t, d, cutover("web-1", "lost", 42), driver.Permanent, "name one with interface", false)
	wants(t, d, cutover("spare-1", "lost", 57), driver.Done, "", false) // who is not to have it needs no interface
}

func TestAnotherAddressInFleetYAMLTakesThePlaceOfTheOldOne(t *testing.T) {
	folder := t.TempDir()
	d := drives(t, folder)
	req := cutover("web-1", "v4-195", 42)
	wants(t, d, req, driver.Done, "", true)
	old := d.config.Addresses["v4-195"].Addr()
	d = drives(t, folder)
	d.config.Addresses["v4-195"] = netip.MustParsePrefix("192.0.2.250/32")
	if r := d.Observe(t.Context(), req); r.Outcome != driver.Unknown {
		t.Errorf("%v (%s)", r.Outcome, r.Detail)
	}
	wants(t, d, req, driver.Done, "", true)
	if present(t, old) {
		t.Error("the old one is still here")
	}
	wants(t, d, cutover("spare-1", "v4-195", 57), driver.Done, "", false)
}

func TestWhatFleetYAMLNamesNoMoreIsTakenAway(t *testing.T) {
	root := t.TempDir()
	d := drives(t, root+"/web%2Fvip")
	wants(t, d, cutover("web-1", "v6-194", 42), driver.Done, "", true)
	wants(t, d, cutover("web-1", "v4-194", 42), driver.Done, "", true)
	left, err := Leave(root, func(folder string, slot member.SlotID) bool { return folder == d.config.Folder && slot == "v6-194" })
	if err != nil || len(left) != 1 || left[0] != "192.0.2.195/24 of slot v4-194 from ours" {
		t.Errorf("%q, %v", left, err)
	}
	if present(t, d.config.Addresses["v4-194"].Addr()) || !present(t, d.config.Addresses["v6-194"].Addr()) {
		t.Error("what goes and what stays was mistaken")
	}
	if left, err = Leave(root, func(string, member.SlotID) bool { return false }); err != nil || len(left) != 1 {
		t.Errorf("%q, %v", left, err)
	}
	if left, err = Leave(root, func(string, member.SlotID) bool { return false }); err != nil || left != nil {
		t.Errorf("%q, %v", left, err)
	}
}

func TestAnAddressIsFoundOnAnInterfaceThatWasRenamed(t *testing.T) {
	attrs := netlink.NewLinkAttrs()
	attrs.Name = "before"
	must(t, netlink.LinkAdd(&netlink.Veth{LinkAttrs: attrs, PeerName: "before-peer"}))
	link, err := netlink.LinkByName("before")
	must(t, err)
	defer func() { must(t, netlink.LinkDel(link)) }()
	must(t, netlink.LinkSetUp(link))
	has := func(address string) bool {
		all, err := addresses()
		must(t, err)
		return slices.ContainsFunc(all, func(a placed) bool { return a.address == netip.MustParsePrefix(address) })
	}
	rename := func(name string) {
		must(t, netlink.LinkSetDown(link)) // older kernels rename no other one
		must(t, netlink.LinkSetName(link, name))
		must(t, netlink.LinkSetUp(link))
	}
	root := t.TempDir()
	for slot, address := range map[member.SlotID]string{"v4-192": "192.0.2.193/24", "v4-193": "192.0.2.194/24"} {
		d := drives(t, root+"/web%2Fvip")
		d.config.Interface = "before"
		if r := d.Apply(t.Context(), cutover("web-1", slot, 42)); r.Outcome != driver.Done || !has(address) {
			t.Fatalf("%v (%s)", r.Outcome, r.Detail)
		}
	}
	rename("after")
	d := drives(t, root+"/web%2Fvip")
	d.config.Interface = "after"
	if r := d.Observe(t.Context(), cutover("web-1", "v4-192", 42)); r.Outcome != driver.Done {
		t.Errorf("it stays: %v (%s)", r.Outcome, r.Detail)
	}
	if r := d.Apply(t.Context(), cutover("spare-1", "v4-192", 57)); r.Outcome != driver.Done || has("192.0.2.193/24") {
		t.Errorf("it moves: %v (%s)", r.Outcome, r.Detail)
	}
	left, err := Leave(root, func(string, member.SlotID) bool { return false })
	if err != nil || len(left) != 1 || left[0] != "192.0.2.194/24 of slot v4-193 from after" || has("192.0.2.194/24") {
		t.Errorf("it is no slot's: %q, %v", left, err)
	}
	marks, err := filepath.Glob(root + "/*/*")
	if err != nil || len(marks) != 0 {
		t.Errorf("%v stay, %v", marks, err)
	}
}

// An address is where its interface is, and not where another one has its name now.
func TestAnAddressIsFoundOnItsInterfaceAfterTwoHaveSwappedNames(t *testing.T) {
	var links [2]netlink.Link
	for i, name := range []string{"left", "right"} {
		attrs := netlink.NewLinkAttrs()
		attrs.Name = name
		must(t, netlink.LinkAdd(&netlink.Veth{LinkAttrs: attrs, PeerName: name + "-peer"}))
		link, err := netlink.LinkByName(name)
		must(t, err)
		defer func() { must(t, netlink.LinkDel(link)) }()
		must(t, netlink.LinkSetUp(link))
		links[i] = link
	}
	on := func(address string) (names []string) {
		all, err := addresses()
		must(t, err)
		for _, a := range all {
			if a.address == netip.MustParsePrefix(address) {
				names = append(names, a.on)
			}
		}
		return names
	}
	root := t.TempDir()
	d := drives(t, root+"/web%2Fvip")
	d.config.Interface = "left"
	for slot, address := range map[member.SlotID]string{"v4-192": "192.0.2.193/24", "v4-193": "192.0.2.194/24"} {
		if r := d.Apply(t.Context(), cutover("web-1", slot, 42)); r.Outcome != driver.Done || len(on(address)) != 1 {
			t.Fatalf("%v (%s)", r.Outcome, r.Detail)
		}
	}
	for _, step := range []struct {
		link int
		name string
	}{{0, "third"}, {1, "left"}, {0, "right"}} {
		must(t, netlink.LinkSetDown(links[step.link])) // older kernels rename no other one
		must(t, netlink.LinkSetName(links[step.link], step.name))
		must(t, netlink.LinkSetUp(links[step.link]))
	}
	d = drives(t, root+"/web%2Fvip")
	d.config.Interface = "left"
	if r := d.Apply(t.Context(), cutover("web-1", "v4-192", 42)); r.Outcome != driver.Done || !slices.Equal(on("192.0.2.193/24"), []string{"left"}) {
		t.Errorf("%v (%s): it is on %v, want it on left alone", r.Outcome, r.Detail, on("192.0.2.193/24"))
	}
	left, err := Leave(root, func(string, member.SlotID) bool { return false })
	if err != nil || len(left) != 2 || len(on("192.0.2.193/24"))+len(on("192.0.2.194/24")) != 0 {
		t.Errorf("taken away: %q, %v; still on %v and %v", left, err, on("192.0.2.193/24"), on("192.0.2.194/24"))
	}
}

// An interface that was made anew is another one, and what people put on it is theirs.
func TestAnInterfaceThatWasMadeAnewIsNotARenamedOne(t *testing.T) {
	path := filepath.Join(t.TempDir(), "v4-0.vip")
	p := placed{netip.MustParsePrefix("192.0.2.1/24"), "ours"}
	must(t, p.number(path))
	if on := p.called(path); on != "ours" {
		t.Errorf("got %q", on)
	}
	gone := placed{p.address, "gone"}
	if on := gone.called(path); on != "gone" {
		t.Errorf("the number is another mark's, got %q", on)
	}
	must(t, os.WriteFile(path+linkEnd, []byte("192.0.2.1/24 gone 123456\n"), 0o600))
	if on := gone.called(path); on != "gone" {
		t.Errorf("nobody has the number, got %q", on)
	}
	must(t, os.WriteFile(path+linkEnd, []byte("192.0.2.1/24 gone"), 0o600))
	if on := gone.called(path); on != "gone" {
		t.Errorf("half of a file, got %q", on)
	}
}

func TestASetupThatDoesNotFitIsPermanent(t *testing.T) {
	d := drives(t, t.TempDir())
	d.config.Interface = "eth99"
	if r := d.Apply(t.Context(), cutover("web-1", "v4-197", 42)); r.Outcome != driver.Permanent || !strings.Contains(r.Detail, "no interface eth99") {
		t.Errorf("%v (%s)", r.Outcome, r.Detail)
	}
	d = drives(t, t.TempDir())
	if r := d.Apply(t.Context(), cutover("web-1", "db-0", 42)); r.Outcome != driver.Permanent || !strings.Contains(r.Detail, "slot db-0 has no address") {
		t.Errorf("%v (%s)", r.Outcome, r.Detail)
	}
	must(t, os.WriteFile(d.markPath("v4-197"), []byte("mine\n"), 0o600))
	if r := d.Apply(t.Context(), cutover("web-1", "v4-197", 42)); r.Outcome != driver.Permanent || !strings.Contains(r.Detail, "mark of slot v4-197") {
		t.Errorf("%v (%s)", r.Outcome, r.Detail)
	}
}
