package daemon

import (
	"fmt"
	"maps"
	"net/netip"
	"reflect"
	"slices"
	"sync"

	"moonwatch/failover/driver"
	"moonwatch/failover/driver/dns"
	"moonwatch/failover/driver/haproxy"
	"moonwatch/failover/driver/vip"
	"moonwatch/failover/driver/webhook"
	"moonwatch/member"
)

// doorDrivers are the drivers of the doors that this member tells. Each is opened
// when it is first needed, for it reads files of this machine, and anew when
// fleet.yaml says something else of it.
type doorDrivers struct {
	mu   sync.Mutex
	open map[string]doorDriver
}

type doorDriver struct {
	from   member.Driver
	port   int
	driver driver.Driver
}

// openDoor gives the driver of a pool's door.
func (d *Daemon) openDoor(pool member.Pool, from member.Driver) (driver.Driver, error) {
	d.doorDrivers.mu.Lock()
	defer d.doorDrivers.mu.Unlock()
	key, port := pool.Name+"/"+from.Door(), from.At(pool)
	if x, ok := d.doorDrivers.open[key]; ok && x.port == port && reflect.DeepEqual(x.from, from) {
		return x.driver, nil
	}
	drv, err := d.newDoor(pool, from, port)
	if err != nil {
		return nil, fmt.Errorf("door %s: %w", key, err)
	}
	if d.doorDrivers.open == nil {
		d.doorDrivers.open = map[string]doorDriver{}
	}
	d.doorDrivers.open[key] = doorDriver{from, port, drv}
	return drv, nil
}

func (d *Daemon) newDoor(pool member.Pool, from member.Driver, port int) (driver.Driver, error) {
	switch {
	case from.HAProxy != nil:
		h := from.HAProxy
		c := haproxy.Config{
			Backend: h.Backend, Map: h.Map, KeepSessions: h.KeepSessions,
			Address: func(id member.ID) (netip.AddrPort, bool) {
				addr, known := d.peers.address(id)
				return netip.AddrPortFrom(addr.Addr(), uint16(port)), known
			},
		}
		if h.Socket != "" {
			c.Instances = []haproxy.Instance{{Name: string(d.self), Socket: h.Socket, StateFile: h.StateFile}}
		}
		for _, name := range slices.Sorted(maps.Keys(h.Instances)) {
			c.Instances = append(c.Instances, haproxy.Instance{Name: name, Socket: h.Instances[name]})
		}
		d.clearBeside(h.Map, h.StateFile)
		return haproxy.New(c)
	case from.DNS != nil:
		key, err := dns.ReadKey(from.DNS.KeyFile)
		if err != nil {
			return nil, err
		}
		return dns.New(dns.Config{
			Server: from.DNS.Server, Zone: from.DNS.Zone, Key: key, TTL: from.DNS.TTL, Name: from.DNS.Name,
			Address: func(id member.ID) (netip.Addr, bool) {
				addr, known := d.peers.address(id)
				return addr.Addr(), known
			},
		})
	case from.Webhook != nil:
		return newWebhook(*from.Webhook)
	case from.VIP != nil:
		return vip.New(vip.Config{
			Self: d.self, Interface: from.VIP.Interface, Addresses: from.VIP.Addresses, Folder: d.addressMarks(pool.Name, from.Door()),
		})
	default:
		return nil, fmt.Errorf("kind %s is not known to this build: want a newer moonwatch on this member", from.Kind)
	}
}

func newWebhook(w member.WebhookDriver) (driver.Driver, error) {
	secret, err := driver.ReadSecret(w.SecretFile)
	if err != nil {
		return nil, err
	}
	trust, err := trusting(w.CAFile)
	if err != nil {
		return nil, err
	}
	return webhook.New(webhook.Config{URL: w.URL, Secret: secret, TLS: trust})
}
