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
							return fmt.Sprintf("present %t, %s", present(t, address), r.Mark())
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
			t.Errorf("%s: heard %d times after a minute, want once", family, n)
		}
		// A neighbour that knew another one believes it.
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
	must(t, d.bring("v4-198", false))
	if r := d.Observe(t.Context(), req); r.Outcome != driver.Unknown || !strings.Contains(r.Detail, "half-way") {
		t.Errorf("%v (%s)", r.Outcome, r.Detail)
	}
	if r := d.Apply(t.Context(), req); r.Outcome != driver.Done || !present(t, netip.MustParseAddr("192.0.2.199")) {
		t.Errorf("%v (%s)", r.Outcome, r.Detail)
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
