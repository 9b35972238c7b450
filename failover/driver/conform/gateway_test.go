package conform_test

import (
	"fmt"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"moonwatch/failover/driver"
	"moonwatch/failover/driver/conform"
	"moonwatch/member"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestTheGatewayConforms(t *testing.T) {
	conform.Run(t, conform.Subject{
		Fresh: func(*testing.T) *conform.Target {
			d := &door{}
			return &conform.Target{
				Slot:  "web-0",
				Open:  func() driver.Driver { return driver.NewGateway(d) },
				State: d.String,
			}
		},
		Steps:  conform.DoorSteps(nil),
		NoWire: "the gateway's door is in the agent's own process: nothing lies between them",
	})
}

// door knows one slot.
type door struct {
	mu    sync.Mutex
	route driver.Route
}

func (d *door) Route(slot member.SlotID) (driver.Route, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	return d.route, d.route.Slot == slot
}

func (d *door) SetRoute(r driver.Route) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.route = r
	return nil
}

func (d *door) String() string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return fmt.Sprint(d.route)
}
