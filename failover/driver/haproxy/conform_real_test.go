//go:build real

package haproxy

import (
	"fmt"
	"os/exec"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"moonwatch/failover/driver"
	"moonwatch/failover/driver/conform"
	"moonwatch/member"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestHAProxyTakesTheSampleConfiguration(t *testing.T) {
	p := unstarted(t)
	if said, err := exec.Command("haproxy", "-c", "-f", p.Config()).CombinedOutput(); err != nil {
		t.Errorf("%v:\n%s", err, said)
	}
}

func TestHAProxyConforms(t *testing.T) {
	p := newProxy(t, "web- 0-4", "web- 0-999")
	at := addresses{"web-1": newOccupant(t).addrPort(), "spare-1": newOccupant(t).addrPort(), "late": newOccupant(t).addrPort()}
	next := 0
	conform.Run(t, conform.Subject{
		Fresh: func(t *testing.T) *conform.Target {
			slot := member.SlotID(fmt.Sprintf("web-%d", next))
			next++
			wire := conform.NewWire(t, "unix", p.Socket())
			return &conform.Target{
				Slot: slot,
				Open: func() driver.Driver {
					return drives(t, p, at, Instance{Name: "haproxy-1", Socket: wire.Address()})
				},
				State: func() string { return p.slotState(slot) },
				Wire:  wire,
			}
		},
		Steps: conform.DoorSteps(map[member.ID]string{"spare-1": fmt.Sprintf("port %d", at["spare-1"].Port())}),
		Nonsense: []string{
			strings.TrimSuffix(p.Ask("show servers state web"), "\n"),      // cut short
			p.Ask("show servers state web"),                                // without the map, as if no slot had a mark
			p.Ask("show servers state web") + "0x1 web-0 57/spare-1 x\n\n", // a map of something else
			p.Ask("help"),
		},
	})
}
